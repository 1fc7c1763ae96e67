"""Vehicles, and walkers on sidewalks and crossings, moved by SUMO through libsumo.

A traffic participant's SUMO id is its actor id in decimal. One simulation per process: libsumo has one state.
Source: Lopez et al. 2018, "Microscopic Traffic Simulation using SUMO".
"""

from __future__ import annotations

import bisect
import itertools
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import libsumo
import numpy as np

from twin_common.config import ConfigError
from twin_sim.core.fleet import RUNNER, WALKER, BehaviourConfig, Conduct, VehicleKind, write_types
from twin_sim.core.network_zones import Network, read_network
from twin_sim.core.walking_ground import CROSSING, WalkingGround

STEP = 0.5  # s, of SUMO
LATERAL = 0.8  # m, resolution of the sublane model: two-wheelers keep to the right and are passed within a lane
SLOW = 1.5  # m/s
PATIENCE = 240.0  # s a vehicle may stand without being able to go on before it is taken out

#: A vehicle's state: centre of its box in the map frame, metres; SUMO's bits of its signals.
VEHICLE = np.dtype([("actor_id", "i8"), ("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("speed", "f8"), ("signals", "i8")])
#: A walker's state; ``ground``: 0 sidewalk, 1 crossing, 2 a junction's corner.
WALKING = np.dtype([("actor_id", "i8"), ("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("speed", "f8"), ("ground", "i8")])


@dataclass(frozen=True, slots=True)
class Ahead:
    """The way of a vehicle: the middle line of its lanes, (N, 2) map frame, from the front bumper on.

    ``edge``, ``lane``: where it is; ``aside``: its offset to the left of the line; ``length``, ``width``: its own.
    """

    line: np.ndarray
    edge: str
    lane: int
    aside: float
    length: float
    width: float


class Traffic:
    """The running SUMO simulation of a network."""

    def __init__(
        self, network: Path, behaviour: BehaviourConfig, changed: Conduct, seed: int, log: Path | None = None
    ) -> None:
        """Start SUMO; its warnings go to ``log`` (default: a file in the system's folder for such).

        Raises:
            ConfigError: a simulation is running in this process, or SUMO does not take the network.

        """
        if libsumo.simulation.isLoaded():
            raise ConfigError("a traffic simulation is already running in this process; close it first (one at a time)")
        self.network: Network = read_network(network)
        self._folder = tempfile.TemporaryDirectory(prefix="twin_sim_")
        folder = Path(self._folder.name)
        types = folder / "types.add.xml"
        write_types(types, behaviour, changed)
        options = {
            "-n": network, "-a": types, "--seed": seed % (2**31), "--step-length": STEP,
            "--step-method.ballistic": True, "--lateral-resolution": LATERAL, "--time-to-teleport": PATIENCE,
            "--time-to-teleport.remove": True, "--collision.action": "none", "--collision.check-junctions": False,
            "--ignore-junction-blocker": 20, "--tls.yellow.min-decel": 0.5,  # each brakes for signals as its type does
            "--pedestrian.striping.dawdling": 0, "--pedestrian.striping.jamtime": 60,
            "--pedestrian.striping.jamtime.crossing": 60, "--no-step-log": True, "--no-warnings": log is None,
            "--log": log or folder / "sumo.log", "--xml-validation": "never", "--duration-log.disable": True,
        }  # fmt: skip
        command = ["sumo"]
        for key, value in options.items():
            command += [key, str(value).lower() if isinstance(value, bool) else str(value)]
        try:
            libsumo.start(command)
        except (libsumo.TraCIException, libsumo.FatalTraCIError) as error:
            self._folder.cleanup()
            raise ConfigError(f"{network}: SUMO does not take it: {error}") from None
        self._offset = self._net_offset(network)
        self._open = True
        self._routes: dict[tuple[str, str, str], tuple[str, ...]] = {}
        self._walks: dict[tuple[str, str], tuple[str, ...]] = {}
        self._dead_ends = self._find_dead_ends()
        self._lane_permissions: dict[str, tuple[str, ...]] = {}
        self._lane_yaws: dict[str, tuple[list[float], list[float]]] = {}
        self._walkers: np.ndarray = np.zeros(0, WALKING)
        self._half_lengths: dict[str, float] = {}
        self._route_number = itertools.count()
        self._lane_shapes: dict[str, np.ndarray] = {}
        self._ground = WalkingGround(self.network)

    @staticmethod
    def _net_offset(network: Path) -> np.ndarray:
        for line in network.open():
            if "netOffset" in line:
                return np.array(line.split('netOffset="')[1].split('"')[0].split(","), float)
        return np.zeros(2)

    def _find_dead_ends(self) -> frozenset[str]:
        neighbours: dict[str, set[str]] = {}
        for edge in self.network.edges:
            neighbours.setdefault(edge.start, set()).add(edge.end)
            neighbours.setdefault(edge.end, set()).add(edge.start)
        return frozenset(name for name, others in neighbours.items() if len(others) == 1)

    @property
    def time(self) -> float:
        """Seconds since the simulation began."""
        return float(libsumo.simulation.getTime())

    @property
    def dead_ends(self) -> frozenset[str]:
        """Junctions with one neighbour: where streets leave the district."""
        return self._dead_ends

    def close(self) -> None:
        """End SUMO; another simulation may be started then."""
        if self._open:
            self._open = False
            libsumo.close()
            self._folder.cleanup()

    def step(self) -> None:
        """Advance by STEP."""
        libsumo.simulationStep()

    def vehicles(self) -> np.ndarray:
        """Return (N,) VEHICLE, sorted by actor_id."""
        names, read = libsumo.vehicle.getIDList(), libsumo.vehicle  # faster one by one than by subscriptions
        found = np.zeros(len(names), VEHICLE)
        if not names:
            return found
        places = np.array([read.getPosition(name) for name in names]) - self._offset
        found["actor_id"] = list(map(int, names))
        found["speed"], found["signals"] = list(map(read.getSpeed, names)), list(map(read.getSignals, names))
        yaw = np.radians(90.0 - np.array(list(map(read.getAngle, names))))
        for i in np.flatnonzero(found["speed"] < SLOW):  # their angle is that of their sideways motion
            yaw[i] = self._lane_yaw(names[i], float(yaw[i]))
        half = np.array([self._half_length(name) for name in names])
        found["x"], found["y"] = places[:, 0] - half * np.cos(yaw), places[:, 1] - half * np.sin(yaw)
        found["yaw"] = yaw
        return found[np.argsort(found["actor_id"])]

    def _half_length(self, name: str) -> float:
        if name not in self._half_lengths:
            self._half_lengths[name] = float(libsumo.vehicle.getLength(name)) / 2
        return self._half_lengths[name]

    def _lane_yaw(self, name: str, yaw: float) -> float:
        """Return the direction of the lane under a vehicle; ``yaw`` if it is on none."""
        lane = libsumo.vehicle.getLaneID(name)
        if not lane:
            return yaw
        if lane not in self._lane_yaws:
            way = np.diff(self._lane_shape(lane), axis=0)
            ends = np.cumsum(np.hypot(way[:, 0], way[:, 1]))[:-1].tolist()
            self._lane_yaws[lane] = (ends, np.arctan2(way[:, 1], way[:, 0]).tolist())
        ends, yaws = self._lane_yaws[lane]
        return float(yaws[bisect.bisect(ends, libsumo.vehicle.getLanePosition(name))])

    def walkers(self) -> np.ndarray:
        """Return (N,) WALKING, sorted by actor_id."""
        names, read = libsumo.person.getIDList(), libsumo.person
        found = np.zeros(len(names), WALKING)
        if not names:
            return found
        places = np.array([read.getPosition(name) for name in names]) - self._offset
        found["actor_id"] = list(map(int, names))
        found["x"], found["y"] = places[:, 0], places[:, 1]
        self._set_motion(found, names)
        found["ground"] = self._ground.at(found["x"], found["y"])
        back = np.where((found["ground"] == CROSSING)[:, None], 0.0, self._ground.off_kerb(found["x"], found["y"]))
        found["x"] += back[:, 0]
        found["y"] += back[:, 1]
        self._walkers = found[np.argsort(found["actor_id"])]
        return self._walkers

    def _set_motion(self, found: np.ndarray, names: Sequence[str]) -> None:
        """Set speed and heading of walkers: from where they were a step ago, or asked of SUMO for those who are new."""
        last = self._walkers
        place = np.minimum(np.searchsorted(last["actor_id"], found["actor_id"]), max(len(last) - 1, 0))
        known = last["actor_id"][place] == found["actor_id"] if len(last) else np.zeros(len(found), bool)
        before = last[place[known]]
        east, north = found["x"][known] - before["x"], found["y"][known] - before["y"]
        moved = np.hypot(east, north)
        found["speed"][known] = moved / STEP
        found["yaw"][known] = np.where(moved > 0.05, np.arctan2(north, east), before["yaw"])
        for i in np.flatnonzero(~known):
            found["speed"][i] = libsumo.person.getSpeed(names[i])
            found["yaw"][i] = np.radians(90.0 - libsumo.person.getAngle(names[i]))

    def signal_states(self) -> dict[str, str]:
        """Return the states of every controller's links."""
        return {name: libsumo.trafficlight.getRedYellowGreenState(name) for name in libsumo.trafficlight.getIDList()}

    def route(self, start: str, end: str, kind: str) -> tuple[str, ...]:
        """Return the edges of the quickest way for a vehicle type; none: empty."""
        key = (start, end, kind)
        if key not in self._routes:
            self._routes[key] = tuple(libsumo.simulation.findRoute(start, end, kind).edges)
        return self._routes[key]

    def walk(self, start: str, end: str) -> tuple[str, ...]:
        """Return the edges of the shortest walk; empty if there is none that does not go round a dead end."""
        key = (start, end)
        if key not in self._walks:
            stages = libsumo.simulation.findIntermodalRoute(start, end, "", pType=WALKER)
            edges = tuple(edge for stage in stages for edge in stage.edges)
            self._walks[key] = () if self._rounds_dead_end(edges) else edges
        return self._walks[key]

    def _rounds_dead_end(self, edges: Sequence[str]) -> bool:
        known = [self.network.edge(name) for name in edges]
        for one, other in itertools.pairwise(known):
            if {one.start, one.end} == {other.start, other.end} and {one.start, one.end} & self._dead_ends:
                return True
        return False

    def edge_length(self, edge: str) -> float:
        """Return the length of an edge, metres."""
        return float(libsumo.lane.getLength(f"{edge}_0"))

    def add_vehicle(
        self,
        actor_id: int,
        kind: str,
        edges: Sequence[str],
        *,
        position: float | None = None,
        speed: float | None = None,
        lane: int | None = None,
    ) -> None:
        """Add a vehicle that departs as soon as there is room.

        ``position``: of its front along the first edge, metres; None: at its beginning. ``speed``: None: as fast as
        is safe. ``lane``: index from the outside; None: the one that fits its way best.

        Raises:
            ConfigError: an edge is not in the network, or does not connect to the next.

        """
        name = str(actor_id)
        try:
            route = f"{name}_{next(self._route_number)}"  # an actor that comes back needs another
            libsumo.route.add(route, list(edges))
            libsumo.vehicle.add(
                name, route, kind, depart="now", departLane="best" if lane is None else str(lane),
                departPos="base" if position is None else f"{position:.2f}",
                departSpeed="max" if speed is None else f"{speed:.2f}",
            )  # fmt: skip
        except libsumo.TraCIException as error:
            raise ConfigError(f"vehicle {actor_id} on {' '.join(edges)}: {error}") from None

    def add_walker(self, actor_id: int, edges: Sequence[str], start: float, end: float, speed: float) -> None:
        """Add a walker at ``start`` metres along the first edge's sidewalk, bound for ``end`` along the last's.

        Raises:
            ConfigError: there is no way to walk along these edges.

        """
        name = str(actor_id)
        start = float(np.clip(start, 0.1, self.edge_length(edges[0]) - 0.1))
        end = float(np.clip(end, 0.1, self.edge_length(edges[-1]) - 0.1))
        try:
            libsumo.person.add(name, edges[0], start, typeID=WALKER)
            libsumo.person.appendWalkingStage(name, list(edges), end)
            libsumo.person.setSpeedFactor(name, speed)
        except libsumo.TraCIException as error:
            raise ConfigError(f"walker {actor_id} on {' '.join(edges)}: {error}") from None

    def remove_vehicle(self, actor_id: int) -> None:
        """Take a vehicle out; one that is not there is no error."""
        if str(actor_id) in libsumo.vehicle.getIDList():
            libsumo.vehicle.remove(str(actor_id))

    def remove_walker(self, actor_id: int) -> None:
        """Take a walker out; one that is not there is no error."""
        if str(actor_id) in libsumo.person.getIDList():
            libsumo.person.remove(str(actor_id))

    def waiting(self) -> set[int]:
        """Return the vehicles that have been added but had no room to depart yet."""
        return {int(name) for name in libsumo.simulation.getPendingVehicles()}

    def kind_of(self, actor_id: int) -> str:
        """Return a vehicle's type."""
        return str(libsumo.vehicle.getTypeID(str(actor_id))).removesuffix(RUNNER)

    def run_red_lights(self, actor_id: int, runs: bool = True) -> None:
        """Make a vehicle drive through red lights, or obey them again."""
        kind = self.kind_of(actor_id)
        libsumo.vehicle.setType(str(actor_id), kind + RUNNER if runs else kind)

    def limit_vehicle(self, actor_id: int, speed: float | None) -> None:
        """Drive no faster than ``speed``, braking as hard as it takes; None: as the traffic lets."""
        name = str(actor_id)
        if speed is None:
            libsumo.vehicle.setSpeedMode(name, 31)
            libsumo.vehicle.setSpeed(name, -1)
        else:
            libsumo.vehicle.setSpeedMode(name, 31 & ~4)  # the limit of comfortable braking is off
            libsumo.vehicle.setSpeed(name, speed)

    def limit_walker(self, actor_id: int, speed: float) -> None:
        """Walk no faster than ``speed``."""
        libsumo.person.setSpeed(str(actor_id), speed)

    def lanes_ahead(self, actor_id: int, distance: float) -> Ahead | None:
        """Return the lanes that a vehicle is going to use within ``distance``; None if it is not on a lane."""
        name = str(actor_id)
        lane, position = libsumo.vehicle.getLaneID(name), libsumo.vehicle.getLanePosition(name)
        if not lane:
            return None
        points = [_from(self._lane_shape(lane), position)]
        reach = float(libsumo.lane.getLength(lane)) - position
        for link in libsumo.vehicle.getNextLinks(name):
            if reach > distance:
                break
            for part in (link[4], link[0]):
                if part:
                    points.append(self._lane_shape(part))
                    reach += float(libsumo.lane.getLength(part))
        line = np.concatenate(points)
        line = line[np.concatenate([[True], np.hypot(*np.diff(line, axis=0).T) > 1e-3])]
        if len(line) < 2:
            return None
        return Ahead(
            line, str(libsumo.lane.getEdgeID(lane)), int(lane.rsplit("_", 1)[1]),
            float(libsumo.vehicle.getLateralLanePosition(name)), float(libsumo.vehicle.getLength(name)),
            float(libsumo.vehicle.getWidth(name)),
        )  # fmt: skip

    def _lane_shape(self, lane: str) -> np.ndarray:
        if lane not in self._lane_shapes:
            self._lane_shapes[lane] = np.array(libsumo.lane.getShape(lane))[:, :2] - self._offset
        return self._lane_shapes[lane]

    def lane_at(self, x: float, y: float, yaw: float, kind: VehicleKind) -> tuple[str, int, float] | None:
        """Return edge, lane index and position of the lane nearest to a point, None if none leads that way there."""
        east, north = np.array([x, y]) + self._offset
        edge, position, lane = libsumo.simulation.convertRoad(float(east), float(north), False, kind.user)
        if edge.startswith(":"):
            return None
        stretch = _from(self._lane_shape(f"{edge}_{lane}"), position)
        if len(stretch) < 2:
            return None
        along = stretch[1] - stretch[0]
        near = float(np.hypot(*(stretch[0] - (x, y)))) < 4.0
        return (edge, int(lane), float(position)) if near and along @ (np.cos(yaw), np.sin(yaw)) > 0 else None

    def evade(self, actor_id: int, edge: str, lane: int) -> None:
        """Ask a vehicle to change to a neighbouring lane that lets it pass, if there is one."""
        name = str(actor_id)
        user = libsumo.vehicle.getVehicleClass(name)
        for other in (lane + 1, lane - 1):
            if 0 <= other < libsumo.edge.getLaneNumber(edge) and self._permits(f"{edge}_{other}", user):
                libsumo.vehicle.changeLane(name, other, 4.0)
                return

    def keep_lane(self, actor_id: int, lane: int) -> None:
        """Ask a vehicle to stay on its lane for a step or two."""
        libsumo.vehicle.changeLane(str(actor_id), lane, 2 * STEP)

    def _permits(self, lane: str, user: str) -> bool:
        if lane not in self._lane_permissions:
            self._lane_permissions[lane] = tuple(libsumo.lane.getAllowed(lane))
        return user in self._lane_permissions[lane]


def _from(line: np.ndarray, position: float) -> np.ndarray:
    """Return the part of a polyline (N, 2) that begins ``position`` metres along it."""
    line = line[:, :2]
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    position = min(position, along[-1])
    start = [np.interp(position, along, line[:, axis]) for axis in (0, 1)]
    return np.concatenate([[start], line[along > position + 1e-3]])
