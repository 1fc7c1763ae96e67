"""Persons between models: out of a door onto a sidewalk, off a sidewalk through a gate into a crowd area, and back.

A person keeps id, looks and free speed. While neither SUMO nor jupedsim moves them they walk straight on; what is
shown never jumps: it follows what a model says with bounded speed and acceleration.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twin_sim.core.crowd import Crowd
from twin_sim.core.crowd_area import CROWD, CrowdArea
from twin_sim.core.fleet import Person
from twin_sim.core.network_zones import KERB
from twin_sim.core.posing import BETWEEN, CROWDED, WALKING
from twin_sim.core.roster import Roster, ground_height, person_row, state_row
from twin_sim.core.traffic import Traffic
from twin_sim.core.walks import Spot, Walk, Walks

#: What somebody between models is about to do.
JOIN, ENTER, VANISH = range(3)
AHEAD = 0.8  # s before a sidewalk or an area is reached its model is told of a walker, who moves in its next step
AT_DOOR, AT_FULL_GATE = 0.35, 1.2  # m: from a facade where people vanish; from a gate without room where they wait
NEW = 255  # STATE.place of who has no control points yet
TRIES = 5  # points in a gate that are tried before somebody waits
QUEUE = 6  # so many wait outside a gate before no more pour towards it

Goal = tuple[float, float] | int | None


@dataclass(slots=True)
class Plan:
    """What a person is up to.

    Args:
        person: stature, speed, looks.
        walk: along sidewalks, under way or next; None: none.
        then: JOIN, ENTER or VANISH, while between models.
        area, gate: where to enter.
        goal: in the area, as in ``CrowdArea.add``.
        told: whether SUMO knows already.

    """

    person: Person
    walk: Walk | None = None
    then: int = JOIN
    area: int = -1
    gate: int = -1
    goal: Goal = None
    told: bool = False


class Handover:
    """Everybody who walks, with their plans."""

    def __init__(
        self,
        roster: Roster,
        traffic: Traffic,
        walks: Walks,
        crowd: Crowd,
        new_id: Callable[[], int],
        draw_person: Callable[[], Person],
        rng: np.random.Generator,
    ) -> None:
        """Begin without anybody."""
        self._roster, self._traffic, self._walks, self._crowd = roster, traffic, walks, crowd
        self._new_id, self._draw_person, self._rng = new_id, draw_person, rng
        self.plans: dict[int, Plan] = {}
        self._due: dict[tuple[int, int], float] = {}

    def begin(self, walk: Walk) -> int:
        """Let a new person begin a walk: out of a door, or on the sidewalk; return the id."""
        actor_id, person = self._new_id(), self._draw_person()
        plan = self.plans[actor_id] = Plan(person, walk, gate=walk.end.gate, area=walk.end.area)
        if walk.start.beyond is None:
            self._tell(actor_id, plan)
        else:
            self._appear(actor_id, plan, walk.start.beyond, walk.start.point)
        return actor_id

    def place(self, area: int, point: tuple[float, float], now: float, standing: bool) -> bool:
        """Put a new person into an area; False without room."""
        actor_id, person = self._new_id(), self._draw_person()
        if not self._crowd.areas[area].add(actor_id, point, person.speed, None, now, standing):
            return False
        self.plans[actor_id] = Plan(person)
        state = state_row(actor_id, CROWDED, person.speed)
        state["place"] = NEW
        yaw = float(self._rng.uniform(-np.pi, np.pi))
        self._roster.add(person_row(actor_id, person, *point, KERB, yaw), state)
        return True

    def _appear(self, actor_id: int, plan: Plan, here: tuple[float, float], target: tuple[float, float]) -> None:
        yaw = float(np.arctan2(target[1] - here[1], target[0] - here[0]))
        self._roster.add(person_row(actor_id, plan.person, *here, KERB, yaw), state_row(actor_id, BETWEEN))
        self._head(actor_id, plan, target)

    def _head(self, actor_id: int, plan: Plan, target: tuple[float, float]) -> None:
        """Send somebody straight to a point, from where they are."""
        i = self._roster.row(actor_id)
        state = self._roster.state
        state["source"][i], state["target"][i], state["pace"][i] = BETWEEN, target, plan.person.speed
        state["waits"][i], state["ground"][i], state["place"][i] = 0, KERB, 0

    def _tell(self, actor_id: int, plan: Plan) -> None:
        walk = plan.walk
        assert walk is not None, "only who has a walk joins a sidewalk"
        plan.told = True
        self._traffic.add_walker(actor_id, walk.edges, walk.start.position, walk.end.position, plan.person.speed)

    def pour(self, duration: float) -> None:
        """Let people come who pour into crowd areas: from doors near the gate, or from just outside it."""
        for area, inflows in self._crowd.inflows.items():
            for inflow in inflows:
                key = (area, inflow.gate)
                self._due[key] = self._due.get(key, float(self._rng.random())) + inflow.rate * duration
                waiting = sum(
                    plan.then == ENTER and (plan.area, plan.gate) == key and plan.walk is None
                    for plan in self.plans.values()
                )
                while self._due[key] >= 1.0:
                    self._due[key] -= 1.0
                    if waiting < QUEUE:
                        self._pour_one(area, inflow.gate, inflow.goal)

    def _pour_one(self, area: int, gate: int, goal: Goal) -> None:
        spot, door = self._walks.gate(area, gate), self._walks.outside(area, gate)
        walk = self._walks.between(door, spot) if spot is not None and door is not None else None
        if walk is not None:
            self.plans[self.begin(walk)].goal = goal
            return
        actor_id = self._new_id()
        plan = self.plans[actor_id] = Plan(self._draw_person(), None, ENTER, area, gate, goal)
        inside = self._crowd.areas[area].draw_in_gate(gate)
        outside = spot.point if spot is not None else inside
        self._appear(actor_id, plan, outside, inside)

    def take_walkers(self, found: np.ndarray) -> None:
        """Take over SUMO's walkers, (N,) WALKING: those who are new, those who go on, those who have arrived."""
        roster = self._roster
        for state in found[roster.find(found["actor_id"]) < 0]:
            actor_id = int(state["actor_id"])
            person, z = self.plans[actor_id].person, float(ground_height(state["ground"]))
            row = person_row(actor_id, person, state["x"], state["y"], z, state["yaw"])
            state = state_row(actor_id, WALKING, person.speed)
            state["place"] = NEW
            roster.add(row, state)
        rows = roster.find(found["actor_id"])
        self._take(rows, found, WALKING)
        roster.state["place"][rows] = found["ground"]
        roster.state["ground"][rows] = ground_height(found["ground"])
        here = np.zeros(len(roster.state), bool)
        here[rows] = True
        for actor_id in roster.state["actor_id"][(roster.state["source"] == WALKING) & ~here].tolist():
            self._arrive(actor_id)

    def take_crowd(self) -> None:
        """Take over everybody in the crowd areas."""
        people = np.concatenate([np.zeros(0, CROWD), *(area.people for area in self._crowd.areas)])
        rows = self._roster.find(people["actor_id"])
        rows, people = rows[rows >= 0], people[rows >= 0]
        self._take(rows, people, CROWDED)
        self._roster.state["place"][rows] = 0

    def _take(self, rows: np.ndarray, found: np.ndarray, source: int) -> None:
        roster, state = self._roster, self._roster.state
        new, joins = state["place"][rows] == NEW, state["source"][rows] == BETWEEN
        roster.join(rows[joins], found[joins])
        state["source"][rows], state["waits"][rows] = source, 0
        state["model"][rows[new]] = np.column_stack([found["x"][new], found["y"][new]])
        roster.take_control_points(rows[new], found[new], np.ones(int(new.sum()), bool))
        old = rows[~new]
        roster.take_control_points(old, roster.followed(old, found[~new]), np.zeros(len(old), bool))

    def _arrive(self, actor_id: int) -> None:
        plan = self.plans[actor_id]
        end: Spot | None = plan.walk.end if plan.walk is not None else None
        plan.walk, plan.told = None, False
        if end is None or end.beyond is None:
            self._forget(actor_id)
        elif end.area >= 0:
            plan.then, plan.area, plan.gate = ENTER, end.area, end.gate
            self._head(actor_id, plan, self._crowd.areas[end.area].draw_in_gate(end.gate))
        else:
            plan.then = VANISH
            self._head(actor_id, plan, end.beyond)

    def _forget(self, actor_id: int) -> None:
        self.plans.pop(actor_id, None)
        self._roster.drop(self._roster.state["actor_id"] == actor_id)

    def leave_area(self, actor_id: int, area: int, gate: int) -> None:
        """Send somebody who went through a gate to the sidewalk, and on from there."""
        plan, spot = self.plans[actor_id], self._walks.gate(area, gate)
        walk = self._walks.draw(spot) if spot is not None else None
        if spot is None or walk is None:
            self._forget(actor_id)
            return
        plan.walk, plan.then, plan.told, plan.goal = walk, JOIN, False, None
        self._head(actor_id, plan, spot.point)

    def advance(self, now: float) -> None:
        """Let those between models do what is next where they have got to."""
        roster = self._roster
        chosen = np.flatnonzero(roster.state["source"] == BETWEEN)
        if len(chosen) == 0:
            return
        way = roster.state["target"][chosen] - roster.state["base"][chosen]
        distance = np.hypot(way[:, 0], way[:, 1]).tolist()
        lead = (roster.state["pace"][chosen] * AHEAD).tolist()
        ids = roster.state["actor_id"][chosen].tolist()
        for actor_id, left, ahead in zip(ids, distance, lead, strict=True):
            plan = self.plans[actor_id]
            if plan.then == VANISH and left < max(AT_DOOR, ahead):
                self._forget(actor_id)
            elif plan.then == JOIN and not plan.told and left <= ahead:
                self._tell(actor_id, plan)
            elif plan.then == ENTER and not plan.told and left <= max(ahead, AT_FULL_GATE):
                self._enter(actor_id, plan, left, now)

    def _enter(self, actor_id: int, plan: Plan, left: float, now: float) -> None:
        roster, i = self._roster, self._roster.row(actor_id)
        area: CrowdArea = self._crowd.areas[plan.area]
        x, y = roster.state["target"][i].tolist()
        for _ in range(TRIES):
            if area.add(actor_id, (x, y), plan.person.speed, plan.goal, now):
                plan.told, plan.then, plan.gate = True, JOIN, -1
                roster.state["waits"][i] = 0
                return
            x, y = area.draw_in_gate(plan.gate)
        roster.state["waits"][i] = left < AT_FULL_GATE

    def take_out(self, actor_id: int) -> Plan | None:
        """Take a person out of the models; return what they were up to, None if there is no such person."""
        plan, i = self.plans.pop(actor_id, None), self._roster.row(actor_id)
        if plan is None or i < 0:
            return None
        if not any(area.remove(actor_id) is not None for area in self._crowd.areas) and plan.told:
            self._traffic.remove_walker(actor_id)
        self._roster.drop(self._roster.state["actor_id"] == actor_id)
        return plan

    def give_back(self, row: np.ndarray, now: float) -> None:
        """Take a person, (1,) ACTOR, into the models: into the crowd area they are in, else to the nearest sidewalk."""
        actor_id, here = int(row["actor_id"][0]), (float(row["x"][0]), float(row["y"][0]))
        person = self._draw_person()
        person = Person(float(row["stature"][0]) or person.stature, person.speed, int(row["appearance"][0]))
        for area in self._crowd.areas:
            if area.add(actor_id, here, person.speed, None, now):
                self.plans[actor_id] = Plan(person)
                self.plans[actor_id].told = True
                self._roster.add(row, state_row(actor_id, BETWEEN))
                self._head(actor_id, self.plans[actor_id], here)
                return
        spot = self._walks.near(*here)
        walk = self._walks.draw(spot)
        plan = self.plans[actor_id] = Plan(person, walk, JOIN if walk is not None else VANISH)
        self._roster.add(row, state_row(actor_id, BETWEEN))
        self._head(actor_id, plan, spot.point)
