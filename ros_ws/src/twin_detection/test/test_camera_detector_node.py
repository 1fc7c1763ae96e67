"""The node, fed images in lockstep: what it publishes, and how it lives on with images and models that are broken."""

from __future__ import annotations

import array
from pathlib import Path
from typing import Any

import cv2
import matplotlib
import numpy as np
import pytest
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage

from twin_common import registry, stamps
from twin_common.cdr import ArrayMessage
from twin_common.config import ConfigError, from_mapping
from twin_common.core.object_class import ObjectClass
from twin_common.district import load_district
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_detection import camera_convert as convert
from twin_detection.anonymiser import Anonymiser
from twin_detection.camera_config import CameraDetectorConfig
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.core.camera_signals import RED, Reading
from twin_sim.core.camera import CameraRenderer
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import SIGNAL, Frame, Weather, no_actors
from twin_sim.core.meshes import box, joined

ROOT = Path(__file__).resolve().parents[4]
DISTRICT = ROOT / "config/districts/sangmu/district.yaml"
NODE = "/pole_01/camera_detector"
START_NS, PERIOD_NS = 1_700_000_000_000_000_000, 200_000_000
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
EVERY = frozenset(f"{NODE}/output/{name}" for name in ("objects", "signals"))
VIEW = f"{NODE}/output/view"


