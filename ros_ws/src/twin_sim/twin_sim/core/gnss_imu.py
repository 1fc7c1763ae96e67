"""The GNSS/IMU unit of a platform: fixes, velocities and inertial samples of a motion that is known."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from twin_common.config import Config, setting
from twin_common.core.geodesy import Datum
from twin_common.stamps import NANOSECONDS
from twin_sim.core.gnss import Fix, GnssConfig, GnssReceiver, Quality
from twin_sim.core.imu import Imu, ImuConfig, Inertial, Motion, between
from twin_sim.core.sky import Skyline


@dataclass(frozen=True, slots=True)
class GnssImuConfig(Config):
    """The GNSS/IMU unit of a platform."""

    gnss: GnssConfig = setting(doc="receiver", factory=GnssConfig)
    imu: ImuConfig = setting(doc="inertial unit", factory=ImuConfig)


@dataclass(frozen=True, slots=True)
class Position:
    """One fix: degrees, metres above the ellipsoid, velocity east, north, up (3,) m/s, variances (3,) m² and (m/s)².

    Without quality all of it is NaN. ``clear``, ``reflected``: satellites seen directly and over a wall.
    """

    stamp_ns: int
    quality: Quality
    latitude_deg: float
    longitude_deg: float
    altitude: float
    variances: np.ndarray
    velocity: np.ndarray
    velocity_variances: np.ndarray
    clear: int
    reflected: int


@dataclass(frozen=True, slots=True)
class Readings:
    """What a unit says of one span of time, in order of stamps."""

    positions: tuple[Position, ...]
    inertial: Inertial


class GnssImu:
    """The unit of one platform; poles give the same motion before and after, a frame later.

    Args:
        config: rates and errors.
        base_from_unit: mount of the unit, (4, 4); the antenna is where the unit is.
        skyline: the buildings.
        datum: where the map frame is.
        seed: of the run.
        name: of the platform.

    """

    def __init__(
        self, config: GnssImuConfig, base_from_unit: np.ndarray, skyline: Skyline, datum: Datum, seed: int, name: str
    ) -> None:
        """Set up receiver and IMU."""
        if base_from_unit.shape != (4, 4):
            raise ValueError(f"base_from_unit: expected (4, 4), got {base_from_unit.shape}")
        self._config = config
        self._mount = base_from_unit
        self._datum = datum
        self._receiver = GnssReceiver(config.gnss, skyline, datum, seed, name)
        self._imu = Imu(config.imu, seed, name)

    def step(self, before: Motion, after: Motion) -> Readings:
        """Measure in ``(before, after]``; epochs lie at whole periods of time, wherever the frames lie."""
        span = before.stamp_ns, after.stamp_ns
        inertial = self._imu.step(between(before, after, _epochs(*span, self._config.imu.rate)), self._mount)
        path = between(before, after, _epochs(*span, self._config.gnss.rate))
        lever = path.rotation.apply(self._mount[:3, 3]) if len(path.stamps_ns) else np.zeros((0, 3))
        swing = path.rotation.apply(np.cross(path.rates, self._mount[:3, 3])) if len(lever) else lever
        positions = [
            self._position(int(stamp), place, velocity)
            for stamp, place, velocity in zip(path.stamps_ns, path.position + lever, path.velocity + swing, strict=True)
        ]
        return Readings(tuple(positions), inertial)

    def _position(self, stamp_ns: int, antenna: np.ndarray, velocity: np.ndarray) -> Position:
        fix: Fix = self._receiver.step(stamp_ns, antenna, math.hypot(velocity[0], velocity[1]))
        latitude, longitude, altitude = map(float, self._datum.to_wgs84(*(antenna + fix.position_error)))
        return Position(
            stamp_ns, fix.quality, latitude, longitude, altitude, fix.position_variance, velocity + fix.velocity_error,
            fix.velocity_variance, fix.clear, fix.reflected,
        )  # fmt: skip


def _epochs(after_ns: int, until_ns: int, rate: float) -> np.ndarray:
    """Return the whole multiples of a period in (after, until], (N,) int64 ns."""
    period = round(NANOSECONDS / rate)
    return np.arange(after_ns // period + 1, until_ns // period + 1, dtype=np.int64) * period


def skyline_of(buildings: Iterable[tuple[np.ndarray, float]]) -> Skyline:
    """Return the skyline of footprints (N, 2) with their heights, metres, map frame."""
    return Skyline(list(buildings))
