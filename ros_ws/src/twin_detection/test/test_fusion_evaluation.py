"""LiDAR, camera and both are scored on the same objects: those in the camera's view."""

from types import SimpleNamespace

import numpy as np

from twin_detection.core.detections import Detections
from twin_detection.evaluation.fusion_sources import _on_parked, in_view, lens_of
from twin_detection.evaluation.scoring import Truth
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import no_actors


def facing_east(height: float = 5.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
    pose[2, 3] = height
    return pose


def test_the_lens_is_that_of_the_simulated_camera() -> None:
    model = CameraModel(distortion=(-0.1, 0.02, 0.001, -0.0008, -0.001))
    points = np.random.default_rng(0).uniform((-3, -2, 6), (3, 2, 30), (40, 3))
    np.testing.assert_allclose(lens_of(model).project(points), model.project(points), atol=1e-9)


def test_places_in_view_are_those_within_the_picture() -> None:
    shot = SimpleNamespace(picture=SimpleNamespace(model=CameraModel(), map_from_camera=facing_east()))
    places = np.array([[20.0, 0.0, 1.0], [20.0, 18.0, 1.0], [-20.0, 0.0, 1.0], [3.0, 0.0, 0.0]])
    assert in_view(places, shot).tolist() == [True, False, False, False]  # type: ignore[arg-type]
    assert len(in_view(np.zeros((0, 3)), shot)) == 0  # type: ignore[arg-type]


def found(places: np.ndarray, label: int) -> Detections:
    count = len(places)
    probability = np.zeros((count, 10))
    probability[:, label] = 1.0
    return Detections(
        np.column_stack([places, np.zeros(count)]), np.ones((count, 3)), np.zeros(count),
        np.tile(np.eye(3), (count, 1, 1)), np.ones(count), probability, np.ones(count), np.ones(count, int),
        np.zeros(count),
    )  # fmt: skip


def test_parked_vehicles_count_for_nobody_but_those_that_move_do() -> None:
    parked = no_actors(2)
    parked["x"], parked["y"] = (10.0, 30.0), (5.0, 5.0)
    none = np.zeros(2)
    label = np.array([1, 7])  # a car that passes the second parked one, and a person beside the first
    truth = Truth(
        np.array([[30.5, 5.5], [10.5, 6.5]]), np.ones((2, 3)), none, label, np.zeros((2, 2)), none, none, none == 0,
        none != 0,
    )  # fmt: skip
    places = np.array([[10.5, 5.0], [30.0, 5.0], [20.0, 5.0]])
    assert _on_parked(found(places, 1), truth, parked).tolist() == [True, False, False]
    assert not _on_parked(found(places, 7), truth, parked).any()  # a person beside a parked car
    assert len(_on_parked(found(places[:0], 1), truth, parked)) == 0
