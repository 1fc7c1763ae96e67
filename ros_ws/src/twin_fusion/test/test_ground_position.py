"""Boxes in an image to places on the ground: known bodies at known places."""

import cv2
import numpy as np
import pytest
from fusion_scenes import CAR, LENS, LYING, MOTORCYCLE, PEDESTRIAN, facing_east, photographed, standing

from twin_fusion.config import FusionConfig
from twin_fusion.core import camera_bodies
from twin_fusion.core.camera_pairing import image_boxes
from twin_fusion.core.ground_height import Ground
from twin_fusion.core.ground_position import BOTTOM, Placed, locate
from twin_fusion.core.lens import Lens

SETTINGS = FusionConfig(pixel_sigma=1.0, box_sigma=0.0)
POSE = facing_east()


def located(seen: np.ndarray, ground: Ground | None = None, lens: Lens = LENS) -> Placed:
    rows = camera_bodies.rows_of(seen["classification"], seen["posture"])
    return locate(image_boxes(seen), seen["cut"], rows, lens, POSE, ground or Ground(0.0), SETTINGS)


def places(rng: np.random.Generator, count: int, near: float = 10.0, far: float = 40.0) -> np.ndarray:
    x = rng.uniform(near, far, count)
    return np.column_stack([x, rng.uniform(-0.5, 0.5, count) * x])


@pytest.mark.parametrize(("label", "far"), [(PEDESTRIAN, 0.6), (CAR, 1.2), (MOTORCYCLE, 0.8)])
def test_objects_are_placed_within_what_the_covariance_says(label: int, far: float) -> None:
    rng = np.random.default_rng(label)
    errors, nees = [], []
    for _ in range(60):  # one at a time: nobody hides anybody
        objects = standing(places(rng, 1), label, rng.uniform(-np.pi, np.pi, 1))
        objects["height"] *= rng.normal(1.0, 0.05, 1)  # people and cars are not all of one size
        objects["z"] = 0.5 * objects["height"]
        seen = photographed(objects, POSE, noise=1.0, rng=rng)
        found = located(seen)
        assert found.good.all()
        error = found.centre[:, :2] - np.column_stack([objects["x"], objects["y"]])[seen["object_id"]]
        errors.append(np.linalg.norm(error, axis=1))
        nees.append(np.einsum("ni,nij,nj->n", error, np.linalg.inv(found.covariance[:, :2, :2]), error))
    assert np.median(np.concatenate(errors)) < 0.5 * far and np.quantile(np.concatenate(errors), 0.9) < far
    assert 0.1 < np.mean(np.concatenate(nees)) < 3.0  # 2 is consistent; a floor for real bodies makes it less


def test_the_error_grows_with_distance_and_lies_along_the_line_of_sight() -> None:
    objects = standing(np.array([[10.0, 0.0], [20.0, 3.0], [40.0, -4.0]]), PEDESTRIAN)
    found = located(photographed(objects, POSE))
    np.testing.assert_allclose(found.centre[:, 0], objects["x"], atol=0.1)
    np.testing.assert_allclose(found.centre[:, 1], objects["y"], atol=0.1)
    sigma = np.sqrt(np.linalg.eigvalsh(found.covariance[:, :2, :2]))
    assert (np.diff(sigma[:, 1]) > 0.1).all() and (sigma[2, 1] > 4 * sigma[2, 0])
    axis = np.linalg.eigh(found.covariance[2, :2, :2])[1][:, 1]
    assert abs(axis @ np.array([40.0, -4.0]) / np.hypot(40, 4)) > 0.99


def test_a_hidden_or_cut_off_foot_is_placed_by_the_head_and_less_surely() -> None:
    objects = standing(np.array([[15.0, 2.0]]), PEDESTRIAN)
    seen = photographed(objects, POSE)
    whole = located(seen)
    cut = seen.copy()
    cut["y_max"] -= 0.5 * (cut["y_max"] - cut["y_min"])
    cut["cut"] = BOTTOM
    found = located(cut)
    assert np.hypot(*(found.centre[0, :2] - (15.0, 2.0))) < 0.6
    assert found.covariance[0, 0, 0] > 2 * whole.covariance[0, 0, 0]
    # The same with a car before it: its box ends where the person's does, and lower.
    car = photographed(standing(np.array([[10.5, 1.4]]), CAR, np.pi / 2), POSE)
    behind = seen.copy()
    behind["y_max"] = car["y_min"] + 4
    both = located(np.concatenate([behind, car]))
    assert np.hypot(*(both.centre[0, :2] - (15.0, 2.0))) < 1.0
    # Behind something that the camera does not know: the size tells, and the doubt shows.
    alone = located(behind)
    assert np.hypot(*(alone.centre[0, :2] - (15.0, 2.0))) < 3 * np.sqrt(alone.covariance[0, 0, 0])


