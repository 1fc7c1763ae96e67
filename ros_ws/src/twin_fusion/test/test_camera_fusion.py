"""The fusion node with a LiDAR and a camera, in lockstep: association, waiting, late frames, lost sensors."""

from pathlib import Path

import numpy as np
import pytest
from fusion_scenes import CAR, LENS, LYING, PEDESTRIAN, facing_east, photographed, standing
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo

from twin_common import cdr, stamps
from twin_common.core import geometry
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_fusion.config import FusionConfig
from twin_fusion.core import camera_bodies, classes
from twin_fusion.core.camera_pairing import View, image_boxes
from twin_fusion.core.ground_height import Ground
from twin_fusion.core.ground_position import locate
from twin_fusion.core.platform_fusion import PlatformFusion

START_NS = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
POSE = facing_east()
ROLL, PITCH, YAW = Rotation.from_matrix(POSE[:3, :3]).as_euler("xyz", degrees=True)
DISTRICT = f"""
name: street
datum: {{latitude: 35.15, longitude: 126.85}}
platforms:
  - name: pole_01
    lidar: {{mount: {{z: 5.0}}}}
    camera: {{mount: {{z: 5.5, roll_deg: {ROLL}, pitch_deg: {PITCH}, yaw_deg: {YAW}}}}}
"""
PEOPLE = np.array([[12.0, 0.0], [18.0, 4.0], [25.0, -6.0], [15.0, -5.0]])


class Pole:
    """Frames and fusion of one pole; ``given`` keeps (time_ns, message) of every array of objects."""

    def __init__(self, folder: Path, **parameters: object) -> None:
        path = folder / "district.yaml"
        path.write_text(DISTRICT)
        self.given: list = []
        topics = {f"~/input/{name}": f"/{name}" for name in ("lidar_objects", "camera_objects", "camera_info", "tf")}
        topics |= {"~/input/tf_static": "/tf_static", "~/output/objects": "/objects"}
        own = {"platform": "pole_01", "platforms": ("pole_01",), **parameters}
        place = {"platform": "pole_01", "district": str(path)}
        frames = NodeSpec("twin_localization.frames_node:Frames", "frames", "/pole_01", place,
                          {"~/output/tf_static": "/tf_static"})  # fmt: skip
        fusion = NodeSpec("twin_fusion.fusion_node:Fusion", "fusion", "/pole_01", own, topics)
        self.host = LockstepHost([frames, fusion], self._observe)
        self.host.advance(START_NS)
        self.node = self.host.runtimes[1]
        self.waiting: list = []

    def _observe(self, topic: str, _type: str, time_ns: int, message) -> None:
        if topic == "/objects":
            self.given.append((time_ns, message))

    def scan(self, at: float, objects: np.ndarray, delay: float = 0.02) -> None:
        local = objects.copy()
        local["z"] -= 5.0
        self._later(at, delay, "/lidar_objects", "Detected", "pole_01/lidar", local)

    def frame(self, at: float, objects: np.ndarray, delay: float = 0.06) -> None:
        self._later(at, delay, "/camera_objects", "Image", "pole_01/camera", objects)

    def _later(self, at: float, delay: float, topic: str, kind: str, frame_id: str, objects: np.ndarray) -> None:
        stamp_ns = START_NS + stamps.from_seconds(at)
        message = cdr.ArrayMessage(stamp_ns, frame_id, {"objects": objects})
        content = cdr.encode(f"twin_msgs/msg/{kind}ObjectArray", message)
        self.waiting.append((stamp_ns + stamps.from_seconds(delay), topic, content))

    def info(self, **changes: object) -> None:
        values = {"width": LENS.width, "height": LENS.height, "k": LENS.matrix.reshape(-1), "d": list(LENS.distortion),
                  "distortion_model": "plumb_bob"} | changes  # fmt: skip
        self.host.feed("/camera_info", START_NS, serialize_message(CameraInfo(**values)))

    def play(self, until: float | None = None) -> None:
        """Feed all that waits in order of arrival."""
        for time_ns, topic, content in sorted(self.waiting):
            self.host.feed(topic, time_ns, content)
        self.waiting = []
        if until is not None:
            self.host.advance(START_NS + stamps.from_seconds(until))

    def level(self) -> str:
        return str(self.node.measures["level"])


