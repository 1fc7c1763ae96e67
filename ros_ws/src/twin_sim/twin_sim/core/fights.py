"""Persons who fight: they close in on each other, circle, and lunge."""

from __future__ import annotations

import numpy as np

from twin_sim.core.frame import Activity
from twin_sim.core.performer import Performer
from twin_sim.core.stage import Stage
from twin_sim.core.ways import clamp, wrapped

#: Distance from the middle of the fight, metres; blows per second; how fast they close in, m/s.
RADIUS, BLOWS, CLOSING = 0.55, 0.55, 2.2


def begin_fight(performer: Performer, stage: Stage, opponents: tuple[str, ...]) -> None:
    """Choose the middle between the fighters, and the bearing from which this one comes; others may have begun."""
    involved = [performer, *(stage.performers[name] for name in opponents)]
    anchors = [item.anchor for item in involved if item.anchor is not None]
    if anchors:
        x, y = anchors[0][:2]
    else:
        x, y = float(np.mean([item.x for item in involved])), float(np.mean([item.y for item in involved]))
    order = sorted(involved, key=lambda item: np.arctan2(item.y - y, item.x - x))
    first = float(np.arctan2(order[0].y - y, order[0].x - x))
    taken = first + 2 * np.pi * order.index(performer) / len(order)
    performer.anchor = (x, y, float(taken))


def advance_fight(performer: Performer, stage: Stage, opponents: tuple[str, ...], now: float, interval: float) -> None:
    """Move as a fighter: about the middle, which drifts, with lunges of its own rhythm; faces the nearest opponent."""
    if performer.anchor is None:
        return
    x, y, bearing = performer.anchor
    since, own = now, float(performer.actor_id % 97)
    angle = bearing + 0.6 * np.sin(0.55 * since) + 0.15 * np.sin(1.9 * since + own)
    radius = RADIUS + 0.16 * np.sin(2 * np.pi * 0.7 * since + own)
    x, y = x + 0.5 * np.sin(0.35 * since), y + 0.5 * np.sin(0.27 * since + 1.0)
    aim = np.array([x + radius * np.cos(angle), y + radius * np.sin(angle)])
    way = aim - (performer.x, performer.y)
    distance = float(np.hypot(*way))
    step = min(distance, CLOSING * interval)
    here = np.array([performer.x, performer.y]) + way / max(distance, 1e-9) * step
    near = min(
        (stage.performers[name] for name in opponents),
        key=lambda item: np.hypot(item.x - performer.x, item.y - performer.y),
    )
    heading = float(np.arctan2(near.y - here[1], near.x - here[0]))
    turn = clamp(wrapped(heading - performer.yaw), 8.0 * interval)
    performer.moved(float(here[0]), float(here[1]), performer.yaw + turn, interval)
    performer.speed = step / interval
    if distance < 0.6:
        performer.begin(Activity.FIGHTING, now)
        performer.phase = (2 * np.pi * BLOWS * since + own) % (2 * np.pi)
    elif performer.activity != Activity.FIGHTING:
        performer.carry_on(now)
