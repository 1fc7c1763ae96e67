"""What rendered pictures are labelled with: actors by their ids, parked vehicles by depth, postures by activity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from twin_common.core.image_boxes import overlaps
from twin_common.core.object_class import ObjectClass
from twin_detection.camera_scenes import labels, postures
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.evaluation.camera_plates import covered_plates, plates
from twin_sim.core.camera import CameraRenderer
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import SIGNAL, Activity, Frame, Shape, Weather, no_actors
from twin_sim.core.scenery import parked_actors
from twin_sim.scenery_cache import cached_scenery
from twin_sim.world import World, load_world

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def world() -> World:
    return load_world(ROOT / "config/districts/sangmu")


@pytest.fixture(scope="module")
def renderer(world: World) -> CameraRenderer:
    made = CameraRenderer(cached_scenery(world), world)
    yield made
    made.close()


def camera_at(x: float, y: float, z: float, yaw: float) -> np.ndarray:
    """Return map_from_camera of a level camera that looks along ``yaw``."""
    ahead = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([(ahead[1], -ahead[0], 0.0), (0.0, 0.0, -1.0), ahead])
    pose[:3, 3] = x, y, z
    return pose


def test_postures_are_those_of_persons_on_foot() -> None:
    actors = no_actors(5)
    actors["classification"] = [ObjectClass.PEDESTRIAN] * 4 + [ObjectClass.BICYCLE]
    actors["activity"] = [Activity.WALKING, Activity.SITTING, Activity.LYING, Activity.FALLING, Activity.RIDING]
    assert postures(actors).tolist() == [1, 2, 3, 0, 0]


def test_a_parked_vehicle_is_labelled_as_a_driven_one_in_its_place_would_be(
    world: World, renderer: CameraRenderer
) -> None:
    parked = parked_actors(world.config.parked)
    weather, view = Weather(), renderer.view(CameraModel())
    empty = Frame(1, no_actors(), np.zeros(0, SIGNAL))
    seen = 0
    for item in parked[:: max(len(parked) // 12, 1)]:
        if item["classification"] != ObjectClass.CAR:
            continue
        yaw = float(item["yaw"]) + 0.6
        pose = camera_at(item["x"] - 9 * np.cos(yaw), item["y"] - 9 * np.sin(yaw), 2.0, yaw)
        found = labels(renderer.render(view, pose, empty, weather), empty.actors, np.array([item]))
        if not len(found) or found["visible"][0] < 0.55:
            continue  # behind a tree or a lamp
        actor = np.array([item])
        actor["actor_id"], actor["z"] = 1, 0.01
        driven = Frame(1, actor, np.zeros(0, SIGNAL))
        twin = labels(renderer.render(view, pose, driven, weather), actor)
        share = float(overlaps(found["box"], twin["box"])[0, 0])
        assert share > 0.85 and found["label"][0] == twin["label"][0] == ObjectClass.CAR and found["index"][0] == -1
        seen += 1
    assert seen >= 3


def test_only_what_can_be_seen_is_labelled(world: World, renderer: CameraRenderer) -> None:
    actors = no_actors(3)
    actors["actor_id"] = [1, 2, 3]
    actors["classification"] = ObjectClass.PEDESTRIAN
    actors["activity"], actors["stature"], actors["height"] = Activity.STANDING, 1.7, 1.7
    actors["length"] = actors["width"] = 0.5
    actors["x"], actors["y"] = [20.0, 20.3, -20.0], [0.0, 0.05, 0.0]  # the second is right behind the first
    picture = renderer.render(
        renderer.view(CameraModel()), camera_at(0, 0, 1.2, 0.0), Frame(1, actors, np.zeros(0, SIGNAL)), Weather()
    )
    found = labels(picture, actors)
    assert 0 in found["index"] and 2 not in found["index"]
    first = found[found["index"] == 0][0]
    assert first["posture"] == 1 and first["distance"] == pytest.approx(20.0, abs=0.5) and first["visible"] > 0.9
    assert first["box"][3] - first["box"][1] == pytest.approx(457 * 1.7 / 20, abs=4)


def test_a_plate_is_told_from_behind_and_not_from_the_side(world: World, renderer: CameraRenderer) -> None:
    actors = no_actors(1)
    actors["actor_id"], actors["classification"], actors["shape"] = 1, ObjectClass.CAR, Shape.HATCHBACK
    actors["length"], actors["width"], actors["height"], actors["z"] = 4.0, 1.75, 1.5, 100.0  # above all that hides
    view, frame = renderer.view(CameraModel()), Frame(1, actors, np.zeros(0, SIGNAL))
    behind = plates(renderer.render(view, camera_at(-8.0, 0.0, 101.0, 0.0), frame, Weather()), actors)
    focal = CameraModel().matrix()[0, 0]
    wide = focal * 0.52 / (8.0 - 2.0)  # a plate of 52 cm at the rear end, 6 m away
    assert behind.shape == (1, 4)
    np.testing.assert_allclose(behind[0, 2] - behind[0, 0], wide, atol=1.5)
    np.testing.assert_allclose((behind[0, 0] + behind[0, 2]) / 2, 320.0, atol=1.0)
    assert 180.0 < behind[0, 1] < 180 + focal * 0.6 / 6.0  # 40 to 75 cm above the ground, seen from 1 m
    assert not len(plates(renderer.render(view, camera_at(0.0, -8.0, 101.0, np.pi / 2), frame, Weather()), actors))

    def shares(*box: float) -> list[float]:
        certain = np.eye(10)[[ObjectClass.CAR]]
        return covered_plates(ImageObjects(np.array([box]), certain, np.eye(4)[:1], np.ones(1)), behind).tolist()

    assert shares(250.0, 140.0, 390.0, 260.0) == [1.0]
    assert shares(20.0, 140.0, 160.0, 260.0) == [0.0]
