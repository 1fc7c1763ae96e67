"""Frames, fusion and merger together in lockstep."""

from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.serialization import serialize_message
from scipy.spatial.transform import Rotation
from tf2_msgs.msg import TFMessage

from twin_common import cdr, registry, stamps
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec

DTYPE = cdr.record_dtype("twin_msgs/msg/DetectedObject")
ARRAY = "twin_msgs/msg/DetectedObjectArray"
START_NS = 1_700_000_000_000_000_000
DISTRICT = """
name: crossing
datum: {latitude: 35.15, longitude: 126.85}
platforms:
  - {name: pole_01, pose: {x: -20.0, y: 3.0, z: 0.0, yaw_deg: 30.0}, lidar: {mount: {z: 5.0, pitch_deg: 10.0}}}
  - {name: pole_02, pose: {x: 25.0, y: -4.0, z: 0.5, yaw_deg: -170.0}, lidar: {mount: {x: 0.2, z: 6.0}}}
  - {name: vehicle_01, kind: vehicle, lidar: {mount: {z: 1.8}}}
"""
PLATFORMS = ("pole_01", "pole_02", "vehicle_01")


def nodes(district: Path) -> list[NodeSpec]:
    specs = []
    for name in PLATFORMS:
        static = {"~/output/tf_static": "/tf_static"}
        parameters = {"platform": name, "district": str(district)}
        specs.append(NodeSpec("twin_localization.frames_node:Frames", "frames", f"/{name}", parameters, static))
        remappings = {
            "~/input/lidar_objects": f"/{name}/lidar/objects", "~/input/tf": "/tf", "~/input/tf_static": "/tf_static",
            "~/input/odometry": f"/{name}/odometry", "~/output/objects": f"/{name}/objects",
        }  # fmt: skip
        parameters = {"platform": name, "platforms": PLATFORMS}
        specs.append(NodeSpec("twin_fusion.fusion_node:Fusion", "fusion", f"/{name}", parameters, remappings))
    remappings = {f"~/input/objects/{name}": f"/{name}/objects" for name in PLATFORMS}
    remappings["~/output/objects"] = "/district/objects"
    parameters = {"platforms": PLATFORMS}
    parameters = parameters | {"person_distance": 0.65}
    specs.append(NodeSpec("twin_fusion.merger_node:Merger", "merger", "/district", parameters, remappings))
    return specs


class Graph:
    """The graph in lockstep; ``given`` keeps (time_ns, message) of every merged array."""

    def __init__(self, folder: Path) -> None:
        district = folder / "district.yaml"
        district.write_text(DISTRICT)
        self.given: list = []
        self.host = LockstepHost(nodes(district), self._observe)
        self.host.advance(START_NS)
        self.events = {runtime.name: runtime.events for runtime in self.host.runtimes}
        self.problems = lambda: {runtime.name: runtime.problem for runtime in self.host.runtimes}

    def _observe(self, topic: str, _type: str, time_ns: int, message) -> None:
        if topic == "/district/objects":
            self.given.append((time_ns, message))

    def detect(self, platform: str, stamp_ns: int, objects: np.ndarray, delay: float = 0.02, frame: str | None = None):
        message = cdr.ArrayMessage(stamp_ns, frame or f"{platform}/lidar", {"objects": objects})
        topic = registry.topic("lidar_objects").resolve(platform)
        self.host.feed(topic, stamp_ns + stamps.from_seconds(delay), cdr.encode(ARRAY, message))

    def pose(self, stamp_ns: int, x: float, yaw: float, delay: float = 0.005) -> None:
        item = TransformStamped(child_frame_id="vehicle_01/base_link")
        item.header.frame_id = "map"
        stamps.fill_time(item.header.stamp, stamp_ns)
        item.transform.translation.x = x
        q = Rotation.from_euler("z", yaw).as_quat()
        item.transform.rotation.x, item.transform.rotation.y, item.transform.rotation.z, item.transform.rotation.w = q
        self.host.feed("/tf", stamp_ns + stamps.from_seconds(delay), serialize_message(TFMessage(transforms=[item])))


@pytest.fixture
def graph(tmp_path: Path):
    graph = Graph(tmp_path)
    yield graph
    graph.host.close()


