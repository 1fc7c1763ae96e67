"""``./twin eval localization``: where sensor vehicles think they are in the simulated district, and where they are.

The same receiver, inertial unit and scans are given to the localizer with the map and without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from twin_common import registry, stamps
from twin_common.codecs import codec_for
from twin_common.core import geometry
from twin_common.lockstep import LockstepHost
from twin_localization import convert
from twin_sim.core.frame import Frame
from twin_sim.platform_sensors import PlatformSensors, Stage
from twin_sim.scenario import load_scenario
from twin_sim.sensor_messages import ArrivalQueue, SensorMessages
from twin_sim.simulation import Simulation

#: Half a minute of drives through open and narrow streets; seeds that nothing was tuned on.
SCENES = (
    ("rush_hour", 60_001), ("normal_day", 60_002), ("rain", 60_003), ("normal_night", 60_004), ("vehicle_pass", 60_005),
)  # fmt: skip
SECONDS = 30.0
SETTLED = 3.0  # seconds from which errors count
_AXES = np.ix_((0, 1, 5), (0, 1, 5))


@dataclass(slots=True)
class Drive:
    """Errors of one way to localise: (N, 3) x, y, m, and yaw, rad, with covariances (N, 3, 3)."""

    error: list[np.ndarray] = field(default_factory=list)
    covariance: list[np.ndarray] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of poses: metres, degrees; ``nees`` of the position, 2 where the covariance is right."""

    poses: int
    rms: float
    worst_in_20: float
    largest: float
    heading: float
    nees: float


def evaluate_localization(
    folder: Path, out: Path, scenes: Sequence[tuple[str, int]] = SCENES, seconds: float = SECONDS
) -> dict[str, Any]:
    """Score scenes, print a table and write metrics.json to ``out``; ``folder``: of the scenarios."""
    out.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    found: dict[str, dict[str, Any]] = {}
    drives: dict[str, list[Drive]] = {name: [] for name in ("receiver alone", "with the map")}
    for number, (scenario, seed) in enumerate(scenes):
        console.print(f"scene {number + 1} of {len(scenes)}: {scenario}", style="dim")
        both = drive(folder / f"{scenario}.yaml", seed, seconds)
        for name, one in both.items():
            drives[name].append(one)
            found.setdefault(scenario, {})[name] = asdict(score([one]))
    found["all"] = {name: asdict(score(parts)) for name, parts in drives.items()}
    _show(found)
    (out / "metrics.json").write_text(json.dumps(found, indent=1) + "\n")
    return found


def drive(scenario: Path, seed: int, seconds: float) -> dict[str, Drive]:
    """Return the errors of both ways in one scene, of its first sensor vehicle."""
    with Simulation(load_scenario(scenario), seed) as simulation:
        name = next(item.name for item in simulation.world.district.platforms if item.kind == "vehicle")
        stage = Stage(simulation.world, simulation.weather, simulation.seed)
        sensors = PlatformSensors(stage, simulation.world.district.platform(name))
        messages = SensorMessages(sensors, simulation.faults)
        ways = {"receiver alone": _Way(simulation, name, frozenset({"localizer"})),
                "with the map": _Way(simulation, name, frozenset({"localizer", "map_matcher"}))}  # fmt: skip
        waiting = ArrivalQueue()
        for _ in range(round(seconds * 10)):
            frame = simulation.step()
            for arrival in messages.of(sensors.push(frame)):
                waiting.push(arrival, name)
            for platform, arrival in waiting.arrived(frame.stamp_ns):
                entry = registry.topic(arrival.key)
                content = codec_for(entry.type_name).encode(arrival.message)
                for way in ways.values():
                    way.feed(entry.resolve(platform), arrival.time_ns, content)
            for way in ways.values():
                way.compare(frame)
        stage.close()
        return {key: way.close() for key, way in ways.items()}


