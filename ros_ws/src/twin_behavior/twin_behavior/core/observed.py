"""A plain constant-velocity Kalman filter over many recorded tracks at once, for evaluation."""

from __future__ import annotations

import numpy as np


def filter_tracks(
    positions: np.ndarray, step: float, density: np.ndarray, position_sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Filter N tracks in step; NaN marks where a track has no position (after its end).

    Args:
        positions: (N, T, 2), metres.
        step: seconds between positions.
        density: spectral density of each track's white acceleration, (N,) m^2/s^3.
        position_sigma: standard deviation of each track's positions, (N,) metres.

    Returns:
        velocities (N, T, 2) and their variances per axis (N, T); NaN where there is no position.

    """
    count, steps, _ = positions.shape
    transition = np.array([[1.0, step], [0.0, 1.0]])
    noise = density[:, None, None] * np.array([[step**3 / 3, step**2 / 2], [step**2 / 2, step]])
    first = (positions[:, 1] - positions[:, 0]) / step
    state = np.stack([positions[:, 1], first], axis=1)  # (N, 2 of value and rate, 2 axes)
    covariance = position_sigma[:, None, None] ** 2 * np.array([[1, 1 / step], [1 / step, 2 / step**2]])
    velocity, variance = np.full((count, steps, 2), np.nan), np.full((count, steps), np.nan)
    velocity[:, :2], variance[:, :2] = first[:, None], covariance[:, 1, 1, None]
    for k in range(2, steps):
        state = transition @ state
        covariance = transition @ covariance @ transition.T + noise
        gain = covariance[:, :, 0] / (covariance[:, 0, 0] + position_sigma**2)[:, None]
        state = state + gain[:, :, None] * (positions[:, k] - state[:, 0])[:, None]
        covariance = covariance - gain[:, :, None] * covariance[:, None, 0]
        velocity[:, k] = state[:, 1]
        variance[:, k] = np.where(np.isfinite(state[:, 1, 0]), covariance[:, 1, 1], np.nan)
    return velocity, variance
