"""People in crowd areas, plazas and alleys, moved by jupedsim.

Model: collision-free speed (Tordeux, Chraibi & Seyfried 2016): the speed is (spacing - 2 radius) / time gap, at most
the free one. Parameters are fitted to the bottleneck and the corridor of Jülich (``docs/simulator/fidelity.md``); who
presses against others for minutes stands among 10 to 12 persons per square metre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jupedsim
import numpy as np
import shapely

from twin_common.config import Config, ConfigError, setting
from twin_sim.core.body_palettes import scattered
from twin_sim.world import CrowdAreaConfig


@dataclass(frozen=True, slots=True)
class CrowdConfig(Config):
    """The model's parameters, and how people spend their time in an area."""

    radius: float = setting(0.13, "m", "of a person, on average; sets the highest density", low=0.1, high=0.3)
    radius_spread: float = setting(0.02, "m", "persons' radii differ by up to this", low=0.0, high=0.05)
    time_gap: float = setting(0.68, "s", "slope of speed over spacing, on average", low=0.3, high=2.0)
    time_gap_spread: float = setting(0.15, "s", "persons' time gaps differ by up to this", low=0.0, high=0.25)
    neighbour_strength: float = setting(8.0, "1", "of repulsion between persons", low=0.0, high=50.0)
    neighbour_range: float = setting(0.09, "m", "of repulsion between persons", low=0.01, high=1.0)
    wall_strength: float = setting(5.0, "1", "of repulsion by walls", low=0.0, high=50.0)
    wall_range: float = setting(0.05, "m", "of repulsion by walls", low=0.005, high=1.0)
    step: float = setting(0.05, "s", "of the model, a part of 0.5; with longer ones walls leak", low=0.005, high=0.05)
    stay_least: float = setting(15.0, "s", "shortest stay at a spot", low=0.0)
    stay_most: float = setting(90.0, "s", "longest stay at a spot", low=0.0)
    strolls: float = setting(0.35, "1", "chance to go on to another spot instead of leaving", low=0.0, high=1.0)
    start_time: float = setting(0.8, "s", "in which somebody who stood comes up to speed", low=0.1, high=3.0)


