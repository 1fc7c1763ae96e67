"""The camera against scenes whose picture can be computed: depth, ids, boxes, light, weather, lens."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_common.core.object_class import ObjectClass
from twin_drivers.core.camera_model import from_numbers
from twin_sim.camera_fidelity import Detector, detection
from twin_sim.core.camera import CameraRenderer, CameraSettings, Picture
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.camera_truth import boxes, corners, pixels, seen
from twin_sim.core.frame import SIGNAL, Activity, Frame, Light, Shape, SignalState, Weather, no_actors
from twin_sim.core.meshes import Mesh, box, joined

DAY = Weather(sun_elevation=0.7, sun_azimuth=np.pi / 2)
NIGHT = Weather(sun_elevation=-0.6)
QUIET = CameraSettings(noise=0.0, lens_drops=False)
LENS = (-0.28, 0.07, 0.001, -0.0008, -0.008)
MILD = (-0.10, 0.02, 0.001, -0.0008, -0.001)
STAMP = 1_700_000_000_000_000_000


def facing_east(x=0.0, y=0.0, z=2.0, down=0.0):
    """Return map_from_camera of a camera that looks along +x, turned down by an angle."""
    forward = np.array([np.cos(down), 0.0, -np.sin(down)])
    right = np.array([0.0, -1.0, 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[:3, 3] = x, y, z
    return pose


def ground() -> Mesh:
    return box(400.0, 400.0, 0.5, "concrete").placed(z=-0.5)


def load(x, y, z, size=(1.0, 1.0, 1.0), yaw=0.0, actor_id=1):
    """Return one panel, whose body is its box."""
    actors = no_actors(1)
    actors["actor_id"], actors["shape"], actors["classification"] = actor_id, Shape.PANEL, ObjectClass.DEBRIS
    actors["activity"], actors["yaw"] = Activity.RESTING, yaw
    actors["x"], actors["y"], actors["z"] = x, y, z
    actors["length"], actors["width"], actors["height"] = size
    return actors


def person(x, y, actor_id=1):
    actors = no_actors(1)
    actors["actor_id"], actors["classification"], actors["activity"] = (
        actor_id,
        ObjectClass.PEDESTRIAN,
        Activity.STANDING,
    )
    actors["x"], actors["y"], actors["stature"] = x, y, 1.75
    actors["length"], actors["width"], actors["height"] = 0.5, 0.6, 1.75
    return actors


def frame_of(actors=None, signals=None, stamp_ns=STAMP) -> Frame:
    return Frame(
        stamp_ns, no_actors() if actors is None else actors, np.zeros(0, SIGNAL) if signals is None else signals
    )


def shot(mesh, frame, weather=DAY, model=None, pose=None, settings=QUIET, seed=0) -> Picture:
    with CameraRenderer(mesh, settings=settings, seed=seed) as renderer:
        return renderer.render(
            renderer.view(model or CameraModel()), facing_east() if pose is None else pose, frame, weather
        )


def projected(model, pose, points):
    inverse = np.linalg.inv(pose)
    return model.project(points @ inverse[:3, :3].T + inverse[:3, 3])


# --- the model


def test_projection_is_opencvs():
    model = CameraModel(width=800, height=600, fx=500.0, fy=510.0, cx=390.0, cy=310.0, distortion=MILD)
    points = np.random.default_rng(1).uniform((-3, -2, 4), (3, 2, 9), (200, 3))
    theirs = cv2.projectPoints(points, np.zeros(3), np.zeros(3), model.matrix(), np.array(MILD))[0].reshape(-1, 2)
    assert np.abs(model.project(points) - theirs).max() < 1e-6
    assert np.isnan(model.project(np.array([[0.0, 0.0, -1.0]]))).all()


def test_warp_undoes_the_lens():
    model = CameraModel(distortion=LENS)
    source = model.source_pixels()
    k = model.matrix()
    straight = (source.reshape(-1, 2) - k[:2, 2]) / (k[0, 0], k[1, 1])
    pixel = model.project(np.column_stack([straight, np.ones(len(straight))])).reshape(model.height, model.width, 2)
    columns, rows = np.meshgrid(np.arange(model.width), np.arange(model.height))
    assert np.abs(pixel - np.stack([columns, rows], axis=2)).max() < 1e-3


def test_numbers_are_those_of_camera_info():
    model = CameraModel(width=640, height=360, field_of_view_deg=90.0, distortion=MILD)
    k = model.matrix()
    info = from_numbers((640, 360), (k[0, 0], k[1, 1]), (k[0, 2], k[1, 2]), "plumb_bob", model.coefficients())
    assert np.allclose(info.matrix, [[320, 0, 319.5], [0, 320, 179.5], [0, 0, 1]])
    assert np.allclose(info.distortion, MILD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distortion": (0.1, 0.2)}, "CameraModel.distortion: 2 numbers; expected none, or k1 k2 p1 p2 k3"),
        ({"distortion": (-2.0, 0.0, 0.0, 0.0, 0.0)}, "folds the image over"),
        ({"width": 3}, "CameraModel.width: 3 is out of range; expected 16 to 4096"),
    ],
)
def test_wrong_model_is_refused(options, message):
    with pytest.raises(ConfigError) as error:
        CameraModel(**options)
    assert message in str(error.value) and "\n" not in str(error.value)


# --- depth, ids, boxes


def test_depth_of_a_wall():
    wall = box(0.5, 60.0, 30.0, "brick").placed(x=20.25, z=-10.0)
    picture = shot(wall, frame_of())
    assert picture.depth.shape == (360, 640) and picture.depth.dtype == np.float32
    assert np.abs(picture.depth[60:300, 60:580] - 20.0).max() < 0.01
    assert (picture.ids == -1).all()


def test_sky_is_infinitely_far():
    picture = shot(ground(), frame_of(), pose=facing_east(z=3.0))
    assert np.isinf(picture.depth[:150]).all() and np.isfinite(picture.depth[215:]).all()


def test_depth_of_the_ground_in_perspective():
    picture, model = shot(ground(), frame_of(), pose=facing_east(z=3.0)), CameraModel()
    k = model.matrix()
    rows = np.arange(200, 360)
    expected = 3.0 * k[1, 1] / (rows - k[1, 2])
    assert np.abs(picture.depth[200:, 320] / expected - 1).max() < 1e-3


@pytest.mark.parametrize("lens", [(), LENS])
def test_box_in_the_picture_is_the_projection_of_its_corners(lens):
    model, pose = CameraModel(distortion=lens), facing_east(z=3.0, down=0.2)
    actors = load(12.0, 2.0, 0.4, (0.02, 2.0, 1.6), yaw=0.7)
    picture = shot(ground(), frame_of(actors), model=model, pose=pose)
    (truth,) = seen(picture, actors)
    spots = model.project(corners(np.array([truth]))[0].astype(float))
    expected = np.concatenate([spots.min(axis=0), spots.max(axis=0)])
    assert np.abs(truth["full"] - expected).max() < 0.3
    assert np.abs(truth["visible"] - expected).max() < 1.0


def test_box_in_the_optical_frame():
    actors = load(10.0, 3.0, 0.5, (2.0, 1.0, 0.6), yaw=np.pi / 2)
    centres, sizes, rotations = boxes(facing_east(z=2.0), actors)
    assert np.allclose(centres, [[-3.0, 1.2, 10.0]], atol=1e-6) and np.allclose(sizes, [[2.0, 1.0, 0.6]])
    assert np.allclose(rotations[0] @ (1, 0, 0), (-1, 0, 0), atol=1e-6)


def test_pixels_of_an_actor_are_its_area():
    model = CameraModel()
    actors = load(10.0, 0.0, 1.0, (0.2, 3.0, 2.0))
    picture = shot(ground(), frame_of(actors), model=model)
    focal = model.matrix()[0, 0]
    face = 3.0 * 2.0 * (focal / 9.9) ** 2
    assert pixels(picture, 1)[0] == pytest.approx(face, rel=0.01)
    assert np.median(picture.depth[picture.ids == 0]) == pytest.approx(9.9, abs=0.01)


def test_hidden_and_half_hidden_actors():
    wall = box(0.2, 6.0, 6.0, "brick").placed(x=6.0, y=-3.0)  # covers all right of the middle
    actors = np.concatenate([load(10.0, -1.5, 0.5, actor_id=1), load(10.0, 0.0, 0.5, (1.0, 2.0, 1.0), actor_id=2)])
    picture = shot(joined([ground(), wall]), frame_of(actors))
    assert pixels(picture, 2)[0] == 0
    (truth,) = seen(picture, actors)
    assert truth["actor_id"] == 2
    width = truth["full"][2] - truth["full"][0]
    assert truth["visible"][2] - truth["visible"][0] == pytest.approx(width / 2, abs=1.5)


def test_own_vehicle_is_not_seen():
    actors = load(5.0, 0.0, 1.5, actor_id=7)
    with CameraRenderer(ground(), settings=QUIET) as renderer:
        view = renderer.view(CameraModel())
        assert pixels(renderer.render(view, facing_east(), frame_of(actors), DAY), 1)[0] > 1000
        assert pixels(renderer.render(view, facing_east(), frame_of(actors), DAY, own_id=7), 1)[0] == 0


def test_camera_that_moves_sees_what_a_new_one_sees():
    mesh = joined([ground(), *(box(2, 2, 4, "brick").placed(x=10.0 + 6 * i, y=(-1) ** i * 4.0) for i in range(8))])
    pose, frame = facing_east(x=3.0, y=1.0), frame_of(person(9.0, 0.0))
    with CameraRenderer(mesh, settings=QUIET) as renderer:
        view = renderer.view(CameraModel())
        renderer.render(view, facing_east(), frame, DAY)
        moved = renderer.render(view, pose, frame, DAY)
    fresh = shot(mesh, frame, pose=pose)
    assert np.array_equal(moved.depth, fresh.depth) and np.array_equal(moved.ids, fresh.ids)
    assert np.array_equal(moved.rgb, fresh.rgb)


def test_culling_leaves_nothing_out():
    rng = np.random.default_rng(3)
    spots = rng.uniform(-60, 60, (150, 2))
    blocks = [box(1.5, 1.5, 3.0, "brick").placed(float(x), float(y)) for x, y in spots if np.hypot(x, y) > 4]
    whole = shot(joined([ground(), *blocks]), frame_of())
    one_tile = shot(joined([joined([ground(), *blocks])]), frame_of(), settings=replace(QUIET, reach=1000.0))
    assert np.allclose(whole.depth, one_tile.depth, rtol=2e-3)


# --- light and weather


def grey(picture):
    return picture.rgb.astype(float).mean(axis=2)


def test_shadow_lies_where_the_sun_puts_it():
    # The sun stands in the west, 45 degrees up: a wall 3 m high throws its shadow 3 m to the east.
    weather = Weather(sun_elevation=np.pi / 4, sun_azimuth=np.pi)
    wall = box(0.3, 8.0, 3.0, "concrete").placed(x=10.0)
    pose, model = facing_east(x=2.0, z=25.0, down=1.2), CameraModel()
    picture = shot(joined([ground(), wall]), frame_of(), weather, pose=pose, model=model)

    def at(x, y):
        u, v = np.round(projected(model, pose, np.array([[x, y, 0.0]]))[0]).astype(int)
        return grey(picture)[v - 1 : v + 2, u - 1 : u + 2].mean()

    assert at(12.0, 0.0) < 0.75 * at(16.0, 0.0)
    assert at(12.0, 8.0) == pytest.approx(at(16.0, 0.0), rel=0.12)


def test_actor_throws_a_shadow_too():
    weather = Weather(sun_elevation=np.pi / 4, sun_azimuth=np.pi)
    pose, model = facing_east(x=2.0, z=25.0, down=1.2), CameraModel()
    with CameraRenderer(ground(), settings=QUIET) as renderer:
        view = renderer.view(model)
        empty = renderer.render(view, pose, frame_of(), weather)
        full = renderer.render(view, pose, frame_of(load(10.0, 0.0, 0.0, (0.4, 3.0, 3.0))), weather)
    darker = (grey(full) < 0.8 * grey(empty)) & (full.ids < 0)
    u, v = projected(model, pose, np.array([[11.8, 0.0, 0.0]]))[0].astype(int)
    assert darker[v, u] and 500 < darker.sum() < 20_000


def test_day_night_and_fog():
    mesh = joined([ground(), *(box(3, 3, 6, "brick").placed(x=25.0 * i, y=6.0) for i in range(1, 5))])
    frame = frame_of(person(12.0, -1.0))
    day, night, fog = (shot(mesh, frame, weather) for weather in (DAY, NIGHT, replace(DAY, visibility=60.0)))
    assert grey(night).mean() < 0.4 * grey(day).mean()
    assert grey(fog).std() < 0.5 * grey(day).std()
    assert np.array_equal(day.ids, night.ids) and np.array_equal(day.depth, fog.depth)


def test_fog_takes_contrast_by_koschmieder():
    # At the meteorological range 5 % of the contrast is left; at half of it, 22 %.
    boards = [box(0.2, 8.0, 8.0, "paint_dark").placed(x=x, y=y) for x, y in ((30.0, 12.0), (60.0, -12.0))]
    clear, fog = (shot(joined([ground(), *boards]), frame_of(), replace(DAY, visibility=v)) for v in (1e6, 60.0))
    depth = clear.depth
    far, near = grey(fog)[(depth > 59.5) & (depth < 60.5)].mean(), grey(fog)[(depth > 29.5) & (depth < 30.5)].mean()
    horizon = grey(fog)[175:178, 300:340].mean()
    assert 0 < horizon - far < 0.12 * horizon
    assert horizon - near > 2.0 * (horizon - far)


def test_rain_wets_the_ground_and_streaks():
    pose = facing_east(z=5.0, down=0.6)
    road = box(400.0, 400.0, 0.5, "asphalt").placed(z=-0.5)
    cloudy, rain = (shot(road, frame_of(), replace(DAY, visibility=2900.0, rain=r), pose=pose) for r in (0.0, 10.0))
    assert np.median(grey(rain)[200:]) < 0.95 * np.median(grey(cloudy)[200:])
    across = np.abs(np.diff(grey(rain), axis=1)).mean() / np.abs(np.diff(grey(rain), axis=0)).mean()
    assert across > 1.3


def test_headlights_light_the_road_at_night_only():
    car = no_actors(1)
    car["actor_id"], car["classification"], car["activity"] = 1, ObjectClass.CAR, Activity.DRIVING
    car["x"], car["length"], car["width"], car["height"] = 6.0, 4.5, 1.8, 1.5
    lit = car.copy()
    lit["lights"] = Light.HEAD
    pose = facing_east(x=-3.0, z=6.0, down=0.4)

    def ahead(actors, weather):
        picture, model = shot(ground(), frame_of(actors), weather, pose=pose), CameraModel()
        u, v = projected(model, pose, np.array([[13.0, 0.0, 0.0]]))[0].astype(int)
        return grey(picture)[v - 2 : v + 3, u - 2 : u + 3].mean()

    assert ahead(lit, NIGHT) > 1.8 * ahead(car, NIGHT)
    assert ahead(lit, DAY) == pytest.approx(ahead(car, DAY), abs=2.0)


@pytest.mark.parametrize(("state", "channel"), [(SignalState.RED, 0), (SignalState.GREEN, 1)])
def test_signals_show_their_colour(state, channel):
    signals = np.zeros(1, SIGNAL)
    signals["x"], signals["z"], signals["yaw"], signals["state"], signals["users"] = 8.0, 2.0, np.pi, state, 1
    for weather in (DAY, NIGHT):
        picture = shot(ground(), frame_of(signals=signals), weather)
        up = {SignalState.RED: 0.34, SignalState.GREEN: -0.34}[state]
        u, v = projected(CameraModel(), facing_east(), np.array([[7.83, 0.0, 2.0 + up]]))[0].astype(int)
        lens = picture.rgb[v - 1 : v + 2, u - 1 : u + 2].reshape(-1, 3).mean(axis=0)
        assert lens[channel] > 150 and lens[channel] > 1.5 * lens[1 - channel]
        assert (picture.ids == -1).all()


# --- life of the renderer


def test_same_seed_gives_the_same_picture():
    frame, settings = frame_of(person(8.0, 1.0)), CameraSettings()
    weather = replace(DAY, rain=6.0)
    first, second = (shot(ground(), frame, weather, settings=settings, seed=5) for _ in range(2))
    other = shot(ground(), frame, weather, settings=settings, seed=6)
    assert np.array_equal(first.rgb, second.rgb) and np.array_equal(first.depth, second.depth)
    assert not np.array_equal(first.rgb, other.rgb) and np.array_equal(first.ids, other.ids)


def test_noise_grows_with_the_gain():
    def noise(weather):
        with CameraRenderer(ground(), settings=CameraSettings()) as renderer:
            view = renderer.view(CameraModel())
            shots = [
                renderer.render(view, facing_east(), frame_of(stamp_ns=STAMP + i * 10**8), weather) for i in range(4)
            ]
        return np.std([item.rgb[250:, :, 1].astype(float) for item in shots], axis=0).mean()

    assert 0.5 < noise(DAY) < noise(NIGHT) < 8.0


def test_context_is_released_and_can_be_made_again():
    first = CameraRenderer(ground(), settings=QUIET)
    second = CameraRenderer(ground(), settings=QUIET)
    views = [renderer.view(CameraModel()) for renderer in (first, second)]
    one = first.render(views[0], facing_east(), frame_of(), DAY)
    first.close()
    first.close()
    two = second.render(views[1], facing_east(), frame_of(), DAY)
    second.close()
    assert np.array_equal(one.rgb, two.rgb)
    with pytest.raises(ValueError, match="closed"):
        second.render(views[1], facing_east(), frame_of(), DAY)


def test_without_opengl_there_is_one_clear_line():
    code = (
        "from twin_common.config import ConfigError\n"
        "from twin_sim.core.camera_gl import create_context\n"
        "try:\n    create_context()\nexcept ConfigError as error:\n    print(error)\n"
    )
    environment = {**os.environ, "__EGL_VENDOR_LIBRARY_DIRS": "/nonexistent", "EGL_PLATFORM": "nothing"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    lines = done.stdout.strip().splitlines()
    assert len(lines) == 1 and "camera: no OpenGL" in lines[0] and "libegl1" in lines[0], done.stderr


# --- fidelity


@pytest.mark.realdata
def test_a_detector_of_photographs_finds_cars_and_persons():
    model = Path(__file__).resolve().parents[4].parent / "shared" / "models" / "yolox_nano.onnx"
    walls = [box(0.5, 14.0, 9.0, "brick").placed(x=30.0, y=-14.0 + 15.0 * i) for i in range(3)]
    road = box(400.0, 400.0, 0.5, "asphalt").placed(z=-0.5)
    pose, shots = facing_east(z=3.5, down=0.15), []
    with CameraRenderer(joined([road, *walls])) as renderer:
        view = renderer.view(CameraModel())
        for shot_number in range(4):
            actors = np.concatenate(
                [*(street_person(i, shot_number) for i in range(5)), *(car(i, shot_number) for i in range(3))]
            )
            actors["actor_id"] = np.arange(1, len(actors) + 1)
            shots.append((renderer.render(view, pose, frame_of(actors), DAY), actors))
    found = {item.group: item for item in detection(shots, Detector(model))}
    assert found["persons"].present >= 16 and found["persons"].share >= 0.7
    assert found["cars"].present >= 8 and found["cars"].share >= 0.7
    assert found["persons"].spurious <= 2


def street_person(i, shot_number):
    actors = person(9.0 + 0.8 * i, -4.0 + 1.6 * i)
    actors["activity"], actors["phase"], actors["yaw"] = Activity.WALKING, 1.3 * i + shot_number, 2.1 * i + shot_number
    actors["appearance"] = 977 * i + 31 * shot_number
    return actors


def car(i, shot_number):
    actors = no_actors(1)
    actors["classification"], actors["activity"] = ObjectClass.CAR, Activity.DRIVING
    actors["x"], actors["y"], actors["yaw"] = 22.0, -8.0 + 8.0 * i, 1.57 * (i % 2) + 0.3 * shot_number
    actors["length"], actors["width"], actors["height"] = 4.6, 1.84, 1.47
    actors["appearance"] = 991 * i + 17 * shot_number
    return actors
