"""Interacting multiple models of all tracks: standing, going straight, turning.

State of every mode: (x, y, velocity_x, velocity_y, yaw_rate), metres, map frame. Cartesian velocity has no singular
point at rest and makes position measurements linear.

Interacting multiple models: Blom and Bar-Shalom 1988, as in Bar-Shalom, Li, Kirubarajan, "Estimation with
Applications to Tracking and Navigation", section 11.6.6; coordinated turn: ibid., section 11.7.1. The modes change as
a Markov chain in continuous time, so that nothing depends on the rate of the measurements.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import expm

from twin_common.core.compiled import Records, kernel
from twin_tracking.config import TrackerConfig
from twin_tracking.core.state import MODES, RATE, STANDING, STATES, STRAIGHT, TURNING, VX, VY, X, Y

BIRTH_PROBABILITY = np.array([0.35, 0.55, 0.10])
_USED = (2, 4, 5)  # states that each mode uses
_REST_SPEED, _REST_RATE = 0.05, 0.01
_SLOW = 1.0  # below this speed the direction of motion says little, m/s
_LEAST_PROBABILITY = 1e-6


class Noise(NamedTuple):
    """What the kernels need of the configuration; arrays have one value per class."""

    acceleration_density: np.ndarray
    sideways_share: np.ndarray
    birth_speed_sigma: np.ndarray
    standing_density: float
    turn_density: float
    start_speed_variance: float
    turn_rate_variance: float
    velocity_variance: float
    birth_probability: np.ndarray


class MotionModel:
    """Predicts and updates all tracks at once, in place."""

    def __init__(self, config: TrackerConfig) -> None:
        """Take the noise densities and rates of change between modes."""
        stop, start = config.stop_rate, config.start_rate
        begin, end = config.turn_begin_rate, config.turn_end_rate
        self._rates = np.array(
            [[-start, 0.8 * start, 0.2 * start], [stop, -stop - begin, begin], [stop, end, -stop - end]]
        )
        self._noise = Noise(
            np.array(config.acceleration_density), np.array(config.sideways_share), np.array(config.birth_speed_sigma),
            config.standing_density, config.turn_density, config.start_speed_sigma**2, config.turn_rate_sigma**2,
            config.velocity_sigma**2, BIRTH_PROBABILITY,
        )  # fmt: skip
        self._change_of: tuple[float, np.ndarray] = (0.0, np.eye(MODES))

    def birth(self, tracks: np.ndarray, detections: np.ndarray, chosen: np.ndarray) -> None:
        """Begin the motion of new ``tracks`` at the ``chosen`` (N,) detections.

        The speed is unknown, mostly along the yaw or against it, as far as ``yaw_variance`` lets one know.
        """
        _birth(tracks, detections, chosen, self._noise)

    def predict(self, tracks: np.ndarray, dt: float) -> None:
        """Move the tracks on by ``dt`` seconds."""
        if dt != self._change_of[0]:
            self._change_of = dt, expm(self._rates * dt)
        _predict(tracks, dt, self._change_of[1], self._noise)

    def update(self, tracks: np.ndarray, detections: np.ndarray, partner: np.ndarray) -> np.ndarray:
        """Correct each track by the detection ``partner`` (N,), -1: none; return the density it had, (N,) 1/m^2."""
        density = np.zeros(len(tracks))
        _update(tracks, detections, partner, density, self._noise)
        return density


@kernel
def _fix_unused(mean: np.ndarray, covariance: np.ndarray, noise: Noise) -> None:
    """Give the states a mode does not use the prior from which another mode would start."""
    for a in range(2, STATES):
        mean[STANDING, a] = 0.0
        for b in range(STATES):
            covariance[STANDING, a, b] = covariance[STANDING, b, a] = 0.0
    covariance[STANDING, VX, VX] = covariance[STANDING, VY, VY] = noise.start_speed_variance
    mean[STRAIGHT, RATE] = 0.0
    for a in range(STATES):
        covariance[STRAIGHT, RATE, a] = covariance[STRAIGHT, a, RATE] = 0.0
    covariance[STANDING, RATE, RATE] = covariance[STRAIGHT, RATE, RATE] = noise.turn_rate_variance


@kernel
def _birth(tracks: Records, detections: Records, chosen: np.ndarray, noise: Noise) -> None:
    for n in range(len(tracks)):
        track, seen = tracks[n], detections[chosen[n]]
        sigma = 0.0
        for c in range(len(noise.birth_speed_sigma)):
            sigma += track.class_probability[c] * noise.birth_speed_sigma[c]
        known = 0.8 * np.exp(-2 * track.yaw_variance)
        even, odd = 0.5 * sigma**2, 0.5 * sigma**2 * known
        vxx, vyy = even + odd * np.cos(2 * seen.yaw), even - odd * np.cos(2 * seen.yaw)
        vxy, tau = odd * np.sin(2 * seen.yaw), seen.time_offset
        mean, covariance = track.mean, track.covariance
        mean[:] = 0.0
        covariance[:] = 0.0
        for m in range(MODES):
            mean[m, X], mean[m, Y] = seen.position[0], seen.position[1]
            for a in range(2):
                for b in range(2):
                    moved = vxy if a != b else (vxx if a == 0 else vyy)
                    covariance[m, a, b] = seen.noise[a, b]
                    if m != STANDING:
                        covariance[m, 2 + a, 2 + b] = moved
                        covariance[m, a, b] += tau**2 * moved
                        covariance[m, a, 2 + b] = covariance[m, 2 + b, a] = -tau * moved
            track.mode[m] = noise.birth_probability[m]
        covariance[TURNING, RATE, RATE] = noise.turn_rate_variance
        _fix_unused(mean, covariance, noise)
        if np.isfinite(seen.velocity[0]) and np.isfinite(seen.velocity[1]):
            _correct(track, seen.velocity, noise.velocity_variance * np.eye(2), 0.0, 1.0)
            _fix_unused(mean, covariance, noise)
        _moments(track, noise)


@kernel
def _predict(tracks: Records, dt: float, change: np.ndarray, noise: Noise) -> None:
    mean, covariance, probability = np.zeros((MODES, STATES)), np.zeros((MODES, STATES, STATES)), np.zeros(MODES)
    jacobian, half = np.zeros((STATES, STATES)), np.zeros((STATES, STATES))
    for n in range(len(tracks)):
        track = tracks[n]
        _mix(track, change, mean, covariance, probability)
        for a in range(2):
            mean[STRAIGHT, a] += dt * mean[STRAIGHT, 2 + a]
        for a in range(2):
            for b in range(STATES):
                covariance[STRAIGHT, a, b] += dt * covariance[STRAIGHT, 2 + a, b]
        for a in range(STATES):
            for b in range(2):
                covariance[STRAIGHT, a, b] += dt * covariance[STRAIGHT, a, 2 + b]
        turn(mean[TURNING], dt, jacobian)
        _propagate(jacobian, covariance[TURNING], half)
        _accelerate(track, mean, covariance, dt, noise)
        covariance[STANDING, X, X] += noise.standing_density * dt
        covariance[STANDING, Y, Y] += noise.standing_density * dt
        covariance[TURNING, RATE, RATE] += noise.turn_density * dt
        _fix_unused(mean, covariance, noise)
        track.mean[:], track.covariance[:], track.mode[:] = mean, covariance, probability
        _moments(track, noise)


@kernel
def _mix(track: Records, change: np.ndarray, mean: np.ndarray, covariance: np.ndarray, probability: np.ndarray) -> None:
    """Set mean, covariance and probability at the start of the step, given the mode during it."""
    weight = np.zeros(MODES)
    for m in range(MODES):
        used = _USED[m]
        probability[m] = 0.0
        for i in range(MODES):
            weight[i] = change[i, m] * track.mode[i]
            probability[m] += weight[i]
        for a in range(STATES):
            mean[m, a] = 0.0
            for i in range(MODES):
                mean[m, a] += weight[i] / probability[m] * track.mean[i, a]
        for a in range(used):
            for b in range(a + 1):
                total = 0.0
                for i in range(MODES):
                    apart = (track.mean[i, a] - mean[m, a]) * (track.mean[i, b] - mean[m, b])
                    total += weight[i] / probability[m] * (track.covariance[i, a, b] + apart)
                covariance[m, a, b] = covariance[m, b, a] = total


@kernel
def turn(state: np.ndarray, dt: float, jacobian: np.ndarray) -> None:
    """Move one ``state`` (5,) on by ``dt`` seconds at constant speed and turn rate; fill the ``jacobian`` (5, 5).

    Bar-Shalom, Li, Kirubarajan, equations 11.7.1-4 and 11.7.2-2; series near a turn rate of zero.
    """
    vx, vy, rate = state[VX], state[VY], state[RATE]
    angle = rate * dt
    sin, cos = np.sin(angle), np.cos(angle)
    if abs(angle) < 1e-3:
        along, across = dt * (1 - angle**2 / 6), dt * angle / 2
        along_by_rate, across_by_rate = -angle * dt**2 / 3, dt**2 / 2
    else:
        along, across = sin / rate, (1 - cos) / rate
        along_by_rate, across_by_rate = (dt * cos - along) / rate, (dt * sin - across) / rate
    jacobian[:] = 0.0
    for a in range(STATES):
        jacobian[a, a] = 1.0
    jacobian[X, VX], jacobian[X, VY] = along, -across
    jacobian[Y, VX], jacobian[Y, VY] = across, along
    jacobian[VX, VX], jacobian[VX, VY] = cos, -sin
    jacobian[VY, VX], jacobian[VY, VY] = sin, cos
    jacobian[X, RATE] = along_by_rate * vx - across_by_rate * vy
    jacobian[Y, RATE] = across_by_rate * vx + along_by_rate * vy
    jacobian[VX, RATE], jacobian[VY, RATE] = -dt * (sin * vx + cos * vy), dt * (cos * vx - sin * vy)
    state[X] += along * vx - across * vy
    state[Y] += across * vx + along * vy
    state[VX], state[VY] = cos * vx - sin * vy, sin * vx + cos * vy


@kernel
def _propagate(jacobian: np.ndarray, covariance: np.ndarray, half: np.ndarray) -> None:
    """Replace a covariance by J P J'; ``half`` (5, 5) is scratch."""
    for a in range(STATES):
        for b in range(STATES):
            half[a, b] = 0.0
            for c in range(STATES):
                half[a, b] += jacobian[a, c] * covariance[c, b]
    for a in range(STATES):
        for b in range(a + 1):
            total = 0.0
            for c in range(STATES):
                total += half[a, c] * jacobian[b, c]
            covariance[a, b] = covariance[b, a] = total


