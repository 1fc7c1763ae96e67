"""How fast traffic and crowds are on one core, without scripts, truth and sensors."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from twin_sim.core.demand import PopulationConfig
from twin_sim.core.frame import Weather
from twin_sim.core.population import Population
from twin_sim.core.posing import TICK
from twin_sim.world import load_world

#: About 300 actors in Sangmu: a fifth of them vehicles, a third of the rest in plaza and alley.
BUSY = PopulationConfig(vehicles_per_hour=1500, pedestrians_per_hour=2400, crowd_density=0.035, warmup=120.0)


def population_speed(district: Path, seconds: float = 60.0) -> dict[str, float]:
    """Return how many actors there are on average, and CPU time, of a district's population."""
    counts: list[int] = []
    with Population(load_world(district), BUSY, Weather(), 1) as population:
        started = time.process_time()
        for tick in range(round(seconds / TICK)):
            counts.append(len(population.step(tick * round(TICK * 1e9))))
        spent = (time.process_time() - started) / len(counts)
    return {"actors": float(np.mean(counts)), "CPU ms per 0.1 s": spent * 1e3, "x real time": TICK / spent}
