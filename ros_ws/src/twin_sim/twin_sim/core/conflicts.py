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
_TIMES = np.arange(0.0, TIME_LIMIT + 1e-9, 0.1)
_WHEELS = np.array([int(item) for item in (*VEHICLES, *TWO_WHEELERS)])
_DOWN = (int(Activity.FALLING), int(Activity.LYING), int(Activity.PARKED))


@dataclass(slots=True)
class Conflict:
    """A pair on a course to collide: begin, last time that it held, seconds, and where, metres."""

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
        for one in scripted:
            if one["activity"] in _DOWN or one["classification"] in (ObjectClass.UNKNOWN, ObjectClass.DEBRIS):
                continue
            for other in everybody[_candidates(one, everybody)]:
                if on_course(one, other):
                    pair = (
                        min(int(one["actor_id"]), int(other["actor_id"])),
                        max(int(one["actor_id"]), int(other["actor_id"])),
                    )
                    middle = (one["x"] + other["x"]) / 2, (one["y"] + other["y"]) / 2
                    known = self._open.setdefault(pair, Conflict(now, now, float(middle[0]), float(middle[1])))
                    known.last = now
        for pair, conflict in list(self._open.items()):
            if pair in touched:
                del self._open[pair]
            elif now - conflict.last > CALM:
                self.found.append((pair, self._open.pop(pair)))


def _candidates(one: np.ndarray, everybody: np.ndarray) -> np.ndarray:
    """Return which actors may be in conflict with one: near, closing in, one of the two on wheels, not twice."""
    dx, dy = everybody["x"] - one["x"], everybody["y"] - one["y"]
    vx, vy = everybody["velocity_x"] - one["velocity_x"], everybody["velocity_y"] - one["velocity_y"]
    near = (np.hypot(dx, dy) < NEAR) & (dx * vx + dy * vy < 0) & (np.hypot(vx, vy) > LEAST_SPEED)
    wheels = np.isin(everybody["classification"], _WHEELS) | np.isin(one["classification"], _WHEELS)
    known = ~np.isin(everybody["classification"], (ObjectClass.UNKNOWN, ObjectClass.DEBRIS))
    upright = ~np.isin(everybody["activity"], _DOWN)
    return np.asarray(near & wheels & known & upright & (everybody["actor_id"] != one["actor_id"]))


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
