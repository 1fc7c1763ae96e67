"""How scripted vehicles heed the population and the signals: the speed that they may have."""

from __future__ import annotations

import numpy as np

from twin_sim.core.performer import Performer
from twin_sim.core.stage import Stage

#: Braking that drivers plan with, m/s², and the distance that they keep when they stand, metres.
PLANNED, DISTANCE = 3.0, 2.0
#: As far ahead as they look, metres, and room beside the vehicle.
SIGHT, BESIDE = 45.0, 0.35
#: A stop line that would need more braking than this is crossed, m/s².
HARD = 5.0


def speed_limit(performer: Performer, stage: Stage) -> float:
    """Return the speed, m/s, that an actor on wheels may have now; inf where nothing is in its way."""
    step = performer.config.do[performer.step] if performer.step >= 0 else None
    if performer.person or step is None or not step.heed or performer.way is None:
        return np.inf
    return min(_behind(performer, stage.others), _before_signals(performer, stage))


def _behind(performer: Performer, others: np.ndarray) -> float:
    """Return the speed from which an actor can stop behind, or fall in with, what is ahead of it."""
    if not len(others):
        return np.inf
    cos, sin = np.cos(performer.yaw), np.sin(performer.yaw)
    dx, dy = others["x"] - performer.x, others["y"] - performer.y
    ahead, aside = dx * cos + dy * sin, np.abs(-dx * sin + dy * cos)
    turned = others["yaw"] - performer.yaw
    half = (others["length"] * np.abs(np.cos(turned)) + others["width"] * np.abs(np.sin(turned))) / 2
    wide = (others["length"] * np.abs(np.sin(turned)) + others["width"] * np.abs(np.cos(turned))) / 2
    length, width, _ = performer.size
    free = ahead - half - length / 2
    blocking = (ahead > 0) & (free < SIGHT) & (aside < wide + width / 2 + BESIDE)
    if not blocking.any():
        return np.inf
    speed = np.maximum(others["velocity_x"] * cos + others["velocity_y"] * sin, 0.0)
    allowed = np.sqrt(speed**2 + 2 * PLANNED * np.maximum(free - DISTANCE, 0.0))
    return float(allowed[blocking].min())


def _before_signals(performer: Performer, stage: Stage) -> float:
    """Return the speed from which an actor can stop at the next red light."""
    front = performer.along + performer.size[0] / 2
    limit = np.inf
    for line, edge in performer.stops:
        room = line - front - 1.0
        if room < -0.5 or room > SIGHT or not stage.red(edge):
            continue
        if performer.speed**2 <= 2 * HARD * max(room, 0.1):
            limit = min(limit, float(np.sqrt(2 * PLANNED * max(room, 0.0))))
    return limit
