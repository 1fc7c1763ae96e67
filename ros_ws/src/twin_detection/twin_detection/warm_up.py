"""Compiles the loops of a still LiDAR's detector before the first scan comes: ``python -m twin_detection.warm_up``.

The result is kept on disk (``twin_common.core.compiled``), so that only the first start after an install pays for it.
"""

from __future__ import annotations

import functools
import time

import numpy as np

from twin_detection.config import STILL, LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detector import LidarDetector
from twin_detection.core.heads import nearest_heads
from twin_detection.points_model import open_point_network
from twin_detection.synthetic import PERIOD_NS, Box, Lidar, scan

_POLE = Lidar(height=5.0, columns=512)
_LEARNING, _SCANS = 11, 3


@functools.cache
def warm_up() -> float:
    """Let a pole watch a small street; return the seconds it took, the first time in this process."""
    started = time.perf_counter()
    rng = np.random.default_rng(0)
    detector = LidarDetector(LidarDetectorConfig(mode=STILL, sensor_height=_POLE.height), *open_point_network())
    street = [Box(0.0, 14.0, 40.0, 1.0, 8.0)]
    users = [Box(10.0, 3.0, 4.4, 1.8, 1.5, 0.3), Box(6.0, -4.0, 0.5, 0.5, 1.7), Box(9.0, 6.0, 4.4, 1.8, 1.5)]
    for index in range(_LEARNING + _SCANS):
        cloud = scan(_POLE, street + (users if index >= _LEARNING else []), rng, index)
        detector.step(*arrays_from_cloud(cloud), index * PERIOD_NS)
    nearest_heads(rng.random((20, 2), np.float32), rng.random(20, np.float32))
    return time.perf_counter() - started


if __name__ == "__main__":
    print(f"the loops of the LiDAR's detector are compiled: {warm_up():.1f} s")
