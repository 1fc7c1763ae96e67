"""How long the learned detector of moving platforms takes for a scan, from points to boxes."""

from __future__ import annotations

import time

import numpy as np

from twin_common.core.own_motion import OwnMotion
from twin_detection.bev_model import open_bev_detector
from twin_detection.config import LEARNED, MOVING, LidarDetectorConfig
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detector import LidarDetector
from twin_detection.synthetic import Box, Lidar, scan

HEIGHT = 1.9
_PERIOD_NS = 100_000_000
_FIRST = 5  # scans until there is an earlier one to look at
#: Beams, columns and field of view of sensors on vehicles.
SENSORS = {
    "HDL-64E": Lidar(HEIGHT, 64, 2083, -24.3, 2.0),
    "OS1-128": Lidar(HEIGHT, 128, 1024, -21.2, 21.2),
    "OS1-64": Lidar(HEIGHT, 64, 1024, -16.6, 16.6),
    "VLP-32C": Lidar(HEIGHT, 32, 1808, -25.0, 15.0),
    "VLP-16": Lidar(HEIGHT, 16, 1808, -15.0, 15.0),
}


def bev_speed(scans: int = 20) -> dict[str, float]:
    """Return the median processor time of a scan by sensor, milliseconds, on one core."""
    return {name: _median_ms(lidar, scans) for name, lidar in SENSORS.items()}


def _median_ms(lidar: Lidar, scans: int) -> float:
    config = LidarDetectorConfig(mode=MOVING, method=LEARNED, sensor_height=lidar.height)
    detector = LidarDetector(config, bev=open_bev_detector(config))
    rng = np.random.default_rng(0)
    clouds = [scan(lidar, _street(rng), rng, number) for number in range(3)]
    arrays = [arrays_from_cloud(cloud) for cloud in clouds]
    spent = []
    for number in range(scans + _FIRST):
        stamp_ns = clouds[0].stamp_ns + number * _PERIOD_NS
        motion = OwnMotion(np.array([0.1, 0.0, 0.0]), 0.0, stamp_ns)
        started = time.process_time()
        detector.step(*arrays[number % len(arrays)], stamp_ns, motion)
        spent.append((time.process_time() - started) * 1e3)
    return float(np.median(spent[_FIRST:]))


def _street(rng: np.random.Generator) -> list[Box]:
    """Return houses, trees, cars and people at random places along a street."""
    walls = [Box(0.0, 14.0, 90.0, 1.0, 9.0), Box(0.0, -14.0, 90.0, 1.0, 9.0)]
    trees = [Box(x, 10.0, 0.4, 0.4, 7.0) for x in range(-35, 36, 10)]
    cars = [Box(x, y, 4.4, 1.8, 1.5, rng.normal(0, 0.05)) for x in range(-30, 31, 10) for y in (-7.0, 4.0)]
    people = [Box(x, 8.0, 0.5, 0.5, 1.7) for x in rng.uniform(-25, 25, 12)]
    return walls + trees + cars + people
