"""Headings of all tracks: what boxes and motion say about where an object faces.

A box tells its yaw only up to half a turn, and nothing about a pedestrian; motion tells the direction, unless an object
is slow or goes backwards. The front is where the object has mostly gone lately.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.geometry import wrap

MOTION_MEMORY = 1.0  # the filtered velocity's errors stay alike for about so long, s
MAX_VARIANCE = 3.0


@dataclass(slots=True)
class Heading:
    """``yaw`` (N,) rad, ``variance`` (N,) rad^2, ``ahead`` (N,) m gone forwards more than backwards, bounded."""

    yaw: np.ndarray
    variance: np.ndarray
    ahead: np.ndarray


def half_turn(angle: np.ndarray) -> np.ndarray:
    """Return angles modulo half a turn, in [-pi/2, pi/2)."""
    return np.mod(angle + np.pi / 2, np.pi) - np.pi / 2


def predict(heading: Heading, yaw_rate: np.ndarray, density: np.ndarray, dt: float) -> Heading:
    """Turn by the yaw rate (N,); the variance grows by ``density`` (N,) rad^2/s."""
    variance = np.minimum(heading.variance + density * dt, MAX_VARIANCE)
    return Heading(wrap(heading.yaw + yaw_rate * dt), variance, heading.ahead)


def update_from_box(heading: Heading, yaw: np.ndarray, variance: np.ndarray) -> Heading:
    """Take the yaw of a box into account, up to half a turn; far outliers count little."""
    return _correct(heading, half_turn(yaw - heading.yaw), variance)


def update_from_motion(heading: Heading, velocity: np.ndarray, covariance: np.ndarray, memory: np.ndarray,
                       dt: float) -> Heading:  # fmt: skip
    """Take the direction of motion during ``dt`` into account.

    ``velocity`` (N, 2) m/s with ``covariance`` (N, 2, 2); ``memory`` (N,) m: how far an object goes backwards before it
    is turned round.
    """
    speed2 = np.maximum((velocity**2).sum(axis=1), 1e-9)
    vx, vy = velocity.T
    across = vy**2 * covariance[:, 0, 0] - 2 * vx * vy * covariance[:, 0, 1] + vx**2 * covariance[:, 1, 1]
    variance = across / speed2**2
    moves = (variance < 0.25) & (speed2 > 0.3**2)
    direction = np.arctan2(vy, vx)
    gone = np.where(moves, (vx * np.cos(heading.yaw) + vy * np.sin(heading.yaw)) * dt, 0.0)
    ahead = np.clip(heading.ahead + gone, -memory, memory)
    turned = ahead < 0
    facing = np.where(turned, heading.yaw + np.pi, heading.yaw)
    difference = half_turn(direction - facing)
    noise = np.where(moves, (variance + 0.02**2) * max(MOTION_MEMORY / dt, 1.0) if dt > 0 else np.inf, np.inf)
    return _correct(Heading(facing, heading.variance, np.abs(ahead)), difference, noise)


def _correct(heading: Heading, innovation: np.ndarray, noise: np.ndarray) -> Heading:
    """Scalar Kalman update whose noise grows with innovations beyond three sigma (Huber's weights)."""
    expected = heading.variance + noise
    with np.errstate(invalid="ignore"):
        noise = noise * np.maximum(innovation**2 / (9 * expected), 1.0)
    noise = np.where(np.isfinite(noise), noise, np.inf)
    gain = heading.variance / (heading.variance + noise)
    return Heading(wrap(heading.yaw + gain * innovation), (1 - gain) * heading.variance, heading.ahead)
