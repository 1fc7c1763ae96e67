"""Who is in the district, whom the traffic and crowd models move, and how actors follow these models."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from twin_common.core.geometry import wrap
from twin_common.core.object_class import ObjectClass
from twin_sim.core.fleet import Person, VehicleKind
from twin_sim.core.frame import ACTOR, Activity
from twin_sim.core.network_zones import KERB
from twin_sim.core.posing import DRIVING, STAND_LENGTH, STATE, TICK, WALK_WIDTH, WALKING, poses
from twin_sim.core.traffic import STEP
from twin_sim.core.walking_ground import CROSSING

ASIDE = 0.8  # m/s at which somebody steps aside
#: How persons follow what a model says: it leaps at times, and from one model to the next.
CATCH_UP, HURRY, CLOSING, AGILITY = 1.25, 2.6, 1.2, 2.0  # of the free speed; m/s; s; m/s²
BEHIND = 1.0  # m
STEERING = 0.6  # m a front moves to the side of the heading per metre that it moves on, at most


class Roster:
    """Rows of all actors, sorted by actor_id: ``rows`` (N,) ACTOR and ``state`` (N,) STATE."""

    def __init__(self) -> None:
        """Begin without anybody."""
        self._frames: np.ndarray = np.zeros((1, 0), ACTOR)
        self._tick = 0
        self.state: np.ndarray = np.zeros(0, STATE)

    @property
    def rows(self) -> np.ndarray:
        """Everybody in the present frame, (N,) ACTOR, to be written to."""
        return np.asarray(self._frames[self._tick])

    def pose(self, start: float, head_lights: bool) -> None:
        """Pose everybody in the frames of the next step of the models; ``start``: seconds, of the present frame."""
        self._frames = poses(self.rows, self.state, start, head_lights)
        self._tick = 0

    def show(self, tick: int, aside: Callable[[np.ndarray], np.ndarray] | None = None) -> None:
        """Go to a frame of the step; ``aside`` tells by how much everybody, (N,) ACTOR, steps aside, (N, 2) metres."""
        self._tick = tick
        state = self.state
        if aside is None and not state["shift"].any():
            return
        rows = self.rows
        change = (0.0 if aside is None else aside(rows)) - state["shift"]
        state["shift"] += change * np.minimum(ASIDE * TICK / np.maximum(_length(change), 1e-9), 1.0)
        rows["x"] += state["shift"][:, 0]
        rows["y"] += state["shift"][:, 1]

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
        added = np.repeat(rows[None], len(self._frames), axis=0)
        self._frames = np.concatenate([self._frames, added], axis=1)
        self.state = np.concatenate([self.state, state])
        if len(self.state) > len(state) and self.state["actor_id"][-len(state) - 1] > state["actor_id"][0]:
            order = np.argsort(self.state["actor_id"], kind="stable")
            self._frames, self.state = self._frames[:, order], self.state[order]

    def drop(self, gone: np.ndarray) -> None:
        """Take rows out, (N,) bool."""
        if gone.any():
            self._frames, self.state = self._frames[:, ~gone], self.state[~gone]

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
        """Return ``found`` (x, y, yaw of vehicles) as wheels let them move: the middle follows the front, a tractrix.

        SUMO moves vehicles sideways as it likes, and turns them about their front.
        """
        state, half = self.state[rows], self.rows["length"][rows, None].astype(float) / 2
        middle = np.column_stack([state["cx"][:, 2], state["cy"][:, 2]])
        front = middle + half * _direction(state["cyaw"][:, 2])
        ahead = _direction(found["yaw"])
        left = np.column_stack([-ahead[:, 1], ahead[:, 0]])
        way = np.column_stack([found["x"], found["y"]]) + half * ahead - front
        forward, aside = (way * ahead).sum(1), (way * left).sum(1)
        most = STEERING * np.abs(forward)
        front += forward[:, None] * ahead + np.clip(aside, -most, most)[:, None] * left
        along = (front - middle) / np.maximum(_length(front - middle), 1e-9)
        found = found.copy()
        found["x"], found["y"] = (front - half * along).T
        found["yaw"] = np.arctan2(along[:, 1], along[:, 0])
        return found

    def slips(self, shown: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return how far to the left of SUMO's state vehicles' fronts are shown, (N,) metres."""
        half = self.rows["length"][self.find(found["actor_id"]), None].astype(float) / 2
        shift = np.column_stack([shown["x"] - found["x"], shown["y"] - found["y"]])
        shift += half * (_direction(shown["yaw"]) - _direction(found["yaw"]))
        heading = _direction(found["yaw"])
        return np.asarray(heading[:, 0] * shift[:, 1] - heading[:, 1] * shift[:, 0])

    def behind(self) -> np.ndarray:
        """Return walkers on crossings who are behind their models, (K,) ACTOR: drivers see them as shown."""
        state = self.state
        chosen = np.flatnonzero((state["source"] == WALKING) & (state["place"] == CROSSING))
        lag = np.column_stack([state["cx"][chosen, 2], state["cy"][chosen, 2]]) - state["model"][chosen]
        return np.asarray(self.rows[chosen[_length(lag)[:, 0] > BEHIND]])

    def go_on(self, rows: np.ndarray) -> None:
        """Move control points on for actors that have left the models, straight ahead."""
        for name in ("cx", "cy", "cyaw"):
            points = self.state[name][rows]
            ahead = 2 * points[:, 2] - points[:, 1] if name != "cyaw" else points[:, 2]
            self.state[name][rows] = np.column_stack([points[:, 1:], ahead])


def _direction(yaw: np.ndarray) -> np.ndarray:
    return np.column_stack([np.cos(yaw), np.sin(yaw)])


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.hypot(vectors[:, :1], vectors[:, 1:]))


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