#: What somebody in an area does.
WALK, STAY, PRESS, LEAVE, BODY = range(5)
CROWD = np.dtype([
    ("actor_id", "i8"), ("agent", "i8"), ("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("speed", "f8"),
    ("target_x", "f8"), ("target_y", "f8"), ("free_speed", "f8"), ("pace", "f8"), ("until", "f8"),
    ("mode", "u1"), ("gate", "i2"),
])  # fmt: skip
ARRIVED, PASSED, AT_GATE = 0.7, 0.9, 0.75  # m to the end of a way, to a bend in it, to a gate


@dataclass(frozen=True, slots=True)
class Inflow:
    """People who pour into an area: ``rate`` persons per s through ``gate`` (index), on to ``goal``.

    ``goal`` is a point they press towards and stay at, the index of a gate by which they leave, or None: they stroll.
    """

    rate: float
    gate: int
    goal: tuple[float, float] | int | None


def simulation(config: CrowdConfig, ground: shapely.Geometry) -> jupedsim.Simulation:
    """Return an empty jupedsim simulation of the model on a walkable polygon."""
    return jupedsim.Simulation(model=jupedsim.CollisionFreeSpeedModelV2(), geometry=ground, dt=config.step)


def agent_parameters(
    config: CrowdConfig, position: tuple[float, float], speed: float, journey: int, stage: int, person: int
) -> jupedsim.CollisionFreeSpeedModelV2AgentParameters:
    """Return what the model needs to know of a person, known by a number, with a free walking speed.

    Persons differ: among equal discs arches form at doors, and nobody gets through.
    """
    girth, haste = (float(scattered(np.array([person]), stream)[0]) / 2**31 - 1.0 for stream in (50, 51))
    return jupedsim.CollisionFreeSpeedModelV2AgentParameters(
        position=position, desired_speed=speed, journey_id=journey, stage_id=stage,
        radius=config.radius + girth * config.radius_spread, time_gap=config.time_gap + haste * config.time_gap_spread,
        strength_neighbor_repulsion=config.neighbour_strength, range_neighbor_repulsion=config.neighbour_range,
        strength_geometry_repulsion=config.wall_strength, range_geometry_repulsion=config.wall_range,
    )  # fmt: skip


class CrowdArea:
    """One area with its people."""

    def __init__(self, area: CrowdAreaConfig, config: CrowdConfig, rng: np.random.Generator) -> None:
        """Make the walkable ground.

        Raises:
            ConfigError: the outline is not a simple polygon, or obstacles cut it in pieces.

        """
        self.name, self._config, self._rng = area.name, config, rng
        outline = shapely.Polygon(area.polygon)
        if not outline.is_valid:
            raise ConfigError(
                f"crowd area {area.name}: polygon: {shapely.is_valid_reason(outline)}; expected a simple one"
            )
        blocks = shapely.union_all([shapely.Polygon(item) for item in area.obstacles])
        self.ground = outline.difference(blocks)
        if self.ground.geom_type != "Polygon":
            raise ConfigError(f"crowd area {area.name}: obstacles: cut it in pieces; expected one connected ground")
        self._roomy = self.ground.buffer(-0.6)
        self._inner = _largest(self.ground.buffer(-(config.radius + config.radius_spread + 0.05)))
        self._routing = jupedsim.RoutingEngine(_largest(self.ground.buffer(-0.3, join_style="mitre")))
        self._model = simulation(config, self.ground)
        self._stage = self._model.add_direct_steering_stage()
        self._journey = self._model.add_journey(jupedsim.JourneyDescription([self._stage]))
        self.gates = [self._gate(item.start, item.end) for item in area.gates]
        self.people: np.ndarray = np.zeros(0, CROWD)
        self._ways: dict[int, list[tuple[float, float]]] = {}

    def _gate(self, start: tuple[float, float], end: tuple[float, float]) -> np.ndarray:
        """Return the segment (2, 2) just inside a gate, ends kept off its posts."""
        one, other = np.array(start), np.array(end)
        along = (other - one) / max(float(np.hypot(*(other - one))), 1e-9)
        inward = np.array([-along[1], along[0]])
        middle = (one + other) / 2
        if not self.ground.contains(shapely.Point(middle + 0.3 * inward)):
            inward = -inward
        margin = min(0.45, float(np.hypot(*(other - one))) / 3)
        return np.array([one + along * margin, other - along * margin]) + 0.35 * inward

    def draw_in_gate(self, gate: int) -> tuple[float, float]:
        """Draw a point in a gate."""
        start, end = self.gates[gate]
        x, y = start + (end - start) * self._rng.random()
        return float(x), float(y)

    def draw_point(self) -> tuple[float, float]:
        """Draw a point of the ground with some room around it."""
        ground = self.ground if self._roomy.is_empty else self._roomy
        x0, y0, x1, y1 = ground.bounds
        for _ in range(200):
            x, y = float(self._rng.uniform(x0, x1)), float(self._rng.uniform(y0, y1))
            if ground.contains(shapely.Point(x, y)):
                return x, y
        point = ground.representative_point()
        return float(point.x), float(point.y)

    def has_room(self, point: tuple[float, float], spacing: float) -> bool:
        """Whether nobody stands nearer than ``spacing`` to a point."""
        near = np.hypot(self.people["x"] - point[0], self.people["y"] - point[1])
        return not bool(np.any(near < spacing))

    def add(
        self,
        actor_id: int,
        point: tuple[float, float],
        speed: float,
        goal: tuple[float, float] | int | None,
        now: float,
        standing: bool = False,
    ) -> bool:
        """Add a person; False if there is no room at the point.

        ``goal``: a point to press towards, the index of a gate to leave by, or None: stroll and stay. ``standing``:
        begin with a stay.
        """
        spacing = 2 * (self._config.radius + self._config.radius_spread) + 0.02
        if not self._inner.contains(shapely.Point(point)) or not self.has_room(point, spacing):
            return False
        pace = 0.0 if standing else speed
        parameters = agent_parameters(self._config, point, pace, self._journey, self._stage, actor_id)
        try:
            agent = self._model.add_agent(parameters)
        except RuntimeError:
            return False
        row = np.zeros(1, CROWD)
        row["actor_id"], row["agent"], row["free_speed"], row["pace"], row["gate"] = actor_id, agent, speed, pace, -1
        row["x"], row["y"] = row["target_x"], row["target_y"] = point
        self.people = np.concatenate([self.people, row])
        i = len(self.people) - 1
        if standing:
            self._stay(i, now)
        elif isinstance(goal, tuple):
            self._send(i, goal, PRESS)
        else:
            self._send(
                i, self.draw_point() if goal is None else self.draw_in_gate(goal), WALK if goal is None else LEAVE
            )
            self.people["gate"][i] = -1 if goal is None else goal
        return True

    def add_body(self, actor_id: int, point: tuple[float, float]) -> bool:
        """Add somebody who does not move and is not counted, such as a person who lies there; False without room."""
        if not self.add(actor_id, point, 0.0, None, 0.0, standing=True):
            return False
        self.people["mode"][-1] = BODY
        return True

    def remove(self, actor_id: int) -> np.ndarray | None:
        """Take a person out; return the row (a CROWD scalar), None if there is no such person."""
        found = np.flatnonzero(self.people["actor_id"] == actor_id)
        if len(found) == 0:
            return None
        row = self.people[found[0]].copy()
        if row["agent"] >= 0:
            self._model.mark_agent_for_removal(int(row["agent"]))
        self._drop(found)
        return np.asarray(row)

    def _drop(self, rows: np.ndarray) -> None:
        for actor_id in self.people["actor_id"][rows]:
            self._ways.pop(int(actor_id), None)
        self.people = np.delete(self.people, rows)

    def redirect(self, actor_id: int, goal: tuple[float, float] | int) -> None:
        """Send a person to a point to press towards, or to a gate to leave by."""
        for i in np.flatnonzero(self.people["actor_id"] == actor_id):
            point = goal if isinstance(goal, tuple) else self.draw_in_gate(goal)
            self._send(int(i), point, PRESS if isinstance(goal, tuple) else LEAVE)
            self.people["gate"][i] = -1 if isinstance(goal, tuple) else goal

    def _send(self, i: int, point: tuple[float, float], mode: int) -> None:
        row = self.people[i]
        start = (float(row["x"]), float(row["y"]))
        way: list[tuple[float, float]] = [point]
        if self._routing.is_routable(start) and self._routing.is_routable(point):
            way = list(self._routing.compute_waypoints(start, point))[1:] or [point]
        row["mode"] = mode
        self._ways[int(row["actor_id"])] = way
        self._aim(i)

    def _aim(self, i: int) -> None:
        row = self.people[i]
        x, y = self._ways[int(row["actor_id"])][0]
        row["target_x"], row["target_y"] = x, y
        if row["agent"] >= 0:
            self._model.agent(int(row["agent"])).target = (x, y)

    def _stay(self, i: int, now: float) -> None:
        row = self.people[i]
        row["mode"], row["pace"] = STAY, 0.0
        row["until"] = now + self._rng.uniform(
            self._config.stay_least, max(self._config.stay_most, self._config.stay_least)
        )
        if row["agent"] >= 0:
            self._model.agent(int(row["agent"])).model.desired_speed = 0.0

    def step(self, now: float, duration: float) -> list[tuple[int, int]]:
        """Advance by ``duration`` seconds; return those who went out, as (actor_id, gate)."""
        try:
            self._model.iterate(round(duration / self._config.step))
        except RuntimeError:  # somebody was pressed through a wall
            self._rebuild()
        people = self.people
        if len(people) == 0:
            return []
        read = {agent.id: agent.position for agent in self._model.agents()}
        stays = list(zip(people["x"].tolist(), people["y"].tolist(), strict=True))
        now_at = np.array([read.get(agent, stay) for agent, stay in zip(people["agent"].tolist(), stays, strict=True)])
        change = now_at - np.column_stack([people["x"], people["y"]])
        moved = np.hypot(change[:, 0], change[:, 1])
        people["yaw"] = np.where(moved > 0.02, np.arctan2(change[:, 1], change[:, 0]), people["yaw"])
        people["x"], people["y"], people["speed"] = now_at[:, 0], now_at[:, 1], moved / duration
        self._set_off(duration)
        return self._decide(now)

    def _rebuild(self) -> None:
        """Begin a new model with everybody pulled inside the walls; who finds no room stays where they are."""
        self._model = simulation(self._config, self.ground)
        self._stage = self._model.add_direct_steering_stage()
        self._journey = self._model.add_journey(jupedsim.JourneyDescription([self._stage]))
        for row in self.people:
            point = shapely.Point(float(row["x"]), float(row["y"]))
            inside = point if self._inner.contains(point) else shapely.shortest_line(self._inner, point).coords[0]
            x, y = shapely.Point(inside).coords[0]
            parameters = agent_parameters(
                self._config, (x, y), float(row["pace"]), self._journey, self._stage, int(row["actor_id"])
            )
            try:
                row["agent"] = self._model.add_agent(parameters)
            except RuntimeError:
                row["agent"] = -1
                continue
            self._model.agent(int(row["agent"])).target = (float(row["target_x"]), float(row["target_y"]))

    def _set_off(self, duration: float) -> None:
        """Bring those who stood up to speed."""
        people = self.people
        stands = (people["mode"] == STAY) | (people["mode"] == BODY) | (people["agent"] < 0)
        for i in np.flatnonzero(~stands & (people["pace"] < people["free_speed"])):
            pace = people["pace"][i] + people["free_speed"][i] * duration / self._config.start_time
            people["pace"][i] = min(pace, people["free_speed"][i])
            self._model.agent(int(people["agent"][i])).model.desired_speed = float(people["pace"][i])

    def _decide(self, now: float) -> list[tuple[int, int]]:
        people = self.people
        distance = np.hypot(people["target_x"] - people["x"], people["target_y"] - people["y"])
        moving = (people["mode"] == WALK) | (people["mode"] == LEAVE) | (people["mode"] == PRESS)
        gone = []
        for i in np.flatnonzero((moving & (distance < PASSED)) | ((people["mode"] == STAY) & (people["until"] <= now))):
            mode, way = int(people["mode"][i]), self._ways.get(int(people["actor_id"][i]), [])
            if mode == STAY:
                self._go_on(int(i))
            elif len(way) > 1:
                way.pop(0)
                self._aim(int(i))
            elif mode == LEAVE and distance[i] < AT_GATE:
                gone.append(int(i))
            elif mode == WALK and (
                distance[i] < ARRIVED or not self.has_room((people["target_x"][i], people["target_y"][i]), 0.4)
            ):
                self._stay(int(i), now)
        left = [(int(people["actor_id"][i]), int(people["gate"][i])) for i in gone]
        for i in gone:
            if people["agent"][i] >= 0:
                self._model.mark_agent_for_removal(int(people["agent"][i]))
        if gone:
            self._drop(np.array(gone))
        return left

    def _go_on(self, i: int) -> None:
        if not self.gates or self._rng.random() < self._config.strolls:
            self._send(i, self.draw_point(), WALK)
            return
        gate = int(self._rng.integers(len(self.gates)))
        self.people["gate"][i] = gate
        self._send(i, self.draw_in_gate(gate), LEAVE)


class Crowd:
    """All crowd areas of a district."""

    def __init__(self, areas: Sequence[CrowdAreaConfig], config: CrowdConfig, rng: np.random.Generator) -> None:
        """Make the areas.

        Raises:
            ConfigError: an area's outline or obstacles are not usable.

        """
        self._rng = rng
        self.areas = [CrowdArea(area, config, rng) for area in areas]
        self._gate_names = [[gate.name for gate in area.gates] for area in areas]
        self.inflows: dict[int, list[Inflow]] = {}

    def index(self, area: str) -> int:
        """Return the index of an area.

        Raises:
            ConfigError: no such area; lists those there are.

        """
        names = [item.name for item in self.areas]
        if area not in names:
            raise ConfigError(f"{area}: no such crowd area; expected one of {', '.join(names) or '(there is none)'}")
        return names.index(area)

    def gate_index(self, area: str, gate: str) -> int:
        """Return the index of a gate in an area.

        Raises:
            ConfigError: no such area or gate; lists those there are.

        """
        names = self._gate_names[self.index(area)]
        if gate not in names:
            raise ConfigError(
                f"{gate}: no such gate of {area}; expected one of {', '.join(names) or '(there is none)'}"
            )
        return names.index(gate)

    def set_inflow(
        self, area: str, rate: float, goal: tuple[float, float] | str | None = None, gates: Sequence[str] = ()
    ) -> None:
        """Let ``rate`` persons per second pour into an area, shared among ``gates`` (none named: all); 0 ends it.

        ``goal``: a point (map frame) that they press towards and where they stay, a gate by which they leave, or
        None: they stroll and stay as everybody does.

        Raises:
            ConfigError: no such area or gate, or a negative rate.

        """
        index = self.index(area)
        if rate < 0:
            raise ConfigError(f"inflow of {area}: {rate} persons per s; expected at least 0")
        chosen = [self.gate_index(area, name) for name in gates] or list(range(len(self._gate_names[index])))
        aim = self.gate_index(area, goal) if isinstance(goal, str) else goal
        self.inflows[index] = [Inflow(rate / len(chosen), gate, aim) for gate in chosen] if rate > 0 and chosen else []

    def redirect(self, area: str, goal: tuple[float, float] | str) -> None:
        """Send everybody in an area to a point to press towards, or to a gate to leave by.

        Raises:
            ConfigError: no such area or gate.

        """
        index = self.index(area)
        aim = self.gate_index(area, goal) if isinstance(goal, str) else goal
        people = self.areas[index].people
        for actor_id in people["actor_id"][people["mode"] != BODY].tolist():
            self.areas[index].redirect(actor_id, aim)

    def step(self, now: float, duration: float) -> list[tuple[int, int, int]]:
        """Advance all areas; return those who went out, as (actor_id, area, gate)."""
        return [(who, i, gate) for i, area in enumerate(self.areas) for who, gate in area.step(now, duration)]


def _largest(shape: shapely.Geometry) -> shapely.Geometry:
    return max(shapely.get_parts(shape), key=lambda part: part.area) if shape.geom_type == "MultiPolygon" else shape
