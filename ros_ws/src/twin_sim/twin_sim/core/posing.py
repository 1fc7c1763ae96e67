"""Poses of actors between two steps of their models: all frames of a step at once.

The models' positions, STEP apart, are the control points of a uniform quadratic B-spline (de Boor 1978): velocity is
continuous, acceleration is bounded, nothing overshoots. What is shown lags a model's latest state by half to one and a
half STEP, which stands for a driver's time to react.
"""

from __future__ import annotations

import numpy as np

from twin_common.core.geometry import wrap
from twin_common.core.object_class import ObjectClass
from twin_sim.core import pace as walking_pace
from twin_sim.core.frame import TWO_WHEELERS, Activity, Light
from twin_sim.core.traffic import STEP
from twin_sim.core.walking_ground import CORNER

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
WHEEL_TURN, CRANK_TURN = 2.0, 5.2  # m travelled per turn of a car's wheel and of a bicycle's crank
_MOVES = np.isin(np.arange(16), (Activity.WALKING, Activity.RUNNING, Activity.DRIVING, Activity.RIDING))
_UNDER_WAY = np.where(np.isin(np.arange(16), TWO_WHEELERS), Activity.RIDING, Activity.DRIVING)
_TURN = np.where(np.arange(16) == ObjectClass.BICYCLE, CRANK_TURN, WHEEL_TURN)
#: Lights by SUMO's bits 1 blinker right, 2 left, 4 emergency, 8 brake.
_LIGHTS = np.array([(bits & 1 and Light.RIGHT) | (bits & 2 and Light.LEFT) | (bits & 8 and Light.BRAKE)
                    for bits in range(16)], np.uint8)  # fmt: skip
KERB_STEP = 0.06  # m a person rises or sinks at a kerb per TICK
TICKS = round(STEP / TICK)  # frames in a step of the models
_AT = np.arange(TICKS)[:, None] / TICKS
_WEIGHTS = np.hstack([(1 - _AT) ** 2, 1 + 2 * _AT - 2 * _AT**2, _AT**2]) / 2
_SLOPES = np.hstack([_AT - 1, 1 - 2 * _AT, _AT]) / STEP
_LATER = np.arange(1, TICKS + 1)[:, None] * TICK


def stride(speed: np.ndarray) -> np.ndarray:
    """Return the length of two steps, metres, at a walking or running speed, m/s (after Grieve & Gear 1966)."""
    return np.clip(0.74 + 0.5 * speed, 0.7, 3.2)


def poses(rows: np.ndarray, state: np.ndarray, start: float, head_lights: bool) -> np.ndarray:
    """Return the frames of the next STEP, (TICKS, N) ACTOR, and move ``state`` on to the last of them.

    Args:
        rows: (N,) ACTOR, the frame before.
        state: (N,) STATE, with the control points of this step.
        start: seconds, of the frame before.
        head_lights: whether vehicles have theirs on.

    """
    frames = np.repeat(rows[None], TICKS, axis=0)
    if len(rows) == 0:
        return frames
    person = rows["classification"] == ObjectClass.PEDESTRIAN
    walkers = np.flatnonzero(person)
    place, velocity = _motion(state)
    before = np.hypot(rows["velocity_x"], rows["velocity_y"])[None].astype(float)
    state["base"] = place[:, -1].T
    lead, velocity[:, :, walkers] = _varied(rows[walkers], state["lead"][walkers], velocity[:, :, walkers], start)
    state["lead"][walkers] = lead[:, -1].T
    place[:, :, walkers] += lead
    speed = np.hypot(*velocity)
    frames["x"], frames["y"] = place
    frames["velocity_x"], frames["velocity_y"] = velocity
    frames["acceleration"] = np.diff(np.concatenate([before, speed]), axis=0) / TICK
    rise = state["ground"] - rows["z"]
    frames["z"] = rows["z"] + np.clip(rise, -KERB_STEP / TICK * _LATER, KERB_STEP / TICK * _LATER)
    cycle = np.where(person, stride(speed), _TURN[rows["classification"]])
    frames["phase"] = (rows["phase"] + np.cumsum(2 * np.pi * TICK * speed / cycle, axis=0)) % (2 * np.pi)
    driving = np.flatnonzero(state["source"] == DRIVING)
    frames["yaw"][:, driving] = wrap(_WEIGHTS @ state["cyaw"][driving].T)
    frames["yaw_rate"][:, driving] = _SLOPES @ state["cyaw"][driving].T
    _turn(frames, rows["yaw"][walkers].astype(float), walkers, velocity[:, :, walkers])
    _act(frames, rows, state, person, speed)
    lights = _LIGHTS[state["signals"] & 15] | (Light.HEAD if head_lights else 0)
    frames["lights"] = np.where(person, 0, lights)
    return frames