@kernel
def _accelerate(track: Records, mean: np.ndarray, covariance: np.ndarray, dt: float, noise: Noise) -> None:
    """Add white acceleration during ``dt`` seconds: across the way a moving object goes less than along it."""
    density, share = 0.0, 0.0
    for c in range(len(noise.acceleration_density)):
        density += track.class_probability[c] * noise.acceleration_density[c]
        share += track.class_probability[c] * noise.sideways_share[c]
    for m in range(STRAIGHT, MODES):
        vx, vy = mean[m, VX], mean[m, VY]
        less = density * (1 - share) / (vx**2 + vy**2 + _SLOW**2)
        for a in range(2):
            for b in range(2):
                q = less * vx * vy if a != b else density - less * (vy**2 if a == 0 else vx**2)
                covariance[m, a, b] += q * dt**3 / 3
                covariance[m, a, 2 + b] += q * dt**2 / 2
                covariance[m, 2 + a, b] += q * dt**2 / 2
                covariance[m, 2 + a, 2 + b] += q * dt


@kernel
def _update(tracks: Records, detections: Records, partner: np.ndarray, density: np.ndarray, noise: Noise) -> None:
    velocity_noise = noise.velocity_variance * np.eye(2)
    for n in range(len(tracks)):
        if partner[n] < 0:
            continue
        track, seen = tracks[n], detections[partner[n]]
        density[n] = _correct(track, seen.position, seen.noise, 1.0, seen.time_offset)
        _fix_unused(track.mean, track.covariance, noise)
        if np.isfinite(seen.velocity[0]) and np.isfinite(seen.velocity[1]):
            _correct(track, seen.velocity, velocity_noise, 0.0, 1.0)
            _fix_unused(track.mean, track.covariance, noise)
        _moments(track, noise)


