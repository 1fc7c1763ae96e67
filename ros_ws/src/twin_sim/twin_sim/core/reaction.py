"""How traffic, walkers and crowds react to scripted actors: drivers brake or change lane, people stop or step aside.

A driver sees what is in the way on the lanes that the route follows, where it is and where it will be when the
vehicle arrives, and drives no faster than lets it stop short of it (Krauss 1998, eq. 2.22) or follow it.
"""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.crowd import Crowd
from twin_sim.core.traffic import STEP, VEHICLE, WALKING, Traffic

BRAKING, EMERGENCY = 4.0, 8.0  # m/s²: planned, and the most a vehicle can do
REACTION_TIME = 0.5  # s, in the safe speed
STAND_OFF = 1.5  # m kept to what is in the way
SWERVE = (3.5, 0.9)  # m, and lengths of the vehicle, kept to what stands there, to steer round it
SIDE_MARGIN = 0.4  # m between a vehicle's side and what it drives past
OVERHEAD = 2.5  # m: what is higher does not matter on the ground
AGES = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])  # s ahead at which moving actors are looked at
ARRIVAL = 1.2  # s by which the arrival of vehicle and actor at the same place must differ
STILL = 0.4  # m/s
CREEP, PASSING = 1.5, 30.0  # m/s beside something that stands; m before it from which a lane is kept
SEEN_BY_WALKERS = 25.0  # m
CLOSE = 14.0  # m from walkers who are behind their models, at which vehicles look at them
STEP_ASIDE = 0.35  # m between a person and what they walk round


