"""The kinds of vehicles and of walkers, with their sizes and how they drive, as SUMO vehicle types.

Sizes are those of common models in Korea (manufacturers' data sheets); a two-wheeler's height includes its rider.
Accelerations: Bokare & Maurya 2017 (cars, trucks, two-wheelers); bicycles are fitted to the VRU trajectories of
TH Aschaffenburg (``docs/simulator/fidelity.md``), their speeds follow Parkin & Rotheram 2010. Speeds of kick scooters:
the legal limit of 25 km/h. Stature: Size Korea, 8th survey (2020-2021).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from twin_common.config import Config, setting
from twin_common.core.object_class import ObjectClass
from twin_sim.core.frame import Shape, Weather


@dataclass(frozen=True, slots=True)
class VehicleKind:
    """A kind of vehicle: its class, body, box (metres), share within its class, and limits (m/s, m/s²)."""

    name: str
    classification: ObjectClass
    shape: Shape
    user: str
    length: float
    width: float
    height: float
    share: float
    top_speed: float
    acceleration: float
    deceleration: float
    gap: float
    speed_spread: float = 0.1


_CAR, _TRUCK, _MOTO, _CYCLE = ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.MOTORCYCLE, ObjectClass.BICYCLE
_SEDAN, _USUAL, _SENSORS = Shape.SALOON, Shape.BY_CLASS, Shape.SENSOR_VEHICLE
KINDS: tuple[VehicleKind, ...] = (
    VehicleKind("saloon", _CAR, _SEDAN, "passenger", 4.71, 1.83, 1.42, 0.26, 50.0, 2.1, 3.4, 2.0),
    VehicleKind("large_saloon", _CAR, _SEDAN, "passenger", 4.99, 1.88, 1.47, 0.12, 50.0, 2.3, 3.4, 2.0),
    VehicleKind("hatchback", _CAR, Shape.HATCHBACK, "passenger", 3.60, 1.60, 1.49, 0.16, 45.0, 1.9, 3.4, 1.8),
    VehicleKind("suv", _CAR, Shape.SUV, "passenger", 4.64, 1.87, 1.67, 0.28, 50.0, 2.1, 3.4, 2.0),
    VehicleKind("van", _CAR, Shape.VAN, "passenger", 5.25, 2.00, 1.99, 0.06, 45.0, 1.7, 3.2, 2.2),
    VehicleKind("taxi", _CAR, Shape.TAXI, "passenger", 4.86, 1.86, 1.58, 0.12, 50.0, 2.3, 3.6, 1.6, 0.12),
    VehicleKind("light_truck", _TRUCK, _USUAL, "truck", 5.15, 1.74, 1.97, 0.6, 35.0, 1.5, 3.0, 2.2),
    VehicleKind("truck", _TRUCK, _USUAL, "truck", 6.60, 2.10, 2.75, 0.4, 30.0, 1.1, 2.8, 2.5),
    VehicleKind("bus", ObjectClass.BUS, _USUAL, "bus", 10.95, 2.49, 3.20, 1.0, 25.0, 1.1, 2.6, 2.5, 0.06),
    VehicleKind("motorcycle", _MOTO, _USUAL, "motorcycle", 2.05, 0.78, 1.60, 1.0, 30.0, 2.6, 4.0, 1.5, 0.15),
    VehicleKind("scooter", ObjectClass.SCOOTER, _USUAL, "bicycle", 1.15, 0.60, 1.85, 1.0, 6.6, 1.1, 2.4, 1.0, 0.1),
    VehicleKind("bicycle", _CYCLE, _USUAL, "bicycle", 1.75, 0.60, 1.75, 0.4, 4.4, 0.85, 0.60, 1.0, 0.16),
    VehicleKind("slow_bicycle", _CYCLE, _USUAL, "bicycle", 1.75, 0.60, 1.75, 0.3, 3.6, 0.60, 0.38, 1.0, 0.12),
    VehicleKind("brisk_bicycle", _CYCLE, _USUAL, "bicycle", 1.78, 0.58, 1.72, 0.3, 5.2, 1.20, 1.05, 1.0, 0.16),
    VehicleKind("sensor_vehicle", _CAR, _SENSORS, "passenger", 4.71, 1.90, 2.10, 0.0, 30.0, 1.6, 3.0, 2.5, 0.0),
)  # fmt: skip
KIND_BY_NAME = {kind.name: kind for kind in KINDS}
LIGHT_USERS = ("bicycle",)  # who belong on lanes for cycles, and on the right
RUNNER = "_runner"  # suffix of the type that runs red lights
WALKER = "walker"


@dataclass(frozen=True, slots=True)
class BehaviourConfig(Config):
    """How people drive and walk, and what weather and light change in that."""

    walking_speed: float = setting(1.34, "m/s", "free walking speed, mean (Weidmann 1993)", low=0.5, high=2.0)
    walking_spread: float = setting(0.26, "m/s", "its standard deviation (Weidmann 1993)", low=0.0, high=0.6)
    headway: float = setting(1.2, "s", "time gap that drivers keep", low=0.6, high=3.0)
    imperfection: float = setting(0.3, "1", "SUMO's sigma of the Krauss model", low=0.0, high=1.0)
    rain_speed: float = setting(
        0.08, "1", "free driving speeds fall by this at 16 mm/h (Rakha et al. 2008: 6 to 9 %)", low=0.0, high=0.5
    )
    rain_headway: float = setting(0.2, "1", "time gaps grow by this at 16 mm/h (assumed)", low=0.0, high=1.0)
    rain_walking: float = setting(0.06, "1", "walking speeds rise by this in rain (assumed)", low=0.0, high=0.5)
    rain_walkers: float = setting(0.35, "1", "fewer people walk in rain, share (assumed)", low=0.0, high=1.0)
    rain_cycles: float = setting(0.6, "1", "fewer ride two-wheelers in rain, share (assumed)", low=0.0, high=1.0)
    night_headway: float = setting(0.05, "1", "time gaps grow by this at night (assumed)", low=0.0, high=1.0)
    heat_from: float = setting(30.0, "°C", "walking slows above this", low=20.0, high=45.0)
    heat_walking: float = setting(0.01, "1/°C", "by this for each degree above (assumed)", low=0.0, high=0.05)
    heat_walkers: float = setting(0.03, "1/°C", "fewer people walk, by this for each degree above (assumed)", low=0.0)
    sight_braking: float = setting(
        3.4, "m/s²", "braking that fits a driver's speed to the visibility (AASHTO 2011)", low=1.0, high=9.0
    )
    sight_reaction: float = setting(2.5, "s", "with this reaction time (AASHTO 2011)", low=0.5, high=4.0)


@dataclass(frozen=True, slots=True)
class Conduct:
    """What is left of behaviour for one weather: factors, 1 in fine weather by day, and a top speed, m/s."""

    speed: float
    headway: float
    walking: float
    walkers: float
    cycles: float
    sight_speed: float


def conduct(config: BehaviourConfig, weather: Weather) -> Conduct:
    """Return how weather and light change behaviour."""
    wet = min(weather.rain / 16.0, 1.0)
    raining = min(weather.rain / 1.0, 1.0)
    hot = max(weather.temperature - config.heat_from, 0.0)
    lag = config.sight_braking * config.sight_reaction
    sight_speed = -lag + np.sqrt(lag**2 + 2 * config.sight_braking * weather.visibility)
    return Conduct(
        speed=1.0 - config.rain_speed * wet,
        headway=1.0 + config.rain_headway * wet + config.night_headway * weather.night,
        walking=(1.0 + config.rain_walking * raining) * max(1.0 - config.heat_walking * hot, 0.5),
        walkers=(1.0 - config.rain_walkers * raining) * max(1.0 - config.heat_walkers * hot, 0.2),
        cycles=1.0 - config.rain_cycles * raining,
        sight_speed=float(sight_speed),
    )


def write_types(path: Path, config: BehaviourConfig, changed: Conduct) -> None:
    """Write the SUMO types of all kinds, each a second time as one that runs red lights, and the walker's."""
    root = ElementTree.Element("additional")
    for kind in KINDS:
        for suffix in ("", RUNNER):
            attributes = _type_attributes(kind, config, changed)
            attributes["id"] = kind.name + suffix
            if suffix:
                attributes |= {"jmDriveAfterRedTime": "100000", "jmDriveRedSpeed": "20", "jmIgnoreKeepClearTime": "0"}
            ElementTree.SubElement(root, "vType", attributes)
    walker = {"id": WALKER, "vClass": "pedestrian", "length": "0.3", "width": "0.5", "minGap": "0.25"}
    speed = {"maxSpeed": "6", "desiredMaxSpeed": "1", "speedFactor": "1", "speedDev": "0"}
    ElementTree.SubElement(root, "vType", walker | speed)
    ElementTree.ElementTree(root).write(path)