def host(watched: frozenset[str] = EVERY, **parameters: Any) -> tuple[LockstepHost, list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []
    values = {"platform": "pole_01", "district": str(DISTRICT), **parameters}
    spec = NodeSpec("twin_detection.camera_detector_node:CameraDetector", "camera_detector", "/pole_01", values)

    def note(topic: str, _type: str, _time: int, message: Any) -> None:
        seen.append((topic.rpartition("/")[2], message))

    return LockstepHost([spec], note, watched), seen


def encoded(image: np.ndarray, ending: str = ".jpg") -> bytes:
    good, content = cv2.imencode(ending, image)
    assert good
    return content.tobytes()


def feed(target: LockstepHost, content: bytes, number: int = 0, kind: str = "jpeg") -> None:
    message = CompressedImage(format=kind, data=array.array("B", content))
    stamp_ns = START_NS + number * PERIOD_NS
    stamps.fill_time(message.header.stamp, stamp_ns)
    message.header.frame_id = "pole_01/camera"
    target.feed(f"{NODE}/input/image", stamp_ns, serialize_message(message))


def feed_info(target: LockstepHost) -> None:
    info = CameraInfo(width=640, height=360, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([457.0, 0, 319.5, 0, 457.0, 179.5, 0, 0, 1])
    stamps.fill_time(info.header.stamp, START_NS)
    target.feed(f"{NODE}/input/camera_info", START_NS, serialize_message(info))


GREY = encoded(np.full((360, 640, 3), 100, np.uint8))


def portrait() -> np.ndarray:
    image = np.full((360, 640, 3), 110, np.uint8)
    small = cv2.resize(cv2.imread(str(PHOTOGRAPH)), None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    image[60 : 60 + small.shape[0], 200 : 200 + small.shape[1]] = small
    return image


def test_objects_and_signals_carry_stamp_and_frame() -> None:
    target, seen = host()
    feed_info(target)
    feed(target, GREY)
    feed(target, encoded(np.zeros((360, 640, 3), np.uint8), ".png"), 1, "png")
    assert [(name, message.stamp_ns, message.frame_id) for name, message in seen] == [
        ("objects", START_NS, "pole_01/camera"), ("signals", START_NS, "map"),
        ("objects", START_NS + PERIOD_NS, "pole_01/camera"), ("signals", START_NS + PERIOD_NS, "map"),
    ]  # fmt: skip
    assert target.runtimes[0].problem is None and not target.runtimes[0].events


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (GREY[: len(GREY) // 2], "its end is missing; expected a whole JPEG"),
        (b"\xff\xd8" + bytes(range(256)) * 4 + b"\xff\xd9", "cannot be decoded; expected JPEG or PNG"),
        (b"", "cannot be decoded"),
        (b"a text", "cannot be decoded"),
        (encoded(np.zeros((360, 640, 3), np.uint8), ".png")[:200], "cannot be decoded"),
    ],
)
def test_a_broken_image_is_one_line_and_the_node_lives_on(content: bytes, expected: str) -> None:
    target, seen = host()
    feed(target, content)
    runtime = target.runtimes[0]
    assert runtime.problem and expected in runtime.problem and "\n" not in runtime.problem
    assert runtime.events["broken_images"] == 1 and not seen
    feed(target, GREY, 1)
    assert runtime.problem is None and [name for name, _ in seen] == ["objects"]


def test_images_of_any_size_are_taken() -> None:
    target, seen = host()
    for number, shape in enumerate([(2, 3, 3), (1080, 1920, 3), (375, 1242, 3), (640, 360, 3)]):
        feed(target, encoded(np.full(shape, 90, np.uint8)), number)
    assert len(seen) == 4 and target.runtimes[0].problem is None


def test_a_wrong_model_is_one_line_and_the_node_lives_on(tmp_path: Path) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(b"no model")
    for parameters, expected in (
        ({"model": "no_such"}, "model 'no_such': not in the manifest"),
        ({"model_file": str(other)}, "SHA-256"),
        ({"model_file": str(tmp_path / "missing.onnx")}, "No such file"),
        ({"model": "faces"}, "class 'face'; expected coco, or some of"),
    ):
        target, seen = host(EVERY | {VIEW}, **parameters)
        feed(target, GREY)
        problem = target.runtimes[0].problem
        assert problem and expected in problem and "\n" not in problem
        assert not seen and target.runtimes[0].events["errors"] == 0


def test_nothing_is_computed_for_nobody() -> None:
    target, seen = host(frozenset())
    feed(target, GREY[:100])
    assert not seen and target.runtimes[0].problem is None


def test_repeated_crowded_and_set_back_images() -> None:
    target, seen = host(max_rate=5.0)
    for number in (0, 0, 0.2, 1, -5, -4):
        feed(target, GREY, number)  # type: ignore[arg-type]
    events = target.runtimes[0].events
    assert len(seen) == 4 and events["repeated"] == events["left_out"] == events["set_back"] == 1


def test_a_view_is_anonymous_and_made_only_for_listeners() -> None:
    image = portrait()
    target, seen = host()
    feed(target, encoded(image))
    assert {name for name, _ in seen} == {"objects"}
    target, seen = host(EVERY | {VIEW})
    feed(target, encoded(image))
    (view,) = [message for name, message in seen if name == "view"]
    shown = convert.image_from_message(view)
    eye = Anonymiser()
    assert shown.shape == image.shape and len(eye.faces(image)) == 1 and len(eye.faces(shown)) == 0
    assert stamps.from_time(view.header.stamp) == START_NS and view.header.frame_id == "pole_01/camera"
    assert np.abs(shown[:50].astype(int) - image[:50]).mean() < 3


def car_ahead() -> np.ndarray:
    """Return a rendered picture of a car 14 m before a camera 3 m above the road, (360, 640, 3) uint8 BGR."""
    actors, pose = no_actors(1), np.eye(4)
    actors["actor_id"], actors["classification"], actors["x"], actors["yaw"] = 1, ObjectClass.CAR, 14.0, 0.6
    actors["length"], actors["width"], actors["height"] = 4.6, 1.84, 1.47
    pose[:3, :3] = [[0, -0.15, 0.9887], [-1, 0, 0], [0, -0.9887, -0.15]]
    pose[2, 3] = 3.0
    with CameraRenderer(joined([box(400.0, 400.0, 0.5, "asphalt").placed(z=-0.5)])) as renderer:
        frame = Frame(START_NS, actors, np.zeros(0, SIGNAL))
        return renderer.render(renderer.view(CameraModel()), pose, frame, Weather(sun_elevation=0.7)).rgb[..., ::-1]


def test_what_is_covered_does_not_depend_on_what_is_reported() -> None:
    shown, reported, image = [], [], car_ahead()
    for least in (0.25, 1.0):
        target, seen = host(EVERY | {VIEW}, min_existence=least)
        feed(target, encoded(image))
        given = dict(seen)
        shown.append(convert.image_from_message(given["view"]))
        reported.append(len(given["objects"]["objects"]))
    assert reported == [1, 0]
    np.testing.assert_array_equal(shown[0], shown[1])
    changed = np.abs(shown[0].astype(int) - image).max(axis=2) > 40
    assert changed[150:330, 220:420].sum() > 1000  # wheels and lamps of the car are blocks


def test_views_come_no_faster_than_asked_for() -> None:
    target, seen = host(frozenset({VIEW}), view_rate=2.0)
    for number in range(6):
        feed(target, GREY, number)
    stamped = [stamps.from_time(message.header.stamp) for name, message in seen if name == "view"]
    assert [(stamp - START_NS) // PERIOD_NS for stamp in stamped] == [0, 2, 4]


def test_a_raw_image_is_private_and_a_view_is_not() -> None:
    assert registry.topic("camera_image").private and not registry.topic("camera_image").recorded
    assert registry.topic("camera_image").scope == registry.PLATFORM
    assert registry.topic("camera_view").scope == registry.DISTRICT and not registry.topic("camera_view").private


def test_messages_survive_the_way_there_and_back() -> None:
    rng = np.random.default_rng(3)
    box = np.sort(rng.uniform(0, 300, (4, 4)).reshape(4, 2, 2), axis=1).reshape(4, 4)
    sure = [rng.dirichlet(np.ones(size), 4) for size in (10, 4)]
    made = ImageObjects(box, sure[0], sure[1], rng.uniform(0, 1, 4))
    message = convert.message_from_objects(made, np.zeros((360, 640, 3), np.uint8), 7, "pole_01/camera")
    from twin_common.cdr import decode, encode

    kind = "twin_msgs/msg/ImageObjectArray"
    back = decode(kind, encode(kind, message))
    assert isinstance(back, ArrayMessage) and back.stamp_ns == 7 and back["objects"]["colour"][:, 0].all()
    found = convert.objects_from_message(back)
    for name in made.__dataclass_fields__:
        np.testing.assert_allclose(getattr(found, name), getattr(made, name), rtol=1e-5)


def test_a_reading_names_its_heads() -> None:
    heads = convert.heads_of(load_district(DISTRICT))
    message = convert.message_from_reading(Reading(np.array([3]), np.array([RED], np.uint8), np.ones(1)), heads, 5)
    (record,) = message["signals"]
    assert record["signal_id"] == heads.signal_id[3] and record["state"] == RED and record["users"] == heads.users[3]
    assert np.allclose((record["x"], record["y"], record["z"]), heads.place[3]) and message.frame_id == "map"


def test_intrinsics_and_poses_that_are_none_give_no_camera() -> None:
    info = CameraInfo(distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = np.array([457.0, 0, 319.5, 0, 457.0, 179.5, 0, 0, 1])
    assert convert.camera_from_info(info, np.eye(4)) is not None
    info.d = [0.1, 0.2]
    assert convert.camera_from_info(info, np.eye(4)) is None
    info.d = [0.0] * 5
    standing_nowhere = Odometry()
    standing_nowhere.pose.pose.orientation.w = 0.0
    assert convert.camera_from_info(info, convert.pose_at(standing_nowhere, 0)) is None
    info.k = np.full(9, np.nan)
    assert convert.camera_from_info(info, np.eye(4)) is None


def test_a_vehicles_pose_is_that_of_the_images_moment() -> None:
    odometry = Odometry()
    stamps.fill_time(odometry.header.stamp, START_NS)
    odometry.pose.pose.position.x, odometry.pose.pose.orientation.z = 10.0, np.sin(np.pi / 4)
    odometry.pose.pose.orientation.w = np.cos(np.pi / 4)
    odometry.twist.twist.linear.x, odometry.twist.twist.angular.z = 8.0, 0.5
    pose = convert.pose_at(odometry, START_NS + 100_000_000)
    np.testing.assert_allclose(pose[:3, 3], (10.0, 0.8, 0.0), atol=1e-9)
    assert np.arctan2(pose[1, 0], pose[0, 0]) == pytest.approx(np.pi / 2 + 0.05)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"modell": "camera"}, "did you mean model?"),
        ({"min_existence": 0.0}, "out of range; expected 0.01 to 1.0"),
        ({"threads": 0}, "out of range; expected 1 to 64"),
    ],
)
def test_bad_parameters_are_refused(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected.replace("?", r"\?")):
        from_mapping(CameraDetectorConfig, values, NODE)


def test_a_platform_without_a_camera_is_refused(tmp_path: Path) -> None:
    blind = tmp_path / "district.yaml"
    blind.write_text("name: d\ndatum: {latitude: 35.0, longitude: 126.0}\nplatforms: [{name: pole_01}]\n")
    with pytest.raises(ConfigError, match="pole_01 has no camera"):
        host(district=str(blind))
