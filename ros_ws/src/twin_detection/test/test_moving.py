"""A moving LiDAR: ground, clusters, boxes and classes of single scans."""

import numpy as np
import pytest

from twin_detection.config import LidarDetectorConfig
from twin_detection.core import boxes, completion
from twin_detection.core.classes import BICYCLE, BUS, CAR, DEBRIS, PEDESTRIAN, UNKNOWN, classify
from twin_detection.core.clusters import cluster_moving, cluster_still
from twin_detection.core.detections import Detections
from twin_detection.core.detector import LidarDetector
from twin_detection.core.ground import Ground
from twin_detection.synthetic import Box, Lidar, scan

ROOF = Lidar(height=1.73, rings=64, columns=1800, lowest_deg=-24.0, highest_deg=2.5)


def detect(scene: list[Box], seed: int = 0, **settings: float) -> Detections:
    config = LidarDetectorConfig(mode="moving", sensor_height=1.73, **settings)  # type: ignore[arg-type]
    points = scan(ROOF, scene, np.random.default_rng(seed)).points
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    found, _ = LidarDetector(config).step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, 0)
    return found


def vehicles(found: Detections) -> Detections:
    return found.select(found.label == CAR)


def test_who_is_close_beside_the_platform_is_seen_and_the_platform_is_not() -> None:
    config = LidarDetectorConfig(mode="moving", sensor_height=1.73)
    own, other = Box(2.0, -1.2, 0.5, 0.5, 1.8), Box(-0.4, 1.95, 0.5, 0.5, 1.8)  # a case on the bonnet, a person
    points = scan(ROOF, [own, other], np.random.default_rng(0)).points
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    found, mask = LidarDetector(config).step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, 0)
    assert len(found) == 1
    assert np.hypot(*(found.centre[0, :2] - (other.x, other.y))) < 0.3
    standing = (xyz[:, 2] > -1.4) & (np.hypot(xyz[:, 0] - other.x, xyz[:, 1] - other.y) < 0.5)
    assert np.hypot(*xyz[standing, :2].T).min() < 1.8
    assert mask[standing].all() and np.count_nonzero(mask) == np.count_nonzero(standing)
    small = LidarDetectorConfig(mode="moving", sensor_height=1.73, body_length=1.0, body_width=0.8)
    found, _ = LidarDetector(small).step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, 0)
    assert len(found) == 2


@pytest.mark.parametrize("bearing_deg", [0, 35, 100, 200, 310])
@pytest.mark.parametrize("heading_deg", [10, 60, 140])
def test_a_car_is_found_wherever_it_stands(bearing_deg: float, heading_deg: float) -> None:
    bearing, heading = np.radians(bearing_deg), np.radians(heading_deg)
    x, y = 13.0 * np.cos(bearing), 13.0 * np.sin(bearing)
    found = vehicles(detect([Box(x, y, 4.4, 1.8, 1.5, heading)]))
    assert len(found) == 1
    assert np.hypot(found.centre[0, 0] - x, found.centre[0, 1] - y) < 0.45
    assert abs(np.sin(found.yaw[0] - heading)) < np.sin(np.radians(6))
    np.testing.assert_allclose(found.size[0], [4.4, 1.8, 1.5], atol=0.4)
    half_turn = ((bearing_deg + 180) % 360) / 360
    assert abs(found.time_offset[0] - (half_turn - 1.0) * 0.1) < 0.006


def test_the_error_of_a_car_fits_its_covariance() -> None:
    rng = np.random.default_rng(7)
    squared = []
    for seed in range(60):
        bearing, heading, distance = rng.uniform(0, 2 * np.pi), rng.uniform(0, np.pi), rng.uniform(8, 30)
        size = rng.normal((4.3, 1.78), (0.4, 0.1))
        x, y = distance * np.cos(bearing), distance * np.sin(bearing)
        found = vehicles(detect([Box(x, y, *size, 1.5, heading)], seed))
        if len(found) == 1:
            error = found.centre[0, :2] - (x, y)
            squared.append(error @ np.linalg.solve(found.covariance[0, :2, :2], error))
    assert len(squared) >= 50
    # Two degrees of freedom: the mean of a consistent estimate is 2; more than 4 would be overconfident.
    assert 0.2 < np.mean(squared) < 4.0


