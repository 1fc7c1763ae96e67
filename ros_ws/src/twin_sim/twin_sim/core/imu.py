"""An inertial measurement unit with scale, bias, bias drift and noise, and the attitude it works out.

Errors follow IEEE Std 952-1997, annex C: a scale and a turn-on bias drawn once, a bias that wanders as a first-order
Gauss-Markov process (bias instability), and white noise given by its density. Defaults are those of an industrial MEMS
unit (Xsens MTi 10/100-series data sheet: gyroscope 0.03 deg/s/sqrt(Hz) and 18 deg/h, accelerometer 60 ug/sqrt(Hz) and
15 ug, attitude 0.2 deg, heading 0.8 deg).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from twin_common.config import Config, setting
from twin_common.stamps import NANOSECONDS

GRAVITY = 9.80665  # m/s^2


@dataclass(frozen=True, slots=True)
class ImuConfig(Config):
    """Errors of an IMU."""

    rate: float = setting(100.0, "Hz", "samples a second", low=1.0, high=1000.0)
    gyro_noise: float = setting(5.2e-4, "rad/s/sqrt(Hz)", "density of the white noise", low=0.0, high=0.1)
    gyro_bias: float = setting(3.5e-3, "rad/s", "bias at switch-on, one sigma", low=0.0, high=0.5)
    gyro_instability: float = setting(8.7e-5, "rad/s", "wandering part of the bias, one sigma", low=0.0, high=0.1)
    gyro_scale: float = setting(0.002, "1", "error of the scale, one sigma", low=0.0, high=0.2)
    accelerometer_noise: float = setting(5.9e-4, "m/s^2/sqrt(Hz)", "density of the white noise", low=0.0, high=0.5)
    accelerometer_bias: float = setting(0.03, "m/s^2", "bias at switch-on, one sigma", low=0.0, high=2.0)
    accelerometer_instability: float = setting(
        3e-4, "m/s^2", "wandering part of the bias, one sigma", low=0.0, high=1.0
    )
    accelerometer_scale: float = setting(0.001, "1", "error of the scale, one sigma", low=0.0, high=0.2)
    instability_time: float = setting(300.0, "s", "how long the wandering biases stay alike", low=1.0, high=1e5)
    tilt_sigma_deg: float = setting(0.2, "deg", "error of roll and pitch", low=0.0, high=20.0)
    yaw_sigma_deg: float = setting(0.8, "deg", "error of the heading", low=0.0, high=90.0)
    attitude_time: float = setting(60.0, "s", "how long errors of the attitude stay alike", low=1.0, high=1e5)


@dataclass(frozen=True, slots=True)
class Motion:
    """Where a platform is and how it moves: base_link in map at one moment.

    ``position``, ``velocity``: (3,) metres, m/s, map frame; ``roll`` right side down, ``pitch`` nose down, ``yaw``
    counter-clockwise, radians (REP-103); ``yaw_rate``: rad/s.
    """

    stamp_ns: int
    position: np.ndarray
    velocity: np.ndarray
    yaw: float
    yaw_rate: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0


@dataclass(frozen=True, slots=True)
class Path:
    """Motion at many moments: ``position``, ``velocity``, ``acceleration`` (N, 3) map frame; ``rates`` (N, 3) body."""

    stamps_ns: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    acceleration: np.ndarray
    rotation: Rotation
    rates: np.ndarray


def between(before: Motion, after: Motion, stamps_ns: np.ndarray) -> Path:
    """Return the motion at moments from ``before`` to ``after``: cubic in place and heading, linear in tilt."""
    span = (after.stamp_ns - before.stamp_ns) / NANOSECONDS
    if span <= 0:
        raise ValueError(f"after: {after.stamp_ns} ns; expected a stamp after {before.stamp_ns} ns")
    share = (stamps_ns - before.stamp_ns) / (after.stamp_ns - before.stamp_ns)
    turn = (after.yaw - before.yaw + np.pi) % (2 * np.pi) - np.pi
    start = np.array([*before.position, before.yaw])
    end = np.array([*after.position, before.yaw + turn])
    value, slope, bend = _hermite(
        start, end, np.array([*before.velocity, before.yaw_rate]), np.array([*after.velocity, after.yaw_rate]), span,
        share,
    )  # fmt: skip
    tilts = np.array([before.roll, before.pitch]), np.array([after.roll, after.pitch])
    tilt = tilts[0] + share[:, None] * (tilts[1] - tilts[0])
    roll_rate, pitch_rate = (tilts[1] - tilts[0]) / span
    rotation = Rotation.from_euler("xyz", np.column_stack([tilt, value[:, 3]]))
    roll, pitch, yaw_rate = tilt[:, 0], tilt[:, 1], slope[:, 3]
    rates = np.column_stack(
        [
            roll_rate - yaw_rate * np.sin(pitch),
            pitch_rate * np.cos(roll) + yaw_rate * np.sin(roll) * np.cos(pitch),
            -pitch_rate * np.sin(roll) + yaw_rate * np.cos(roll) * np.cos(pitch),
        ]
    )
    return Path(stamps_ns, value[:, :3], slope[:, :3], bend[:, :3], rotation, rates)


def _hermite(
    start: np.ndarray, end: np.ndarray, start_rate: np.ndarray, end_rate: np.ndarray, span: float, share: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return value, rate and its change (N, K) of the cubic through two points with their rates."""
    s = share[:, None]
    first, second = span * start_rate, span * end_rate
    cubic = 2 * start - 2 * end + first + second
    square = 3 * end - 3 * start - 2 * first - second
    value = ((cubic * s + square) * s + first) * s + start
    slope = ((3 * cubic * s + 2 * square) * s + first) / span
    return value, slope, (6 * cubic * s + 2 * square) / span**2


