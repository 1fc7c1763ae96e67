"""The node in lockstep: messages in, messages out."""

import numpy as np

from twin_common import cdr
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_tracking.core import classes
from twin_tracking.core.detections import Detections, empty
from twin_tracking.synthetic import START_NS, detect, mover

OBJECTS = "twin_msgs/msg/DetectedObjectArray"
STEP_NS = 100_000_000


def message_of(detections: Detections, stamp_ns: int, frame_id: str = "map") -> cdr.ArrayMessage:
    records = np.zeros(len(detections), cdr.record_dtype("twin_msgs/msg/DetectedObject"))
    records["x"], records["y"], records["z"] = detections.position.T
    records["length"], records["width"], records["height"] = detections.size.T
    records["velocity_x"], records["velocity_y"] = detections.velocity.T
    records["position_covariance"] = detections.covariance.reshape(-1, 9)
    for name in (
        "yaw", "yaw_variance", "class_probability", "existence", "time_offset", "point_count", "posture", "platforms",
    ):  # fmt: skip
        records[name] = getattr(detections, name)
    return cdr.ArrayMessage(stamp_ns, frame_id, {"objects": records})


class Graph:
    """The node between recorded messages and a list of what it publishes."""

    def __init__(self, **parameters: object) -> None:
        self.published: list[cdr.ArrayMessage] = []
        spec = NodeSpec(
            "twin_tracking.tracker_node:Tracker", "tracker", "/district", parameters={"key": 1} | parameters
        )
        self.host = LockstepHost([spec], lambda _topic, _type, _time, message: self.published.append(message))
        self.events = self.host.runtimes[0].events

    def feed(self, detections: Detections, stamp_ns: int, frame_id: str = "map") -> None:
        message = cdr.encode(OBJECTS, message_of(detections, stamp_ns, frame_id))
        self.host.feed("/district/tracker/input/objects", stamp_ns + STEP_NS // 2, message)


def test_a_car_becomes_a_confirmed_track_with_its_state() -> None:
    graph, rng = Graph(), np.random.default_rng(1)
    car = mover((10.0, 5.0), (8.0, 0.0))
    for step in range(20):
        graph.feed(detect(car.at(0.1 * step), rng, 0.15), START_NS + step * STEP_NS)
    last = graph.published[-1]
    assert len(graph.published) == 20
    assert last.stamp_ns == START_NS + 19 * STEP_NS and last.frame_id == "map"
    (track,) = last["tracks"]
    assert track["state"] == 1 and track["classification"] == classes.CAR
    assert abs(track["x"] - (10 + 8 * 1.9)) < 0.3 and abs(track["y"] - 5) < 0.3
    assert abs(track["velocity_x"] - 8) < 0.5 and abs(track["velocity_y"]) < 0.5
    assert abs(track["yaw"]) < 0.1 and abs(track["age"] - 1.9) < 1e-4
    assert track["first_seen_ns"] == START_NS and track["last_seen_ns"] == last.stamp_ns
    assert track["platforms"] == 1 and track["existence"] > 0.8
    assert np.linalg.eigvalsh(track["covariance"].reshape(4, 4)).min() > 0


def test_no_objects_give_no_tracks_with_a_header() -> None:
    graph = Graph()
    graph.feed(empty(), START_NS)
    (message,) = graph.published
    assert len(message["tracks"]) == 0 and message.stamp_ns == START_NS and message.frame_id == "map"


def test_what_is_refused_is_counted() -> None:
    graph, rng = Graph(), np.random.default_rng(2)
    seen = detect(mover((0.0, 0.0), (5.0, 0.0)).at(0.0), rng)
    graph.feed(seen, START_NS + 4 * STEP_NS)
    graph.feed(seen, START_NS + 4 * STEP_NS)
    graph.feed(seen, START_NS + 5 * STEP_NS, frame_id="pole_01/lidar")
    broken = detect(mover((0.0, 0.0), (5.0, 0.0)).at(0.0), rng)
    broken.position[0, 0] = np.nan
    graph.feed(broken, START_NS + 6 * STEP_NS)
    graph.feed(seen, START_NS - 10 * STEP_NS)
    assert dict(graph.events) == {"duplicate": 1, "wrong_frame": 1, "rejected": 1, "late": 1}
    assert [message.stamp_ns for message in graph.published] == [START_NS + 4 * STEP_NS, START_NS + 6 * STEP_NS]


def test_time_set_back_starts_anew_and_is_reported() -> None:
    graph, rng = Graph(), np.random.default_rng(3)
    car = mover((0.0, 0.0), (5.0, 0.0))
    for run in range(2):
        for step in range(60):
            graph.feed(detect(car.at(0.1 * step), rng), START_NS + step * STEP_NS)
        assert graph.events["reset"] == run
    assert len(graph.published) == 120
    assert len(graph.published[-1]["tracks"]) == 1


def test_pseudonyms_of_two_starts_differ_unless_a_key_is_set() -> None:
    first = []
    for key in (0, 0, 1, 1):
        graph = Graph(key=key)
        graph.feed(detect(mover((0.0, 0.0), (5.0, 0.0)).at(0.0), np.random.default_rng(4)), START_NS)
        first.append(int(graph.published[0]["tracks"]["track_id"][0]))
    assert first[0] != first[1] and first[2] == first[3]