class Reaction:
    """Keeps whom it has slowed down, to let them go again."""

    def __init__(self, traffic: Traffic) -> None:
        """Begin with everybody free."""
        self._traffic = traffic
        self._slowed: set[int] = set()
        self._stopped: dict[int, float] = {}
        self._bodies: dict[int, tuple[int, float, float]] = {}
        self._vehicles, self._walkers = np.zeros(0, VEHICLE), np.zeros(0, WALKING)
        self._slips = np.zeros(0)
        self._evading: dict[int, int] = {}

    def remember(self, vehicles: np.ndarray, walkers: np.ndarray, slips: np.ndarray) -> None:
        """Keep SUMO's latest states, (N,) VEHICLE and (M,) WALKING; vehicles are shown ``slips`` m to the left."""
        self._vehicles, self._walkers, self._slips = vehicles, walkers, slips

    def forget(self, actor_id: int) -> None:
        """Drop a vehicle or walker that has been taken out of SUMO."""
        kept = self._vehicles["actor_id"] != actor_id
        self._vehicles, self._slips = self._vehicles[kept], self._slips[kept]
        self._walkers = self._walkers[self._walkers["actor_id"] != actor_id]

    def apply(self, scripted: np.ndarray, behind: np.ndarray) -> None:
        """Limit speeds for SUMO's next step.

        Args:
            scripted: (K,) ACTOR, whom everybody reacts to.
            behind: (B,) ACTOR, walkers whom SUMO has elsewhere, and whom only vehicles near them react to.

        """
        low = scripted[scripted["z"] < OVERHEAD]
        self._limit_vehicles(np.concatenate([low, behind]), len(low))
        self._limit_walkers(low)

    def _limit_vehicles(self, low: np.ndarray, count: int) -> None:
        slowed: set[int] = set()
        if len(low) and len(self._vehicles):
            gap = _distances(self._vehicles, low)
            speed = self._vehicles["speed"]
            reach = 20.0 + 3.5 * speed + speed**2 / (2 * BRAKING) + low["length"].max() / 2
            near = gap < reach[:, None] + 3.0 * np.hypot(low["velocity_x"], low["velocity_y"])[None, :]
            near[:, count:] &= (gap[:, count:] < CLOSE) & (speed[:, None] > STILL)
            for i in np.flatnonzero(near.any(axis=1)):
                if self._limit_vehicle(int(i), low[near[i]], float(reach[i])):
                    slowed.add(int(self._vehicles["actor_id"][i]))
        present = set(self._vehicles["actor_id"].tolist())
        for actor_id in sorted((self._slowed - slowed) & present):
            self._traffic.limit_vehicle(actor_id, None)
            self._evading.pop(actor_id, None)
        self._slowed = slowed

    def _limit_vehicle(self, i: int, others: np.ndarray, reach: float) -> bool:
        """Limit one vehicle; False if nothing is in its way."""
        vehicle = self._vehicles[i]
        actor_id, speed, slip = int(vehicle["actor_id"]), float(vehicle["speed"]), float(self._slips[i])
        ahead = self._traffic.lanes_ahead(actor_id, reach)
        if ahead is None:
            return False
        half, swerve = ahead.width / 2 + SIDE_MARGIN, SWERVE[0] + SWERVE[1] * ahead.length
        allowed, blocked, passes = np.inf, False, False
        for other in others:
            still = float(np.hypot(other["velocity_x"], other["velocity_y"])) < STILL
            along, far, left, right, pace = _in_way(other, ahead.line, ahead.length)
            passes = passes or (
                still and far > -ahead.length - 1.0 and along[0] < PASSING
                and left[0] > ahead.aside - half - 2.0 and right[0] < ahead.aside + half + 2.0
            )  # fmt: skip
            # where SUMO has the vehicle beside the middle line, and where it is shown
            for aside, gap in ((ahead.aside, swerve if still else STAND_OFF), (ahead.aside + slip, STAND_OFF)):
                in_way = (left > aside - half) & (right < aside + half) & (far > -ahead.length) & (along < reach)
                limit, at_once = _limit(along, in_way, pace, speed, gap)
                allowed = min(allowed, limit)
                blocked = blocked or (at_once and still and float(along[0]) < 40.0)
        if passes and not blocked:
            self._traffic.keep_lane(actor_id, ahead.lane)
        if not np.isfinite(allowed):
            return False
        self._traffic.limit_vehicle(actor_id, max(allowed, speed - EMERGENCY * STEP, 0.0))
        if blocked and speed < 8.0:
            self._evade(actor_id, ahead.edge, ahead.lane)
        return True

    def _evade(self, actor_id: int, edge: str, lane: int) -> None:
        count = self._evading.get(actor_id, 0)
        self._evading[actor_id] = count + 1
        if count % 8 == 1:
            self._traffic.evade(actor_id, edge, lane)

    def _limit_walkers(self, low: np.ndarray) -> None:
        """Stop those who would walk into the way of something that moves and is no person."""
        stopped: dict[int, float] = {}
        moving = low[np.hypot(low["velocity_x"], low["velocity_y"]) > 1.0]
        moving = moving[moving["classification"] != ObjectClass.PEDESTRIAN]
        walkers = self._walkers
        if len(moving) and len(walkers):
            near = _distances(walkers, moving).min(axis=1) < SEEN_BY_WALKERS
            for walker in walkers[near]:
                pace = float(walker["speed"]) or 1.2
                velocity = pace * np.array([np.cos(walker["yaw"]), np.sin(walker["yaw"])])
                if _meets(walker, velocity, moving) and not _meets(walker, velocity * 0.0, moving):
                    stopped[int(walker["actor_id"])] = self._stopped.get(int(walker["actor_id"]), pace)
        present = set(walkers["actor_id"].tolist())
        for actor_id in stopped:
            self._traffic.limit_walker(actor_id, 0.0)
        for actor_id, pace in self._stopped.items():
            if actor_id not in stopped and actor_id in present:
                self._traffic.limit_walker(actor_id, pace)
        self._stopped = stopped

    def hold_crowd(self, crowd: Crowd, scripted: np.ndarray) -> None:
        """Put those who stand, sit or lie in a crowd area into it, as bodies that others walk round."""
        wanted: dict[int, tuple[float, float]] = {}
        if len(scripted):
            speed = np.hypot(scripted["velocity_x"], scripted["velocity_y"])
            for actor in scripted[(speed < STILL) & (scripted["z"] < 1.0)]:
                wanted[int(actor["actor_id"])] = (float(actor["x"]), float(actor["y"]))
        for actor_id, (area, x, y) in list(self._bodies.items()):
            here = wanted.get(actor_id)
            if here is None or np.hypot(here[0] - x, here[1] - y) > 0.4:
                crowd.areas[area].remove(actor_id)
                del self._bodies[actor_id]
        for actor_id, (x, y) in wanted.items():
            if actor_id in self._bodies:
                continue
            for i, ground in enumerate(crowd.areas):
                if ground.add_body(actor_id, (x, y)):
                    self._bodies[actor_id] = (i, x, y)
                    break


