"""The tracker's formulas in NumPy, one operation on all tracks at a time: what the compiled loops must agree with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm

from twin_common.core.geometry import wrap
from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.attributes import CLASS_SMOOTHING, UNCOUNTED_WEIGHT, WELL_SEEN_POINTS
from twin_tracking.core.existence import MAX_RATIO
from twin_tracking.core.heading import MAX_VARIANCE, MOTION_MEMORY
from twin_tracking.core.motion import BIRTH_PROBABILITY
from twin_tracking.core.state import MODES, RATE, STANDING, STATES, STRAIGHT, TURNING, VX, VY, X, Y

_REST_SPEED, _REST_RATE, _SLOW = 0.05, 0.01, 1.0


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
        self._fix_unused(mean, cov)
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


@dataclass(slots=True)
class Heading:
    """``yaw`` (N,) rad, ``variance`` (N,) rad^2, ``ahead`` (N,) m gone forwards more than backwards, bounded."""

    yaw: np.ndarray
    variance: np.ndarray
    ahead: np.ndarray


def half_turn(angle: np.ndarray) -> np.ndarray:
    """Return angles modulo half a turn, in [-pi/2, pi/2)."""
    return np.mod(angle + np.pi / 2, np.pi) - np.pi / 2


def predict_heading(heading: Heading, yaw_rate: np.ndarray, density: np.ndarray, dt: float) -> Heading:
    """Turn by the yaw rate (N,); the variance grows by ``density`` (N,) rad^2/s."""
    variance = np.minimum(heading.variance + density * dt, MAX_VARIANCE)
    return Heading(wrap(heading.yaw + yaw_rate * dt), variance, heading.ahead)


def update_from_box(heading: Heading, yaw: np.ndarray, variance: np.ndarray) -> Heading:
    """Take the yaw of a box into account, up to half a turn; far outliers count little."""
    return _correct_heading(heading, half_turn(yaw - heading.yaw), variance)


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
    return _correct_heading(Heading(facing, heading.variance, np.abs(ahead)), difference, noise)


def _correct_heading(heading: Heading, innovation: np.ndarray, noise: np.ndarray) -> Heading:
    """Scalar Kalman update whose noise grows with innovations beyond three sigma (Huber's weights)."""
    expected = heading.variance + noise
    with np.errstate(invalid="ignore"):
        noise = noise * np.maximum(innovation**2 / (9 * expected), 1.0)
    noise = np.where(np.isfinite(noise), noise, np.inf)
    gain = heading.variance / (heading.variance + noise)
    return Heading(wrap(heading.yaw + gain * innovation), (1 - gain) * heading.variance, heading.ahead)


def predict_existence(
    visible: np.ndarray, hidden: np.ndarray, dt: float, config: TrackerConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (N,) of being there and visible, and there and hidden, ``dt`` seconds later."""
    hide, reveal = config.hide_rate, config.reveal_rate
    settled = 1.0 - np.exp(-(hide + reveal) * dt)
    survives = np.exp(-dt / config.survival_time)
    to_hidden, to_visible = settled * hide / (hide + reveal), settled * reveal / (hide + reveal)
    return (
        survives * (visible * (1 - to_hidden) + hidden * to_visible),
        survives * (visible * to_hidden + hidden * (1 - to_visible)),
    )


def miss(visible: np.ndarray, hidden: np.ndarray, dt: float, config: TrackerConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities after ``dt`` seconds without a detection."""
    factor = (1.0 - config.detection_probability) ** (dt / config.scan_period)
    total = visible * factor + hidden + (1.0 - visible - hidden)
    return visible * factor / total, hidden / total


def hit(
    visible: np.ndarray, hidden: np.ndarray, density: np.ndarray, config: TrackerConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities after a detection of predicted ``density`` (N,) 1/m^2."""
    ratio = np.minimum(config.detection_probability * density / config.clutter_density, MAX_RATIO)
    total = visible * ratio + hidden + (1.0 - visible - hidden)
    return visible * ratio / total, hidden / total


def update_height(
    z: np.ndarray, variance: np.ndarray, measured: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return z (N,) m of the box centre and its variance after a measurement."""
    gain = variance / (variance + noise)
    return z + gain * (measured - z), (1 - gain) * variance


def view_weight(point_count: np.ndarray) -> np.ndarray:
    """Return how well an object is seen, 0 to 1, from its LiDAR points (N,); 0 points: a camera's."""
    weight = point_count / (point_count + WELL_SEEN_POINTS)
    return np.where(point_count > 0, weight, UNCOUNTED_WEIGHT)


def update_size(size: np.ndarray, weight: np.ndarray, measured: np.ndarray, seen: np.ndarray, memory: float,
                expectile: float) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return sizes (N, 3) and the weight (N,) behind them after a measurement seen with ``seen`` (N,) weight.

    An expectile above 0.5 leans towards the larger measurements (Newey, Powell 1987): a partial view is too small,
    never too large.
    """
    weight = np.minimum(weight + seen, memory)
    lean = np.where(measured > size, 2 * expectile, 2 * (1 - expectile))
    gain = np.minimum(lean * (seen / weight)[:, None], 1.0)
    return size + gain * (measured - size), weight


def class_likelihood(measured: np.ndarray) -> np.ndarray:
    """Return the likelihood (N, 10) of each class given a detector's probabilities (N, 10).

    What a detector calls unknown speaks for no class in particular.
    """
    unknown = measured[:, classes.UNKNOWN, None]
    likelihood = measured + unknown / (classes.COUNT - 1)
    likelihood[:, classes.UNKNOWN] = unknown[:, 0]
    likelihood /= likelihood.sum(axis=1, keepdims=True)
    return (1 - CLASS_SMOOTHING) * likelihood + CLASS_SMOOTHING / classes.COUNT


def update_class(
    probability: np.ndarray, measured: np.ndarray, elapsed: np.ndarray, memory: float, by_speed: np.ndarray,
    trust: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return class probabilities (N, 10): product of likelihoods, forgotten over ``memory`` s; ``elapsed`` (N,) s.

    ``by_speed`` (N, 10): likelihood of the speed that each track has gone; ``trust`` (N,): exponent of what was seen.
    """
    kept = probability ** np.exp(-elapsed / memory)[:, None]
    updated = np.maximum(kept * class_likelihood(measured) ** trust[:, None] * by_speed, 1e-9)
    return np.asarray(updated / updated.sum(axis=1, keepdims=True))


def update_posture(votes: np.ndarray, measured: np.ndarray, elapsed: np.ndarray, memory: float) -> np.ndarray:
    """Return votes (N, 4) for each posture, forgotten over ``memory`` seconds; an unknown one does not vote."""
    votes = votes * np.exp(-elapsed / memory)[:, None]
    known = np.flatnonzero(measured > 0)
    votes[known, measured[known]] += 1.0
    return votes
