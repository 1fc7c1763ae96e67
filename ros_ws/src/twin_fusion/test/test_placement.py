"""From a sensor's frame to the map frame."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from twin_common import cdr
from twin_common.core import geometry
from twin_fusion.core.placement import PoseError, finite, place

DTYPE = cdr.record_dtype("twin_msgs/msg/DetectedObject")


def random_objects(count: int, rng: np.random.Generator) -> np.ndarray:
    objects = np.zeros(count, DTYPE)
    for name in ("x", "y", "z"):
        objects[name] = rng.uniform(-50, 50, count)
    objects["yaw"] = rng.uniform(-np.pi, np.pi, count)
    objects["length"], objects["width"], objects["height"] = rng.uniform(0.5, 5, (3, count))
    objects["velocity_x"], objects["velocity_y"] = rng.normal(scale=5, size=(2, count))
    root = rng.normal(scale=0.2, size=(count, 3, 3))
    objects["position_covariance"] = (root @ root.transpose(0, 2, 1)).reshape(-1, 9)
    objects["yaw_variance"] = 0.01
    return objects


@pytest.mark.parametrize("seed", range(5))
def test_yaw_position_and_covariance_follow_a_random_pose(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objects = random_objects(40, rng)
    pose = geometry.transform(rng.uniform(-300, 300, 3), Rotation.random(random_state=seed))
    placed = place(objects, pose, 3, PoseError.even(0.0, 0.0))
    centres = np.stack([objects["x"], objects["y"], objects["z"]], axis=1)
    expected = centres @ pose[:3, :3].T + pose[:3, 3]
    np.testing.assert_allclose(np.stack([placed["x"], placed["y"], placed["z"]], axis=1), expected, atol=1e-9)
    for before, after in zip(objects, placed, strict=True):
        tip = pose[:3, :3] @ [np.cos(before["yaw"]), np.sin(before["yaw"]), 0]
        assert abs(geometry.wrap(after["yaw"] - np.arctan2(tip[1], tip[0]))) < 1e-5
        turned = pose[:3, :3] @ before["position_covariance"].reshape(3, 3) @ pose[:3, :3].T
        np.testing.assert_allclose(after["position_covariance"].reshape(3, 3), turned, atol=1e-6)
    # Samples drawn in the sensor's frame spread in the map as the rotated covariance says.
    one = objects[:1]
    drawn = rng.multivariate_normal(centres[0], one["position_covariance"][0].reshape(3, 3), 20000)
    spread = np.cov((drawn @ pose[:3, :3].T).T)
    np.testing.assert_allclose(placed["position_covariance"][0].reshape(3, 3), spread, atol=0.04 * np.trace(spread))
    assert (placed["platforms"] == 8).all()


def test_velocity_keeps_its_speed_under_a_level_pose() -> None:
    objects = random_objects(10, np.random.default_rng(1))
    objects["velocity_x"][0] = np.nan
    placed = place(objects, geometry.transform_from_rpy((3, 4, 5), 0, 0, 2.0), 0, PoseError.even(0.0, 0.0))
    before = np.arctan2(objects["velocity_y"][1:], objects["velocity_x"][1:])
    after = np.arctan2(placed["velocity_y"][1:], placed["velocity_x"][1:])
    np.testing.assert_allclose(geometry.wrap(after - before - 2.0), 0, atol=1e-5)
    assert np.isnan(placed["velocity_x"][0]) and np.isnan(placed["velocity_y"][0])


def test_an_uncertain_heading_moves_far_objects_across_the_line_of_sight() -> None:
    objects = random_objects(2, np.random.default_rng(1))
    objects["position_covariance"] = 0
    objects["x"], objects["y"], objects["z"] = (10, 40), (0, 0), (0, 0)
    placed = place(objects, geometry.transform((100, 0, 5)), 0, PoseError.even(0.05, 0.01))
    covariance = placed["position_covariance"].reshape(-1, 3, 3)
    np.testing.assert_allclose(np.sqrt(covariance[:, 1, 1]), np.hypot(0.05, [0.1, 0.4]), rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(covariance[:, 0, 0]), 0.05, rtol=1e-5)


def test_empty_bad_and_misshapen_input() -> None:
    assert len(place(np.zeros(0, DTYPE), np.eye(4), 0, PoseError.even(0.1, 0.1))) == 0
    objects = random_objects(3, np.random.default_rng(1))
    objects["x"][1] = np.nan
    objects["position_covariance"][2, 4] = np.inf
    assert finite(objects).tolist() == [True, False, False]
    with pytest.raises(ValueError, match=r"expected \(4, 4\)"):
        place(objects, np.eye(3), 0, PoseError.even(0.1, 0.1))