class _Way:
    """A localizer in lockstep, set beside the truth."""

    def __init__(self, simulation: Simulation, name: str, stages: frozenset[str]) -> None:
        from twin_bringup.graph import nodes_for_replay  # the graph knows this package, not the reverse

        district = simulation.world.folder / "district.yaml"
        keys = ("gnss_fix", "gnss_velocity", "imu", "lidar_points")
        given = frozenset(registry.topic(key).resolve(name) for key in keys)
        nodes = [
            node for node in nodes_for_replay(district, given) if node.namespace == f"/{name}" and node.name in stages
        ]
        self._odometry = registry.topic("odometry").resolve(name)
        self._host = LockstepHost(nodes, self._observe, frozenset({self._odometry}))
        self._name = name
        self._poses: list[Any] = []
        self._truth: list[tuple[int, np.ndarray]] = []
        self._began_ns = simulation.start_ns

    def _observe(self, topic: str, _type: str, _now_ns: int, message: Any) -> None:
        if topic == self._odometry:
            self._poses.append(message)

    def feed(self, topic: str, time_ns: int, content: bytes) -> None:
        """Give a message to the nodes that want it."""
        if topic in self._host.input_topics:
            self._host.feed(topic, time_ns, content)

    def compare(self, frame: Frame) -> None:
        """Keep where the vehicle truly is."""
        own = frame.actors[frame.actors["actor_id"] == frame.vehicles.get(self._name, 0)]
        if len(own):
            self._truth.append((frame.stamp_ns, np.array([own["x"][0], own["y"][0], own["yaw"][0]], float)))

    def close(self) -> Drive:
        """Return the errors at the stamps of the poses."""
        self._host.close()
        found = Drive()
        times = np.array([stamp_ns - self._began_ns for stamp_ns, _ in self._truth], float)
        places = np.array([place for _, place in self._truth])
        places[:, 2] = np.unwrap(places[:, 2])
        for error, covariance in _errors(self._poses, times, places, self._began_ns):
            found.error.append(error)
            found.covariance.append(covariance)
        return found


def _errors(
    poses: Sequence[Any], times: np.ndarray, places: np.ndarray, began_ns: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    for message in poses:
        moment = stamps.from_time(message.header.stamp) - began_ns
        if not max(times[0], SETTLED * 1e9) <= moment <= times[-1]:
            continue
        pose = convert.pose_of(message)
        assert pose is not None, "the localizer's own"
        told = np.array([pose[0, 3], pose[1, 3], geometry.yaw_of(pose)])
        error = told - [np.interp(moment, times, places[:, k]) for k in range(3)]
        error[2] = geometry.wrap(error[2])
        yield error, np.reshape(message.pose.covariance, (6, 6))[_AXES]


def score(drives: Sequence[Drive]) -> Scores:
    """Return the figures of some drives together."""
    error = np.array([row for one in drives for row in one.error])
    covariance = np.array([row for one in drives for row in one.covariance])[:, :2, :2]
    distance = np.hypot(error[:, 0], error[:, 1])
    nees = np.einsum("ni,ni->n", error[:, :2], np.linalg.solve(covariance, error[:, :2, None])[..., 0])
    return Scores(
        len(error), float(np.sqrt(np.mean(distance**2))), float(np.percentile(distance, 95)), float(distance.max()),
        float(np.degrees(np.sqrt(np.mean(error[:, 2] ** 2)))), float(nees.mean()),
    )  # fmt: skip


def _show(found: dict[str, Any]) -> None:
    table = Table(
        "scene", "", "poses", "position m", "95 % m", "largest m", "heading deg", "NEES",
        title="where sensor vehicles are", header_style="bold",
    )  # fmt: skip
    for scene, ways in found.items():
        for name, row in ways.items():
            table.add_row(
                scene, name, str(row["poses"]), f"{row['rms']:.2f}", f"{row['worst_in_20']:.2f}",
                f"{row['largest']:.2f}", f"{row['heading']:.2f}", f"{row['nees']:.1f}",
            )  # fmt: skip
    Console(width=120, highlight=False).print(table)