@pytest.fixture
def pole(tmp_path: Path):
    pole = Pole(tmp_path)
    pole.info()
    yield pole
    pole.host.close()


def doubtful(objects: np.ndarray) -> np.ndarray:
    """LiDAR objects of which the class is not known."""
    objects = objects.copy()
    objects["class_probability"] = 0.1
    objects["classification"], objects["posture"], objects["existence"] = 0, 0, 0.7
    return objects


@pytest.mark.parametrize("kind", [classes.RIDERS[-1], CAR])
def test_of_riders_and_vehicles_that_only_the_camera_sees_far_ones_go_out_only_without_a_lidar(
    pole: Pole, kind: int
) -> None:
    both = np.concatenate([standing(np.array([[9.0, 2.0]]), kind), standing(np.array([[38.0, 8.0]]), kind)])
    for k in range(6):
        pole.scan(0.1 * k, standing(PEOPLE[:1], PEDESTRIAN))
        pole.frame(0.1 * k, photographed(both, POSE))
    pole.play()
    objects = pole.given[-1][1]["objects"]
    assert objects["sensors"].tolist() == [1, 2] and abs(objects["x"][1] - 9.0) < 0.5
    for k in range(20, 30):
        pole.frame(0.1 * k, photographed(both, POSE))
    pole.play(until=3.0)
    assert pole.level() == "camera only"
    assert np.round(pole.given[-1][1]["objects"]["x"], -1).tolist() == [10.0, 40.0]


def test_class_posture_and_colour_come_from_the_camera_and_geometry_from_the_lidar(pole: Pole) -> None:
    people = standing(PEOPLE[:2], PEDESTRIAN)
    fallen = standing(PEOPLE[3:], PEDESTRIAN, posture=LYING)
    car = standing(np.array([[30.0, 3.0]]), CAR, 0.3)
    everything = np.concatenate([people, fallen, car])
    for k in range(6):
        pole.scan(0.1 * k, doubtful(everything))
        if k % 2 == 0:
            pole.frame(0.1 * k, photographed(everything, POSE))
    pole.play()
    objects = pole.given[-1][1]["objects"]
    assert objects["sensors"].tolist() == [3, 3, 3, 3]
    assert objects["classification"].tolist() == [PEDESTRIAN] * 3 + [CAR]
    assert objects["posture"].tolist() == [1, 1, LYING, 0]
    assert (objects["colour"][:, 3] == 255).all()
    assert (objects["existence"] > 0.85).all()
    np.testing.assert_allclose(objects["x"][:3], everything["x"][:3], atol=1e-6)
    np.testing.assert_allclose(objects["length"], everything["length"], atol=1e-6)
    assert abs(objects["x"][3] - 30.0) < 0.2
    assert pole.level() == "full" and pole.node.problem is None


def test_what_only_one_of_them_sees_goes_out_with_less_belief_than_what_both_see(pole: Pole) -> None:
    seen_by_both, lidar_only, camera_only = (standing(PEOPLE[i : i + 1], PEDESTRIAN) for i in range(3))
    for k in range(12):
        pole.scan(0.1 * k, np.concatenate([seen_by_both, lidar_only]))
        pole.frame(0.1 * k, photographed(np.concatenate([seen_by_both, camera_only]), POSE))
    pole.play()
    time_ns, message = pole.given[-1]
    objects = message["objects"]
    assert objects["sensors"].tolist() == [3, 1, 2]
    both, lidar, camera = objects["existence"]
    assert both > 0.95 and lidar == pytest.approx(0.9) and camera < 0.88  # a miss of the camera says nothing
    assert np.hypot(*(objects["x"][2] - 25.0, objects["y"][2] + 6.0)) < 0.5
    spread = objects["position_covariance"].reshape(-1, 3, 3)[:, 0, 0]
    assert spread[2] > 5 * spread[0] and objects["point_count"][2] == 0
    assert -0.15 < objects["time_offset"][2] < 0
    assert objects["platforms"].tolist() == [1, 1, 1]
    assert time_ns - message.stamp_ns <= 60_000_000


