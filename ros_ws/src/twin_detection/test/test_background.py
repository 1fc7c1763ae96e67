"""A still LiDAR: what is learned, what stands out, what is never absorbed."""

import numpy as np
import pytest

from twin_detection.config import LidarDetectorConfig
from twin_detection.core.background import Background
from twin_detection.core.classes import CAR, PEDESTRIAN
from twin_detection.core.detections import Detections
from twin_detection.core.detector import LidarDetector
from twin_detection.synthetic import PERIOD_NS, Box, Lidar, scan

POLE = Lidar(height=5.0)
HOUSE = Box(0.0, 14.0, 30.0, 2.0, 8.0)
PARKED = Box(-8.0, -6.0, 4.4, 1.8, 1.5)


def car(x: float, y: float = 6.0, yaw: float = 0.0) -> Box:
    return Box(x, y, 4.4, 1.8, 1.5, yaw)


def detector(**settings: float) -> LidarDetector:
    return LidarDetector(LidarDetectorConfig(mode="still", sensor_height=POLE.height, **settings))  # type: ignore[arg-type]


def step(
    made: LidarDetector, boxes: list[Box], index: int, rng: np.random.Generator, later_ns: int = 0
) -> tuple[Detections, np.ndarray]:
    points = scan(POLE, boxes, rng).points
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    return made.step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, index * PERIOD_NS + later_ns)


def learned(boxes: list[Box], rng: np.random.Generator) -> LidarDetector:
    made = detector()
    for index in range(12):
        step(made, boxes, index, rng)
    assert not made.learning
    return made


def test_nothing_is_reported_while_learning_and_nothing_of_the_background_after() -> None:
    rng = np.random.default_rng(1)
    made = detector()
    for index in range(30):
        found, mask = step(made, [HOUSE, PARKED], index, rng)
        assert len(found) == 0
        assert np.count_nonzero(mask) == 0


def test_a_moving_car_is_found_at_its_place() -> None:
    rng = np.random.default_rng(2)
    made = learned([HOUSE, PARKED], rng)
    for index in range(12, 40):
        x = -20.0 + (index - 12) * 1.2
        found, mask = step(made, [HOUSE, PARKED, car(x)], index, rng)
        assert len(found) == 1
        assert np.hypot(found.centre[0, 0] - x, found.centre[0, 1] - 6.0) < 0.25
        assert abs(np.sin(found.yaw[0])) < 0.1
        np.testing.assert_allclose(found.size[0], [4.4, 1.8, 1.5], atol=0.35)
        assert abs(found.centre[0, 2] - (1.5 / 2 - POLE.height)) < 0.2
        assert found.label[0] == CAR
        assert found.existence[0] > 0.8
        assert np.count_nonzero(mask) == found.point_count[0]


def test_a_pedestrian_is_found_and_named() -> None:
    rng = np.random.default_rng(3)
    made = learned([HOUSE], rng)
    for index in range(12, 24):
        found, _ = step(made, [HOUSE, Box(6.0 + 0.15 * index, -7.0, 0.4, 0.4, 1.72)], index, rng)
        assert len(found) == 1
        assert np.hypot(found.centre[0, 0] - 6.0 - 0.15 * index, found.centre[0, 1] + 7.0) < 0.2
        assert found.label[0] == PEDESTRIAN
        assert found.yaw_variance[0] > 0.5


def test_a_car_that_stops_is_still_found_minutes_later() -> None:
    rng = np.random.default_rng(4)
    made = learned([HOUSE], rng)
    for second in range(300):
        found, _ = step(made, [HOUSE, car(5.0)], 12, rng, later_ns=second * 1_000_000_000)
        assert len(found) == 1, f"lost after {second} s"


def test_a_place_that_is_left_is_relearned_at_once() -> None:
    rng = np.random.default_rng(5)
    made = learned([HOUSE, PARKED], rng)
    for index in range(12, 20):
        step(made, [HOUSE], index, rng)
    found, _ = step(made, [HOUSE, PARKED], 20, rng)
    assert len(found) == 1
    assert np.hypot(found.centre[0, 0] + 8.0, found.centre[0, 1] + 6.0) < 0.25


def test_two_people_abreast_are_two_and_a_bus_is_one() -> None:
    rng = np.random.default_rng(6)
    made = learned([HOUSE], rng)
    people = [Box(9.0, -0.5, 0.45, 0.45, 1.7), Box(9.0, 0.5, 0.45, 0.45, 1.7)]
    found, _ = step(made, [HOUSE, *people], 12, rng)
    np.testing.assert_allclose(sorted(found.centre[:, 1]), [-0.5, 0.5], atol=0.2)
    bus = Box(14.0, -16.0, 12.0, 2.5, 3.1, 0.1)
    found, _ = step(made, [HOUSE, bus], 13, rng)
    assert len(found) == 1
    assert found.size[0, 0] > 10.0


def test_slow_change_is_followed_and_foreground_leaves_the_model_alone() -> None:
    model = Background(azimuth_bins=360, margin=0.3, memory=5.0, uncover_after=0.3, absorb_after=100.0)
    xyz, ring = np.array([[10.0, 0.1, 0.0]]), np.zeros(1, int)
    cell = model.cells(xyz, ring)
    model.learn(cell, np.array([10.0]))
    model.finish_learning()
    for index in range(200):  # drifts by 1 m in 20 s, within 20 s more than the margin
        distance = np.array([10.0 + 0.005 * index])
        foreground = model.foreground(cell, distance)
        assert not foreground[0]
        model.update(cell, distance, foreground, 0.1)
    before = model.range.reshape(-1)[cell][0]
    near = np.array([5.0])
    for _ in range(900):
        foreground = model.foreground(cell, near)
        assert foreground[0]
        model.update(cell, near, foreground, 0.1)
    assert model.range.reshape(-1)[cell][0] == before
    for _ in range(200):
        model.update(cell, near, model.foreground(cell, near), 0.1)
    assert not model.foreground(cell, near)[0]


def test_a_laser_that_was_never_learned_is_refused() -> None:
    model = Background(azimuth_bins=360, margin=0.3, memory=5.0, uncover_after=0.3, absorb_after=100.0)
    xyz = np.array([[10.0, 0.1, 0.0]])
    model.learn(model.cells(xyz, np.zeros(1, int)), np.array([10.0]))
    with pytest.raises(ValueError, match="ring: 7; the background was learned with 1 rings"):
        model.cells(xyz, np.array([7]))
