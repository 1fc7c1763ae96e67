"""People in crowd areas, plazas and alleys, moved by jupedsim.

Model: collision-free speed (Tordeux, Chraibi & Seyfried 2016): the speed is (spacing - 2 radius) / time gap, at most
the free one. Parameters are fitted to the bottleneck and the corridor of Jülich (``docs/simulator/fidelity.md``); who
presses against others for minutes stands among 10 to 12 persons per square metre.
"""

from __future__ import annotations

from dataclasses import dataclass

import jupedsim
import numpy as np
import shapely

from twin_common.config import Config, setting
from twin_sim.core.body_palettes import scattered


@dataclass(frozen=True, slots=True)
class CrowdConfig(Config):
    """The model's parameters, and how people spend their time in an area."""

    radius: float = setting(0.13, "m", "of a person, on average; sets the highest density", low=0.1, high=0.3)
    radius_spread: float = setting(0.02, "m", "persons' radii differ by up to this", low=0.0, high=0.05)
    time_gap: float = setting(0.68, "s", "slope of speed over spacing, on average", low=0.3, high=2.0)
    time_gap_spread: float = setting(0.15, "s", "persons' time gaps differ by up to this", low=0.0, high=0.25)
    neighbour_strength: float = setting(8.0, "1", "of repulsion between persons", low=0.0, high=50.0)
    neighbour_range: float = setting(0.09, "m", "of repulsion between persons", low=0.01, high=1.0)
    wall_strength: float = setting(5.0, "1", "of repulsion by walls", low=0.0, high=50.0)
    wall_range: float = setting(0.05, "m", "of repulsion by walls", low=0.005, high=1.0)
    step: float = setting(0.05, "s", "of the model, a part of 0.5; with longer ones walls leak", low=0.005, high=0.05)
    stay_least: float = setting(15.0, "s", "shortest stay at a spot", low=0.0)
    stay_most: float = setting(90.0, "s", "longest stay at a spot", low=0.0)
    strolls: float = setting(0.35, "1", "chance to go on to another spot instead of leaving", low=0.0, high=1.0)
    most_pressing: float = setting(
        6.5, "1/m²", "nobody presses on where it is denser (Helbing et al. 2007: quakes from 7)", low=2.0, high=12.0
    )
    start_time: float = setting(0.8, "s", "in which somebody who stood comes up to speed", low=0.1, high=3.0)


def simulation(config: CrowdConfig, ground: shapely.Geometry) -> jupedsim.Simulation:
    """Return an empty jupedsim simulation of the model on a walkable polygon."""
    return jupedsim.Simulation(model=jupedsim.CollisionFreeSpeedModelV2(), geometry=ground, dt=config.step)


def agent_parameters(
    config: CrowdConfig, position: tuple[float, float], speed: float, journey: int, stage: int, person: int
) -> jupedsim.CollisionFreeSpeedModelV2AgentParameters:
    """Return what the model needs to know of a person, known by a number, with a free walking speed.

    Persons differ: among equal discs arches form at doors, and nobody gets through.
    """
    girth, haste = (float(scattered(np.array([person]), stream)[0]) / 2**31 - 1.0 for stream in (50, 51))
    return jupedsim.CollisionFreeSpeedModelV2AgentParameters(
        position=position, desired_speed=speed, journey_id=journey, stage_id=stage,
        radius=config.radius + girth * config.radius_spread, time_gap=config.time_gap + haste * config.time_gap_spread,
        strength_neighbor_repulsion=config.neighbour_strength, range_neighbor_repulsion=config.neighbour_range,
        strength_geometry_repulsion=config.wall_strength, range_geometry_repulsion=config.wall_range,
    )  # fmt: skip
