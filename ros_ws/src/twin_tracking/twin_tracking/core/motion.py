"""Batch of interacting multiple models: standing, going straight, turning.

State of every mode: (x, y, velocity_x, velocity_y, yaw_rate), metres, map frame. Cartesian velocity has no singular
point at rest and makes position measurements linear.

Interacting multiple models: Blom and Bar-Shalom 1988, as in Bar-Shalom, Li, Kirubarajan, "Estimation with
Applications to Tracking and Navigation", section 11.6.6; coordinated turn: ibid., section 11.7.1. The modes change as
a Markov chain in continuous time, so that nothing depends on the rate of the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from twin_tracking.config import TrackerConfig
from twin_tracking.core.turning import turn

STANDING, STRAIGHT, TURNING = range(3)
MODES = 3
STATES = 5
X, Y, VX, VY, RATE = range(STATES)
BIRTH_PROBABILITY = np.array([0.35, 0.55, 0.10])
_REST_SPEED, _REST_RATE = 0.05, 0.01
_SLOW = 1.0  # below this speed the direction of motion says little, m/s


@dataclass(slots=True)
class Motion:
    """``mean`` (5, 3, N), ``covariance`` (5, 5, 3, N), ``probability`` (3, N) of every mode of N tracks.

    The tracks are the last axis, so that each step is a few operations on long rows instead of N small products.
    """

    mean: np.ndarray
    covariance: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, slots=True)
class Moments:
    """Mean (N, 5) and covariance (N, 5, 5) over all modes."""

    mean: np.ndarray
    covariance: np.ndarray


class MotionModel:
    """Predicts and updates all tracks at once."""

    def __init__(self, config: TrackerConfig) -> None:
        """Take the noise densities and rates of change between modes."""
        self._config = config
        stop, start = config.stop_rate, config.start_rate
        begin, end = config.turn_begin_rate, config.turn_end_rate
        self._rates = np.array(
            [[-start, 0.8 * start, 0.2 * start], [stop, -stop - begin, begin], [stop, end, -stop - end]]
        )

    def birth(self, position: np.ndarray, covariance: np.ndarray, speed_sigma: np.ndarray, yaw: np.ndarray,
              yaw_variance: np.ndarray, time_offset: np.ndarray) -> Motion:  # fmt: skip
        """Return the motion of new objects.

        ``position`` (N, 2) with ``covariance`` (N, 2, 2); ``speed_sigma`` (N,) m/s, mostly along ``yaw`` or against
        it, as far as ``yaw_variance`` (N,) rad^2 lets one know; measured ``time_offset`` (N,) s after the state's time.
        """
        count = len(position)
        mean = np.zeros((STATES, MODES, count))
        mean[:2] = position.T[:, None]
        cov = np.zeros((STATES, STATES, MODES, count))
        known = 0.8 * np.exp(-2 * yaw_variance)
        even, odd = 0.5 * speed_sigma**2, 0.5 * speed_sigma**2 * known
        cov[VX, VX], cov[VY, VY] = even + odd * np.cos(2 * yaw), even - odd * np.cos(2 * yaw)
        cov[VX, VY] = cov[VY, VX] = odd * np.sin(2 * yaw)
        moved = cov[2:4, 2:4].copy()
        moved[:, :, STANDING] = 0.0
        cov[:2, :2] = covariance.transpose(1, 2, 0)[:, :, None] + time_offset**2 * moved
        cov[:2, 2:4] = cov[2:4, :2] = -time_offset * moved
        cov[RATE, RATE, TURNING] = self._config.turn_rate_sigma**2
        self._fix_unused(mean, cov)
        return Motion(mean, cov, np.tile(BIRTH_PROBABILITY[:, None], count))

    def predict(
        self, motion: Motion, acceleration_density: np.ndarray, sideways_share: np.ndarray, dt: float
    ) -> Motion:
        """Return the motion ``dt`` seconds later.

        ``acceleration_density`` (N,) m^2/s^3, of which only ``sideways_share`` (N,) acts across the way a moving
        object goes.
        """
        mean, cov, probability = self._mix(motion, expm(self._rates * dt))
        mean[:2, STRAIGHT] += dt * mean[2:4, STRAIGHT]
        cov[:2, :, STRAIGHT] += dt * cov[2:4, :, STRAIGHT]
        cov[:, :2, STRAIGHT] += dt * cov[:, 2:4, STRAIGHT]
        mean[:, TURNING], jacobian = turn(mean[:, TURNING], dt)
        half = np.einsum("abn,bcn->acn", jacobian, cov[:, :, TURNING])
        cov[:, :, TURNING] = np.einsum("acn,dcn->adn", half, jacobian)
        density = _density(mean[2:4, STRAIGHT:], acceleration_density, sideways_share)
        cov[:2, :2, STRAIGHT:] += density * (dt**3 / 3)
        cov[:2, 2:4, STRAIGHT:] += density * (dt**2 / 2)
        cov[2:4, :2, STRAIGHT:] += density * (dt**2 / 2)
        cov[2:4, 2:4, STRAIGHT:] += density * dt
        for position in (X, Y):
            cov[position, position, STANDING] += self._config.standing_density * dt
        cov[RATE, RATE, TURNING] += self._config.turn_density * dt
        self._fix_unused(mean, cov)
        return Motion(mean, cov, probability)

    def update(self, motion: Motion, measured: np.ndarray, noise: np.ndarray, of_position: np.ndarray,
               of_velocity: np.ndarray) -> tuple[Motion, np.ndarray]:  # fmt: skip
        """Return the motion after a measurement, and the density that the measurement had.

        Measured is ``of_position * position + of_velocity * velocity``: ``measured`` (N, 2), ``noise`` (N, 2, 2), the
        factors (N,). A position measured ``tau`` seconds after the state's time has the factors 1 and tau.
        """
        mean, cov = motion.mean, motion.covariance
        residual = measured.T[:, None] - of_position * mean[:2] - of_velocity * mean[2:4]
        cross = of_position * cov[:, :2] + of_velocity * cov[:, 2:4]
        innovation = of_position * cross[:2] + of_velocity * cross[2:4] + noise.transpose(1, 2, 0)[:, :, None]
        (xx, xy), (yx, yy) = innovation
        determinant = xx * yy - xy * yx
        gain_x = (cross[:, 0] * yy - cross[:, 1] * yx) / determinant
        gain_y = (cross[:, 1] * xx - cross[:, 0] * xy) / determinant
        mean = mean + gain_x * residual[0] + gain_y * residual[1]
        cov = cov - gain_x[:, None] * cross[None, :, 0] - gain_y[:, None] * cross[None, :, 1]
        cov = 0.5 * (cov + cov.swapaxes(0, 1))
        distance = (yy * residual[0] ** 2 - (xy + yx) * residual[0] * residual[1] + xx * residual[1] ** 2) / determinant
        log_density = -0.5 * (distance + np.log(determinant)) - np.log(2 * np.pi)
        best = log_density.max(axis=0)
        weight = motion.probability * np.exp(log_density - best)
        total = weight.sum(axis=0)
        probability = np.maximum(weight / total, 1e-6)
        return Motion(mean, cov, probability / probability.sum(axis=0)), total * np.exp(best)

    def moments(self, motion: Motion) -> Moments:
        """Return mean and covariance over all modes; a standing object has no speed, a straight one no turn rate."""
        weight = motion.probability
        mean = (weight * motion.mean).sum(axis=1)
        spread = motion.mean - mean[:, None]
        cov = _weighted(motion.covariance, weight) + np.einsum("amn,bmn->abn", weight * spread, spread)
        for state, rest in ((VX, _REST_SPEED), (VY, _REST_SPEED)):
            cov[state, state] -= weight[STANDING] * (motion.covariance[state, state, STANDING] - rest**2)
        not_turning = weight[STANDING] + weight[STRAIGHT]
        cov[RATE, RATE] -= not_turning * (self._config.turn_rate_sigma**2 - _REST_RATE**2)
        return Moments(mean.T, cov.transpose(2, 0, 1))

    def _mix(self, motion: Motion, change: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return mean, covariance and probability at the start of the step, given the mode during it."""
        joint = change[:, :, None] * motion.probability[:, None]
        probability = joint.sum(axis=0)
        weight = joint / probability
        origin = np.zeros((STATES, 1, motion.mean.shape[2]))
        origin[:2, 0] = motion.mean[:2, STRAIGHT]
        relative = motion.mean - origin
        second = motion.covariance + relative[:, None] * relative[None]
        mean, cov = np.empty_like(relative), np.zeros_like(second)
        for mode, used in ((STANDING, 2), (STRAIGHT, 4), (TURNING, STATES)):
            mixed = _weighted(relative, weight[:, mode])
            mean[:, mode] = mixed
            cov[:used, :used, mode] = _weighted(second[:used, :used], weight[:, mode])
            cov[:used, :used, mode] -= mixed[:used, None] * mixed[None, :used]
        return mean + origin, cov, probability

    def _fix_unused(self, mean: np.ndarray, cov: np.ndarray) -> None:
        """Give the states a mode does not use the prior from which another mode would start."""
        mean[2:, STANDING] = 0.0
        cov[2:, :, STANDING] = cov[:, 2:, STANDING] = 0.0
        cov[VX, VX, STANDING] = cov[VY, VY, STANDING] = self._config.start_speed_sigma**2
        mean[RATE, STRAIGHT] = 0.0
        cov[RATE, :, STRAIGHT] = cov[:, RATE, STRAIGHT] = 0.0
        cov[RATE, RATE, STANDING] = cov[RATE, RATE, STRAIGHT] = self._config.turn_rate_sigma**2


def _density(velocity: np.ndarray, along: np.ndarray, sideways_share: np.ndarray) -> np.ndarray:
    """Return the acceleration's density (2, 2, modes, N): ``along`` (N,), less across ``velocity`` (2, modes, N)."""
    vx, vy = velocity
    less = along * (1 - sideways_share) / (vx**2 + vy**2 + _SLOW**2)
    xy = less * vx * vy
    return np.array([[along - less * vy**2, xy], [xy, along - less * vx**2]])


def _weighted(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the sum over modes of ``values`` (..., 3, N) by ``weight`` (3, N)."""
    total: np.ndarray = values[..., 0, :] * weight[0]
    for mode in range(1, MODES):
        total += values[..., mode, :] * weight[mode]
    return total
