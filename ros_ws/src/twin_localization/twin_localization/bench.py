"""``./twin bench localization``: what finding a vehicle's scan on the map costs."""

from __future__ import annotations

import time
from dataclasses import replace
from statistics import median

import numpy as np

from twin_common.core.own_motion import OwnMotion
from twin_localization.config import MapMatcherConfig
from twin_localization.core.map_matching import MapMatcher
from twin_localization.district_map import static_map
from twin_sim.platform_sensors import PlatformSensors, Stage, pose_of
from twin_sim.scenario import load_scenario
from twin_sim.simulation import Simulation


def run(repeats: int = 15) -> dict[str, float]:
    """Return processor times in milliseconds, medians, of the first scan of the shipped district's vehicle."""
    from twin_bringup.simulation import scenario_folder  # only the command line knows where scenarios are

    with Simulation(load_scenario(scenario_folder() / "vehicle_pass.yaml")) as simulation:
        district = simulation.world.district
        vehicle = next(item for item in district.platforms if item.kind == "vehicle" and item.lidar is not None)
        stage = Stage(simulation.world, simulation.weather, simulation.seed)
        sensors = PlatformSensors(stage, vehicle)
        while (scan := sensors.push(frame := simulation.step()).scan) is None:
            continue
        cloud = sensors.cloud(scan.sweep)
        own = frame.actors[frame.actors["actor_id"] == frame.vehicles[vehicle.name]][0]
        stage.close()
    points = np.stack([cloud["x"], cloud["y"], cloud["z"]], axis=1)
    assert vehicle.lidar is not None
    mount, config = vehicle.lidar.mount.matrix(), MapMatcherConfig()
    forward = np.array([np.hypot(own["velocity_x"], own["velocity_y"]), 0.0, 0.0])
    motion = OwnMotion(forward, float(own["yaw_rate"]), 1)

    def surfaces(place: np.ndarray):  # type: ignore[no-untyped-def]
        return static_map(district, place, config.road, config.kerb, config.reach)

    def timed(search_every: float, sigma: float) -> float:
        matcher, spent = MapMatcher(replace(config, search_every=search_every), surfaces, mount), []
        for k in range(repeats + 1):
            moment = replace(motion, stamp_ns=k * 2_000_000_000)
            started = time.process_time()
            matcher.match(points, cloud["time_offset_ns"] / 1e9, moment, pose_of(own), sigma)
            spent.append(1000 * (time.process_time() - started))
        return median(spent[1:])

    return {
        "a scan on the map": timed(3600.0, 0.1),
        "with places within 3 m tried, every 5 s": timed(0.5, 0.1),
        "with places within 8 m tried, while lost": timed(0.5, 5.0),
        "surfaces around a place": _timed_surfaces(surfaces, repeats),
    }


def _timed_surfaces(surfaces, repeats: int) -> float:  # type: ignore[no-untyped-def]
    spent = []
    for k in range(repeats):
        started = time.process_time()
        surfaces(np.array([10.0 * k, 0.0]))
        spent.append(1000 * (time.process_time() - started))
    return median(spent)
