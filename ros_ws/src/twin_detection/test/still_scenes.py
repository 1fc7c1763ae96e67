"""A still LiDAR over cast scenes, with the shipped network."""

from __future__ import annotations

import numpy as np

from twin_detection.config import LidarDetectorConfig
from twin_detection.core.detections import Detections
from twin_detection.core.detector import LidarDetector
from twin_detection.points_model import open_point_network
from twin_detection.synthetic import PERIOD_NS, Box, Lidar, scan

POLE = Lidar(height=5.0)
HOUSE = Box(0.0, 14.0, 30.0, 2.0, 8.0)
PARKED = Box(-8.0, -6.0, 4.4, 1.8, 1.5)


def car(x: float, y: float = 6.0, yaw: float = 0.0) -> Box:
    return Box(x, y, 4.4, 1.8, 1.5, yaw)


def detector(**settings: float) -> LidarDetector:
    config = LidarDetectorConfig(mode="still", sensor_height=POLE.height, **settings)  # type: ignore[arg-type]
    return LidarDetector(config, *open_point_network())


def step(
    made: LidarDetector, boxes: list[Box], index: int, rng: np.random.Generator, later_ns: int = 0
) -> tuple[Detections, np.ndarray]:
    points = scan(POLE, boxes, rng).points
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    return made.step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, index * PERIOD_NS + later_ns)


def learned(boxes: list[Box], rng: np.random.Generator, **settings: float) -> LidarDetector:
    made = detector(**settings)
    for index in range(12):
        step(made, boxes, index, rng)
    assert not made.learning
    return made
