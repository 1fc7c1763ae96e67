"""Coordinated turn: motion on a circle at constant speed and turn rate."""

from __future__ import annotations

import numpy as np


def turn(mean: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return states (5, N) ``dt`` seconds later, and the Jacobian (5, 5, N).

    States are (x, y, velocity_x, velocity_y, yaw_rate), metres and radians.

    Bar-Shalom, Li, Kirubarajan, "Estimation with Applications to Tracking and Navigation", equations 11.7.1-4 and
    11.7.2-2; series near a turn rate of zero.
    """
    x, y, vx, vy, rate = mean
    angle = rate * dt
    small = np.abs(angle) < 1e-3
    safe = np.where(small, 1.0, rate)
    sin, cos = np.sin(angle), np.cos(angle)
    along = np.where(small, dt * (1 - angle**2 / 6), sin / safe)
    across = np.where(small, dt * angle / 2, (1 - cos) / safe)
    along_by_rate = np.where(small, -angle * dt**2 / 3, (dt * cos - sin / safe) / safe)
    across_by_rate = np.where(small, dt**2 / 2, (dt * sin - (1 - cos) / safe) / safe)
    jacobian = np.zeros((5, 5, mean.shape[1]))
    for state in range(5):
        jacobian[state, state] = 1.0
    jacobian[0, 2], jacobian[0, 3] = along, -across
    jacobian[1, 2], jacobian[1, 3] = across, along
    jacobian[2, 2], jacobian[2, 3] = cos, -sin
    jacobian[3, 2], jacobian[3, 3] = sin, cos
    jacobian[0, 4] = along_by_rate * vx - across_by_rate * vy
    jacobian[1, 4] = across_by_rate * vx + along_by_rate * vy
    jacobian[2, 4] = -dt * (sin * vx + cos * vy)
    jacobian[3, 4] = dt * (cos * vx - sin * vy)
    moved = np.stack(
        [x + along * vx - across * vy, y + across * vx + along * vy, cos * vx - sin * vy, sin * vx + cos * vy, rate]
    )
    return moved, jacobian