def test_whom_the_camera_puts_at_a_wrong_place_does_not_go_out_twice(pole: Pole) -> None:
    people = standing(PEOPLE, PEDESTRIAN)
    right = photographed(people, POSE)
    knees = right.copy()  # a second box of each, without the lower third: as of somebody far behind
    knees["y_max"] -= (knees["y_max"] - knees["y_min"]) / 3
    for k in range(6):
        pole.scan(0.1 * k, people)
        pole.frame(0.1 * k, np.concatenate([right, knees]))
    pole.play()
    assert pole.given[-1][1]["objects"]["sensors"].tolist() == [3] * len(people)


def test_a_box_that_does_not_fit_says_little_of_the_class(pole: Pole) -> None:
    """A man stands before a car that the LiDAR is not sure of; it sees the car only, and the camera the man only."""
    car = standing(np.array([[22.0, 0.0]]), CAR, np.pi / 2)
    car["class_probability"] = 0.0
    car["class_probability"][0, [0, CAR, PEDESTRIAN]] = 0.25, 0.6, 0.15
    man = standing(np.array([[20.0, 0.0]]), PEDESTRIAN)
    for k in range(6):
        pole.scan(0.1 * k, car)
        pole.frame(0.1 * k, photographed(man, POSE))
    pole.play()
    objects = pole.given[-1][1]["objects"]
    ours = objects[objects["sensors"] & 1 == 1]
    assert ours["classification"].tolist() == [CAR] and ours["class_probability"][0, CAR] > 0.4


def test_people_behind_one_another_are_told_apart_by_distance(pole: Pole) -> None:
    row = standing(np.array([[12.0, 0.0], [16.0, 0.1], [21.0, 0.0]]), PEDESTRIAN)
    seen = photographed(row, POSE)
    seen["posture"], seen["posture_probability"] = [1, 2, 1], 0.02
    seen["posture_probability"][[0, 1, 2], [1, 2, 1]] = 0.94
    for k in range(4):
        pole.scan(0.1 * k, row)
        pole.frame(0.1 * k, seen)
    pole.play()
    objects = pole.given[-1][1]["objects"]
    assert objects["sensors"].tolist() == [3, 3, 3] and objects["posture"].tolist() == [1, 2, 1]


def test_no_scan_waits_longer_for_the_camera_than_it_may(tmp_path: Path) -> None:
    pole = Pole(tmp_path, camera_wait=0.03)
    pole.info()
    people = standing(PEOPLE, PEDESTRIAN)
    for k in range(30):
        pole.scan(0.1 * k, people, delay=0.02)
        if k < 20:
            pole.frame(0.1 * k, photographed(people, POSE), delay=0.04)
    pole.play(until=4.0)
    waits = [time_ns - message.stamp_ns - 20_000_000 for time_ns, message in pole.given]
    assert len(waits) == 30
    assert max(waits) <= 40_000_000  # the wait, and one beat of the timer
    assert max(waits[5:20]) >= 20_000_000  # frames of the same moment are waited for
    assert max(waits[22:]) == 0  # not for one that does not come
    fused = [message["objects"]["sensors"].tolist() for _, message in pole.given[5:20]]
    assert all(sensors == [3] * 4 for sensors in fused)
    pole.host.close()


@pytest.mark.parametrize(("delay", "speed"), [(0.06, 1.5), (0.25, 1.5), (0.35, -2.0)])
def test_late_frames_speak_of_where_people_were(pole: Pole, delay: float, speed: float) -> None:
    """Two walk past each other; the frame that tells which of them sits comes up to 0.35 s late."""
    start = np.array([[16.0, -2.0], [16.0, 2.0]])
    for k in range(20):
        walkers = standing(start + np.array([[0, speed], [0, -speed]]) * 0.1 * k, PEDESTRIAN, np.pi / 2)
        seen = photographed(walkers, POSE)
        seen["posture"] = seen["object_id"] + 1
        seen["posture_probability"] = 0.02
        seen["posture_probability"][np.arange(len(seen)), seen["posture"]] = 0.94
        pole.scan(0.1 * k, doubtful(walkers))
        pole.frame(0.1 * k + 0.03, seen, delay=delay)
    pole.play()
    for _, message in pole.given[8:]:
        objects = message["objects"]
        lidar = objects[objects["sensors"] & 1 == 1]
        assert len(objects) == len(lidar) == 2, "nobody goes out twice"
        assert lidar["posture"].tolist() == [1, 2]