@dataclass(frozen=True, slots=True)
class Inertial:
    """Samples of an IMU, its own axes: ``rates`` (N, 3) rad/s, ``acceleration`` (N, 3) m/s² with gravity.

    ``orientation``: (N, 4) quaternions x, y, z, w, map from IMU; variances (3,) each of orientation (roll, pitch,
    yaw), rates and acceleration.
    """

    stamps_ns: np.ndarray
    orientation: np.ndarray
    rates: np.ndarray
    acceleration: np.ndarray
    orientation_variance: np.ndarray
    rates_variance: np.ndarray
    acceleration_variance: np.ndarray


class Imu:
    """The IMU of one platform; its errors depend on seed, name and the stamps it is asked for."""

    def __init__(self, config: ImuConfig, seed: int, name: str) -> None:
        """Draw scales, biases and the first errors of the attitude."""
        self._config = config
        self._seed, self._stream = seed, zlib.crc32(name.encode())
        rng = np.random.default_rng([seed, self._stream, 0x1A])
        spread = np.repeat([config.gyro_scale, config.accelerometer_scale], 3)
        self._scale = 1.0 + spread * rng.normal(size=6)
        self._turn_on = np.repeat([config.gyro_bias, config.accelerometer_bias], 3) * rng.normal(size=6)
        self._wander = rng.normal(size=6)
        self._attitude = rng.normal(size=3)
        self._last_ns: int | None = None

    def step(self, path: Path, base_from_imu: np.ndarray) -> Inertial:
        """Measure along a path of base_link; ``base_from_imu``: mount, (4, 4)."""
        config, count = self._config, len(path.stamps_ns)
        lever, mount = base_from_imu[:3, 3], Rotation.from_matrix(base_from_imu[:3, :3])
        map_from_imu = path.rotation * mount
        swing = path.rotation.apply(np.cross(path.rates, np.cross(path.rates, lever)))
        force = map_from_imu.inv().apply(path.acceleration + swing + (0.0, 0.0, GRAVITY))
        truth = np.concatenate([mount.inv().apply(path.rates), force], axis=1)
        density = np.repeat([config.gyro_noise, config.accelerometer_noise], 3) * np.sqrt(config.rate)
        instability = np.repeat([config.gyro_instability, config.accelerometer_instability], 3)
        angles = np.radians([config.tilt_sigma_deg, config.tilt_sigma_deg, config.yaw_sigma_deg])
        measured, errors = truth, np.zeros((count, 3))
        if count:
            rng = np.random.default_rng([self._seed, self._stream, int(path.stamps_ns[0]) & 0x7FFF_FFFF_FFFF_FFFF])
            white, drift, lean = rng.normal(size=(count, 6)), rng.normal(size=(count, 6)), rng.normal(size=(count, 3))
            first = self._passed(path.stamps_ns)
            wander = _wandered(self._wander, drift, first, 1 / config.rate, config.instability_time)
            leaning = _wandered(self._attitude, lean, first, 1 / config.rate, config.attitude_time)
            self._wander, self._attitude = wander[-1], leaning[-1]
            measured = self._scale * truth + self._turn_on + instability * wander + density * white
            errors = angles * leaning
        orientation = (Rotation.from_rotvec(errors) * map_from_imu).as_quat() if count else np.zeros((0, 4))
        bias = np.array([config.gyro_bias, config.accelerometer_bias])
        variance = density[[0, 3]] ** 2 + bias**2
        return Inertial(
            path.stamps_ns, orientation, measured[:, :3], measured[:, 3:], np.maximum(angles, 1e-4) ** 2,
            np.full(3, variance[0]), np.full(3, variance[1]),
        )  # fmt: skip

    def _passed(self, stamps_ns: np.ndarray) -> float:
        """Return the time from the last sample to the first of these, seconds."""
        last_ns, self._last_ns = self._last_ns, int(stamps_ns[-1])
        return 1 / self._config.rate if last_ns is None else max(int(stamps_ns[0]) - last_ns, 0) / NANOSECONDS


def _wandered(start: np.ndarray, draws: np.ndarray, first: float, period: float, time: float) -> np.ndarray:
    """Return a Gauss-Markov process of unit variance, (N, K), from ``start`` (K,) on by ``draws`` (N, K).

    ``first``: seconds to the first sample, then one each ``period``; ``time``: its time constant.
    """
    kept = np.exp(-first / time)
    begin = kept * start + np.sqrt(1 - kept**2) * draws[0]
    kept = np.exp(-period / time)
    pushes = np.concatenate([begin[None], np.sqrt(1 - kept**2) * draws[1:]])
    wandered: np.ndarray = lfilter([1.0], [1.0, -kept], pushes, axis=0)
    return wandered
