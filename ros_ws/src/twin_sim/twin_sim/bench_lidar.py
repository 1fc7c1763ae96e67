"""How long the LiDARs of a district take: eight poles with 64 x 1024 points, and one vehicle, on one core."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Frame
from twin_sim.core.lidar import LidarSensor, VehicleLidar
from twin_sim.core.lidar_models import PERIOD_NS, lidar_model
from twin_sim.core.still_scene import StillScene
from twin_sim.scenario import load_scenario
from twin_sim.scenery_cache import cached_scenery
from twin_sim.simulation import Simulation

REACH = 50.0  # actors nearer than this to a pole count as in range, metres
_WARM_UP = 10  # frames


def lidar_speed(scenario: Path, poles: int = 8, frames: int = 50, columns: int = 1024) -> dict[str, float]:
    """Return CPU milliseconds per scan on one core, and what is in the scans.

    A scan is everything from the frame's actors to the finished cloud: bodies, casts, noise, points. Traffic is the
    scenario's, simulated before the clock starts.
    """
    simulation = Simulation(load_scenario(scenario))
    try:
        shown = [simulation.step() for _ in range(frames + _WARM_UP)]
    finally:
        simulation.close()
    world, seed = simulation.world, simulation.seed
    bodies = Bodies(simulation.weather.rain)
    bodies.prepare()
    still, atlas = StillScene(cached_scenery(world)), BodyAtlas(bodies)
    model = lidar_model("OS0-64", columns)
    stood = [p for p in world.district.platforms if p.kind == "pole" and p.lidar is not None][:poles]
    placed = [p.pose.matrix() @ p.lidar.mount.matrix() for p in stood if p.lidar is not None]
    sensors = [
        LidarSensor(model, still, atlas, at, seed=seed, stream=number, weather=simulation.weather)
        for number, at in enumerate(placed)
    ]
    spent, points = _poles(sensors, shown)
    figures = {
        "poles": float(len(sensors)),
        "points per scan": float(np.mean(points)),
        f"actors within {REACH:.0f} m of a pole": _crowd(shown, placed),
        "CPU ms per scan": float(np.mean(spent)) / max(len(sensors), 1),
        "x real time, all poles on one core": PERIOD_NS * 1e-6 / float(np.mean(spent)),
    }
    moving = [
        (name, actor) for name, actor in shown[-1].vehicles.items() if actor in shown[_WARM_UP - 1].actors["actor_id"]
    ]
    if moving:
        mount = world.district.platform(moving[0][0]).lidar
        assert mount is not None
        vehicle = VehicleLidar(
            model, still, atlas, mount.mount.matrix(), seed=seed, stream=99, weather=simulation.weather
        )
        figures["CPU ms per scan of a vehicle"] = _vehicle(vehicle, moving[0][1], shown)
    return figures


def _poles(sensors: list[LidarSensor], shown: list[Frame]) -> tuple[list[float], list[int]]:
    """Return CPU milliseconds of all poles' scans of a frame, and points of each scan."""
    spent, points = [], []
    for i in range(1, len(shown)):
        started = time.process_time()
        counts = [len(sensor.cloud(sensor.sweep(shown[i], shown[i - 1]))) for sensor in sensors]
        if i >= _WARM_UP:
            spent.append((time.process_time() - started) * 1e3)
            points += counts
    return spent, points


def _vehicle(sensor: VehicleLidar, actor_id: int, shown: list[Frame]) -> float:
    """Return CPU milliseconds of a vehicle's scan."""
    spent = []
    for i in range(_WARM_UP, len(shown)):
        started = time.process_time()
        sensor.cloud(sensor.sweep(shown[i], actor_id, shown[i - 1]))
        spent.append((time.process_time() - started) * 1e3)
    return float(np.mean(spent))


def _crowd(shown: list[Frame], placed: list[np.ndarray]) -> float:
    """Return how many actors are in range of a pole on average."""
    counts = [
        np.count_nonzero(np.hypot(frame.actors["x"] - at[0, 3], frame.actors["y"] - at[1, 3]) < REACH)
        for frame in shown
        for at in placed
    ]
    return float(np.mean(counts))
