"""Keeps the last scans of a moving sensor, and shows one of them as seen from where the sensor is now."""

from __future__ import annotations

from collections import deque

import numpy as np

from twin_common.core.own_motion import OwnMotion

#: How much earlier a scan should be, and may be, seconds.
WANTED, EARLIEST, LATEST = 0.3, 0.5, 0.15
_GAP = 0.35  # seconds between scans after which nobody knows what the sensor did


class ScanMemory:
    """The last scans with the pose of each, integrated from the sensor's motion."""

    def __init__(self) -> None:
        """Know nothing."""
        self._scans: deque[tuple[int, np.ndarray, np.ndarray]] = deque()
        self._pose = np.eye(3)
        self._last_ns: int | None = None

    def earlier(self, points: np.ndarray, motion: OwnMotion | None, stamp_ns: int) -> tuple[np.ndarray, float]:
        """Keep a scan, and return an earlier one, (M, 3) metres, and how many seconds earlier it is; (0, 3), 0: none.

        Args:
            points: (N, 3) level frame at the scan's stamp; kept, so that nobody may change them.
            motion: of the sensor; without it everything before is forgotten.
            stamp_ns: of the scan.

        """
        passed = (stamp_ns - self._last_ns) * 1e-9 if self._last_ns is not None else -1.0
        if motion is None or not 0 < passed < _GAP:
            self._scans.clear()
            self._pose = np.eye(3)
        else:
            self._pose = self._pose @ _moved(motion, passed)
        self._last_ns = stamp_ns
        if motion is None:
            return points[:0], 0.0
        found, elapsed = points[:0], 0.0
        while self._scans and (stamp_ns - self._scans[0][0]) * 1e-9 > EARLIEST:
            self._scans.popleft()
        ages = np.array([(stamp_ns - stamp) * 1e-9 for stamp, _, _ in self._scans])
        if len(ages) and ages[best := int(np.abs(ages - WANTED).argmin())] >= LATEST:
            _, pose, cloud = self._scans[best]
            shift = np.linalg.inv(self._pose) @ pose
            found, elapsed = cloud.copy(), float(ages[best])
            x, y = cloud[:, 0], cloud[:, 1]
            for axis, (of_x, of_y, far) in enumerate(shift[:2].astype(cloud.dtype)):
                found[:, axis] = of_x * x + of_y * y + far
        self._scans.append((stamp_ns, self._pose.copy(), points))
        return found, elapsed


def _moved(motion: OwnMotion, seconds: float) -> np.ndarray:
    """Return the pose after some seconds of a motion, (3, 3), seen from where it began."""
    angle = motion.yaw_rate * seconds
    x, y = motion.velocity[:2] * seconds
    half = angle / 2
    return np.array([
        [np.cos(angle), -np.sin(angle), x * np.cos(half) - y * np.sin(half)],
        [np.sin(angle), np.cos(angle), x * np.sin(half) + y * np.cos(half)],
        [0.0, 0.0, 1.0],
    ])  # fmt: skip
