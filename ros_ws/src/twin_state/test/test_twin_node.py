"""The twin in lockstep."""

from pathlib import Path

import numpy as np
import pytest
from rclpy.serialization import serialize_message

from twin_common import cdr, stamps
from twin_common.config import ConfigError
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_msgs.msg import Alert
from twin_msgs.srv import QueryHistory
from twin_state import convert
from twin_state.core.state import density

START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
CAR, PEDESTRIAN = 1, 7


class Graph:
    """One twin; ``snapshots`` keeps (time_ns, message)."""

    def __init__(self, **parameters) -> None:
        self.snapshots: list = []
        remappings = {f"~/input/{name}": f"/{name}" for name in ("tracks", "behaviors", "alerts")}
        spec = NodeSpec("twin_state.twin_node:Twin", "twin", "/district", parameters, remappings)
        self.host = LockstepHost([spec], lambda _topic, _type, now, message: self.snapshots.append((now, message)))
        self.node = self.host.runtimes[0]

    def tracks(self, k: int, tracks: np.ndarray, delay_ns: int = 30_000_000) -> None:
        stamp_ns = START_NS + k * STEP_NS
        message = cdr.ArrayMessage(stamp_ns, "map", {"tracks": tracks})
        self.host.feed("/tracks", stamp_ns + delay_ns, cdr.encode("twin_msgs/msg/TrackArray", message))

    def query(self, **fields):
        request = QueryHistory.Request(**{k: v for k, v in fields.items() if k not in ("start", "end")})
        for name in ("start", "end"):
            if name in fields:
                stamps.fill_time(getattr(request, name), fields[name])
        return self.host.call("/district/twin", "query_history", request, QueryHistory.Response())


@pytest.fixture
def graph():
    graph = Graph()
    yield graph
    graph.host.close()


def some_tracks(count: int = 3, x: float = 0.0) -> np.ndarray:
    tracks = np.zeros(count, convert.TRACK)
    tracks["track_id"] = np.arange(count) + 1
    tracks["x"], tracks["y"] = x + np.arange(count), 5.0
    tracks["velocity_x"], tracks["classification"], tracks["state"] = 2.0, CAR, 1
    tracks["covariance"] = (0.1 * np.eye(4)).reshape(-1)
    return tracks


def test_every_array_of_tracks_is_one_snapshot_of_its_stamp(graph: Graph) -> None:
    behaviors = np.zeros(4, convert.BEHAVIOR)
    behaviors["track_id"], behaviors["kind"] = (1, 2, 3, 99), 6
    for k in range(20):
        graph.tracks(k, some_tracks(x=k * 0.2))
        message = cdr.ArrayMessage(START_NS + k * STEP_NS, "map", {"behaviors": behaviors})
        buffer = cdr.encode("twin_msgs/msg/BehaviorArray", message)
        graph.host.feed("/behaviors", START_NS + k * STEP_NS + 35_000_000, buffer)
    assert [message.stamp_ns for _, message in graph.snapshots] == [START_NS + k * STEP_NS for k in range(20)]
    assert [message["sequence"] for _, message in graph.snapshots] == list(range(1, 21))
    last = graph.snapshots[-1][1]
    assert last.frame_id == "map" and last["tracks"]["x"][0] == pytest.approx(3.8)
    assert last["behaviors"]["track_id"].tolist() == [1, 2, 3]
    cdr.encode("twin_msgs/msg/TwinSnapshot", last)


def test_objects_coast_while_the_tracker_is_silent_and_are_gone_after_a_second(graph: Graph) -> None:
    graph.tracks(0, some_tracks())
    graph.host.advance(START_NS + 3_000_000_000)
    shown = graph.snapshots[1:]
    assert 25 <= len(shown) <= 30
    for now_ns, message in shown:
        if now_ns - START_NS <= 1_000_000_000:
            elapsed = (message.stamp_ns - START_NS) / 1e9
            np.testing.assert_allclose(message["tracks"]["x"], np.arange(3) + 2.0 * elapsed, atol=1e-6)
            assert (message["tracks"]["state"] == 2).all()
            assert (message["tracks"]["covariance"][:, 0] > 0.1).all()
        elif now_ns - START_NS > 1_100_000_000:
            assert len(message["tracks"]) == 0
    assert np.all(np.diff([message.stamp_ns for _, message in graph.snapshots]) > 0)
    graph.tracks(31, some_tracks(x=9.0))
    assert graph.snapshots[-1][1]["tracks"]["x"][0] == 9.0
    assert len(graph.query().snapshots) == 2, "what was only extrapolated is no history"