def test_people_who_lie_are_placed_as_such() -> None:
    objects = standing(np.array([[14.0, 1.0]]), PEDESTRIAN, yaw=0.8, posture=LYING)
    found = located(photographed(objects, POSE))
    assert np.hypot(*(found.centre[0, :2] - (14.0, 1.0))) < 0.2
    assert found.size[0, 0] > 1.4 and found.centre[0, 2] < 0.4


def test_ground_that_is_higher_is_learned_from_feet() -> None:
    objects = standing(np.array([[20.0, 0.0]]), PEDESTRIAN)
    objects["z"] += 0.3
    seen = photographed(objects, POSE)
    ground = Ground(0.0)
    before = located(seen, ground)
    for x in (18.5, 19.5, 20.5, 21.5):
        ground.learn(np.tile((x, 0.0, 0.3), (30, 1)))
    after = located(seen, ground)
    assert before.centre[0, 0] - 20.0 > 0.5
    assert abs(after.centre[0, 0] - 20.0) < 0.15
    assert after.covariance[0, 0, 0] < before.covariance[0, 0, 0]


def test_roads_are_lower_than_the_rest() -> None:
    road = np.array([[0.0, -5.0], [50.0, -5.0], [50.0, 5.0], [0.0, 5.0]])
    ground = Ground(2.0, [road], 0.15)
    height, sigma = ground.at(np.array([[20.0, 0.0], [20.0, 8.0], [900.0, 0.0]]))
    np.testing.assert_allclose(height, (2.0, 2.15, 2.0))
    assert (sigma < 0.08).all()
    assert ground.raised_by(np.array([20.0, 8.0])) == 0.15 and ground.raised_by(np.array([20.0, 0.0])) == 0.0


def test_empty_and_misshapen_boxes() -> None:
    none = photographed(standing(np.zeros((0, 2)), CAR), POSE)
    assert len(located(none).centre) == 0
    with pytest.raises(ValueError, match=r"boxes: expected \(N, 4\)"):
        locate(np.zeros((3, 5)), np.zeros(3, int), np.zeros(3, int), LENS, POSE, Ground(0.0), SETTINGS)
    with pytest.raises(ValueError, match=r"map_from_camera: expected \(4, 4\)"):
        locate(np.zeros((3, 4)), np.zeros(3, int), np.zeros(3, int), LENS, np.eye(3), Ground(0.0), SETTINGS)


@pytest.mark.parametrize(
    ("model", "distortion"),
    [("plumb_bob", LENS.distortion), ("rational_polynomial", np.array([0.1, 0.02, 1e-3, -1e-3, 0.01, 0.2, 0.03, 0.01])),
     ("equidistant", np.array([0.01, -0.002, 0.001, 0.0])), ("plumb_bob", np.zeros(5))],
)  # fmt: skip
def test_lenses_agree_with_opencv_and_rays_with_pixels(model: str, distortion: np.ndarray) -> None:
    lens = Lens(640, 360, LENS.matrix, model, distortion)
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-4, 4, 50), rng.uniform(-2, 2, 50), rng.uniform(6, 30, 50)])
    if model == "equidistant":
        expected = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), lens.matrix, distortion)[0]
    else:
        expected = cv2.projectPoints(points, np.zeros(3), np.zeros(3), lens.matrix, distortion)[0]
    pixels = lens.project(points)
    np.testing.assert_allclose(pixels, expected.reshape(-1, 2), atol=1e-6)
    rays = points / np.linalg.norm(points, axis=1, keepdims=True)
    np.testing.assert_allclose(lens.rays(pixels), rays, atol=1e-6)
    assert np.isnan(lens.project(np.array([[0.0, 0.0, -1.0]]))).all()


def test_lenses_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="3 coefficients; expected 5"):
        Lens(640, 360, LENS.matrix, "plumb_bob", np.zeros(3))
    with pytest.raises(ValueError, match="expected one of plumb_bob"):
        Lens(640, 360, LENS.matrix, "mirror", np.zeros(5))
    with pytest.raises(ValueError, match="positive"):
        Lens(640, 360, np.zeros((3, 3)), "plumb_bob", np.zeros(5))