@kernel
def _correct(track: Records, measured: np.ndarray, noise: np.ndarray, of_position: float, of_velocity: float) -> float:
    """Kalman update of every mode and of the modes' probabilities; return the density the measurement had.

    Measured is ``of_position * position + of_velocity * velocity``, (2,) with ``noise`` (2, 2). A position measured
    ``tau`` seconds after the state's time has the factors 1 and tau.
    """
    log_density = np.zeros(MODES)
    cross = np.zeros((STATES, 2))
    for m in range(MODES):
        mean, covariance = track.mean[m], track.covariance[m]
        dx = measured[0] - of_position * mean[X] - of_velocity * mean[VX]
        dy = measured[1] - of_position * mean[Y] - of_velocity * mean[VY]
        for a in range(STATES):
            for b in range(2):
                cross[a, b] = of_position * covariance[a, b] + of_velocity * covariance[a, 2 + b]
        xx = of_position * cross[X, 0] + of_velocity * cross[VX, 0] + noise[0, 0]
        yy = of_position * cross[Y, 1] + of_velocity * cross[VY, 1] + noise[1, 1]
        xy = of_position * cross[X, 1] + of_velocity * cross[VX, 1] + noise[0, 1]
        determinant = xx * yy - xy * xy
        for a in range(STATES):
            gain_x = (cross[a, 0] * yy - cross[a, 1] * xy) / determinant
            gain_y = (cross[a, 1] * xx - cross[a, 0] * xy) / determinant
            mean[a] += gain_x * dx + gain_y * dy
            for b in range(a + 1):
                covariance[a, b] -= gain_x * cross[b, 0] + gain_y * cross[b, 1]
                covariance[b, a] = covariance[a, b]
        distance = (yy * dx * dx - 2 * xy * dx * dy + xx * dy * dy) / determinant
        log_density[m] = -0.5 * (distance + np.log(determinant)) - np.log(2 * np.pi)
    best = log_density.max()
    total, kept = 0.0, 0.0
    for m in range(MODES):
        track.mode[m] *= np.exp(log_density[m] - best)
        total += track.mode[m]
    for m in range(MODES):
        track.mode[m] = max(track.mode[m] / total, _LEAST_PROBABILITY)
        kept += track.mode[m]
    for m in range(MODES):
        track.mode[m] /= kept
    return float(total * np.exp(best))


@kernel
def _moments(track: Records, noise: Noise) -> None:
    """Set mean and covariance over all modes; a standing object has no speed, a straight one no turn rate."""
    weight, estimate, spread = track.mode, track.estimate, track.spread
    for a in range(STATES):
        estimate[a] = 0.0
        for m in range(MODES):
            estimate[a] += weight[m] * track.mean[m, a]
    for a in range(STATES):
        for b in range(a + 1):
            total = 0.0
            for m in range(MODES):
                apart = (track.mean[m, a] - estimate[a]) * (track.mean[m, b] - estimate[b])
                total += weight[m] * (track.covariance[m, a, b] + apart)
            spread[a, b] = spread[b, a] = total
    for a in (VX, VY):
        spread[a, a] -= weight[STANDING] * (track.covariance[STANDING, a, a] - _REST_SPEED**2)
    not_turning = weight[STANDING] + weight[STRAIGHT]
    spread[RATE, RATE] -= not_turning * (noise.turn_rate_variance - _REST_RATE**2)
