"""Two platforms, one world."""

import numpy as np
import pytest

from twin_common import cdr
from twin_common.core import geometry
from twin_fusion.config import MergerConfig
from twin_fusion.core.blending import class_product, split_covariance_intersection
from twin_fusion.core.merging import merge
from twin_fusion.core.slots import Part, Slot

DTYPE = cdr.record_dtype("twin_msgs/msg/DetectedObject")
CONFIG = MergerConfig(platforms=("a", "b", "c"), person_distance=0.65)
CAR, TRUCK, PEDESTRIAN, UNKNOWN = 1, 2, 7, 0
SIZES = {CAR: (4.4, 1.8, 1.5), TRUCK: (8.0, 2.5, 3.0), PEDESTRIAN: (0.5, 0.5, 1.7), UNKNOWN: (1.0, 1.0, 1.0)}


def seen(platform: int, kind: int, x: float, y: float, yaw: float = 0.0, sigma: float = 0.1, **fields) -> np.ndarray:
    item = np.zeros(1, DTYPE)
    item["x"], item["y"], item["z"], item["yaw"] = x, y, 0.8, yaw
    item["length"], item["width"], item["height"] = SIZES[kind]
    item["velocity_x"] = item["velocity_y"] = np.nan
    item["position_covariance"] = (np.eye(3) * sigma**2).reshape(-1)
    item["yaw_variance"], item["existence"], item["point_count"], item["sensors"] = 0.01, 0.8, 50, 1
    item["platforms"], item["classification"] = 1 << platform, kind
    item["class_probability"] = 0.2 / 9
    item["class_probability"][0, kind] = 0.8
    for name, value in fields.items():
        item[name] = value
    return item


def merged(*views: list[np.ndarray], stamps_ms: tuple[int, ...] | None = None) -> np.ndarray:
    stamps_ms = stamps_ms or (0,) * len(views)
    parts = [
        Part(index, stamp * 1_000_000, np.concatenate(view) if view else np.zeros(0, DTYPE))
        for index, (view, stamp) in enumerate(zip(views, stamps_ms, strict=True))
    ]
    return merge(Slot(tuple(parts)), CONFIG).objects


def test_a_car_seen_from_two_sides_is_one_object_with_a_better_position() -> None:
    rng = np.random.default_rng(5)
    alone, together = [], []
    for _ in range(200):
        x, y, yaw = rng.uniform(-50, 50), rng.uniform(-50, 50), rng.uniform(-np.pi, np.pi)
        heading = np.array([np.cos(yaw), np.sin(yaw)])
        views = []
        for platform, side in ((0, -1), (1, 1)):  # each misses up to a metre of the far end
            missed = rng.uniform(0.2, 1.0)
            centre = np.array([x, y]) + side * missed / 2 * heading + rng.normal(scale=0.08, size=2)
            flipped = yaw + np.pi * rng.integers(2) + rng.normal(scale=0.05)
            views.append(seen(platform, CAR, *centre, yaw=geometry.wrap(flipped), length=4.4 - missed))
        result = merged([views[0]], [views[1]])
        assert len(result) == 1
        assert result["platforms"][0] == 3 and result["point_count"][0] == 100
        assert result["length"][0] == pytest.approx(max(view["length"][0] for view in views), abs=1e-5)
        off = geometry.wrap(result["yaw"][0] - yaw)
        assert min(abs(off), abs(abs(off) - np.pi)) < 0.2
        alone += [np.hypot(view["x"][0] - x, view["y"][0] - y) for view in views]
        together.append(np.hypot(result["x"][0] - x, result["y"][0] - y))
    assert np.mean(together) < 0.6 * np.mean(alone)


def test_boxes_that_lie_across_one_another_are_aligned() -> None:
    result = merged(
        [seen(0, CAR, 0, 0)], [seen(1, CAR, 0.1, 0, yaw=np.pi / 2, length=1.7, width=4.2, yaw_variance=0.5)]
    )
    assert len(result) == 1
    assert result["length"][0] == pytest.approx(4.4) and result["width"][0] == pytest.approx(1.8)
    assert abs(geometry.wrap(result["yaw"][0])) < 0.05


@pytest.mark.parametrize("seed", range(20))
def test_pedestrians_side_by_side_stay_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = np.array([[0.0, 0.0], [0.8, 0.0], [1.6, 0.3]])
    views = [
        [
            seen(platform, PEDESTRIAN, *(position + rng.normal(scale=0.08, size=2)))
            for position in truth[rng.permutation(3)]
        ]
        for platform in range(2)
    ]
    result = merged(*views)
    assert len(result) == 3
    found = np.stack([result["x"], result["y"]], axis=1)
    nearest = np.linalg.norm(found[:, None] - truth, axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2]
    assert nearest.min(axis=1).max() < 0.3


@pytest.mark.parametrize("sigma", [0.05, 0.1, 0.3])
def test_two_pedestrians_each_seen_by_one_platform_are_not_joined(sigma: float) -> None:
    assert len(merged([seen(0, PEDESTRIAN, 0, 0, sigma=sigma)], [seen(1, PEDESTRIAN, 0.8, 0, sigma=sigma)])) == 2


def test_cars_in_neighbouring_lanes_and_queues_are_not_joined() -> None:
    assert len(merged([seen(0, CAR, 0, 0)], [seen(1, CAR, 0, 2.6)])) == 2
    assert len(merged([seen(0, CAR, 0, 0)], [seen(1, CAR, 5.4, 0)])) == 2


