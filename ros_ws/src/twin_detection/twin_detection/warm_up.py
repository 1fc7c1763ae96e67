"""Compiles the loops of a LiDAR's detector before the first scan comes: ``python -m twin_detection.warm_up``.

The result is kept on disk (``twin_common.core.compiled``), so that only the first start after an install pays for it.
"""

from __future__ import annotations

import functools
import time

import numpy as np

from twin_common.core.own_motion import OwnMotion
from twin_detection.bev_model import open_bev_detector
from twin_detection.config import LEARNED, MOVING, RULES, STILL, LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detector import LidarDetector
from twin_detection.core.heads import nearest_heads
from twin_detection.points_model import open_point_network
from twin_detection.synthetic import PERIOD_NS, Box, Lidar, scan

_POLE, _VEHICLE = Lidar(height=5.0, columns=512), Lidar(height=1.9, columns=512)
_LEARNING, _SCANS = 11, 3
_STREET = [Box(0.0, 14.0, 40.0, 1.0, 8.0)]
_USERS = [Box(10.0, 3.0, 4.4, 1.8, 1.5, 0.3), Box(6.0, -4.0, 0.5, 0.5, 1.7), Box(9.0, 6.0, 4.4, 1.8, 1.5)]


@functools.cache
def warm_up(mode: str, method: str) -> float:
    """Let a platform watch a small street, as its settings say; return the seconds of the first time."""
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    if mode == STILL:
        _watch(rng)
    else:
        _pass_by(method, rng)
    return time.perf_counter() - started


def _watch(rng: np.random.Generator) -> None:
    detector = LidarDetector(LidarDetectorConfig(mode=STILL, sensor_height=_POLE.height), *open_point_network())
    for index in range(_LEARNING + _SCANS):
        cloud = scan(_POLE, _STREET + (_USERS if index >= _LEARNING else []), rng, index)
        detector.step(*arrays_from_cloud(cloud), index * PERIOD_NS)
    nearest_heads(rng.random((20, 2), np.float32), rng.random(20, np.float32))


def _pass_by(method: str, rng: np.random.Generator) -> None:
    config = LidarDetectorConfig(mode=MOVING, method=method, sensor_height=_VEHICLE.height)
    detector = LidarDetector(config, bev=open_bev_detector(config) if method == LEARNED else None)
    for index in range(_SCANS):
        stamp_ns = index * PERIOD_NS
        motion = OwnMotion(np.array([5.0, 0.0, 0.0]), 0.0, stamp_ns)
        detector.step(*arrays_from_cloud(scan(_VEHICLE, _STREET + _USERS, rng, index)), stamp_ns, motion)


if __name__ == "__main__":
    spent = sum(warm_up(mode, method) for mode, method in ((STILL, LEARNED), (MOVING, LEARNED), (MOVING, RULES)))
    print(f"the loops of the LiDAR's detector are compiled: {spent:.1f} s")
