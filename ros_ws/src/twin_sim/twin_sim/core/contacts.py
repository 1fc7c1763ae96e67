"""Contacts between scripted actors, the population and falling things, and what follows from them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.falls import natural_fall, throw, tip_over
from twin_sim.core.frame import TWO_WHEELERS, VEHICLES, Activity, Light
from twin_sim.core.impacts import Box, Rigid, collide, part, slide, touch
from twin_sim.core.performer import MASS, Performer

#: A person below this speed of a vehicle is pushed aside, not thrown, m/s.
THROWS_FROM = 1.5
#: A driver who has hit somebody brakes after this time, seconds, this hard, m/s².
SHOCK, SHOCK_BRAKING = 0.5, 6.5
#: A falling piece hurts who is within this of its middle, metres, while it is lower than a head.
PIECE_REACH, HEAD = 0.45, 1.9
_RIDERS = tuple(int(item) for item in TWO_WHEELERS)
_MOTOR = tuple(int(item) for item in VEHICLES)


@dataclass(frozen=True, slots=True)
class Contact:
    """Two actors touched: when (seconds), where (metres), and how fast they closed in (m/s)."""

    time: float
    first: int
    second: int
    x: float
    y: float
    speed: float


@dataclass(frozen=True, slots=True)
class Stranger:
    """An actor of the population near a scripted one, as of the last frame; ``row`` is its row of ACTOR."""

    actor_id: int
    kind: int
    x: float
    y: float
    yaw: float
    length: float
    width: float
    velocity: np.ndarray
    row: np.ndarray

    def box(self, lead: float = 0.0) -> Box:
        """Return its box ``lead`` seconds later."""
        x, y = self.x + float(self.velocity[0]) * lead, self.y + float(self.velocity[1]) * lead
        return Box(x, y, self.yaw, self.length, self.width)


def stranger(row: np.ndarray) -> Stranger:
    """Return a row of ACTOR as plain numbers."""
    x, y, yaw, length, width = (float(row[name]) for name in ("x", "y", "yaw", "length", "width"))
    velocity = np.array([float(row["velocity_x"]), float(row["velocity_y"])])
    return Stranger(int(row["actor_id"]), int(row["classification"]), x, y, yaw, length, width, velocity, row)


@dataclass(frozen=True, slots=True)
class Meetings:
    """Pairs that may touch before the next frame."""

    scripted: list[tuple[Performer, Performer]]
    strangers: list[tuple[Performer, Stranger]]


def meetings(present: list[Performer], others: np.ndarray, span: float) -> Meetings:
    """Return the pairs of scripted actors, and of these and the population, (N,) ACTOR, that are near enough."""
    scripted, strangers = [], []
    reach = [math.hypot(*item.size[:2]) / 2 + 0.3 + float(np.hypot(*item.velocity[:2])) * span for item in present]
    for i, first in enumerate(present):
        for j in range(i + 1, len(present)):
            second = present[j]
            if (first.x - second.x) ** 2 + (first.y - second.y) ** 2 < (reach[i] + reach[j]) ** 2:
                scripted.append((first, second))
    if len(others) and present:
        speed = np.hypot(others["velocity_x"], others["velocity_y"])
        sizes = np.hypot(others["length"], others["width"]) / 2 + speed * span
        places = np.column_stack([others["x"], others["y"]])
        for first, far in zip(present, reach, strict=True):
            near = ((places - (first.x, first.y)) ** 2).sum(1) < (far + sizes) ** 2
            strangers += [(first, stranger(row)) for row in others[near]]
    return Meetings(scripted, strangers)


class Contacts:
    """Finds contacts and lets them act on scripted actors; every pair is told once."""

    def __init__(self) -> None:
        """Begin with none."""
        self.found: list[Contact] = []
        self._told: set[tuple[int, int]] = set()
        self._adopted: set[int] = set()

    def step(self, meetings: Meetings, lead: float, now: float) -> None:
        """Look at all pairs that may touch, ``lead`` seconds after the last frame, at ``now`` seconds."""
        for first, second in meetings.scripted:
            if first.present and second.present:
                self._pair(first, second, now)
        for performer, stranger in meetings.strangers:
            if performer.present and stranger.actor_id not in self._adopted:
                self._stranger(performer, stranger, lead, now)

    def _tell(self, first: int, second: int, point: tuple[float, float], speed: float, now: float) -> bool:
        pair = (min(first, second), max(first, second))
        if pair in self._told:
            return False
        self._told.add(pair)
        self.found.append(Contact(now, first, second, point[0], point[1], speed))
        return True

    def _pair(self, first: Performer, second: Performer, now: float) -> None:
        if first.person and second.person:
            return
        if first.person or second.person:
            person, vehicle = (first, second) if first.person else (second, first)
            self._hits_person(person, vehicle, now)
            return
        contact = touch(first.box(), second.box())
        if contact is None:
            return
        speed = -float((second.velocity - first.velocity)[:2] @ contact.normal)
        bodies = [_rigid(item) for item in (first, second)]
        impulse = collide(bodies[0], bodies[1], contact)
        part(bodies[0], bodies[1], contact)
        for item, body in zip((first, second), bodies, strict=True):
            item.x, item.y = body.x, body.y
        if impulse > 0 and speed > 0.3:
            for item, body in zip((first, second), bodies, strict=True):
                _loosen(item, body, now)
            self._tell(first.actor_id, second.actor_id, contact.point, speed, now)

    def _hits_person(self, person: Performer, vehicle: Performer, now: float) -> None:
        if person.down or (vehicle.speed < 0.1 and vehicle.rigid is None):
            return
        contact = touch(vehicle.box(), person.box())
        if contact is None:
            return
        speed = float(np.hypot(*vehicle.velocity[:2]))
        if not self._tell(vehicle.actor_id, person.actor_id, contact.point, speed, now):
            return
        person.touched = vehicle.touched = now
        if vehicle.motor or vehicle.classification == ObjectClass.MOTORCYCLE:
            strike(person, vehicle.velocity[:2], now)
        else:
            strike(person, 0.5 * vehicle.velocity[:2], now)

    def swept(self, meetings: Meetings, lead: float) -> list[Stranger]:
        """Return the actors of the population whom a scripted vehicle runs into now."""
        hit = []
        for performer, stranger in meetings.strangers:
            moves = (
                performer.present and not performer.person and (performer.speed > 0.5 or performer.rigid is not None)
            )
            if (
                moves
                and stranger.actor_id not in self._adopted
                and touch(performer.box(), stranger.box(lead)) is not None
            ):
                self._adopted.add(stranger.actor_id)
                hit.append(stranger)
        return hit

    def under(self, pieces: np.ndarray, people: np.ndarray) -> np.ndarray:
        """Return the people, (N,) ACTOR, on whom falling things come down now."""
        low = pieces[pieces["velocity_z"] < -1]
        reach = PIECE_REACH + np.maximum(low["length"], low["width"]) / 2
        apart = np.hypot(people["x"][:, None] - low["x"], people["y"][:, None] - low["y"])
        near = (apart < reach) & (low["z"] - people["z"][:, None] < HEAD)
        return np.asarray(people[near.any(axis=1)])

    def _stranger(self, performer: Performer, stranger: Stranger, lead: float, now: float) -> None:
        """Let a vehicle of the population, which keeps its course, hit a scripted person or vehicle."""
        if stranger.kind not in _MOTOR + _RIDERS or performer.down:
            return
        contact = touch(stranger.box(lead), performer.box())
        if contact is None:
            return
        speed = float((stranger.velocity - performer.velocity[:2]) @ contact.normal)
        if speed < 0.3 or not self._tell(stranger.actor_id, performer.actor_id, contact.point, speed, now):
            return
        performer.touched = now
        motor = stranger.kind in _MOTOR
        if performer.person:
            if np.hypot(*stranger.velocity) > 0.5:
                strike(performer, stranger.velocity if motor else 0.5 * stranger.velocity, now)
        elif motor:
            box, mass = stranger.box(lead), MASS[ObjectClass(stranger.kind)]
            other = Rigid(box.x, box.y, box.yaw, box.length, box.width, stranger.velocity.copy(), 0.0, mass)
            body = _rigid(performer)
            collide(other, body, contact)
            _loosen(performer, body, now)

    def pieces(self, performers: list[Performer], rows: np.ndarray, now: float) -> None:
        """Let falling things, (N,) ACTOR, strike persons."""
        for row in rows:
            reach = PIECE_REACH + float(max(row["length"], row["width"])) / 2
            for person in performers:
                if (
                    not person.person
                    or person.down
                    or float(row["z"]) - person.z > HEAD
                    or float(row["velocity_z"]) > -1
                ):
                    continue
                if np.hypot(float(row["x"]) - person.x, float(row["y"]) - person.y) < reach:
                    speed = abs(float(row["velocity_z"]))
                    self._tell(int(row["actor_id"]), person.actor_id, (person.x, person.y), speed, now)
                    person.touched = now
                    tip_over(person, natural_fall(person.look.appearance), now)


def strike(person: Performer, velocity: np.ndarray, now: float) -> None:
    """Throw a person, or push it over where the vehicle is slow."""
    if np.hypot(*velocity) >= THROWS_FROM:
        throw(person, velocity, now)
    else:
        tip_over(person, natural_fall(person.look.appearance), now)


def _rigid(performer: Performer) -> Rigid:
    length, width, _ = performer.size
    yaw_rate = performer.rigid.yaw_rate if performer.rigid else performer.yaw_rate
    velocity = performer.rigid.velocity if performer.rigid else performer.velocity[:2].copy()
    return Rigid(
        performer.x, performer.y, performer.yaw, length, width, velocity, yaw_rate, MASS[performer.classification]
    )


def _loosen(performer: Performer, body: Rigid, now: float) -> None:
    """Let a vehicle slide freely from now on."""
    performer.rigid, performer.touched = body, now
    performer.x, performer.y = body.x, body.y
    performer.way, performer.speed = None, 0.0


def advance_slide(performer: Performer, now: float, interval: float) -> None:
    """Let a vehicle that has been hit slide until it stands; a two-wheeler topples."""
    body = performer.rigid
    if body is None:
        return
    body.x, body.y, body.yaw = performer.x, performer.y, performer.yaw
    slide(body, interval)
    if np.hypot(*body.velocity) < 0.08 and abs(body.yaw_rate) < 0.05:
        body.velocity, body.yaw_rate = np.zeros(2), 0.0
    performer.moved(body.x, body.y, body.yaw, interval)
    performer.speed = float(np.hypot(*body.velocity))
    if performer.classification in TWO_WHEELERS:
        performer.roll = min(performer.roll + 2.2 * interval, 1.4)
    performer.light(Light.BRAKE, performer.motor)
    blink = performer.motor and (now % 0.8) < 0.4
    performer.light(Light.LEFT, blink)
    performer.light(Light.RIGHT, blink)
    moving = Activity.DRIVING if performer.motor else Activity.RIDING
    performer.begin(Activity.STOPPED if performer.speed == 0.0 else moving, now)
