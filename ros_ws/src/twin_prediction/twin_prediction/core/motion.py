"""Motion models: mean and covariance of a path under constant velocity, a decaying turn, and braking to rest.

Every model writes the displacement as ``M(t) v0``, a matrix on the initial velocity, so that the track's own
covariance propagates through ``F = [I, M(t)]``; the class's process noise is added as white acceleration along
and across the path, ``q t^3 / 3`` in position (Bar-Shalom, Li, Kirubarajan 2001, eq. 6.2.2-4).
"""

from __future__ import annotations

import numpy as np

from twin_prediction.config import PredictionConfig
from twin_prediction.core.states import TrackStates

Path = tuple[np.ndarray, np.ndarray, np.ndarray]
VEHICLES_AND_RIDERS = (1, 2, 3, 4, 5, 6)


def rotation(angle: np.ndarray) -> np.ndarray:
    """Return rotation matrices (..., 2, 2) of angles (...)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)


def course(tracks: TrackStates) -> np.ndarray:
    """Return the direction of motion, (N,) rad: that of the velocity, or the heading of objects at rest."""
    speed = np.linalg.norm(tracks.velocity, axis=1)
    return np.where(speed > 0.3, np.arctan2(tracks.velocity[:, 1], tracks.velocity[:, 0]), tracks.yaw)


def constant_velocity(tracks: TrackStates, times: np.ndarray, config: PredictionConfig) -> Path:
    """Return position (N, T, 2), covariance (N, T, 2, 2) and yaw (N, T) of straight, unaccelerated motion."""
    gain = np.broadcast_to(times[None, :, None, None] * np.eye(2), (len(tracks), len(times), 2, 2))
    position = tracks.position[:, None] + times[None, :, None] * tracks.velocity[:, None]
    noise = _process_noise(tracks, np.broadcast_to(course(tracks)[:, None], position.shape[:2]), times[None, :], config)
    yaw = np.broadcast_to(tracks.yaw[:, None], position.shape[:2])
    return position, _propagate(tracks.covariance, gain) + noise, yaw


def bounded_turn_rate(tracks: TrackStates, config: PredictionConfig) -> np.ndarray:
    """Return the turn rate within what lateral acceleration allows, (N,) rad/s."""
    speed = np.linalg.norm(tracks.velocity, axis=1)
    limit = config.max_lateral_acceleration / np.maximum(speed, 0.1)
    return np.clip(tracks.yaw_rate, -limit, limit)


def decaying_turn(tracks: TrackStates, times: np.ndarray, config: PredictionConfig) -> Path:
    """Return position, covariance and yaw of motion at constant speed whose turn rate decays exponentially.

    The turn angle is ``w0 tau (1 - exp(-t / tau))``; its integrals are taken by Simpson's rule. ``times`` must
    be evenly spaced and start at their spacing.
    """
    step = times[0]
    fine = np.arange(2 * len(times) + 1) * (step / 2)
    growth = config.turn_decay * -np.expm1(-fine / config.turn_decay)
    angle = bounded_turn_rate(tracks, config)[:, None] * growth
    cos, sin = np.cos(angle), np.sin(angle)
    c, s, gc, gs = (_simpson(f, step) for f in (cos, sin, growth * cos, growth * sin))
    gain = np.stack([np.stack([c, -s], axis=-1), np.stack([s, c], axis=-1)], axis=-2)
    position = tracks.position[:, None] + np.einsum("ntij,nj->nti", gain, tracks.velocity)
    vx, vy = tracks.velocity[:, 0, None], tracks.velocity[:, 1, None]
    by_turn_rate = np.stack([-gs * vx - gc * vy, gc * vx - gs * vy], axis=-1)
    covariance = _propagate(tracks.covariance, gain)
    covariance += (
        tracks.yaw_rate_variance[:, None, None, None] * by_turn_rate[..., :, None] * by_turn_rate[..., None, :]
    )
    turned = angle[:, 2::2]
    covariance += _process_noise(tracks, course(tracks)[:, None] + 0.5 * turned, times[None, :], config)
    return position, covariance, tracks.yaw[:, None] + turned


def brake_to_rest(tracks: TrackStates, times: np.ndarray, config: PredictionConfig) -> Path:
    """Return position, covariance and yaw of straight motion that keeps its deceleration until it rests."""
    speed = np.linalg.norm(tracks.velocity, axis=1)
    deceleration = np.maximum(-tracks.acceleration, 1e-3)
    until_rest = speed / deceleration
    moving = np.minimum(times[None, :], until_rest[:, None])
    travelled = speed[:, None] * moving - 0.5 * deceleration[:, None] * moving**2
    direction = np.stack([np.cos(course(tracks)), np.sin(course(tracks))], axis=1)
    position = tracks.position[:, None] + travelled[..., None] * direction[:, None]
    covariance = _propagate(tracks.covariance, moving[..., None, None] * np.eye(2))
    along = (config.brake_spread * 0.5 * moving**2) ** 2
    covariance += along[..., None, None] * (direction[:, :, None] * direction[:, None, :])[:, None]
    heading = np.broadcast_to(course(tracks)[:, None], moving.shape)
    covariance += _process_noise(tracks, heading, moving, config)
    return position, covariance, np.broadcast_to(tracks.yaw[:, None], moving.shape)


def _simpson(values: np.ndarray, step: float) -> np.ndarray:
    """Integrate from 0 to each full step; values (N, 2T + 1) at half steps; returns (N, T)."""
    return np.asarray(np.cumsum((values[:, :-2:2] + 4 * values[:, 1::2] + values[:, 2::2]) * (step / 6), axis=1))


def _propagate(covariance: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Return the position's covariance (N, T, 2, 2) after a displacement ``gain @ velocity``.

    Written out by element: NumPy multiplies stacks of 2 x 2 matrices ten times slower.
    """
    p = [[covariance[:, None, i, j] for j in range(4)] for i in range(4)]
    g = [[gain[..., i, j] for j in range(2)] for i in range(2)]
    cross = [[p[i][2] * g[j][0] + p[i][3] * g[j][1] for j in range(2)] for i in range(2)]
    along = [[g[i][0] * p[2][j + 2] + g[i][1] * p[3][j + 2] for j in range(2)] for i in range(2)]
    out = np.empty(gain.shape)
    for i, j in ((0, 0), (0, 1), (1, 1)):
        spread = along[i][0] * g[j][0] + along[i][1] * g[j][1]
        out[..., i, j] = p[i][j] + cross[i][j] + cross[j][i] + spread
    out[..., 1, 0] = out[..., 0, 1]
    return out


def _process_noise(tracks: TrackStates, heading: np.ndarray, times: np.ndarray, config: PredictionConfig) -> np.ndarray:
    """Return the covariance that unknown accelerations add, (N, T, 2, 2); heading (N, T), times (N or 1, T)."""
    along = np.array(config.noise_along)[tracks.classification]
    across = np.array(config.noise_across)[tracks.classification]
    speed = np.linalg.norm(tracks.velocity, axis=1)
    steered = np.isin(tracks.classification, VEHICLES_AND_RIDERS)
    across = across * np.where(steered, np.minimum(speed / config.full_noise_speed, 1.0) ** 2, 1.0)
    growth = times**3 / 3
    along_t, across_t = along[:, None] * growth, across[:, None] * growth
    cos, sin = np.cos(heading), np.sin(heading)
    xy = (along_t - across_t) * cos * sin
    xx, yy = along_t * cos**2 + across_t * sin**2, along_t * sin**2 + across_t * cos**2
    return np.stack([np.stack([xx, xy], axis=-1), np.stack([xy, yy], axis=-1)], axis=-2)
