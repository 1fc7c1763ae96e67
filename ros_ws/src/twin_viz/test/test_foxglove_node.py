"""The bridge as a node, fed with encoded messages and watched by a client."""

import json
import math
from collections.abc import Iterator

import numpy as np
import pytest
import viz_wire as wire
from nav_msgs.msg import Odometry
from viz_client import make_tracks, watch

from twin_common import cdr, stamps
from twin_common.codecs import codec_for
from twin_common.config import ConfigError, from_mapping
from twin_common.lockstep import LockstepHost
from twin_msgs.msg import Alert, Incident, IncidentArray, PlatformStatus
from twin_viz.config import FoxgloveConfig
from twin_viz.foxglove_node import FoxgloveBridge, node_spec

START_NS = 1_700_000_000_000_000_000
TENTH_NS = 100_000_000


class Bridge:
    """The bridge in lockstep."""

    def __init__(self, **parameters) -> None:
        spec = node_spec({"port": 0, "platforms": ("pole_01", "pole_02"), **parameters})
        self.host = LockstepHost([spec], lambda *_: None)
        self.runtime = self.host.runtimes[0]
        assert self.runtime.problem is None, self.runtime.problem
        assert isinstance(self.runtime.component, FoxgloveBridge)
        self.port = self.runtime.component.port

    def feed(self, topic: str, tenths: int, message) -> None:
        codec = codec_for(self.host.input_topics[topic])
        self.host.feed(topic, START_NS + tenths * TENTH_NS, codec.encode(message))

    def tracks(self, tenths: int, *rows: dict) -> None:
        message = cdr.ArrayMessage(START_NS + tenths * TENTH_NS, "map", {"tracks": make_tracks(*rows)})
        self.feed("/district/tracks", tenths, message)


@pytest.fixture
def bridge(district_file) -> Iterator[Bridge]:
    running = Bridge(district=str(district_file))
    yield running
    running.host.close()


def alert(state: int, **fields) -> Alert:
    message = Alert(
        alert_id="a1", state=state, kind="predicted_collision", severity=3, probability=0.8, time_to_event=1.5,
        latitude=35.1525, longitude=126.848, radius=4.0, text="car 1 and pedestrian 2", **fields,
    )  # fmt: skip
    stamps.fill_time(message.header.stamp, START_NS)
    stamps.fill_time(message.raised_stamp, START_NS)
    return message


