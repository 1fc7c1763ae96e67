"""A plain constant-velocity Kalman filter that turns observed positions into track states, for evaluation."""

from __future__ import annotations

import numpy as np


def filter_positions(
    positions: np.ndarray, step: float, acceleration_density: float, position_sigma: float
) -> tuple[np.ndarray, np.ndarray]:
    """Filter N tracks of T positions each, all in step.

    Args:
        positions: (N, T, 2), metres, T >= 2.
        step: seconds between positions.
        acceleration_density: spectral density of the white acceleration, m^2/s^3.
        position_sigma: standard deviation of a measured position, metres.

    Returns:
        Last state (N, 4) of x, y, vx, vy, and its covariance (N, 4, 4).

    Raises:
        ValueError: ``positions`` has another shape.

    """
    if positions.ndim != 3 or positions.shape[2] != 2 or positions.shape[1] < 2:
        raise ValueError(f"positions: expected (N, T >= 2, 2), got {positions.shape}")
    transition = np.eye(4) + step * np.eye(4, k=2)
    a, b, c = (acceleration_density * step**n / n for n in (3, 2, 1))
    noise = np.kron(np.array([[a, b], [b, c]]), np.eye(2))
    measurement = np.eye(2, 4)
    r = position_sigma**2 * np.eye(2)
    state = np.concatenate([positions[:, 1], (positions[:, 1] - positions[:, 0]) / step], axis=1)
    start = position_sigma**2 * np.array([[1, 1 / step], [1 / step, 2 / step**2]]) + np.diag([0, c])
    covariance = np.kron(start, np.eye(2))
    for k in range(2, positions.shape[1]):  # the covariance is the same for all tracks
        state = state @ transition.T
        covariance = transition @ covariance @ transition.T + noise
        gain = covariance[:, :2] @ np.linalg.inv(covariance[:2, :2] + r)
        state = state + (positions[:, k] - state[:, :2]) @ gain.T
        covariance = (np.eye(4) - gain @ measurement) @ covariance
    return state, np.broadcast_to(covariance, (len(state), 4, 4)).copy()
