"""One crowd area: its ground, its gates, and the people that jupedsim moves in it."""

from __future__ import annotations

import jupedsim
import numpy as np
import shapely
from scipy.spatial import cKDTree

from twin_common.config import ConfigError
from twin_sim.core.crowd_model import CrowdConfig, agent_parameters, simulation
from twin_sim.world import CrowdAreaConfig

#: What somebody in an area does.
WALK, STAY, PRESS, LEAVE, BODY = range(5)
CROWD = np.dtype([
    ("actor_id", "i8"), ("agent", "i8"), ("x", "f8"), ("y", "f8"), ("yaw", "f8"), ("speed", "f8"),
    ("target_x", "f8"), ("target_y", "f8"), ("free_speed", "f8"), ("pace", "f8"), ("until", "f8"),
    ("mode", "u1"), ("gate", "i2"),
])  # fmt: skip
ARRIVED, PASSED, AT_GATE = 0.7, 0.9, 0.75  # m to the end of a way, to a bend in it, to a gate
NEIGHBOURHOOD = 0.8  # m around a person, in which density is counted


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
        self._held = np.zeros(0, bool)
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
        self._hold_back()
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

    def _hold_back(self) -> None:
        """Let nobody press on where it is too dense: real people cannot be packed like discs."""
        people = self.people
        pressing = np.flatnonzero((people["mode"] == PRESS) & (people["agent"] >= 0))
        self._held = np.zeros(len(people), bool)
        if len(pressing) == 0:
            return
        places = np.column_stack([people["x"], people["y"]])
        near = cKDTree(places).query_ball_point(places[pressing], NEIGHBOURHOOD, return_length=True)
        self._held[pressing] = near > self._config.most_pressing * np.pi * NEIGHBOURHOOD**2
        for i in np.flatnonzero(self._held & (people["pace"] > 0.0)):
            people["pace"][i] = 0.0
            self._model.agent(int(people["agent"][i])).model.desired_speed = 0.0

    def _set_off(self, duration: float) -> None:
        """Bring those who stood up to speed."""
        people = self.people
        stands = (people["mode"] == STAY) | (people["mode"] == BODY) | (people["agent"] < 0) | self._held
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


def _largest(shape: shapely.Geometry) -> shapely.Geometry:
    return max(shapely.get_parts(shape), key=lambda part: part.area) if shape.geom_type == "MultiPolygon" else shape