def _distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the distances of two sets of rows with x and y, (N, M)."""
    return np.asarray(np.hypot(one["x"][:, None] - other["x"][None, :], one["y"][:, None] - other["y"][None, :]), float)


def _safe_speed(room: float, pace: float) -> float:
    """Return the speed from which a vehicle can still stop within ``room`` behind something that drives ``pace``."""
    lag = BRAKING * REACTION_TIME
    return float(-lag + np.sqrt(lag**2 + pace**2 + 2 * BRAKING * room))


def _limit(along: np.ndarray, in_way: np.ndarray, pace: float, speed: float, gap: float) -> tuple[float, bool]:
    """Return the speed that something in the way at some AGES leaves to a vehicle, and whether it is there now."""
    arrival = np.maximum(along, 0.0) / max(speed, 2.0)
    at_once, later = bool(in_way[0]), in_way & (np.abs(arrival - AGES) < ARRIVAL)
    if not at_once and not later.any():
        return np.inf, False
    room = float(along[0] if at_once else along[later].min()) - gap
    onward = max(pace, 0.0) if at_once else 0.0
    if at_once and along[0] < 0.0 and abs(pace) < STILL:
        return CREEP, False
    if at_once and pace < -STILL:
        room /= 2
    if room <= 0.0 and onward > STILL:
        return onward, at_once
    return _safe_speed(max(room, 0.0), onward), at_once


def _in_way(other: np.void, line: np.ndarray, body: float) -> tuple[np.ndarray, float, np.ndarray, np.ndarray, float]:
    """Return where an actor's box is beside a way at all AGES.

    Returns:
        along: (T,) of its nearest corner ahead of the front, metres.
        far: of its farthest corner now, metres.
        left, right: (T,) how far its corners reach to the left and to the right (negative) of the line, metres.
        pace: speed along the way now, m/s.

    """
    cos, sin = float(np.cos(other["yaw"])), float(np.sin(other["yaw"]))
    ends = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [1, 0], [-1, 0], [0, 1], [0, -1]], float)
    half = ends * (float(other["length"]) / 2, float(other["width"]) / 2)
    corners = np.column_stack([half[:, 0] * cos - half[:, 1] * sin, half[:, 0] * sin + half[:, 1] * cos])
    velocity = np.array([float(other["velocity_x"]), float(other["velocity_y"])])
    middles = np.array([float(other["x"]), float(other["y"])]) + AGES[:, None] * velocity
    points = middles[:, None, :] + corners[None, :, :]
    along, side, direction = _on_line(points.reshape(-1, 2), line, body)
    along, side = along.reshape(len(AGES), -1), side.reshape(len(AGES), -1)
    return along.min(axis=1), float(along[0].max()), side.max(axis=1), side.min(axis=1), float(velocity @ direction[0])


def _on_line(points: np.ndarray, line: np.ndarray, before: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the length along a polyline, the offset to its left, and its direction, for points (P, 2).

    The first stretch goes on ``before`` metres behind its beginning, where the lengths are negative.
    """
    first = (line[1] - line[0]) / max(float(np.hypot(*(line[1] - line[0]))), 1e-9)
    line = np.concatenate([[line[0] - first * before], line])
    edge = np.diff(line, axis=0)
    length = np.maximum(np.hypot(edge[:, 0], edge[:, 1]), 1e-9)
    relative = points[:, None, :] - line[None, :-1, :]
    fraction = np.clip((relative * edge).sum(2) / length**2, 0.0, 1.0)
    foot = relative - fraction[:, :, None] * edge
    nearest = np.argmin((foot**2).sum(2), axis=1)
    rows = np.arange(len(points))
    start = np.concatenate([[0.0], np.cumsum(length)[:-1]]) - before
    along = start[nearest] + fraction[rows, nearest] * length[nearest]
    unit = edge[nearest] / length[nearest, None]
    off = foot[rows, nearest]
    left = unit[:, 0] * off[:, 1] - unit[:, 1] * off[:, 0]
    sign = np.where(left >= 0, 1.0, -1.0)
    return along, sign * np.hypot(off[:, 0], off[:, 1]), unit


def _meets(walker: np.void, velocity: np.ndarray, moving: np.ndarray) -> bool:
    """Whether somebody who walks so is in the way of a moving box within the next seconds."""
    ages = np.arange(0.0, 3.01, 0.25)[:, None]
    x = walker["x"] + velocity[0] * ages - moving["x"] - moving["velocity_x"] * ages
    y = walker["y"] + velocity[1] * ages - moving["y"] - moving["velocity_y"] * ages
    cos, sin = np.cos(moving["yaw"]), np.sin(moving["yaw"])
    along, aside = np.abs(x * cos + y * sin), np.abs(y * cos - x * sin)
    return bool(((along < moving["length"] / 2 + 1.0) & (aside < moving["width"] / 2 + 0.6)).any())


def deflection(rows: np.ndarray, scripted: np.ndarray) -> np.ndarray:
    """Return by how much persons step aside for scripted actors that are in their way.

    Args:
        rows: (N,) ACTOR, where their models have them.
        scripted: (M,) ACTOR.

    Returns:
        (N, 2) metres; 0 for all but persons.

    """
    shift = np.zeros((len(rows), 2))
    person = rows["classification"] == ObjectClass.PEDESTRIAN
    ahead = np.column_stack([np.cos(rows["yaw"]), np.sin(rows["yaw"])])
    left = np.column_stack([-ahead[:, 1], ahead[:, 0]])
    for actor in scripted[scripted["z"] < 1.5]:
        radius = min(float(np.hypot(actor["length"], actor["width"])) / 2, 1.2) + STEP_ASIDE
        away = np.column_stack([rows["x"] - actor["x"], rows["y"] - actor["y"]])
        along, aside = (away * ahead).sum(1), (away * left).sum(1)
        lacking = np.maximum(radius - np.abs(aside), 0.0) * np.exp(-((along / (1.3 * radius)) ** 2))
        side = np.where(aside > 0, 1.0, -1.0)
        shift += np.where(person & (np.abs(along) < 4 * radius), lacking * side, 0.0)[:, None] * left
    return shift