def test_a_camera_whose_clock_is_off_can_be_set_right(tmp_path: Path) -> None:
    """Four walk in single file, every other one sitting in the picture: a frame 0.4 s off speaks of who goes ahead."""
    right = {}
    for offset in (0.0, -0.4):
        pole = Pole(tmp_path, camera_offset=offset)
        pole.info()
        for k in range(30):
            file = np.array([[16.0, -4.0 + 0.15 * k - 0.6 * j] for j in range(4)])
            walkers = standing(file, PEDESTRIAN, np.pi / 2)
            seen = photographed(walkers, POSE)
            seen["posture"] = 1 + seen["object_id"] % 2
            seen["posture_probability"] = 0.02
            seen["posture_probability"][np.arange(len(seen)), seen["posture"]] = 0.94
            pole.scan(0.1 * k, doubtful(walkers))
            pole.frame(0.1 * k + 0.4, seen, delay=-0.35)
        pole.play()
        told = np.array([pole.given[k][1]["objects"]["posture"][1:3] for k in range(12, 25)])
        right[offset] = np.mean(told == [2, 1])
        pole.host.close()
    assert right[-0.4] > 0.95 and right[0.0] < 0.2


def test_a_camera_that_is_lost_and_comes_back_is_told(pole: Pole) -> None:
    people = standing(PEOPLE, PEDESTRIAN)
    for k in range(100):
        pole.scan(0.1 * k, people)
        if not 30 <= k < 60:
            pole.frame(0.1 * k, photographed(people, POSE))
    told = {}
    for time_ns, topic, content in sorted(pole.waiting):
        pole.host.feed(topic, time_ns, content)
        told[round((time_ns - START_NS) / SECOND, 1)] = (pole.node.measures.get("level"), pole.node.problem)
    assert told[2.5] == ("full", None)
    assert told[5.0] == ("lidar only", "camera silent for more than 0.5 s")
    assert told[9.0] == ("full", None)
    assert len(pole.given) == 100
    without = pole.given[55][1]["objects"]
    assert without["sensors"].tolist() == [1] * 4 and np.allclose(without["existence"], 0.9)


def test_without_lidar_the_camera_goes_on_alone_and_blindness_is_told(pole: Pole) -> None:
    people = standing(PEOPLE, PEDESTRIAN)
    for k in range(20):
        pole.scan(0.1 * k, people)
    for k in range(40):
        pole.frame(0.1 * k, photographed(people, POSE))
    pole.play()
    assert pole.level() == "camera only" and "LiDAR silent" in str(pole.node.problem)
    alone = [message for _, message in pole.given if (message["objects"]["sensors"] == 2).all()]
    assert len(alone) >= 13
    last = alone[-1]
    assert last.frame_id == "map" and last.stamp_ns == START_NS + stamps.from_seconds(3.9)
    np.testing.assert_allclose(np.sort(last["objects"]["x"]), np.sort(PEOPLE[:, 0]), atol=0.4)
    assert (last["objects"]["time_offset"] == 0).all() and (last["objects"]["existence"] > 0.8).all()
    stamps_given = [message.stamp_ns for _, message in pole.given]
    assert stamps_given == sorted(stamps_given)
    pole.host.advance(START_NS + 6 * SECOND)
    assert pole.level() == "blind"
    assert pole.node.problem == "LiDAR silent for more than 0.5 s; camera silent for more than 0.5 s"