def test_classes_that_exclude_each_other_are_not_joined() -> None:
    assert len(merged([seen(0, CAR, 0, 0)], [seen(1, PEDESTRIAN, 0.3, 0)])) == 2
    assert len(merged([seen(0, CAR, 0, 0)], [seen(1, TRUCK, 0.3, 0)])) == 1


def test_an_unknown_view_does_not_weaken_a_known_class() -> None:
    result = merged([seen(0, UNKNOWN, 0, 0)], [seen(1, PEDESTRIAN, 0.2, 0)])
    assert len(result) == 1 and result["classification"][0] == PEDESTRIAN
    assert result["class_probability"][0, PEDESTRIAN] > 0.6
    assert result["class_probability"][0].sum() == pytest.approx(1, abs=1e-5)


def test_known_velocity_bridges_the_time_between_platforms() -> None:
    fast = {"velocity_x": 15.0, "velocity_y": 0.0}
    result = merged([seen(0, CAR, 0, 0, **fast)], [seen(1, CAR, 1.2, 0, **fast)], stamps_ms=(0, 80))
    assert len(result) == 1
    assert result["x"][0] == pytest.approx(1.2, abs=0.02) and result["time_offset"][0] == 0


def test_unknown_velocity_gives_the_mean_place_at_the_mean_time() -> None:
    result = merged([seen(0, CAR, 0, 0)], [seen(1, CAR, 1.2, 0)], stamps_ms=(0, 80))
    assert len(result) == 1
    truth = 1.2 + 15.0 * result["time_offset"][0]
    assert result["x"][0] == pytest.approx(truth, abs=0.05)
    assert -0.06 < result["time_offset"][0] < -0.02


def test_objects_of_an_older_array_keep_their_time() -> None:
    first = seen(0, CAR, 0, 0, time_offset=-0.01)
    result = merged([first], [seen(1, CAR, 50, 0)], stamps_ms=(0, 30))
    np.testing.assert_allclose(result["time_offset"], [-0.04, 0.0], atol=1e-6)


def test_three_platforms_and_empty_arrays() -> None:
    views = [[seen(i, CAR, 0.1 * i, 0), seen(i, PEDESTRIAN, 10 + 0.05 * i, 5)] for i in range(3)]
    result = merged(*views)
    assert result["platforms"].tolist() == [7, 7]
    assert result["existence"][0] == pytest.approx(1 - 0.2**3, abs=1e-4)
    assert result["object_id"].tolist() == [0, 1]
    assert len(merged([], [], [])) == 0
    assert len(merged([], views[1], [])) == 2


def test_the_order_of_objects_inside_an_array_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    first = [seen(0, CAR, *rng.uniform(-60, 60, 2)) for _ in range(30)]
    second = [seen(1, CAR, v["x"][0] + rng.normal(scale=0.2), v["y"][0] + rng.normal(scale=0.2)) for v in first]
    one, other = merged(first, second), merged(first[::-1], second[::-1])
    key = ("x", "y")
    np.testing.assert_allclose(np.sort(one, order=key)["x"], np.sort(other, order=key)["x"], atol=1e-9)


def test_persons_are_left_to_the_tracker_unless_told_otherwise() -> None:
    parts = tuple(Part(i, 0, np.concatenate([seen(i, PEDESTRIAN, 0.1 * i, 0), seen(i, CAR, 9, 0)])) for i in range(2))
    objects = merge(Slot(parts), MergerConfig(platforms=("a", "b"))).objects
    assert sorted(objects["classification"].tolist()) == [CAR, PEDESTRIAN, PEDESTRIAN]


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 1.0])
def test_fused_covariances_hold_for_own_errors_and_any_common_one(correlation: float) -> None:
    rng, common = np.random.default_rng(0), 0.2
    own = np.diag([1.0, 0.2, 0.5]), np.array([[0.5, 0.2, 0], [0.2, 0.9, 0], [0, 0, 0.3]])
    count, zero = 20000, np.zeros((1, 3))
    shared = rng.normal(scale=common, size=(2, count, 3))
    shared[1] = correlation * shared[0] + np.sqrt(1 - correlation**2) * shared[1]
    views = [rng.multivariate_normal(np.zeros(3), item, count) + part for item, part in zip(own, shared, strict=True)]
    fused, covariance, share = split_covariance_intersection(
        *views, *(np.broadcast_to(item, (count, 3, 3)) for item in own), common
    )
    stated = covariance[0] + common**2 * np.eye(3)
    assert np.linalg.eigvalsh(1.05 * stated - np.cov(fused.T)).min() > 0
    assert np.trace(stated) < 0.65 * min(np.trace(item) + 3 * common**2 for item in own)
    assert 0 < share[0] < 1
    np.testing.assert_allclose(split_covariance_intersection(zero, zero, *(i[None] for i in own), 1e-6)[1][0],
                               np.linalg.inv(sum(map(np.linalg.inv, own))), atol=0.02)  # fmt: skip


def test_class_product_by_hand() -> None:
    one, other = np.full((1, 10), 0.0), np.full((1, 10), 0.0)
    one[0, CAR], one[0, TRUCK] = 0.6, 0.4
    other[0, CAR], other[0, TRUCK] = 0.7, 0.3
    result = class_product(one, other)[0]
    assert result[CAR] / result[TRUCK] == pytest.approx(0.42 / 0.12)
    both_ignorant = class_product(np.eye(10)[:1], np.eye(10)[:1])[0]
    assert both_ignorant[UNKNOWN] == 1.0