def test_before_the_first_track_the_twin_is_empty(graph: Graph) -> None:
    graph.host.advance(START_NS)
    graph.host.advance(START_NS + 1_000_000_000)
    assert len(graph.snapshots) == 10
    assert all(len(message["tracks"]) == 0 for _, message in graph.snapshots)


def test_crowd_density_counts_pedestrians_by_cell() -> None:
    tracks = some_tracks(8)
    tracks["classification"] = PEDESTRIAN
    tracks["x"] = (0.1, 0.5, 1.9, -0.1, 10.0, 10.1, 10.2, 10.3)
    tracks["y"] = (0.1, 1.9, 1.0, 0.5, -3.0, -3.0, -3.0, -3.0)
    tracks["classification"][6], tracks["state"][7] = CAR, 0
    cells = density(tracks, 2.0, convert.DENSITY_CELL)
    found = [(c["x"], c["y"], c["persons"], c["density"]) for c in cells]
    assert found == [(11.0, -3.0, 2, 0.5), (-1.0, 1.0, 1, 0.25), (1.0, 1.0, 3, 0.75)]
    assert len(density(tracks[:0], 2.0, convert.DENSITY_CELL)) == 0


def test_history_is_answered_exactly(graph: Graph) -> None:
    for k in range(35):
        tracks = some_tracks(3, x=k * 1.0)
        tracks["classification"][2] = PEDESTRIAN
        graph.tracks(k, tracks)
    answer = graph.query(start=START_NS + 10 * STEP_NS, end=START_NS + 20 * STEP_NS)
    assert answer.success and answer.message == ""
    assert [stamps.from_time(s.header.stamp) for s in answer.snapshots] == [
        START_NS + k * STEP_NS for k in range(10, 20)
    ]
    assert [[t.track_id for t in s.tracks] for s in answer.snapshots] == [[1, 2, 3]] * 10
    assert answer.snapshots[0].header.frame_id == "map" and answer.snapshots[3].tracks[1].x == 14.0
    assert [t.classification for s in graph.query(classes=[PEDESTRIAN]).snapshots for t in s.tracks] == [
        PEDESTRIAN
    ] * 35
    assert sum(len(s.tracks) for s in graph.query(track_ids=[2]).snapshots) == 35
    boxed = graph.query(box=[9.5, 0.0, 11.5, 10.0])
    assert sorted(t.x for s in boxed.snapshots for t in s.tracks) == [10.0] * 3 + [11.0] * 3
    cut = graph.query(limit=10)
    assert sum(len(s.tracks) for s in cut.snapshots) == 10
    assert cut.message == f"cut at 10 states; the rest begins at {START_NS + 3 * STEP_NS} ns"


def test_bad_questions_are_refused_in_one_line(graph: Graph) -> None:
    backwards = graph.query(start=START_NS + 5, end=START_NS)
    assert not backwards.success and "not after start" in backwards.message
    inside_out = graph.query(box=[5.0, 0.0, 1.0, 1.0])
    assert not inside_out.success and "expected x_min, y_min, x_max, y_max in order" in inside_out.message
    assert graph.query(start=START_NS).success


def test_alerts_are_remembered_without_the_operator(graph: Graph) -> None:
    alert = Alert(alert_id="a-7", state=2, kind="crowd", operator_name="Kim", note="on my way", track_ids=[4, 5])
    alert.time_to_event = float("nan")
    stamps.fill_time(alert.header.stamp, START_NS)
    graph.host.feed("/alerts", START_NS, serialize_message(alert))
    ((stamp_ns, alert_id, state, content),) = graph.node.component._history.alerts(START_NS, START_NS + 1)
    assert (stamp_ns, alert_id, state) == (START_NS, "a-7", 2)
    assert "Kim" not in content and "on my way" not in content
    assert '"track_ids": [4, 5]' in content and '"time_to_event": null' in content


def test_two_runs_are_the_same() -> None:
    runs = []
    for _ in range(2):
        graph = Graph()
        for k in range(25):
            graph.tracks(k, some_tracks(x=k * 0.3))
        runs.append([cdr.encode("twin_msgs/msg/TwinSnapshot", m) for _, m in graph.snapshots])
        graph.host.close()
    assert runs[0] == runs[1]


def test_a_file_of_history_outlives_the_node_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "history.duckdb"
    graph = Graph(history=str(path))
    graph.tracks(0, some_tracks())
    graph.host.close()
    graph = Graph(history=str(path))
    assert len(graph.query().snapshots) == 1
    graph.host.close()
    bad = tmp_path / "bad"
    bad.write_text("x" * 5000)
    with pytest.raises(ConfigError, match="history"):
        Graph(history=str(bad))
