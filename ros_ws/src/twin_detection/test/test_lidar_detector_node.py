"""The node, fed encoded clouds in lockstep; the bodies of its messages; its parameters."""

from typing import Any

import numpy as np
import pytest

from twin_common import codecs, pointcloud
from twin_common.cdr import encode
from twin_common.config import ConfigError, from_mapping
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_detection import convert
from twin_detection.config import LidarDetectorConfig
from twin_detection.core.detections import none_detected
from twin_detection.synthetic import PERIOD_NS, START_NS, Box, Lidar, scan

POLE = Lidar(height=5.0, columns=256)
TYPE = "twin_msgs/msg/DetectedObjectArray"
NODE = "/pole_01/lidar_detector"


def host(watched: frozenset[str] = frozenset(), **parameters: Any) -> tuple[LockstepHost, list[tuple[str, Any]]]:
    seen: list[tuple[str, Any]] = []
    values = {"platform": "pole_01", "sensor_height": 5.0, **parameters}
    spec = NodeSpec("twin_detection.lidar_detector_node:LidarDetector", "lidar_detector", "/pole_01", values)
    return LockstepHost([spec], lambda topic, _t, _n, message: seen.append((topic, message)), watched), seen


def feed(target: LockstepHost, cloud: pointcloud.Cloud) -> None:
    target.feed(f"{NODE}/input/points", cloud.stamp_ns, pointcloud.encode(cloud))


def test_objects_carry_the_stamp_and_frame_of_their_scan() -> None:
    target, seen = host(frozenset({f"{NODE}/output/foreground"}))
    rng = np.random.default_rng(0)
    for index in range(16):
        car = [Box(10.0, 3.0, 4.4, 1.8, 1.5, 0.3)] if index > 12 else []
        feed(target, scan(POLE, car, rng, index, "pole_01/lidar"))
    objects = [message for topic, message in seen if topic.endswith("objects")]
    # Nothing is said until the background is known: an empty array would say that nobody is there.
    assert [message.stamp_ns for message in objects] == [START_NS + i * PERIOD_NS for i in range(11, 16)]
    assert {message.frame_id for message in objects} == {"pole_01/lidar"}
    assert [len(message["objects"]) for message in objects] == [0] * 2 + [1] * 3
    record = objects[-1]["objects"][0]
    assert np.hypot(record["x"] - 10.0, record["y"] - 3.0) < 0.3
    assert record["classification"] == 1 and record["sensors"] == 1 and record["point_count"] > 20
    assert -0.1 <= record["time_offset"] <= 0 and np.isnan(record["velocity_x"])
    cloud = [message for topic, message in seen if topic.endswith("foreground")][-1]
    assert len(cloud.points) == record["point_count"]
    assert codecs.codec_for(TYPE).decode(encode(TYPE, objects[-1]))["objects"].tobytes() == record.tobytes()


def test_the_foreground_is_made_only_for_listeners() -> None:
    target, seen = host(warm_up=0.2)
    for index in range(4):
        feed(target, scan(POLE, [], np.random.default_rng(0), index))
    assert [topic for topic, _ in seen] == [f"{NODE}/output/objects"]


def test_empty_repeated_and_set_back_scans() -> None:
    target, seen = host(mode="moving", method="rules")
    empty = pointcloud.from_xyz(START_NS, "pole_01/lidar", np.zeros((0, 3), np.float32))
    feed(target, empty)
    feed(target, empty)
    feed(target, pointcloud.Cloud(START_NS - PERIOD_NS, "", empty.points))
    runtime = target.runtimes[0]
    assert [len(message["objects"]) for _, message in seen] == [0, 0]
    assert seen[-1][1].frame_id == "pole_01/lidar"
    assert runtime.events["repeated"] == 1 and runtime.events["set_back"] == 1 and runtime.events["errors"] == 0
    assert runtime.problem == "points: empty scans"


def test_a_cloud_of_coordinates_alone_is_enough() -> None:
    plain = np.zeros(500, np.dtype([("x", "<f4"), ("y", "<f4"), ("z", "<f4")]))
    xyz, ring, offset = convert.arrays_from_cloud(pointcloud.Cloud(0, "lidar", plain))
    assert xyz.shape == (500, 3) and ring.shape == (500,) and not offset.any()
    target, seen = host(mode="moving", sensor_height=1.73)
    feed(target, pointcloud.Cloud(START_NS, "lidar", plain))
    assert len(seen) == 1 and target.runtimes[0].events["errors"] == 0


def test_messages_survive_the_way_there_and_back() -> None:
    rng = np.random.default_rng(1)
    points = scan(
        Lidar(height=1.73, lowest_deg=-24, highest_deg=2, columns=900), [Box(9, 2, 4.4, 1.8, 1.5)], rng
    ).points
    from twin_detection.core.detector import LidarDetector

    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    made = LidarDetector(LidarDetectorConfig(mode="moving", sensor_height=1.73))
    found, _ = made.step(xyz, points["ring"], np.zeros(len(xyz)), 0)
    assert len(found)
    back = convert.detections_from_message(convert.message_from_detections(found, 5, "lidar"))
    for name in found.__dataclass_fields__:
        np.testing.assert_allclose(getattr(back, name), getattr(found, name), rtol=1e-6, atol=1e-6)
    assert len(convert.message_from_detections(none_detected(), 5, "lidar")["objects"]) == 0


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"sensor_hight": 5.0}, "did you mean sensor_height?"),
        ({"mode": "flying"}, "expected one of still, moving"),
        ({"warm_up": 0.0}, "out of range; expected 0.2 to 60.0"),
        ({"min_range": 15.0, "max_range": 10.0}, "expected less than max_range"),
    ],
)
def test_bad_parameters_are_refused(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected.replace("?", r"\?")):
        from_mapping(LidarDetectorConfig, values, NODE)
