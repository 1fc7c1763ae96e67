"""How a sensor moves while it scans: a turn lasts a tenth of a second, in which a vehicle drives metres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.compiled import kernel

#: Motion that is older than this says nothing of a scan, seconds.
STALE = 0.5


@dataclass(frozen=True, slots=True)
class OwnMotion:
    """How a sensor moves: ``velocity`` (3,) m/s along its own level axes, ``yaw_rate`` rad/s, at ``stamp_ns``."""

    velocity: np.ndarray
    yaw_rate: float
    stamp_ns: int

    def at(self, x: float, y: float) -> OwnMotion:
        """Return the motion of a place on what moves, metres along its axes: ahead of a turning axle it goes aside."""
        lever = self.yaw_rate * np.array([-y, x, 0.0])
        return OwnMotion(self.velocity + lever, self.yaw_rate, self.stamp_ns)

    def turned(self, yaw: float) -> OwnMotion:
        """Return the motion along axes that are turned by ``yaw`` radians: of a sensor on a platform."""
        cos, sin = np.cos(yaw), np.sin(yaw)
        x, y, z = self.velocity
        return OwnMotion(np.array([x * cos + y * sin, y * cos - x * sin, z]), self.yaw_rate, self.stamp_ns)

    def fits(self, stamp_ns: int) -> bool:
        """Whether this is the motion during the scan of a stamp, in numbers."""
        known = bool(np.isfinite(self.velocity).all() and np.isfinite(self.yaw_rate))
        return known and abs(stamp_ns - self.stamp_ns) <= STALE * 1e9


def compensated(points: np.ndarray, time_offset: np.ndarray, motion: OwnMotion) -> np.ndarray:
    """Return points as seen from where the sensor is at the scan's stamp, (N, 3) of the points' type.

    Velocity and yaw rate are taken as constant over the scan: at time t the sensor stands at v t, turned by w t.

    Args:
        points: (N, 3) metres, level sensor frame at the moment of each point.
        time_offset: (N,) seconds after the stamp.
        motion: of the sensor.

    """
    if points.ndim != 2 or points.shape[1] != 3 or time_offset.shape != (len(points),):
        raise ValueError(f"points, time_offset: expected (N, 3) and (N,), got {points.shape} and {time_offset.shape}")
    angle = motion.yaw_rate * time_offset
    cos, sin = np.cos(angle), np.sin(angle)
    cloud, velocity = np.ascontiguousarray(points), np.ascontiguousarray(motion.velocity, float)
    return _placed(cloud, np.ascontiguousarray(time_offset), cos, sin, velocity)


@kernel
def _placed(
    points: np.ndarray, time_offset: np.ndarray, cos: np.ndarray, sin: np.ndarray, velocity: np.ndarray
) -> np.ndarray:
    placed = np.empty_like(points)
    for index in range(len(points)):
        x, y, late = points[index, 0], points[index, 1], time_offset[index]
        placed[index, 0] = cos[index] * x - sin[index] * y + velocity[0] * late
        placed[index, 1] = sin[index] * x + cos[index] * y + velocity[1] * late
        placed[index, 2] = points[index, 2] + velocity[2] * late
    return placed
