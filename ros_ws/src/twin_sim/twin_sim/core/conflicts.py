"""Near collisions: pairs on a course to collide that somebody had to break off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.frame import TWO_WHEELERS, VEHICLES, Activity

#: A conflict: time to collision at constant velocities below this, seconds (Hayward 1972 takes 1.5), while more than
#: this braking is needed, m/s² (Archer 2005: 3.35 is the usual limit, 4 leaves room for brisk driving).
TIME_LIMIT, BRAKING_LIMIT = 1.5, 4.0
#: Pairs closer than this are looked at, metres; slower than this nothing happens, m/s.
NEAR, LEAST_SPEED = 25.0, 2.0
#: A conflict is over when it has not held for this long, seconds; without contact it was a near collision.
CALM = 1.0
#: Who is hurt more; a conflict is where the weaker one is.
WEAKNESS = {int(kind): int(kind not in VEHICLES) + int(kind == ObjectClass.PEDESTRIAN) for kind in ObjectClass}
_TIMES = np.arange(0.0, TIME_LIMIT + 1e-9, 0.1)
#: By class, by class and by activity: who is on wheels, who is no thing, who neither lies nor is parked.
_WHEELS, _ROAD_USER, _UPRIGHT = np.zeros(256, bool), np.ones(256, bool), np.ones(256, bool)
_WHEELS[[*VEHICLES, *TWO_WHEELERS]] = True
_ROAD_USER[[ObjectClass.UNKNOWN, ObjectClass.DEBRIS]] = False
_UPRIGHT[[Activity.FALLING, Activity.LYING, Activity.PARKED]] = False


@dataclass(slots=True)
class Conflict:
    """A pair on a course to collide: begin, last time that it held, seconds, and where the weaker was then, metres."""

    begun: float
    last: float
    x: float
    y: float
    over: bool = False


class Conflicts:
    """Follows pairs with a scripted actor through conflicts."""

    def __init__(self) -> None:
        """Begin with none."""
        self._open: dict[tuple[int, int], Conflict] = {}
        self.found: list[tuple[tuple[int, int], Conflict]] = []

    def step(self, now: float, scripted: np.ndarray, everybody: np.ndarray, touched: set[tuple[int, int]]) -> None:
        """Look at all pairs; those in ``touched`` are collisions, not near ones.

        ``scripted`` (S,) and ``everybody`` (N,): ACTOR.
        """
        others = everybody[_of_interest(everybody)]
        wheels = _WHEELS[others["classification"]]
        place = np.column_stack([others["x"], others["y"]])
        velocity = np.column_stack([others["velocity_x"], others["velocity_y"]]).astype(float)
        reach = np.hypot(others["length"], others["width"]) / 2
        for one in scripted[_of_interest(scripted)]:
            way = place - (one["x"], one["y"])
            speed = velocity - (one["velocity_x"], one["velocity_y"])
            near = ((way**2).sum(1) < NEAR**2) & ((way * speed).sum(1) < 0) & ((speed**2).sum(1) > LEAST_SPEED**2)
            if not _WHEELS[one["classification"]]:
                near &= wheels
            time = np.clip(-(way * speed).sum(1) / np.maximum((speed**2).sum(1), 1e-9), 0.0, TIME_LIMIT)
            closest = ((way + speed * time[:, None]) ** 2).sum(1)
            near &= closest < (reach + np.hypot(one["length"], one["width"]) / 2) ** 2
            for other in others[near & (others["actor_id"] != one["actor_id"])]:
                if on_course(one, other):
                    self._hold(now, one, other)
        for pair, conflict in list(self._open.items()):
            if pair in touched:
                del self._open[pair]
            elif now - conflict.last > CALM:
                self.found.append((pair, self._open.pop(pair)))

    def _hold(self, now: float, one: np.ndarray, other: np.ndarray) -> None:
        first, second = sorted((int(one["actor_id"]), int(other["actor_id"])))
        weaker = one if WEAKNESS[int(one["classification"])] >= WEAKNESS[int(other["classification"])] else other
        conflict = self._open.setdefault((first, second), Conflict(now, now, 0.0, 0.0))
        conflict.last, conflict.x, conflict.y = now, float(weaker["x"]), float(weaker["y"])


def _of_interest(actors: np.ndarray) -> np.ndarray:
    """Return which actors can be in a conflict: road users who are upright, (N,) bool."""
    return np.asarray(_ROAD_USER[actors["classification"]] & _UPRIGHT[actors["activity"]])


def _rings(row: np.ndarray) -> np.ndarray:
    """Return the corners of a box at each of _TIMES, (T, 4, 2)."""
    along, across = np.array([1, -1, -1, 1]) * row["length"] / 2, np.array([1, 1, -1, -1]) * row["width"] / 2
    cos, sin = np.cos(row["yaw"]), np.sin(row["yaw"])
    ring = np.column_stack([row["x"] + along * cos - across * sin, row["y"] + along * sin + across * cos])
    return np.asarray(ring[None] + _TIMES[:, None, None] * (row["velocity_x"], row["velocity_y"]))


def on_course(one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two actors, rows of ACTOR, collide within TIME_LIMIT unless somebody brakes hard."""
    first, second = _rings(one), _rings(other)
    apart = np.zeros(len(_TIMES), bool)
    for ring in (first, second):
        for i in (0, 1):
            axis = ring[:, i + 1] - ring[:, i]
            a, b = (np.einsum("tik,tk->ti", corners, axis) for corners in (first, second))
            apart |= (a.max(1) < b.min(1)) | (b.max(1) < a.min(1))
    met = np.flatnonzero(~apart)
    if not len(met) or met[0] == 0:
        return False
    speed = np.hypot(one["velocity_x"] - other["velocity_x"], one["velocity_y"] - other["velocity_y"])
    return bool(speed**2 / (2 * speed * _TIMES[met[0]]) >= BRAKING_LIMIT)
