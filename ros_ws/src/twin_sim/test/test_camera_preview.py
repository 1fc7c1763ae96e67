"""Pictures from above, where every place can be computed; and the preview of a real scenario."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from twin_common.config import ConfigError
from twin_common.core.object_class import ObjectClass
from twin_common.district import DatumConfig, DistrictConfig, PlatformConfig, PoseConfig, ZoneConfig
from twin_sim.birdseye import CLASSES, SMOOTH, Area, Ground, outline, whole
from twin_sim.core.camera_scene import tiled_scene
from twin_sim.core.frame import SIGNAL, Activity, Event, EventKind, Frame, SignalState, no_actors
from twin_sim.core.meshes import box
from twin_sim.preview import preview, run_to_event
from twin_sim.scenario import load_scenario
from twin_sim.world import World, WorldConfig

SCENARIOS = Path(__file__).resolve().parents[4] / "config" / "scenarios"
SQUARE = ((-20.0, -20.0), (20.0, -20.0), (20.0, 20.0), (-20.0, 20.0))
BLOCK = ((30.0, 30.0), (45.0, 30.0), (45.0, 45.0), (30.0, 45.0))


@pytest.fixture
def world(tmp_path) -> World:
    district = DistrictConfig(
        name="test", datum=DatumConfig(35.0, 126.0),
        platforms=(PlatformConfig(name="pole_01", pose=PoseConfig(x=-40.0, y=-40.0)),),
        zones=(
            ZoneConfig(name="road", kind="carriageway", polygon=SQUARE),
            ZoneConfig(name="house", kind="building", polygon=BLOCK, height=20.0),
        ),
    )  # fmt: skip
    return World(tmp_path, district, WorldConfig(network="none", bounds=(-60.0, -50.0, 60.0, 50.0)))


def at(image: Image.Image, area: Area, x: float, y: float) -> np.ndarray:
    u, v = (area.to_pixels(np.array([[x, y]]))[0] / SMOOTH).astype(int)
    return np.asarray(image)[v, u].astype(int)


def test_places_of_the_map():
    area = Area(10.0, 20.0, 100.0, 500, 300)
    assert np.allclose(area.to_pixels(np.array([[10.0, 20.0]])), [[500, 300]])
    assert np.allclose(area.to_pixels(np.array([[10.0, 30.0]])), [[500, 200]])  # north is up
    assert np.allclose(area.to_pixels(np.array([[20.0, 20.0]])), [[600, 300]])


def test_whole_district_fits(world):
    area = whole(world, 600)
    assert area.size[0] == 600
    spots = area.to_pixels(np.array([(-60.0, -50.0), (60.0, 50.0)])) / SMOOTH
    assert (spots > 0).all() and (spots < area.size).all()


def test_outline_of_a_turned_actor():
    row = no_actors(1)[0]
    row["x"], row["y"], row["yaw"], row["length"], row["width"] = 5.0, 1.0, np.pi / 2, 4.0, 2.0
    assert np.allclose(outline(row), [(4, 3), (4, -1), (6, -1), (6, 3)], atol=1e-6)


def test_frame_shows_zones_actors_signals_and_events(world):
    actors = no_actors(2)
    actors["actor_id"], actors["classification"] = (1, 2), (ObjectClass.BUS, ObjectClass.PEDESTRIAN)
    actors["x"], actors["y"] = (0.0, 10.0), (0.0, -10.0)
    actors["length"], actors["width"] = (11.0, 1.8), (4.0, 0.6)
    actors["activity"] = Activity.DRIVING, Activity.LYING
    signals = np.zeros(1, SIGNAL)
    signals["x"], signals["y"], signals["state"] = -10.0, 10.0, SignalState.GREEN
    event = Event(1, EventKind.FALL, 10**18, 0, -14.0, -14.0, 0.0, (2,), 2)
    area = Area(0.0, 0.0, 110.0, 550)
    ground = Ground(world, area)
    image = ground.with_frame(Frame(10**18, actors, signals, (event,)))
    assert image.size == (550, 550)
    assert np.abs(at(image, area, -3.0, 1.2) - CLASSES[ObjectClass.BUS][0]).max() < 12
    assert np.abs(at(image, area, 9.5, -10.0) - (214, 30, 44)).max() < 40  # who lies is red
    green = at(image, area, -10.0, 10.0)
    assert green[1] > green[0] + 60
    assert np.abs(at(image, area, 5.0, 15.0) - (158, 160, 164)).max() < 4
    ring = at(image, area, -14.0 + 2.5, -14.0)
    assert ring[0] > ring[1] + 80
    assert not np.array_equal(np.asarray(image), np.asarray(ground.with_frame(Frame(10**18, no_actors(), signals[:0]))))


def test_both_halves_of_a_shop_sign_have_one_colour(world):
    for x, width in ((-9.0, 5.0), (0.2, 4.0), (11.0, 6.0)):
        scene = tiled_scene(box(width, 0.16, 0.9, "sign_face").placed(x=x, yaw=0.3), world)
        corners = scene.vertices["position"][scene.triangles]
        areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
        faces = areas > areas.max() - 1e-3  # front and back
        seeds = scene.vertices["labels"][scene.triangles[faces, 0], 1]
        assert len(seeds) == 4 and (seeds > 0).all() and len(np.unique(seeds)) == 1


def test_a_preview_shows_an_event_that_is_under_way():
    stretch = run_to_event(
        load_scenario(SCENARIOS / "wrong_way.yaml", ("population.density=0.1", "population.warmup=0"))
    )
    (event,) = [event for event in stretch.at.events if event.kind == EventKind.WRONG_WAY]
    assert 0.8 <= (stretch.at.stamp_ns - event.start_ns) / 1e9 <= 2.0


def test_preview_of_the_demo(tmp_path):
    quick = ("population.density=0.2", "population.warmup=0")
    made = {path.name: path for path in preview(SCENARIOS / "demo.yaml", tmp_path / "out", settings=quick)}
    kinds = {name.split("_", 2)[-1] if name.startswith(("pole", "vehicle")) else name for name in made}
    assert kinds == {"overview.png", "animation.gif", "lidar.png", "camera.png", "gnss_imu.png"}
    assert made["animation.gif"].stat().st_size < 5_000_000
    with Image.open(made["animation.gif"]) as animation:
        assert animation.n_frames >= 40 and animation.info["duration"] == 200
        first = np.asarray(animation.convert("RGB")).astype(int)
        animation.seek(animation.n_frames - 1)
        assert (np.abs(np.asarray(animation.convert("RGB")).astype(int) - first).max(axis=2) > 40).sum() > 100
    for name, path in made.items():
        if name.endswith(".png"):
            assert np.asarray(Image.open(path).convert("L")).std() > 10


def test_preview_of_a_scenario_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: no such file"):
        list(preview(tmp_path / "nowhere.yaml", tmp_path / "out"))
    assert not (tmp_path / "out").exists()