def test_walls_and_poles_are_no_vehicles() -> None:
    found = detect([Box(0.0, 12.0, 40.0, 0.3, 6.0), Box(10.0, -5.0, 0.3, 0.3, 6.0), Box(6.0, -4.0, 3.0, 0.2, 5.0)])
    assert len(vehicles(found)) == 0


def test_a_pedestrian_beside_a_car_is_another_object() -> None:
    found = detect([Box(12.0, 3.0, 4.4, 1.8, 1.5, 0.2), Box(11.0, 0.6, 0.5, 0.5, 1.75)])
    assert sorted(found.label) == [CAR, PEDESTRIAN]


def test_what_hangs_over_a_car_does_not_belong_to_it() -> None:
    cluster_of = np.zeros((40, 2), np.float32)
    height = np.concatenate([np.linspace(0.3, 1.5, 30), np.linspace(2.4, 3.4, 10)])
    from twin_detection.core.shape import trim_overhang

    clusters = cluster_moving(cluster_of + 10.0, height < 2.2, 0.2, 60.0, 0.01, 5)
    assert trim_overhang(height, clusters, 4.0).counts.tolist() == [30]


def test_ground_follows_a_slope_and_passes_below_a_car() -> None:
    rng = np.random.default_rng(8)
    xy = rng.uniform(-30, 30, (40_000, 2))
    z = -1.73 + 0.05 * xy[:, 0] + rng.normal(0, 0.02, len(xy))
    on_car = (np.abs(xy[:, 0] - 8) < 2.2) & (np.abs(xy[:, 1]) < 0.9)
    z[on_car] += 1.4
    points = np.column_stack([xy, z]).astype(np.float32)
    above = Ground(points, 1.73, 60.0).above(points)
    assert np.quantile(np.abs(above[~on_car]), 0.99) < 0.2
    assert np.abs(above[on_car] - 1.4).max() < 0.25


def test_rectangles_turn_with_their_points() -> None:
    rng = np.random.default_rng(9)
    side = np.column_stack([rng.uniform(-2.2, 2.2, 150), np.full(150, -0.9)])
    end = np.column_stack([np.full(60, -2.2), rng.uniform(-0.9, 0.9, 60)])
    corner = np.concatenate([side, end]) + rng.normal(0, 0.02, (210, 2))
    height = np.full(210, 0.8)
    for angle in np.radians([0, 17, 45, 88, 133, 179]):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        xy = corner @ turn.T + (12.0, -7.0)
        clusters = cluster_moving(xy, np.ones(210, bool), 0.3, 60.0, 0.003, 5)
        x, y, length, width, yaw = boxes.fit_rectangles(xy, height, clusters)[0]
        assert np.hypot(x - 12.0, y + 7.0) < 0.1
        assert abs(length - 4.4) < 0.15 and abs(width - 1.8) < 0.15
        assert abs(np.sin(yaw - angle)) < np.sin(np.radians(2))


def test_completion_grows_away_from_the_sensor() -> None:
    seen = np.array([[10.0, 5.0, 4.3, 0.4, 0.0]])
    whole, grown = completion.complete(seen, classify(seen[:, 2], seen[:, 3], np.array([1.5]), np.ones(1)))
    near_side = whole[0, 1] - whole[0, 3] / 2
    assert abs(near_side - (5.0 - 0.2)) < 1e-6
    assert abs(whole[0, 3] - 1.78) < 0.2 and grown[0, 1] > 1.2
    rear = np.array([[12.0, 0.0, 1.75, 0.3, np.pi / 2]])
    whole, _ = completion.complete(rear, classify(rear[:, 2], rear[:, 3], np.array([1.5]), np.ones(1)))
    assert abs(np.sin(whole[0, 4])) < 1e-6
    assert abs(whole[0, 0] - whole[0, 2] / 2 - 11.85) < 1e-6


