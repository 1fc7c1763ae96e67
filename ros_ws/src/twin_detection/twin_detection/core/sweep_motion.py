"""Takes a platform's own motion out of a scan: a turn lasts a tenth of a second, in which a vehicle drives metres.

Objects are sought in the scene without that motion, so that none is bent, nor parted where a turn ends and the next
begins; then they are put where the sensor saw them, at their own time, as ``time_offset`` says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from twin_detection.core.detections import Detections

#: Motion that is older than this says nothing of a scan, seconds.
STALE = 0.5


@dataclass(frozen=True, slots=True)
class OwnMotion:
    """How a sensor moves: ``velocity`` (3,) m/s along its own level axes, ``yaw_rate`` rad/s, at ``stamp_ns``."""

    velocity: np.ndarray
    yaw_rate: float
    stamp_ns: int

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
    return _moved(points, time_offset, motion)


def as_measured(found: Detections, motion: OwnMotion) -> Detections:
    """Return objects of a compensated scan where the sensor saw them, each at its own time; level frame."""
    shift = np.outer(found.time_offset, motion.velocity)
    still = OwnMotion(np.zeros(3), -motion.yaw_rate, motion.stamp_ns)
    turn = np.zeros((len(found), 3, 3))
    angle = -motion.yaw_rate * found.time_offset
    turn[:, 0, 0] = turn[:, 1, 1] = np.cos(angle)
    turn[:, 1, 0], turn[:, 2, 2] = np.sin(angle), 1.0
    turn[:, 0, 1] = -turn[:, 1, 0]
    return replace(
        found, centre=_moved(found.centre - shift, found.time_offset, still), yaw=found.yaw + angle,
        covariance=turn @ found.covariance @ turn.transpose(0, 2, 1),
    )  # fmt: skip


def _moved(points: np.ndarray, time_offset: np.ndarray, motion: OwnMotion) -> np.ndarray:
    angle = motion.yaw_rate * time_offset
    cos, sin = np.cos(angle), np.sin(angle)
    moved = np.empty_like(points)
    moved[:, 0] = cos * points[:, 0] - sin * points[:, 1] + motion.velocity[0] * time_offset
    moved[:, 1] = sin * points[:, 0] + cos * points[:, 1] + motion.velocity[1] * time_offset
    moved[:, 2] = points[:, 2] + motion.velocity[2] * time_offset
    return moved
