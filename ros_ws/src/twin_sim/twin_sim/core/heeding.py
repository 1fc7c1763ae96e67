"""How scripted vehicles heed the population and the signals: the speed that they may have, and where they swerve to."""

from __future__ import annotations

import math

import numpy as np

from twin_sim.core.frame import TWO_WHEELERS, Activity
from twin_sim.core.performer import Performer
from twin_sim.core.stage import Stage
from twin_sim.core.ways import Way, clamp

#: Braking that drivers plan with, m/s², and the distance that they keep when they stand, metres.
PLANNED, DISTANCE = 3.0, 1.5
#: As far ahead as they look, metres, in steps of so much, and room beside the vehicle.
SIGHT, STEP, BESIDE = 36.0, 1.0, 0.3
#: How far into the future they foresee where others go, seconds.
FORESIGHT = 2.5
#: A stop line that would need more braking than this is crossed, m/s².
HARD = 5.0
#: Where they stop before it, metres.
MARGIN = 1.3
#: Where two-wheelers swerve to, metres to the left of their way, and how fast.
SWERVES, SWERVING = (0.0, 0.8, -0.8, 1.4, -1.4), 1.2


def heed(performer: Performer, stage: Stage, interval: float) -> None:
    """Set the speed, m/s, that an actor on wheels may have now, and how far beside its way it goes."""
    performer.limit = math.inf
    step = performer.config.do[performer.step] if performer.step >= 0 else None
    if performer.person or step is None or not step.heed or performer.way is None:
        return
    near = _near(performer, stage.others)
    limit, aside = math.inf, 0.0
    if len(near):
        choices = SWERVES if performer.classification in TWO_WHEELERS else (0.0,)
        limits = [_free_speed(performer, performer.way, near, choice) for choice in choices]
        best = next((i for i, item in enumerate(limits) if item >= performer.speed), int(np.argmax(limits)))
        limit, aside = limits[best], choices[best]
    performer.aside += clamp(aside - performer.aside, SWERVING * interval)
    performer.limit = min(limit, _before_signals(performer, stage))


def _near(performer: Performer, others: np.ndarray) -> np.ndarray:
    """Return the actors ahead of one, (N,) ACTOR."""
    dx, dy = others["x"] - performer.x, others["y"] - performer.y
    ahead = dx * math.cos(performer.yaw) + dy * math.sin(performer.yaw)
    near = (ahead > 0) & (dx**2 + dy**2 < SIGHT**2) & (others["activity"] != Activity.PARKED)
    return np.asarray(others[near])


def _free_speed(performer: Performer, way: Way, others: np.ndarray, aside: float) -> float:
    """Return the speed from which an actor can stop before, or fall in with, what will be on its way."""
    length, width, _ = performer.size
    reach = min(performer.speed**2 / (2 * PLANNED) + 10.0 + length, SIGHT)
    ahead = np.arange(STEP, reach, STEP)
    points = np.array([way.position(performer.along + s) for s in ahead.tolist()])
    along = np.gradient(points, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    points += aside * np.column_stack([-along[:, 1], along[:, 0]])
    times = np.minimum(ahead / max(performer.speed, 2.0), FORESIGHT)[:, None]
    dx = others["x"] + others["velocity_x"] * times - points[:, :1]
    dy = others["y"] + others["velocity_y"] * times - points[:, 1:]
    cos, sin = along[:, :1], along[:, 1:]
    turned = np.arctan2(sin, cos) - others["yaw"]
    half = (others["length"] * np.abs(np.cos(turned)) + others["width"] * np.abs(np.sin(turned))) / 2
    wide = (others["length"] * np.abs(np.sin(turned)) + others["width"] * np.abs(np.cos(turned))) / 2
    blocked = (np.abs(dx * cos + dy * sin) < half + STEP) & (np.abs(-dx * sin + dy * cos) < wide + width / 2 + BESIDE)
    if not blocked.any():
        return math.inf
    pace = np.maximum(others["velocity_x"] * cos + others["velocity_y"] * sin, 0.0)
    room = ahead[:, None] - half - length / 2 - DISTANCE
    allowed = np.sqrt(pace**2 + 2 * PLANNED * np.maximum(room, 0.0))
    return float(allowed[blocked].min())


def _before_signals(performer: Performer, stage: Stage) -> float:
    """Return the speed from which an actor can stop at the next light that is not green."""
    front = performer.along + performer.size[0] / 2
    limit = math.inf
    for line, edge in performer.stops:
        room = line - front - MARGIN
        if room < -2.0 * MARGIN or room > SIGHT or not stage.stops(edge):
            continue
        if performer.speed**2 <= 2 * HARD * max(room, 0.1):
            limit = min(limit, math.sqrt(2 * PLANNED * max(room, 0.0)))
    return limit
