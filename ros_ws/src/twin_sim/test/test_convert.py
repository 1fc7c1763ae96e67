"""Frames to messages and back."""

import dataclasses

import numpy as np

from twin_common import registry
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.codecs import codec_for
from twin_common.core.object_class import ObjectClass
from twin_msgs.msg import Incident, SimActor, SimEvent
from twin_msgs.msg import Signal as SignalMessage
from twin_sim import convert
from twin_sim.core.frame import ACTOR, SIGNAL, Activity, Event, EventKind, Frame, Light, Shape, SignalState, no_actors


def frame() -> Frame:
    rng = np.random.default_rng(4)
    actors = no_actors(6)
    for name in actors.dtype.names or ():
        actors[name] = rng.uniform(1, 9, 6).astype(actors.dtype[name])
    actors["actor_id"] = np.arange(10, 16)
    actors["classification"] = ObjectClass.PEDESTRIAN
    actors["x"], actors["y"] = [0.2, 0.4, 0.9, 1.5, -0.5, -7.2], [0.1, 0.6, 0.9, 0.5, 0.5, 3.3]
    signals = np.zeros(2, SIGNAL)
    signals["signal_id"], signals["state"] = (3, 4), SignalState.GREEN
    event = Event(1, EventKind.FALL, 5, 9, 1.0, 2.0, 0.1, tuple(range(10, 20)), 2, 1.5, 0)
    ahead = dataclasses.replace(event, event_id=2, kind=EventKind.SWAY, end_ns=0, actors=(11,), leads_to=1)
    return Frame(1_700_000_000_000_000_000, actors, signals, (event, ahead))


def carried(key: str, message: ArrayMessage) -> ArrayMessage:
    codec = codec_for(registry.topic(key).type_name)
    return codec.decode(codec.encode(message))


def test_records_are_those_of_the_messages() -> None:
    assert record_dtype("twin_msgs/msg/SimActor") == ACTOR
    assert record_dtype("twin_msgs/msg/Signal") == SIGNAL


def test_names_are_those_of_the_messages() -> None:
    for prefix, items, message in (
        ("ACTIVITY", Activity, SimActor), ("SHAPE", Shape, SimActor), ("LIGHT", Light, SimActor),
        ("KIND", EventKind, SimEvent), ("STATE", SignalState, SignalMessage),
    ):  # fmt: skip
        names = {name for name in dir(message) if name.startswith(f"{prefix}_")}
        assert names == {f"{prefix}_{item.name}" for item in items}
        assert all(getattr(message, f"{prefix}_{item.name}") == item for item in items)
    assert Incident.SEVERITY_CRITICAL == 3


def test_actors_signals_and_events_come_back() -> None:
    there = frame()
    assert (convert.actors_of(carried("sim_actors", convert.actors_to_message(there))) == there.actors).all()
    assert (convert.signals_of(carried("signals", convert.signals_to_message(there))) == there.signals).all()
    records = carried("sim_events", convert.events_to_message(there))["events"]
    assert records["actor_ids"][0].tolist() == list(range(10, 18))  # eight have room
    for record, event in zip(records, there.events, strict=True):
        for name in ("event_id", "kind", "start_ns", "end_ns", "x", "y", "z", "severity", "casualties", "leads_to"):
            assert record[name] == getattr(event, name), name


def test_visibility_and_density() -> None:
    seen = carried("sim_visibility", convert.visibility_to_message(7, "pole_01/base_link", {12: 5, 10: 3}, {12: 40}))
    assert seen["actors"].tolist() == [(10, 3, 0), (12, 5, 40)]
    cells = carried("sim_density", convert.density_to_message(frame()))["density"]
    found = {(x, y): persons for x, y, persons in cells[["x", "y", "persons"]].tolist()}
    assert found == {(0.5, 0.5): 3, (1.5, 0.5): 1, (-0.5, 0.5): 1, (-7.5, 3.5): 1}
    assert cells["persons"].sum() == 6 and (cells["density"] == cells["persons"]).all() and (cells["size"] == 1).all()


def test_an_empty_frame_has_empty_messages() -> None:
    empty = Frame(1, no_actors(), np.zeros(0, SIGNAL))
    assert len(convert.actors_of(carried("sim_actors", convert.actors_to_message(empty)))) == 0
    assert len(carried("sim_events", convert.events_to_message(empty))["events"]) == 0
    assert len(carried("sim_density", convert.density_to_message(empty))["density"]) == 0