def test_the_ground_is_there_before_anything_moves(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene", "/map", "/map/zones", "/map/center", "/alerts_open")
        still = wire.entities(client.wait("/scene")[0])
        assert len(still["ground"][12]) == 2
        assert [wire.fields(text)[6] for text in still["platforms"][13]] == [[b"pole_01"], [b"pole_02"]]
        zones = json.loads(wire.fields(client.wait("/map/zones")[0])[1][0])
        assert [item["properties"]["name"] for item in zones["features"]] == ["street", "house"]
        assert json.loads(client.wait("/alerts_open")[0]) == {"alerts": []}
        assert wire.fields(client.wait("/map/center")[0])[2][0] == pytest.approx(126.848, abs=0.01)


def test_tracks_incidents_and_paths_become_a_scene(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        incidents = [Incident(kind="predicted_collision", severity=3, time_to_event=1.0, radius=3.0, track_ids=[1])]
        bridge.feed("/district/incidents", 0, IncidentArray(incidents=incidents))
        paths = np.zeros(1, cdr.record_dtype("twin_msgs/msg/PredictedPath"))
        paths["track_id"], paths["probability"] = 1, 1.0
        step = {"step": 0.4, "paths": paths}
        bridge.feed("/district/predictions", 0, cdr.ArrayMessage(START_NS, "map", step))
        bridge.tracks(0, {"track_id": 1}, {"track_id": 2, "classification": 7})
        live = wire.entities(client.wait("/scene", 2)[1])
        assert len(live["objects"][8]) == 3
        assert len(live["predictions"][11]) == len(live["incidents"][10]) == 1
        assert bridge.runtime.problem is None


def signals(*states: int) -> cdr.ArrayMessage:
    records = np.zeros(len(states), cdr.record_dtype("twin_msgs/msg/Signal"))
    records["signal_id"], records["z"], records["state"] = np.arange(1, len(states) + 1), 4.6, states
    return cdr.ArrayMessage(START_NS, "map", {"signals": records})


def test_signals_are_shown_when_they_change(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        for tenths, states in enumerate(((1, 3), (1, 3), (1, 2))):
            bridge.feed("/district/signals", tenths, signals(*states))
        shown = [wire.entities(item)["signals"][8] for item in client.wait("/scene", 3)[1:]]
        colors = [[wire.fields(wire.fields(cube)[3][0]) for cube in cubes] for cubes in shown]
        assert [len(cubes) for cubes in shown] == [2, 2]
        red, green, yellow = colors[0][0], colors[0][1], colors[1][1]
        assert red[1][0] > 0.9 > red[2][0] and green[2][0] > 0.8 > green[1][0] and yellow[2][0] > 0.7 < yellow[1][0]


def test_actors_of_a_simulation_are_a_layer_of_their_own(bridge: Bridge) -> None:
    records = np.zeros(3, cdr.record_dtype("twin_msgs/msg/SimActor"))
    records["actor_id"], records["classification"] = (1, 2, 3), (1, 7, 9)
    records["length"], records["width"], records["height"] = 4.5, 1.8, 1.5
    message = cdr.ArrayMessage(START_NS, "map", {"actors": records})
    with watch(bridge.port) as client:
        client.subscribe("/truth")
        client.read(10, until=lambda: bridge.runtime.component._view.truth.wanted)
        bridge.feed("/sim/actors", 0, message)
        cubes = wire.entities(client.wait("/truth")[0])["truth"][8]
        assert len(cubes) == 3
        assert wire.fields(wire.fields(wire.fields(cubes[0])[1][0])[1][0])[3][0] == pytest.approx(0.75)


def test_no_tracks_give_an_empty_scene(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        bridge.tracks(0)
        assert 8 not in wire.entities(client.wait("/scene", 2)[1])["objects"]


def test_the_scene_is_not_drawn_more_often_than_asked(district_file) -> None:
    bridge = Bridge(scene_rate=2.0)
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.read(10, until=lambda: bridge.runtime.component._view.scene.wanted)
        for tenths in range(20):
            bridge.tracks(tenths, {"track_id": 1})
    assert bridge.runtime.events["scenes"] == 4
    bridge.host.close()


def test_nothing_is_drawn_while_nobody_looks(bridge: Bridge) -> None:
    bridge.tracks(0, {"track_id": 1})
    assert bridge.runtime.events["scenes"] == 0


def test_objects_leave_the_scene_when_tracks_stop(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        bridge.tracks(0, {"track_id": 1})
        bridge.host.advance(START_NS + 40 * TENTH_NS)
        scenes = [wire.entities(item) for item in client.wait("/scene", 3 + 4)]
        live = [scene["objects"] for scene in scenes if "objects" in scene]
        assert [8 in item for item in live] == [True, False]


def test_alerts_are_logged_and_listed_until_they_are_over(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/alerts_log", "/alerts_open", "/map/alerts")
        client.wait("/alerts_open")
        client.wait("/map/alerts")
        client.read(5, until=lambda: bridge.runtime.component._view.alerts_log.wanted)
        bridge.feed("/district/alerts", 0, alert(Alert.STATE_RAISED))
        bridge.feed("/district/alerts", 1, alert(Alert.STATE_ACKNOWLEDGED, operator_name="Kim"))
        bridge.feed("/district/alerts", 2, alert(Alert.STATE_EXPIRED))
        lines = [wire.fields(item) for item in client.wait("/alerts_log", 3)]
        assert [line[2] for line in lines] == [[5], [2], [2]]
        assert lines[1][3][0].endswith(b"by Kim [a1]")
        client.wait("/alerts_open", 4)
        states = [[row["state"] for row in json.loads(item)["alerts"]] for item in client.messages["/alerts_open"]]
        assert states == [[], ["raised"], ["acknowledged"], []]
        on_map = [json.loads(wire.fields(item)[1][0])["features"] for item in client.wait("/map/alerts", 4)]
        assert [len(features) for features in on_map] == [0, 1, 1, 0]


def test_a_client_that_comes_late_reads_the_earlier_alerts(bridge: Bridge) -> None:
    bridge.feed("/district/alerts", 0, alert(Alert.STATE_RAISED, note=""))
    with watch(bridge.port) as client:
        client.subscribe("/alerts_log")
        assert b"car 1 and pedestrian 2" in client.wait("/alerts_log")[0]


def test_a_platform_changes_color_when_it_is_lost(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        bridge.feed("/pole_02/status", 0, PlatformStatus(platform="pole_02", state=PlatformStatus.STATE_LOST))
        bridge.feed("/pole_02/status", 1, PlatformStatus(platform="pole_02", state=PlatformStatus.STATE_LOST))
        texts = wire.entities(client.wait("/scene", 2)[1])["platforms"][13]
        assert wire.fields(texts[1])[6] == [b"pole_02  lost"]
        assert len(client.messages["/scene"]) == 2


def test_a_moving_platform_is_marked_where_it_is(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        odometry = Odometry()
        odometry.pose.pose.position.x = 17.0
        bridge.feed("/pole_02/odometry", 0, odometry)
        bridge.tracks(0)
        marks = wire.entities(client.wait("/scene", 2)[1])["vehicles"]
        assert wire.vector(wire.fields(wire.fields(marks[10][0])[1][0])[1][0])[0] == 17.0
        assert wire.fields(marks[13][0])[6] == [b"pole_02"]


def test_numbers_that_are_none_do_no_harm(bridge: Bridge) -> None:
    with watch(bridge.port) as client:
        client.subscribe("/scene")
        client.wait("/scene")
        bridge.tracks(0, {"track_id": 1, "velocity_x": math.nan, "classification": 77})
        assert len(wire.entities(client.wait("/scene", 2)[1])["objects"][8]) == 1
        assert bridge.runtime.problem is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"port": 70000}, "port: 70000 is out of range; expected 0 to 65535"),
        ({"prot": 1}, "unknown key 'prot'; did you mean port"),
        ({"scene_rate": 0.0}, "scene_rate: 0.0 is out of range"),
    ],
)
def test_wrong_parameters_are_refused_by_name(values: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_mapping(FoxgloveConfig, values, "foxglove")