def _motion(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and velocities of everybody, (2, TICKS, N): by the spline, or straight between models."""
    points = np.stack([state["cx"].T, state["cy"].T])
    place, velocity = _WEIGHTS @ points, _SLOPES @ points
    between = np.flatnonzero(state["source"] == BETWEEN)
    if len(between):
        here, target = state["base"][between].T, state["target"][between].T
        way = target - here
        length = np.hypot(way[0], way[1])
        pace = np.where(state["waits"][between] == 1, 0.0, state["pace"][between])
        part = np.minimum(pace * _LATER / np.maximum(length, 1e-9), 1.0)
        there = here[:, None] + part * way[:, None]
        place[:, :, between] = there
        velocity[:, :, between] = np.diff(np.concatenate([here[:, None], there], axis=1), axis=1) / TICK
    return place, velocity


def _varied(walkers: np.ndarray, lead: np.ndarray, usual: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
    """Let walkers be a little faster and slower than their models have them.

    Args:
        walkers: (P,) ACTOR.
        lead: (P, 2) by which they are ahead of their models, metres.
        usual: (2, TICKS, P) velocities of their models.
        start: seconds.

    Returns:
        leads and velocities, (2, TICKS, P).

    """
    speed = np.hypot(usual[0], usual[1])
    more = walking_pace.variation(walkers["appearance"], speed, start + _LATER)
    share = np.divide(more, speed, out=np.zeros_like(speed), where=speed > 0.05)
    back = np.minimum(speed / walking_pace.FULL_SPEED, 1.0) / walking_pace.RETURN
    change = usual * share - lead.T[:, None] * back
    return lead.T[:, None] + np.cumsum(change, axis=1) * TICK, usual + change


def _turn(frames: np.ndarray, yaw: np.ndarray, walkers: np.ndarray, velocity: np.ndarray) -> None:
    """Turn persons towards where they go, at most 3.5 rad/s; those who stand keep their heading."""
    wanted, goes = np.arctan2(velocity[1], velocity[0]), (velocity**2).sum(0) > 0.25**2
    yaws, turns = np.empty_like(wanted), np.empty_like(wanted)
    for tick in range(TICKS):
        turns[tick] = np.where(goes[tick], np.clip(0.35 * wrap(wanted[tick] - yaw), -0.35, 0.35), 0.0)
        yaws[tick] = yaw = yaw + turns[tick]
    frames["yaw"][:, walkers], frames["yaw_rate"][:, walkers] = wrap(yaws), turns / TICK


def _act(frames: np.ndarray, rows: np.ndarray, state: np.ndarray, person: np.ndarray, speed: np.ndarray) -> None:
    """Set activities, the time since they began, and the length of walkers, who stretch out."""
    waits = (state["place"] == CORNER) | (state["waits"] == 1)
    still = np.where(person, np.where(waits, Activity.WAITING, Activity.STANDING), Activity.STOPPED)
    under_way = np.where(person, Activity.WALKING, _UNDER_WAY[rows["classification"]])
    runs = np.where(person & (speed > RUNNING_SPEED), Activity.RUNNING, under_way)
    activity, since, length = rows["activity"], rows["since"], rows["length"]
    for tick in range(TICKS):
        moving = speed[tick] > np.where(_MOVES[activity], 0.12, 0.25)
        now = np.where(moving, runs[tick], still)
        since = np.where(now == activity, since + TICK, 0.0)
        activity = now
        goal = np.where(moving, WALK_LENGTH, STAND_LENGTH)
        length = np.where(person, length + np.clip(goal - length, -0.1, 0.1), length)
        frames["activity"][tick], frames["since"][tick], frames["length"][tick] = activity, since, length
