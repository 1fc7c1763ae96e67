"""Everybody whom traffic and crowd models move, as rows of ACTOR: smooth poses, gait, activity and lights.

SUMO's positions, STEP apart, are the control points of a uniform quadratic B-spline (de Boor 1978): velocity is
continuous, acceleration is bounded, nothing overshoots. What is shown lags the latest SUMO state by half to one and a
half STEP, which stands for a driver's time to react.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from twin_common.core.geometry import wrap
from twin_common.core.object_class import ObjectClass
from twin_sim.core import pace as walking_pace
from twin_sim.core.fleet import Person, VehicleKind
from twin_sim.core.frame import ACTOR, TWO_WHEELERS, Activity, Light
from twin_sim.core.network_zones import KERB
from twin_sim.core.traffic import STEP
from twin_sim.core.walking_ground import CORNER, CROSSING

#: Who moves an actor now.
DRIVING, WALKING, CROWDED, BETWEEN = range(4)
#: What a row needs beyond ACTOR: control points ``cx, cy, cyaw`` (latest last), where the model had a person last,
#: where an actor is without the ``lead`` of a walker's varying pace and the
#: ``shift`` by which it steps aside, where a person who is between models goes, and the ground's height.
STATE = np.dtype([
    ("actor_id", "u8"), ("source", "u1"), ("cx", "f8", 3), ("cy", "f8", 3), ("cyaw", "f8", 3), ("model", "f8", 2),
    ("base", "f8", 2), ("lead", "f8", 2), ("shift", "f8", 2), ("target", "f8", 2), ("pace", "f8"), ("ground", "f8"),
    ("place", "u1"), ("signals", "u1"), ("leaving", "u1"), ("waits", "u1"),
])  # fmt: skip
TICK = 0.1  # s between two frames
WALK_WIDTH, STAND_LENGTH, WALK_LENGTH = 0.55, 0.42, 0.72  # m
RUNNING_SPEED = 2.2  # m/s: people run above it (Rotstein et al. 2005: 2.0 to 2.2)
ASIDE = 0.8  # m/s at which somebody steps aside
#: How persons follow what a model says: it leaps at times, and from one model to the next.
CATCH_UP, HURRY, CLOSING, AGILITY = 1.25, 2.6, 1.2, 2.0  # of the free speed; m/s; s; m/s²
WHEEL_TURN, CRANK_TURN = 2.0, 5.2  # m travelled per turn of a car's wheel and of a bicycle's crank
_MOVES = np.isin(np.arange(16), (Activity.WALKING, Activity.RUNNING, Activity.DRIVING, Activity.RIDING))
_UNDER_WAY = np.where(np.isin(np.arange(16), TWO_WHEELERS), Activity.RIDING, Activity.DRIVING)
_TURN = np.where(np.arange(16) == ObjectClass.BICYCLE, CRANK_TURN, WHEEL_TURN)
#: Lights by SUMO's bits 1 blinker right, 2 left, 4 emergency, 8 brake.
_LIGHTS = np.array([(bits & 1 and Light.RIGHT) | (bits & 2 and Light.LEFT) | (bits & 8 and Light.BRAKE)
                    for bits in range(16)], np.uint8)  # fmt: skip
SIDEWAYS = 0.4  # m a vehicle moves sideways per metre that it moves on, at most
KERB_STEP = 0.06  # m a person rises or sinks at a kerb per TICK


def stride(speed: np.ndarray) -> np.ndarray:
    """Return the length of two steps, metres, at a walking or running speed, m/s (after Grieve & Gear 1966)."""
    return np.clip(0.74 + 0.5 * speed, 0.7, 3.2)


class Roster:
    """Rows of all actors, sorted by actor_id: ``rows`` (N,) ACTOR and ``state`` (N,) STATE."""

    def __init__(self) -> None:
        """Begin without anybody."""
        self.rows: np.ndarray = np.zeros(0, ACTOR)
        self.state: np.ndarray = np.zeros(0, STATE)
        self._ticks = 0

    def find(self, actor_ids: np.ndarray | Iterable[int]) -> np.ndarray:
        """Return the row of every actor id, -1 where it is not on the roster."""
        wanted = np.asarray(actor_ids, np.uint64)
        if len(self.rows) == 0:
            return np.full(len(wanted), -1)
        place = np.minimum(np.searchsorted(self.state["actor_id"], wanted), len(self.rows) - 1)
        return np.where(self.state["actor_id"][place] == wanted, place, -1)

    def row(self, actor_id: int) -> int:
        """Return the row of an actor, -1 if it is not on the roster."""
        return int(self.find([actor_id])[0])

    def add(self, rows: np.ndarray, state: np.ndarray) -> None:
        """Add actors."""
        state["base"] = np.column_stack([rows["x"], rows["y"]])
        self.rows = np.concatenate([self.rows, rows])
        self.state = np.concatenate([self.state, state])
        if len(self.state) > len(state) and self.state["actor_id"][-len(state) - 1] > state["actor_id"][0]:
            order = np.argsort(self.state["actor_id"], kind="stable")
            self.rows, self.state = self.rows[order], self.state[order]

    def drop(self, gone: np.ndarray) -> None:
        """Take rows out, (N,) bool."""
        if gone.any():
            self.rows, self.state = self.rows[~gone], self.state[~gone]

    def take_control_points(self, rows: np.ndarray, found: np.ndarray, fresh: np.ndarray) -> None:
        """Move the control points of ``rows`` on to ``found`` (x, y, yaw, speed); ``fresh``: begin with these."""
        state = self.state
        for name, key in (("cx", "x"), ("cy", "y")):
            points = state[name][rows]
            direction = np.cos(found["yaw"]) if key == "x" else np.sin(found["yaw"])
            back = found["speed"] * STEP * direction
            points[:, :2] = np.where(
                fresh[:, None], found[key][:, None] - back[:, None] * np.array([2.0, 1.0]), points[:, 1:]
            )
            points[:, 2] = found[key]
            state[name][rows] = points
            speed = "velocity_x" if key == "x" else "velocity_y"
            self.rows[speed][rows] = np.where(fresh, found["speed"] * direction, self.rows[speed][rows])
        yaws = state["cyaw"][rows]
        yaws[:, :2] = np.where(fresh[:, None], found["yaw"][:, None], yaws[:, 1:])
        yaws[:, 2] = yaws[:, 1] + wrap(found["yaw"] - yaws[:, 1])
        state["cyaw"][rows] = yaws

    def join(self, rows: np.ndarray, found: np.ndarray) -> None:
        """Let persons who were between models go on as they went, towards where a model has them now."""
        state, shown = self.state, self.rows
        for name, key, speed in (("cx", "x", "velocity_x"), ("cy", "y", "velocity_y")):
            axis = 0 if key == "x" else 1
            here, half = state["base"][rows, axis] + shown[speed][rows] * TICK, shown[speed][rows] * STEP / 2
            points = state[name][rows]
            points[:, 1], points[:, 2] = here - half, here + half
            state[name][rows] = points
            direction = np.cos(found["yaw"]) if key == "x" else np.sin(found["yaw"])
            state["model"][rows, axis] = found[key] - found["speed"] * STEP * direction

    def followed(self, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return ``found`` with positions that persons can reach who follow it with bounded speed and acceleration."""
        state = self.state[rows]
        target = np.column_stack([found["x"], found["y"]])
        last = np.column_stack([state["cx"][:, 2], state["cy"][:, 2]])
        velocity = (last - np.column_stack([state["cx"][:, 1], state["cy"][:, 1]])) / STEP
        pace = state["pace"][:, None]
        change = (target - state["model"]) / STEP
        leaps = _length(change) > 1.5 * pace + 0.5
        ahead = np.where(leaps, 0.0, change)
        lag = target - last - ahead * STEP
        wanted = ahead + lag / CLOSING
        top = np.minimum(CATCH_UP * pace + 0.2 * np.maximum(_length(lag) - 1.0, 0.0), np.maximum(HURRY, pace))
        wanted *= np.minimum(top / np.maximum(_length(wanted), 1e-9), 1.0)
        turn = wanted - velocity
        turn *= np.minimum(AGILITY * STEP / np.maximum(_length(turn), 1e-9), 1.0)
        found = found.copy()
        found["x"], found["y"] = (last + (velocity + turn) * STEP).T
        self.state["model"][rows] = target
        return found

    def rolled(self, rows: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return ``found`` without the sideways motion of vehicles that hardly move on: wheels do not slide."""
        last = np.column_stack([self.state["cx"][rows, 2], self.state["cy"][rows, 2]])
        along = np.column_stack([np.cos(found["yaw"]), np.sin(found["yaw"])])
        left = np.column_stack([-along[:, 1], along[:, 0]])
        way = np.column_stack([found["x"], found["y"]]) - last
        forward, aside = (way * along).sum(1), (way * left).sum(1)
        aside = np.clip(aside, -SIDEWAYS * np.abs(forward), SIDEWAYS * np.abs(forward))
        found = found.copy()
        found["x"], found["y"] = (last + forward[:, None] * along + aside[:, None] * left).T
        return found

    def go_on(self, rows: np.ndarray) -> None:
        """Move control points on for actors that have left the models, straight ahead."""
        for name in ("cx", "cy", "cyaw"):
            points = self.state[name][rows]
            ahead = 2 * points[:, 2] - points[:, 1] if name != "cyaw" else points[:, 2]
            self.state[name][rows] = np.column_stack([points[:, 1:], ahead])

    def move(self, fraction: float) -> None:
        """Pose everybody at a fraction of STEP: by the spline, or straight towards the target between models."""
        rows, state, u = self.rows, self.state, fraction
        weights = np.array([(1 - u) ** 2, 1 + 2 * u - 2 * u * u, u * u]) / 2
        slopes = np.array([u - 1, 1 - 2 * u, u]) / STEP
        position = np.column_stack([state["cx"] @ weights, state["cy"] @ weights])
        velocity = np.column_stack([state["cx"] @ slopes, state["cy"] @ slopes])
        between = np.flatnonzero(state["source"] == BETWEEN)
        if len(between):
            here = state["base"][between]
            change = self._steps_between(between, here)
            position[between], velocity[between] = here + change, change / TICK
        before = np.hypot(rows["velocity_x"], rows["velocity_y"])
        rows["acceleration"] = (np.hypot(velocity[:, 0], velocity[:, 1]) - before) / TICK
        state["base"] = position
        rows["velocity_x"], rows["velocity_y"] = velocity.T
        driving = state["source"] == DRIVING
        rows["yaw"][driving] = wrap(state["cyaw"][driving] @ weights)
        rows["yaw_rate"][driving] = state["cyaw"][driving] @ slopes

    def _steps_between(self, chosen: np.ndarray, here: np.ndarray) -> np.ndarray:
        """Return the steps of those between models within TICK, (B, 2) metres."""
        state = self.state[chosen]
        way = state["target"] - here
        length = np.hypot(way[:, 0], way[:, 1])
        step = np.where(state["waits"] == 1, 0.0, np.minimum(state["pace"] * TICK, length))
        return np.asarray(way * np.divide(step, length, out=np.zeros_like(length), where=length > 1e-6)[:, None])

    def finish(self, head_lights: bool, shift: np.ndarray | None = None) -> None:
        """Set what follows from motion: heading of persons, height of the ground, gait, activity, lights.

        ``shift``: (N, 2) by which actors step aside, metres; None: nobody does.
        """
        rows, state = self.rows, self.state
        if shift is not None or state["shift"].any():
            change = (0.0 if shift is None else shift) - state["shift"]
            size = np.hypot(change[:, 0], change[:, 1])
            state["shift"] += change * np.minimum(ASIDE * TICK / np.maximum(size, 1e-9), 1.0)[:, None]
        person = rows["classification"] == ObjectClass.PEDESTRIAN
        self._vary_pace(np.flatnonzero(person))
        rows["x"], rows["y"] = (state["base"] + state["lead"] + state["shift"]).T
        rows["z"] += np.clip(state["ground"] - rows["z"], -KERB_STEP, KERB_STEP)
        speed = np.hypot(rows["velocity_x"], rows["velocity_y"])
        _turn_persons(rows, np.flatnonzero(person))
        cycle = np.where(person, stride(speed), _TURN[rows["classification"]])
        rows["phase"] = (rows["phase"] + 2 * np.pi * TICK * speed / cycle) % (2 * np.pi)
        activity = _activities(rows, state, person, speed)
        rows["since"] = np.where(activity == rows["activity"], rows["since"] + TICK, 0.0)
        rows["activity"] = activity
        goal = np.where(_MOVES[activity], WALK_LENGTH, STAND_LENGTH)
        rows["length"] += np.where(person, np.clip(goal - rows["length"], -0.1, 0.1), 0.0)
        rows["lights"] = np.where(person, 0, _LIGHTS[state["signals"] & 15] | (Light.HEAD if head_lights else 0))

    def _vary_pace(self, persons: np.ndarray) -> None:
        """Let walkers be a little faster and slower than their models have them."""
        self._ticks += 1
        rows, state = self.rows, self.state
        usual = np.column_stack([rows["velocity_x"][persons], rows["velocity_y"][persons]]).astype(float)
        speed = np.hypot(usual[:, 0], usual[:, 1])
        more = walking_pace.variation(rows["appearance"][persons], speed, self._ticks * TICK)
        share = np.divide(more, speed, out=np.zeros_like(speed), where=speed > 0.05)
        back = (
            state["lead"][persons] * (np.minimum(speed / walking_pace.FULL_SPEED, 1.0) / walking_pace.RETURN)[:, None]
        )
        change = usual * share[:, None] - back
        state["lead"][persons] += change * TICK
        shown = usual + change
        rows["velocity_x"][persons], rows["velocity_y"][persons] = shown.T
        rows["acceleration"][persons] += (np.hypot(shown[:, 0], shown[:, 1]) - speed) / TICK


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.hypot(vectors[:, :1], vectors[:, 1:])


def _turn_persons(rows: np.ndarray, persons: np.ndarray) -> None:
    """Turn persons towards where they go, at most 3.5 rad/s; those who stand keep their heading."""
    east, north = rows["velocity_x"][persons], rows["velocity_y"][persons]
    yaw = rows["yaw"][persons]
    turn = np.clip(0.35 * wrap(np.arctan2(north, east) - yaw), -0.35, 0.35)
    turn[east**2 + north**2 < 0.25**2] = 0.0
    rows["yaw"][persons] = wrap(yaw + turn)
    rows["yaw_rate"][persons] = turn / TICK


def _activities(rows: np.ndarray, state: np.ndarray, person: np.ndarray, speed: np.ndarray) -> np.ndarray:
    moving = speed > np.where(_MOVES[rows["activity"]], 0.12, 0.25)
    still = np.where((state["place"] == CORNER) | (state["waits"] == 1), Activity.WAITING, Activity.STANDING)
    walking = np.where(moving, np.where(speed > RUNNING_SPEED, Activity.RUNNING, Activity.WALKING), still)
    driving = np.where(moving, _UNDER_WAY[rows["classification"]], Activity.STOPPED)
    return np.where(person, walking, driving)


def person_row(actor_id: int, person: Person, x: float, y: float, z: float, yaw: float) -> np.ndarray:
    """Return (1,) ACTOR of a person who stands."""
    rows = np.zeros(1, ACTOR)
    rows["actor_id"], rows["x"], rows["y"], rows["z"], rows["yaw"] = actor_id, x, y, z, yaw
    rows["length"], rows["width"], rows["height"] = STAND_LENGTH, WALK_WIDTH, person.stature
    rows["stature"], rows["appearance"] = person.stature, person.appearance
    rows["classification"], rows["activity"] = ObjectClass.PEDESTRIAN, Activity.STANDING
    rows["phase"] = person.appearance % 628 / 100
    return rows


def vehicle_row(actor_id: int, kind: VehicleKind, appearance: int) -> np.ndarray:
    """Return (1,) ACTOR of a vehicle at the origin."""
    rows = np.zeros(1, ACTOR)
    rows["actor_id"], rows["appearance"], rows["shape"] = actor_id, appearance, kind.shape
    rows["length"], rows["width"], rows["height"] = kind.length, kind.width, kind.height
    rows["classification"], rows["activity"] = kind.classification, Activity.STOPPED
    return rows


def state_row(actor_id: int, source: int, pace: float = 0.0) -> np.ndarray:
    """Return (1,) STATE of a vehicle, or of a person with a free speed, m/s."""
    state = np.zeros(1, STATE)
    state["actor_id"], state["source"], state["pace"] = actor_id, source, pace
    state["ground"] = 0.0 if source == DRIVING else KERB
    return state


def ground_height(place: np.ndarray) -> np.ndarray:
    """Return the height of the ground where walkers are: crossings lie on the carriageway."""
    return np.where(place == CROSSING, 0.0, KERB)