@pytest.mark.parametrize(
    ("longer", "shorter", "height", "solidity", "expected"),
    [
        (4.3, 1.8, 1.5, 1.0, CAR), (1.75, 0.4, 1.5, 1.0, CAR), (1.75, 0.4, 1.7, 0.6, BICYCLE),
        (12.0, 2.5, 3.2, 1.0, BUS), (0.5, 0.4, 1.7, 0.8, PEDESTRIAN), (0.5, 0.4, 0.35, 1.0, DEBRIS),
        (0.4, 0.3, 3.5, 1.0, UNKNOWN), (14.0, 9.0, 3.0, 0.5, UNKNOWN), (7.0, 0.3, 0.6, 1.0, UNKNOWN),
    ],
)  # fmt: skip
def test_classes_by_size(longer: float, shorter: float, height: float, solidity: float, expected: int) -> None:
    classified = classify(*(np.array([value]) for value in (longer, shorter, height, solidity)))
    assert classified.label[0] == expected
    assert abs(classified.probability[0].sum() - 1.0) < 1e-9


def test_clusters_join_what_touches_and_nothing_else() -> None:
    xy = np.array([[5.0, 0.0], [5.1, 0.0], [5.2, 0.05], [7.0, 0.0], [7.1, 0.0], [500.0, 0.0], [np.inf, 0.0]])[:6]
    clusters = cluster_moving(xy, np.ones(6, bool), 0.2, 60.0, 0.003, 2)
    assert clusters.counts.tolist() == [3, 2]
    points, ring = np.column_stack([xy, np.zeros(6)]), np.zeros(6, int)
    still = cluster_still(points, ring, np.zeros(6, bool), 0.2, 60.0, 0.003, 2)
    assert still.counts.tolist() == [3, 2]
    assert len(cluster_moving(xy[:0], np.zeros(0, bool), 0.2, 60.0, 0.003, 2)) == 0
    assert len(cluster_still(points[:0], ring[:0], np.zeros(0, bool), 0.2, 60.0, 0.003, 2)) == 0


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_points_give_nothing(count: int) -> None:
    made = LidarDetector(LidarDetectorConfig(mode="moving"))
    xyz = np.full((count, 3), 8.0, np.float32)
    for index in range(15):
        found, mask = made.step(xyz, np.zeros(count, int), np.zeros(count), index * 100_000_000)
        assert len(found) == 0 and mask.shape == (count,)


def test_points_that_are_no_numbers_are_passed_over() -> None:
    made = LidarDetector(LidarDetectorConfig(mode="moving"))
    xyz = np.array([[np.nan, 1, 1], [np.inf, 0, 0], [0, 0, 0], [9, 9, -4]], np.float32)
    for index in range(15):
        found, mask = made.step(xyz, np.zeros(4, int), np.zeros(4), index * 100_000_000)
    assert len(found) == 0 and mask.tolist() == [False] * 4


def test_wrong_shapes_are_named() -> None:
    made = LidarDetector(LidarDetectorConfig(mode="moving"))
    with pytest.raises(ValueError, match=r"xyz: expected \(N, 3\), got \(4, 2\)"):
        made.step(np.zeros((4, 2)), np.zeros(4, int), np.zeros(4), 0)
    with pytest.raises(ValueError, match=r"expected \(4,\), got \(3,\)"):
        made.step(np.zeros((4, 3)), np.zeros(3, int), np.zeros(4), 0)


def test_a_tilted_sensor_sees_the_same() -> None:
    from scipy.spatial.transform import Rotation

    points = scan(ROOF, [Box(14.0, 4.0, 4.4, 1.8, 1.5, 0.5)], np.random.default_rng(0)).points
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    tilt = Rotation.from_euler("xyz", np.radians([2.0, -4.0, 0.0])).as_matrix()
    config = LidarDetectorConfig(mode="moving", sensor_height=1.73, roll_deg=2.0, pitch_deg=-4.0)
    seen = (xyz @ tilt).astype(np.float32)
    found, _ = LidarDetector(config).step(seen, points["ring"], np.zeros(len(xyz)), 0)
    found = vehicles(found)
    assert len(found) == 1
    np.testing.assert_allclose(tilt @ found.centre[0], [14.0, 4.0, 0.75 - 1.73], atol=0.45)
    assert abs(np.sin(found.yaw[0] - 0.5)) < np.sin(np.radians(4))