def _type_attributes(kind: VehicleKind, config: BehaviourConfig, changed: Conduct) -> dict[str, str]:
    light = kind.user in LIGHT_USERS
    factor = changed.speed
    spread = kind.speed_spread
    attributes = {
        "vClass": kind.user, "length": f"{kind.length}", "width": f"{kind.width}", "height": f"{kind.height}",
        "minGap": f"{kind.gap}", "accel": f"{kind.acceleration}", "decel": f"{kind.deceleration}",
        "emergencyDecel": "8" if not light else "5", "tau": f"{config.headway * changed.headway:.3f}",
        "sigma": f"{config.imperfection}", "maxSpeed": f"{min(kind.top_speed, changed.sight_speed):.2f}",
        "speedFactor": f"normc({factor:.3f},{spread},{factor - 2 * spread:.3f},{factor + 2 * spread:.3f})",
        "minGapLat": "0.4" if light or kind.user == "motorcycle" else "0.5", "lcSublane": "1.0",
        "latAlignment": "right" if light else "center", "maxSpeedLat": "0.8" if light else "1.0",
        "jmTimegapMinor": "1.5", "impatience": "0.2",
    }  # fmt: skip
    if light:
        attributes["desiredMaxSpeed"] = f"{kind.top_speed}"
        attributes["maxSpeed"] = "8.3"
    return attributes


def scaled_speed(config: BehaviourConfig, changed: Conduct) -> BehaviourConfig:
    """Return the configuration with the walking speed of this weather."""
    return replace(config, walking_speed=config.walking_speed * changed.walking)


@dataclass(frozen=True, slots=True)
class Person:
    """What stays with a person: stature (m), free walking speed (m/s), and the seed of looks."""

    stature: float
    speed: float
    appearance: int


def draw_person(rng: np.random.Generator, config: BehaviourConfig) -> Person:
    """Draw a person: man or woman, one in twelve a child."""
    man, child = rng.random() < 0.5, rng.random() < 1 / 12
    mean, spread = (1.725, 0.058) if man else (1.596, 0.053)
    if child:
        mean, spread = 1.28, 0.14
    stature = float(np.clip(rng.normal(mean, spread), 1.0, 2.0))
    speed = rng.normal(config.walking_speed, config.walking_spread) * (0.95 if child else 1.0)
    low, high = config.walking_speed - 2.5 * config.walking_spread, config.walking_speed + 2.5 * config.walking_spread
    return Person(stature, float(np.clip(speed, max(low, 0.4), high)), int(rng.integers(2**32)))
