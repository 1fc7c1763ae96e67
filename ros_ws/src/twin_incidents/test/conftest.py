"""A district to test in, and a graph from tracks to alerts fed with made-up or recorded tracks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin_common import cdr, stamps
from twin_common.cdr import ArrayMessage, record_dtype
from twin_common.lockstep import LockstepHost
from twin_common.node_spec import NodeSpec
from twin_common.registry import topic
from twin_incidents.evaluation.truth import records_of_actors

START = 1_700_000_000_000_000_000
CLASSES = ("UNKNOWN", "CAR", "TRUCK", "BUS", "MOTORCYCLE", "SCOOTER", "BICYCLE", "PEDESTRIAN", "ANIMAL", "DEBRIS")
SIZES = {1: (4.5, 1.8), 2: (7.0, 2.3), 3: (11.0, 2.5), 6: (1.8, 0.6), 7: (0.6, 0.6)}
DISTRICT = """
name: test crossing
datum: {latitude: 35.15, longitude: 126.85, altitude: 30.0}
platforms:
  - {name: pole_01, pose: {x: 10.0, y: 20.0}, lidar: {mount: {z: 5.0}}}
  - {name: pole_02, pose: {x: -10.0, y: -20.0}}
zones:
  - {name: main street, kind: carriageway, polygon: [[-100, -7], [100, -7], [100, 7], [-100, 7]]}
  - {name: east crosswalk, kind: crosswalk, polygon: [[8, -7], [12, -7], [12, 7], [8, 7]]}
  - {name: bays, kind: parking, polygon: [[-100, -7], [-50, -7], [-50, -4.8], [-100, -4.8]]}
  - {name: plaza, kind: plaza, polygon: [[-50, 20], [50, 20], [50, 90], [-50, 90]]}
"""


@dataclass
class Actor:
    """A track that follows a function of time: x, y, vx, vy, acceleration along the heading."""

    number: int
    kind: int
    motion: Any
    first: float = 0.0
    last: float = 1e9
    size: tuple[float, float] | None = None


@dataclass
class District:
    """The graph over a district file; collects what it publishes as (seconds since START, message)."""

    path: Path
    parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    origin_ns: int = START

    def __post_init__(self) -> None:
        self.incidents: list[tuple[float, Any]] = []
        self.alerts: list[tuple[float, Any]] = []
        common = {"district": str(self.path)}
        own = {"incident_detector": common | {"platforms": self.platforms}, "dispatcher": common, "prediction": {}}
        components = {
            "prediction": "twin_prediction.prediction_node:Prediction",
            "incident_detector": "twin_incidents.incident_node:IncidentDetector",
            "dispatcher": "twin_incidents.dispatcher_node:Dispatcher",
        }
        wires = {f"~/{way}/{key}": topic(key).name for way, key in (
            ("input", "tracks"), ("output", "predictions"), ("input", "predictions"), ("output", "incidents"),
            ("input", "incidents"), ("output", "alerts"))}  # fmt: skip
        wires |= {f"~/input/platform_status/{name}": f"/{name}/status" for name in self.platforms}
        specs = [
            NodeSpec(component, name, "/district", own[name] | self.parameters.get(name, {}), wires)
            for name, component in components.items()
        ]
        self.host = LockstepHost(specs, self._observe)

    def _observe(self, name: str, _type: str, now_ns: int, message: Any) -> None:
        sink = {"/district/incidents": self.incidents, "/district/alerts": self.alerts}.get(name)
        if sink is not None:
            sink.append(((now_ns - self.origin_ns) / 1e9, message))

    def feed(self, time: float, records: np.ndarray, latency: float = 0.05, unseen: float = 0.0) -> None:
        """Give the graph the tracks of one moment, seconds since START, measured so long before."""
        stamp_ns = self.origin_ns + stamps.from_seconds(time)
        records["last_seen_ns"] = stamp_ns - stamps.from_seconds(unseen)
        message = ArrayMessage(stamp_ns, "map", {"tracks": records})
        buffer = cdr.encode("twin_msgs/msg/TrackArray", message)
        self.host.feed("/district/tracks", stamp_ns + stamps.from_seconds(latency), buffer)

    def play(self, actors: list[Actor], duration: float, seed: int | None = None, begin: float = 0.0) -> None:
        """Give the graph the tracks of all actors at 10 Hz, with measurement noise if there is a seed."""
        rng = None if seed is None else np.random.default_rng(seed)
        for k in range(round(begin * 10), round(duration * 10) + 1):
            self.feed(0.1 * k, records_of(actors, 0.1 * k, rng))

    def kinds(self) -> set[str]:
        """Return the kinds of all incidents so far."""
        return {incident.kind for _, message in self.incidents for incident in message.incidents}

    def named(self, kind: str) -> list[tuple[float, Any]]:
        """Return every (time, incident) of a kind, one per array that lists it."""
        return [(time, item) for time, message in self.incidents for item in message.incidents if item.kind == kind]


def records_of(actors: list[Actor], time: float, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return the tracks of all actors that exist at a time, with the covariances of a good tracker."""
    present = [actor for actor in actors if actor.first <= time <= actor.last]
    records = np.zeros(len(present), record_dtype("twin_msgs/msg/Track"))
    for record, actor in zip(records, present, strict=True):
        x, y, vx, vy, acceleration = actor.motion(time)
        if rng is not None:
            x, y, vx, vy = np.array([x, y, vx, vy]) + rng.normal(size=4) * [0.1, 0.1, 0.25, 0.25]
        record["track_id"], record["platforms"] = actor.number, 3
        record["x"], record["y"], record["velocity_x"], record["velocity_y"] = x, y, vx, vy
        record["length"], record["width"] = actor.size or SIZES[actor.kind]
        record["yaw"] = np.arctan2(vy, vx) if np.hypot(vx, vy) > 0.5 else 0.0
        record["acceleration"], record["age"] = acceleration, time - actor.first
        record["classification"], record["state"] = actor.kind, 1
        record["class_probability"][actor.kind] = 0.9
    records["covariance"] = np.diag([0.02, 0.02, 0.06, 0.06]).reshape(-1)
    records["yaw_rate_variance"], records["existence"], records["height"] = 0.01, 0.99, 1.7
    return records


def straight(x, y, vx, vy, acceleration=0.0, start=0.0):
    """Return the motion of an object that changes its speed evenly from a time on and stops at rest."""
    speed = np.hypot(vx, vy)

    def motion(time):
        gone = max(time - start, 0.0)
        gone = min(gone, speed / -acceleration) if acceleration < 0 else gone
        now = speed + acceleration * gone
        way = speed * min(time, start) + speed * gone + 0.5 * acceleration * gone**2
        share = np.array([vx, vy]) / speed if speed else np.zeros(2)
        moving = acceleration if time >= start and now > 0 else 0.0
        return x + way * share[0], y + way * share[1], now * share[0], now * share[1], moving

    return motion


@pytest.fixture
def district_file(tmp_path):
    path = tmp_path / "district.yaml"
    path.write_text(DISTRICT)
    return path


@pytest.fixture
def make_district(district_file):
    def make(**parameters):
        platforms = parameters.pop("watched", ())
        return District(district_file, parameters, platforms)

    return make


@pytest.fixture
def kit():
    """The builders of this file, for tests (test folders are no packages)."""
    import types

    return types.SimpleNamespace(
        Actor=Actor, straight=straight, records_of=records_of, records_of_actors=records_of_actors, District=District,
        START=START,
    )  # fmt: skip