def test_a_camera_that_sees_little_of_what_is_there_is_not_believed(pole: Pole) -> None:
    """Night, or dirt on the lens: frames come, but with strangers in them instead of the people."""
    rng = np.random.default_rng(0)
    people = standing(PEOPLE, PEDESTRIAN)
    for k in range(60):
        pole.scan(0.1 * k, people)
        ghosts = standing(np.column_stack([rng.uniform(10, 30, 3), rng.uniform(6, 9, 3)]), CAR)
        pole.frame(0.1 * k, photographed(ghosts, POSE))
    pole.play(until=6.1)
    assert pole.level() == "lidar only"
    assert "camera sees 0% of what the LiDAR is sure of: night, rain or dirt?" in str(pole.node.problem)
    last = pole.given[-1][1]["objects"]
    assert last["sensors"].tolist() == [1] * 4  # its ghosts are left out, and the people are believed in
    assert (last["existence"] > 0.85).all()


def test_intrinsics_and_boxes_that_are_none_are_told_in_one_line(tmp_path: Path) -> None:
    pole = Pole(tmp_path)
    people = standing(PEOPLE, PEDESTRIAN)
    pole.frame(0.0, photographed(people, POSE))
    pole.play()
    assert pole.node.events["no_camera_info"] == 1
    pole.info(d=[0.1, 0.2])
    assert "2 coefficients; expected 5 of plumb_bob" in str(pole.node.problem)
    pole.info()
    broken = photographed(people, POSE)
    broken["x_min"][0], broken["y_max"][1], broken["classification"][2] = np.nan, broken["y_min"][1] - 1, 99
    pole.scan(0.2, people)
    pole.frame(0.2, broken)
    pole.scan(0.3, people)
    pole.play()
    assert pole.node.events["not_finite"] == 3
    assert pole.given[-1][1]["objects"]["sensors"].tolist() == [1, 1, 1, 3]
    pole.host.close()


def test_bad_intrinsics_stay_told_while_scans_go_on(pole: Pole) -> None:
    pole.info(d=[0.1, 0.2])
    for number in range(3):
        pole.scan(0.1 * number, standing(PEOPLE, PEDESTRIAN))
    pole.play()
    assert len(pole.given) == 3 and "2 coefficients" in str(pole.node.problem)


def test_objects_of_a_lidar_that_are_none_are_left_out(pole: Pole) -> None:
    broken = standing(PEOPLE, PEDESTRIAN)
    broken["time_offset"][0], broken["existence"][1], broken["classification"][2] = np.nan, np.nan, 99
    pole.scan(0.0, broken)
    pole.play()
    assert pole.node.events["not_finite"] == 3 and pole.node.events["errors"] == 0
    assert pole.given[-1][1]["objects"]["x"].tolist() == [15.0]


def test_who_only_a_fast_camera_sees_is_in_an_array_once(pole: Pole) -> None:
    pole.info()
    people = standing(PEOPLE, PEDESTRIAN)
    for number in range(24):
        if number < 10 and number % 2 == 0:
            pole.scan(0.05 * number, people[:1])
        pole.frame(0.05 * number, photographed(people, POSE))
    pole.play()
    counts = [len(message["objects"]) for _, message in pole.given]
    assert max(counts) == 4 and counts[-1] == 4


def test_what_a_camera_saw_before_stamps_jumped_does_not_go_out() -> None:
    fusion = PlatformFusion(FusionConfig(), cdr.record_dtype("twin_msgs/msg/DetectedObject"))
    seen = photographed(standing(PEOPLE, PEDESTRIAN), POSE)
    rows = camera_bodies.rows_of(seen["classification"], seen["posture"])
    placed = locate(image_boxes(seen), seen["cut"], rows, LENS, POSE, Ground(0.0), FusionConfig())
    for later_ns, expected in ((100_000_000, len(seen)), (-30 * SECOND, 0)):
        fusion.frame(View(START_NS, seen, placed, LENS, POSE), 0)
        assert len(fusion.scan(START_NS + later_ns, standing(PEOPLE[:0], PEDESTRIAN))) == expected


def test_the_pose_of_the_camera_is_where_the_district_says() -> None:
    mount = geometry.transform_from_rpy((0, 0, 5.5), *np.radians((ROLL, PITCH, YAW)))
    np.testing.assert_allclose(mount, POSE, atol=1e-9)
