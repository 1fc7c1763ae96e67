"""Persons who go down: they tip over, or a vehicle throws them; then they slide and lie."""

from __future__ import annotations

import numpy as np

from twin_sim.core.body_palettes import scattered
from twin_sim.core.frame import Activity
from twin_sim.core.impacts import BODY_FRICTION, GRAVITY, landed, launch
from twin_sim.core.performer import LYING_HEIGHT, Fall, Performer
from twin_sim.core.ways import clamp, wrapped

#: A person who is hit is stretched out sooner than one who tips over, seconds.
THROWN_TIME = 0.6
#: Stream of appearance that chooses how a body lies.
LYING_SALT = 22
#: Where the body of a look goes as it lies down: prone, supine, or on its side (order of person_poses.LYING).
NATURAL = ("forward", "backward", "left")
TURNS = {"forward": 0.0, "left": np.pi / 2, "right": -np.pi / 2, "backward": np.pi}


def natural_fall(appearance: int) -> str:
    """Return the direction in which a person of these looks goes down."""
    return NATURAL[int(scattered(np.array([appearance], np.uint32), LYING_SALT)[0]) % len(NATURAL)]


def look_for_fall(appearance: int, towards: str) -> int:
    """Return the next looks, from these on, of a person who goes down in a direction."""
    wanted = "left" if towards == "right" else towards
    while natural_fall(appearance) != wanted:
        appearance += 1
    return appearance


def tip_over(performer: Performer, towards: str, now: float) -> None:
    """Begin a fall from the feet; the speed that the person has is kept and rubs off."""
    direction = wrapped(performer.yaw + TURNS[towards])
    velocity = np.array([performer.velocity[0], performer.velocity[1], 0.0])
    heading = direction if towards in ("left", "right") else performer.yaw
    performer.fall = Fall(direction, heading, velocity, performer.look.stature / 2, now)
    performer.speed, performer.way = 0.0, None
    performer.begin(Activity.FALLING, now)


def throw(performer: Performer, vehicle_velocity: np.ndarray, now: float) -> None:
    """Begin the flight of a person whom a vehicle of a velocity (2,) hits."""
    velocity = launch(vehicle_velocity)
    direction = float(np.arctan2(velocity[1], velocity[0]))
    height = performer.z + performer.size[2] / 2
    performer.fall = Fall(direction, direction, velocity, height, now, THROWN_TIME, thrown=True)
    performer.speed, performer.way = 0.0, None
    performer.begin(Activity.FALLING, now)


def advance_fall(performer: Performer, ground: float, now: float, interval: float) -> bool:
    """Let a fall go on; returns whether the person lies still.

    ``ground``: height of the ground there, metres.
    """
    fall = performer.fall
    if fall is None:
        return True
    before = fall.progress
    fall.progress = min(max((now - fall.begun) / fall.duration, before), 1.0)
    x, y, height = performer.x, performer.y, performer.z
    x, y = x + fall.velocity[0] * interval, y + fall.velocity[1] * interval
    if fall.thrown:
        _fly(performer, fall, ground, interval)
    else:
        step = performer.look.stature / 2 * (fall.progress**1.6 - before**1.6)
        x, y = x + step * np.cos(fall.direction), y + step * np.sin(fall.direction)
        fall.velocity[:2] = _rubbed(fall.velocity[:2], BODY_FRICTION * GRAVITY * interval)
        performer.z = ground
    turn = wrapped(fall.heading - performer.yaw)
    performer.moved(x, y, performer.yaw + clamp(turn, 6.0 * interval), interval)
    performer.velocity[2] = (performer.z - height) / interval if fall.thrown else 0.0
    still = fall.progress >= 1.0 and not fall.thrown and not fall.velocity.any()
    if fall.progress >= 1.0 and not fall.thrown:
        performer.begin(Activity.LYING, now)
    if still:
        performer.velocity[:] = 0.0
    return still


def _fly(performer: Performer, fall: Fall, ground: float, interval: float) -> None:
    """Move a thrown person up and down; on the ground the blow rubs, and the slide begins."""
    fall.middle += fall.velocity[2] * interval - GRAVITY * interval**2 / 2
    fall.velocity[2] -= GRAVITY * interval
    lowest = ground + max(performer.size[2], LYING_HEIGHT) / 2
    if fall.middle <= lowest and fall.velocity[2] < 0:
        fall.velocity[:2] = landed(fall.velocity)
        fall.velocity[2], fall.thrown, fall.middle = 0.0, False, lowest
        fall.progress = max(fall.progress, 1.0 - 1e-9) if fall.progress > 0.8 else fall.progress
        performer.z = ground
        return
    performer.z = max(fall.middle - performer.size[2] / 2, ground)


def _rubbed(velocity: np.ndarray, loss: float) -> np.ndarray:
    speed = float(np.hypot(velocity[0], velocity[1]))
    return velocity * (max(speed - loss, 0.0) / speed) if speed > 0 else velocity