def in_sensor(map_from_lidar: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Pedestrians at map positions (N, 3), as a detector in the sensor's frame would give them."""
    local = (positions - map_from_lidar[:3, 3]) @ map_from_lidar[:3, :3]
    objects = np.zeros(len(positions), DTYPE)
    objects["x"], objects["y"], objects["z"] = local.T
    objects["length"] = objects["width"] = 0.5
    objects["height"], objects["existence"], objects["point_count"] = 1.7, 0.9, 30
    objects["velocity_x"] = objects["velocity_y"] = np.nan
    objects["position_covariance"] = (0.01 * np.eye(3)).reshape(-1)
    objects["class_probability"][:, 7] = 1.0
    objects["classification"] = 7
    return objects


def rigid(x: float, y: float, z: float, pitch_deg: float, yaw_deg: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", (0, pitch_deg, yaw_deg), degrees=True).as_matrix()
    matrix[:3, 3] = (x, y, z)
    return matrix


POLE_1 = rigid(-20, 3, 0, 0, 30) @ rigid(0, 0, 5, 10, 0)
POLE_2 = rigid(25, -4, 0.5, 0, -170) @ rigid(0.2, 0, 6, 0, 0)
PEOPLE = np.array([[0.0, 0.0, 0.9], [5.0, 2.0, 0.9], [5.8, 2.0, 0.9], [-3.0, -6.0, 0.9]])


def test_a_vehicle_that_is_unsure_of_its_place_is_unsure_of_what_it_sees(graph) -> None:
    spreads = []
    for k, (along, across) in enumerate(((0.0, 0.0), (2.0, 0.5), (float("nan"), 0.1))):
        stamp_ns = START_NS + (k + 1) * 100_000_000
        odometry = Odometry()
        stamps.fill_time(odometry.header.stamp, stamp_ns)
        odometry.pose.covariance[0], odometry.pose.covariance[7] = along**2, across**2
        odometry.pose.covariance[35] = (0.01 * across) ** 2
        graph.host.feed("/vehicle_01/odometry", stamp_ns + 4_000_000, serialize_message(odometry))
        graph.pose(stamp_ns, 0.0, 0.0)
        graph.detect("vehicle_01", stamp_ns, in_sensor(rigid(0, 0, 1.8, 0, 0), np.array([[20.0, 0.0, 0.9]])))
        graph.host.advance(stamp_ns + 90_000_000)
        spreads.append(np.diag(graph.given[-1][1]["objects"]["position_covariance"][0].reshape(3, 3)))
    own, turn = 0.01 + 0.03**2, (20 * 0.003) ** 2
    assert np.allclose(spreads[0][:2], (own, own + turn), atol=1e-4)
    assert np.allclose(spreads[1][:2], (own + 4.0, own + 0.25 + turn + (20 * 0.005) ** 2), atol=1e-3)
    assert np.allclose(spreads[2], spreads[1]), "what is not finite says nothing"
    assert graph.events["/vehicle_01/fusion"]["odometry_not_finite"] == 1


def test_two_poles_agree_on_where_people_are(graph: Graph) -> None:
    for k in range(10):
        at = START_NS + k * 100_000_000
        graph.detect("pole_01", at, in_sensor(POLE_1, PEOPLE[:3]))
        graph.detect("pole_02", at + 30_000_000, in_sensor(POLE_2, PEOPLE[1:]))
    assert not any(graph.problems().values())
    graph.host.advance(START_NS + 2_000_000_000)
    settled = [message for _, message in graph.given[2:]]
    assert len(settled) >= 8
    for message in settled:
        assert message.frame_id == "map"
        objects = message["objects"]
        assert objects["platforms"].tolist() == [1, 3, 3, 2]
        assert (objects["sensors"] == 1).all()
        np.testing.assert_allclose(np.stack([objects["x"], objects["y"], objects["z"]], 1), PEOPLE, atol=0.02)
        assert objects["time_offset"][0] == pytest.approx(-0.03, abs=1e-6)
        cdr.encode(ARRAY, message)
    latency = [time_ns - message.stamp_ns for time_ns, message in graph.given]
    assert max(latency) <= 80_000_000


def test_a_vehicle_is_placed_by_its_pose_at_the_stamp_of_the_scan(graph: Graph) -> None:
    speed = 10.0
    for k in range(10):
        at = START_NS + k * 100_000_000
        graph.pose(at, speed * k * 0.1, 0.0)
        if k:  # the scan lies half way between two poses: it waits for the second
            scan = at + 50_000_000
            lidar = rigid(speed * (k + 0.5) * 0.1, 0, 1.8, 0, 0)
            graph.detect("vehicle_01", scan, in_sensor(lidar, PEOPLE), delay=0.01)
    graph.host.advance(START_NS + 2_000_000_000)
    assert len(graph.given) == 9
    for _, message in graph.given:
        np.testing.assert_allclose(message["objects"]["x"], PEOPLE[:, 0], atol=0.01)


def test_a_vehicle_sees_each_object_from_where_it_was_at_that_moment(graph: Graph) -> None:
    """At 10 m/s the sensor moves a metre while a scan turns; what it saw first is placed from where it stood then."""
    speed, late = 10.0, np.array([-0.1, -0.07, -0.03, 0.0])
    for k in range(4):
        at = START_NS + k * 100_000_000
        graph.pose(at, speed * k * 0.1, 0.0)
        if k > 1:  # poses reach back to before the scan began
            seen = np.concatenate(
                [in_sensor(rigid(speed * (k * 0.1 + late[i]), 0, 1.8, 0, 0), PEOPLE[i : i + 1]) for i in range(4)]
            )
            seen["time_offset"] = late
            graph.detect("vehicle_01", at, seen, delay=0.01)
    graph.host.advance(START_NS + 1_000_000_000)
    assert len(graph.given) == 2
    for _, message in graph.given:
        np.testing.assert_allclose(message["objects"]["x"], PEOPLE[:, 0], atol=0.01)
        np.testing.assert_allclose(message["objects"]["time_offset"], late, atol=1e-6)


def test_detections_wait_for_their_pose_and_are_given_up_after_a_while(graph: Graph) -> None:
    lidar = rigid(3.0, 0, 1.8, 0, 0)
    graph.detect("vehicle_01", START_NS, in_sensor(lidar, PEOPLE))
    assert graph.given == []
    graph.pose(START_NS, 3.0, 0.0, delay=0.15)
    graph.host.advance(START_NS + 300_000_000)
    assert len(graph.given) == 1
    np.testing.assert_allclose(graph.given[0][1]["objects"]["x"], PEOPLE[:, 0], atol=1e-6)

    graph.detect("vehicle_01", START_NS + 400_000_000, in_sensor(lidar, PEOPLE))
    graph.host.advance(START_NS + 1_000_000_000)
    assert len(graph.given) == 1
    assert graph.events["/vehicle_01/fusion"]["dropped_no_pose"] == 1
    assert "no pose" in graph.problems()["/vehicle_01/fusion"]
    graph.pose(START_NS + 1_000_000_000, 3.0, 0.0)
    graph.detect("vehicle_01", START_NS + 1_000_000_000, in_sensor(lidar, PEOPLE))
    graph.host.advance(START_NS + 1_200_000_000)
    assert len(graph.given) == 2 and graph.problems()["/vehicle_01/fusion"] is None


def test_a_recording_that_starts_again_is_placed_again(graph: Graph) -> None:
    lidar = rigid(0.0, 0, 1.8, 0, 0)
    for k in range(200):
        graph.pose(START_NS + k * 100_000_000, 5.0, 0.0)
    again = START_NS + 50_000_000
    graph.pose(again, 0.0, 0.0, delay=20.0)
    graph.pose(again + 100_000_000, 0.0, 0.0, delay=20.0)
    graph.detect("vehicle_01", again + 50_000_000, in_sensor(lidar, PEOPLE), delay=20.1)
    assert len(graph.given) == 1
    np.testing.assert_allclose(graph.given[0][1]["objects"]["x"], PEOPLE[:, 0], atol=1e-6)


def test_empty_and_broken_detections(graph: Graph) -> None:
    graph.detect("pole_01", START_NS, np.zeros(0, DTYPE))
    broken = in_sensor(POLE_1, PEOPLE)
    broken["x"][1] = np.nan
    broken["position_covariance"][2] = np.inf
    graph.detect("pole_01", START_NS + 100_000_000, broken)
    assert [len(message["objects"]) for _, message in graph.given] == [0, 2]
    assert graph.given[0][1].frame_id == "map" and graph.given[0][1].stamp_ns == START_NS
    assert graph.events["/pole_01/fusion"]["not_finite"] == 2


def test_the_merger_refuses_other_frames_and_stamps_from_the_future(tmp_path: Path) -> None:
    given: list = []
    spec = NodeSpec("twin_fusion.merger_node:Merger", "merger", "/district", {"platforms": ("a", "b")}, {})
    host = LockstepHost([spec], lambda *item: given.append(item))
    topic = "/district/merger/input/objects/a"
    empty = {"objects": np.zeros(0, DTYPE)}
    host.feed(topic, START_NS, cdr.encode(ARRAY, cdr.ArrayMessage(START_NS, "a/lidar", empty)))
    host.feed(topic, START_NS, cdr.encode(ARRAY, cdr.ArrayMessage(START_NS + 10_000_000_000, "map", empty)))
    assert given == [] and host.runtimes[0].events["refused"] == 2
    assert "10.0 s in the future" in host.runtimes[0].problem
    host.feed(topic, START_NS, cdr.encode(ARRAY, cdr.ArrayMessage(START_NS, "map", empty)))
    assert len(given) == 1 and host.runtimes[0].problem is None


def test_a_platform_that_is_not_in_the_district_is_refused() -> None:
    spec = NodeSpec("twin_fusion.fusion_node:Fusion", "fusion", "/x", {"platform": "x", "platforms": PLATFORMS}, {})
    with pytest.raises(ConfigError, match="'x' is not one of"):
        LockstepHost([spec], lambda *_: None)
