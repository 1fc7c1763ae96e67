"""Labelled scans: virtual sensors on vehicles of the simulated district and of random streets."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from street import random_street

from twin_common.core.geometry import transform_from_rpy
from twin_common.core.object_class import ObjectClass
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Frame, Weather
from twin_sim.core.lidar import VehicleLidar
from twin_sim.core.lidar_models import PERIOD_NS, LidarModel, lidar_model
from twin_sim.core.scenery import parked_actors
from twin_sim.core.still_scene import StillScene
from twin_sim.scenario import load_scenario
from twin_sim.scenery_cache import cached_scenery
from twin_sim.simulation import Simulation

#: How often each sensor is drawn.
SENSORS = {"HDL-64E": 0.3, "OS1-64": 0.22, "OS1-128": 0.13, "VLP-32C": 0.17, "VLP-16": 0.1, "OS0-64": 0.08}
CLASSES = (
    ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS, ObjectClass.MOTORCYCLE, ObjectClass.SCOOTER,
    ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN,
)  # fmt: skip
REACH = 54.0  # metres; farther points and labels are not kept
HIGHEST = 6.0  # metres above the sensor's ground
#: Coordinates are stored as integers of this size, metres.
UNIT = 0.005
TRAINING, HELD_OUT = "training", "held_out"
HELD_OUT_SCENARIOS = ("rush_hour", "rain", "normal_night", "jaywalking", "vehicle_pass", "stopped_in_lane")
_SPACING = 20  # frames between two that are used
_STAMP_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class LabelledScan:
    """One scan, sensor frame turned level, metres.

    ``points``: (N, 3) int16 in units of UNIT; ``ring``: (N,) uint8; ``labels``: (L, 9) float32: x, y, z of the
    centre, length, width, height, yaw, index in CLASSES, points in the box; ``sensor_height``: above the ground below.
    """

    points: np.ndarray
    ring: np.ndarray
    labels: np.ndarray
    sensor_height: float
    sensor: str


def draw_model(rng: np.random.Generator, *, jitter: bool) -> LidarModel:
    """Return a sensor; with ``jitter`` its beams stray as those of real units do."""
    model = lidar_model(str(rng.choice(list(SENSORS), p=list(SENSORS.values()))))
    if not jitter:
        return model
    elevations = np.sort(np.array(model.elevations_deg) + rng.normal(0, 0.08, model.beams))[::-1]
    azimuths = np.array(model.azimuths_deg)
    if model.name == "HDL-64E":
        azimuths = azimuths + rng.uniform(-4, 4, model.beams)
    return dataclasses.replace(
        model, elevations_deg=tuple(elevations.tolist()), azimuths_deg=tuple(azimuths.tolist()),
        reach=model.reach * float(rng.uniform(0.7, 1.4)), noise=model.noise * float(rng.uniform(1.0, 2.5)),
    )  # fmt: skip


def labelled(
    still: StillScene, atlas: BodyAtlas, frame: Frame, own_id: int, parked: np.ndarray, weather: Weather,
    rng: np.random.Generator, *, jitter: bool,
) -> LabelledScan:  # fmt: skip
    """Return what a sensor on an actor sees; ``parked``: (P,) ACTOR that are part of what stands still."""
    model = draw_model(rng, jitter=jitter)
    height = float(rng.uniform(1.6, 2.4))
    tilt = transform_from_rpy((0.0, 0.0, height), *(np.radians(rng.normal(0, 0.8, 2)) if jitter else (0.0, 0.0)), 0.0)
    lidar = VehicleLidar(model, still, atlas, tilt, seed=int(rng.integers(1 << 31)), stream=0, weather=weather)
    sweep = lidar.sweep(frame, own_id)
    cloud = lidar.cloud(sweep)
    points = np.stack([cloud[name] for name in "xyz"], axis=1)
    own = frame.actors[frame.actors["actor_id"] == own_id][0]
    actors = np.concatenate([frame.actors[frame.actors["actor_id"] != own_id], parked])
    labels = _labels(actors, own, tilt, points)
    distance = np.hypot(points[:, 0], points[:, 1])
    kept = (distance < REACH) & (distance > 2.0) & (points[:, 2] < HIGHEST - height)
    whole = np.clip(np.round(points[kept] / UNIT), -32767, 32767).astype(np.int16)
    return LabelledScan(whole, cloud["ring"][kept].astype(np.uint8), labels, height, model.name)


def _labels(actors: np.ndarray, own: np.ndarray, mount: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the labels where the sensor saw everybody: at the time of the column that fires at them."""
    actors = actors[np.isin(actors["classification"], CLASSES)]
    place = np.stack([actors[name] for name in "xyz"], axis=1).astype(float)
    place[:, 2] += actors["height"] / 2
    velocity = np.stack([actors["velocity_x"], actors["velocity_y"]], axis=1).astype(float)
    base = np.array([own["x"], own["y"], own["z"]], float)
    moving = np.array([own["velocity_x"], own["velocity_y"]], float)
    yaw = float(own["yaw"])
    bearing = np.arctan2(place[:, 1] - base[1], place[:, 0] - base[0]) - yaw
    # A turn starts behind and goes clockwise: a column fires later the farther its direction lies from +pi.
    late = ((np.pi - bearing) % (2 * np.pi) / (2 * np.pi) - 1.0) * PERIOD_NS * 1e-9
    turned = yaw + float(own["yaw_rate"]) * late
    away = place - base
    away[:, :2] += (velocity - moving) * late[:, None]
    cos, sin = np.cos(turned), np.sin(turned)
    local = np.column_stack([away[:, 0] * cos + away[:, 1] * sin, away[:, 1] * cos - away[:, 0] * sin, away[:, 2]])
    local = (local - mount[:3, 3]) @ mount[:3, :3]
    kinds = np.searchsorted(np.array(CLASSES), actors["classification"])
    size = [actors["length"], actors["width"], actors["height"]]
    boxes = np.column_stack([local, *size, (actors["yaw"] - turned + np.pi) % (2 * np.pi) - np.pi, kinds])
    boxes = boxes[np.hypot(boxes[:, 0], boxes[:, 1]) < REACH]
    return np.column_stack([boxes, [_inside(points, row) for row in boxes]]).astype(np.float32).reshape(-1, 9)


