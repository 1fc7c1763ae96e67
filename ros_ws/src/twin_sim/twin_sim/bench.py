"""``./twin bench sim``: how fast the simulated district, its LiDARs and its cameras are."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from twin_sim.bench_camera import camera_speed
from twin_sim.bench_lidar import lidar_speed
from twin_sim.core.frame import STEP_NS
from twin_sim.scenario import load_scenario
from twin_sim.scenery_cache import cached_scenery
from twin_sim.simulation import Simulation

SCENARIO = "config/scenarios/normal_day.yaml"
BUSY = ("population.density=1.4",)
SECONDS = 40.0


def run() -> dict[str, float]:
    """Return figures by name: without sensors, eight poles and a vehicle, and a camera."""
    path = Path(os.environ.get("TWIN_ROOT", ".")) / SCENARIO
    figures = {f"no sensors: {what}": value for what, value in district_speed(path).items()}
    figures |= {f"LiDARs: {what}": value for what, value in lidar_speed(path).items()}
    world = load_scenario(path).world
    for speed in camera_speed(world, cached_scenery(world)):
        figures[f"camera 640 x 360, {speed.case}: ms a picture"] = speed.wall_ms
    return figures


def district_speed(path: Path) -> dict[str, float]:
    """Return the speed of the district without sensors: world, actors, script and truth events, on one core."""
    with Simulation(load_scenario(path, BUSY)) as simulation:
        counts, spent = [], []
        for _ in range(round(SECONDS * 1e9 / STEP_NS)):
            started = time.process_time()
            counts.append(len(simulation.step().actors))
            spent.append(time.process_time() - started)
    mean = float(np.mean(spent[10:]))
    return {"actors": float(np.mean(counts)), "CPU ms per 0.1 s": mean * 1e3, "x real time": STEP_NS * 1e-9 / mean}