def _inside(points: np.ndarray, row: np.ndarray) -> int:
    """Count the points in a box that is 0.1 m larger, but for its foot."""
    dx, dy, dz = points[:, 0] - row[0], points[:, 1] - row[1], points[:, 2] - row[2]
    close = np.flatnonzero((np.abs(dx) < row[3] + 1) & (np.abs(dy) < row[3] + 1))
    dx, dy, dz = dx[close], dy[close], dz[close]
    along, across = dx * np.cos(row[6]) + dy * np.sin(row[6]), dy * np.cos(row[6]) - dx * np.sin(row[6])
    inside = (np.abs(along) < row[3] / 2 + 0.1) & (np.abs(across) < row[4] / 2 + 0.1)
    return int(np.count_nonzero(inside & (dz > -row[5] / 2 + 0.15) & (dz < row[5] / 2 + 0.1)))


def street_scans(seed: int, per_street: int = 2) -> Iterator[LabelledScan]:
    """Yield scans of a random street in a random weather."""
    rng = np.random.default_rng([seed, 0xB1])
    street = random_street(seed)
    still = StillScene(street.mesh)
    rain = float(rng.choice([0.0, rng.uniform(1, 15)], p=[0.85, 0.15]))
    weather = Weather(rain=rain)
    atlas = BodyAtlas(Bodies(rain))
    frame = Frame(_STAMP_NS, street.actors, np.zeros(0))
    for _ in range(per_street):
        yield labelled(still, atlas, frame, 1, frame.actors[:0], weather, rng, jitter=True)


def district_scans(
    scenario: Path, seed: int, overrides: dict[str, object], count: int, *, jitter: bool
) -> Iterator[LabelledScan]:
    """Yield scans of vehicles that drive in the simulated district while a scenario runs."""
    rng = np.random.default_rng([seed, 0xB2])
    simulation = Simulation(load_scenario(scenario, overrides), seed)
    try:
        mesh, parked = cached_scenery(simulation.world), parked_actors(simulation.world.config.parked)
        still = StillScene(mesh)
        atlas = BodyAtlas(Bodies(simulation.weather.rain))
        bounds = np.array(simulation.world.config.bounds)
        made = 0
        while made < count:
            for _ in range(_SPACING):
                frame = simulation.step()
            for own_id in _carriers(frame, bounds, rng, min(3, count - made)):
                yield labelled(still, atlas, frame, own_id, parked, simulation.weather, rng, jitter=jitter)
                made += 1
    finally:
        simulation.close()


def _carriers(frame: Frame, bounds: np.ndarray, rng: np.random.Generator, count: int) -> list[int]:
    """Draw cars that are well inside the district."""
    actors = frame.actors
    inside = (actors["x"] > bounds[0] + 30) & (actors["x"] < bounds[2] - 30)
    inside &= (actors["y"] > bounds[1] + 30) & (actors["y"] < bounds[3] - 30)
    cars = np.flatnonzero(inside & (actors["classification"] == ObjectClass.CAR))
    drawn = rng.permutation(cars)[:count]
    return [int(number) for number in actors["actor_id"][drawn]]


def save(path: Path, scans: list[LabelledScan]) -> None:
    """Write scans."""
    arrays: dict[str, np.ndarray] = {}
    for i, scan in enumerate(scans):
        arrays |= {f"p{i}": scan.points, f"r{i}": scan.ring, f"l{i}": scan.labels}
    arrays["height"] = np.array([scan.sensor_height for scan in scans])
    arrays["sensor"] = np.array([scan.sensor for scan in scans])
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.replace(path)


def load(path: Path) -> list[LabelledScan]:
    """Read scans."""
    with np.load(path) as stored:
        heights, sensors = stored["height"], stored["sensor"]
        return [
            LabelledScan(stored[f"p{i}"], stored[f"r{i}"], stored[f"l{i}"], float(heights[i]), str(sensors[i]))
            for i in range(len(heights))
        ]
