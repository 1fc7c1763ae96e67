"""Labelled scans: virtual sensors on vehicles of the simulated district and of random streets."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from street import random_street

from twin_common.core.geometry import transform_from_rpy
from twin_common.core.object_class import ObjectClass
from twin_common.core.own_motion import OwnMotion, compensated
from twin_detection.config import LidarDetectorConfig
from twin_detection.core.azimuth import azimuth
from twin_detection.core.detector import body_of
from twin_detection.core.points_around import points_in_boxes
from twin_detection.core.reach import within
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import STEP_NS, Frame, Weather
from twin_sim.core.lidar import VehicleLidar
from twin_sim.core.lidar_models import PERIOD_NS, LidarModel, lidar_model
from twin_sim.core.scenery import parked_actors
from twin_sim.core.still_scene import StillScene
from twin_sim.platform_sensors import pose_of
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
OWN_BODY = body_of(LidarDetectorConfig())  # the detector leaves points above it out as well
HIGHEST = 6.0  # metres above the sensor's ground
#: Coordinates are stored as integers of this size, metres.
UNIT = 0.005
#: By how much a label's box is larger for its points, and how much of its foot is the ground's, metres.
MARGIN, FOOT = 0.1, 0.15
#: Of the files; those of another are not read.
_FORMAT = 3
_ARRAYS = ("points", "ring", "earlier", "earlier_ring", "labels")
HELD_OUT_SCENARIOS = ("rush_hour", "rain", "normal_night", "jaywalking", "vehicle_pass", "stopped_in_lane")
_SPACING = 20  # frames between two that are used
#: How many frames earlier the other scan of a pair is, and how often.
_EARLIER = {2: 0.15, 3: 0.7, 4: 0.15}
_STEADY = 0.85  # share of the scans out of which the sensor's own motion is taken, as odometry allows it
_STAMP_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class LabelledScan:
    """One scan, sensor frame turned level, metres, and an earlier one as seen from there.

    ``points``: (N, 3) int16 in units of UNIT, by their azimuth; ``ring``: (N,) uint8; ``earlier``: (M, 3) int16,
    ``earlier_ring``: (M,) of the earlier scan, none where the sensor's motion is not known; ``elapsed``: seconds
    between them, 0 where there is none; ``labels``: (L, 9) float32: x, y, z of the centre, length, width, height, yaw,
    index in CLASSES, points in the box; ``sensor_height``: above the ground below.
    """

    points: np.ndarray
    ring: np.ndarray
    earlier: np.ndarray
    earlier_ring: np.ndarray
    elapsed: float
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
    still: StillScene, atlas: BodyAtlas, frames: tuple[Frame, Frame], own_id: int, parked: np.ndarray, weather: Weather,
    rng: np.random.Generator, *, jitter: bool,
) -> LabelledScan:  # fmt: skip
    """Return what a sensor on an actor sees.

    ``frames``: an earlier one and the one that is labelled; ``parked``: (P,) ACTOR that are part of what stands still.
    """
    model = draw_model(rng, jitter=jitter)
    height = float(rng.uniform(1.6, 2.4))
    tilt = transform_from_rpy((0.0, 0.0, height), *(np.radians(rng.normal(0, 0.8, 2)) if jitter else (0.0, 0.0)), 0.0)
    lidar = VehicleLidar(model, still, atlas, tilt, seed=int(rng.integers(1 << 31)), stream=0, weather=weather)
    steady = not jitter or rng.random() < _STEADY
    earlier, frame = frames
    points, ring = _seen(lidar, frame, own_id, steady=steady)
    before, before_ring = _seen(lidar, earlier, own_id, steady=True) if steady else (points[:0], ring[:0])
    own = _row(frame, own_id)
    if len(before):
        shift = np.linalg.inv(pose_of(own) @ tilt) @ pose_of(_row(earlier, own_id)) @ tilt
        before = before @ shift[:3, :3].T + shift[:3, 3]
    actors = np.concatenate([frame.actors[frame.actors["actor_id"] != own_id], parked])
    labels = _labels(actors, own, tilt, points, steady=steady)
    kept, kept_before = (_near(cloud, height) for cloud in (points, before))
    elapsed = (frame.stamp_ns - earlier.stamp_ns) * 1e-9 if steady else 0.0
    stored = _stored(points[kept])
    order = np.argsort(stored_azimuth(stored), kind="stable")
    return LabelledScan(
        stored[order], ring[kept][order], _stored(before[kept_before]), before_ring[kept_before], elapsed, labels,
        height, model.name,
    )  # fmt: skip


def stored_azimuth(stored: np.ndarray) -> np.ndarray:
    """Return the azimuths of points as they are stored, (N,) float32 radians."""
    return azimuth(stored.astype(np.float32))


def _seen(lidar: VehicleLidar, frame: Frame, own_id: int, *, steady: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return points (N, 3) and rings of a turn; ``steady``: as seen from where the sensor is at its end."""
    cloud = lidar.cloud(lidar.sweep(frame, own_id))
    points = np.stack([cloud[name] for name in "xyz"], axis=1)
    others, points, *_ = within(points, cloud["ring"], np.zeros(len(cloud)), 0.0, np.inf, OWN_BODY)
    cloud = cloud[others]
    if steady:
        own = _row(frame, own_id)
        velocity = np.array([own["velocity_x"], own["velocity_y"], own["velocity_z"]], float)
        motion = OwnMotion(velocity, float(own["yaw_rate"]), frame.stamp_ns).turned(float(own["yaw"]))
        points = compensated(points, cloud["time_offset_ns"] * np.float32(1e-9), motion)
    return points, cloud["ring"].astype(np.uint8)


def _row(frame: Frame, actor_id: int) -> np.ndarray:
    return np.asarray(frame.actors[np.searchsorted(frame.actors["actor_id"], actor_id)])


def _near(points: np.ndarray, height: float) -> np.ndarray:
    return np.asarray((np.hypot(points[:, 0], points[:, 1]) < REACH) & (points[:, 2] < HIGHEST - height))


def _stored(points: np.ndarray) -> np.ndarray:
    return np.clip(np.round(points / UNIT), -32767, 32767).astype(np.int16)


def _labels(actors: np.ndarray, own: np.ndarray, mount: np.ndarray, points: np.ndarray, *, steady: bool) -> np.ndarray:
    """Return the labels where the sensor saw everybody: at the time of the column that fires at them.

    ``steady``: as seen from where the sensor is at the end of the turn, in place of where it was at that time.
    """
    actors = actors[np.isin(actors["classification"], CLASSES)]
    place = np.stack([actors[name] for name in "xyz"], axis=1).astype(float)
    place[:, 2] += actors["height"] / 2
    velocity = np.stack([actors["velocity_x"], actors["velocity_y"]], axis=1).astype(float)
    base = np.array([own["x"], own["y"], own["z"]], float)
    moving = np.array([own["velocity_x"], own["velocity_y"]], float) * (not steady)
    yaw = float(own["yaw"])
    bearing = np.arctan2(place[:, 1] - base[1], place[:, 0] - base[0]) - yaw
    # A turn starts behind and goes clockwise: a column fires later the farther its direction lies from +pi.
    late = ((np.pi - bearing) % (2 * np.pi) / (2 * np.pi) - 1.0) * PERIOD_NS * 1e-9
    turned = yaw + float(own["yaw_rate"]) * late * (not steady)
    away = place - base
    away[:, :2] += (velocity - moving) * late[:, None]
    cos, sin = np.cos(turned), np.sin(turned)
    local = np.column_stack([away[:, 0] * cos + away[:, 1] * sin, away[:, 1] * cos - away[:, 0] * sin, away[:, 2]])
    local = (local - mount[:3, 3]) @ mount[:3, :3]
    kinds = np.searchsorted(np.array(CLASSES), actors["classification"])
    size = [actors["length"], actors["width"], actors["height"]]
    boxes = np.column_stack([local, *size, (actors["yaw"] - turned + np.pi) % (2 * np.pi) - np.pi, kinds])
    boxes = boxes[np.hypot(boxes[:, 0], boxes[:, 1]) < REACH]
    return np.column_stack([boxes, points_inside(points, boxes, FOOT)[1]]).astype(np.float32)


def points_inside(points: np.ndarray, boxes: np.ndarray, foot: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the points in boxes that are larger by MARGIN, but for their feet.

    Args:
        points: (N, 3) metres.
        boxes: (L, 7 or more) as of labels.
        foot: metres above the lowest of a box that are the ground's.

    Returns:
        their indices, box after box, (M,), and how many each box has, (L,).

    """
    half, middle, up = boxes[:, 3:5] / 2 + MARGIN, boxes[:, 2], boxes[:, 5] / 2
    inside, end = points_in_boxes(points, points[:, 2], -np.inf, boxes[:, :2], half, middle + up + MARGIN, boxes[:, 6])
    box = np.repeat(np.arange(len(boxes)), np.diff(end, prepend=0))
    standing = points[inside, 2] > (middle - up + foot)[box]
    return inside[standing], np.bincount(box[standing], minlength=len(boxes))


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
        frames = _before(frame, _drawn_step(rng)), frame
        yield labelled(still, atlas, frames, 1, frame.actors[:0], weather, rng, jitter=True)


def _before(frame: Frame, steps: int) -> Frame:
    """Return everybody where they were some steps earlier."""
    actors, seconds = frame.actors.copy(), steps * STEP_NS * 1e-9
    actors["x"] -= actors["velocity_x"] * seconds
    actors["y"] -= actors["velocity_y"] * seconds
    return Frame(frame.stamp_ns - steps * STEP_NS, actors, frame.signals)


def _drawn_step(rng: np.random.Generator) -> int:
    return int(rng.choice(list(_EARLIER), p=list(_EARLIER.values())))


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
        frames: deque[Frame] = deque(maxlen=max(_EARLIER) + 1)
        while made < count:
            for _ in range(_SPACING):
                frames.append(simulation.step())
            pair = frames[-1 - _drawn_step(rng)], frames[-1]
            for own_id in _carriers(pair, bounds, rng, min(3, count - made)):
                yield labelled(still, atlas, pair, own_id, parked, simulation.weather, rng, jitter=jitter)
                made += 1
    finally:
        simulation.close()


def _carriers(pair: tuple[Frame, Frame], bounds: np.ndarray, rng: np.random.Generator, count: int) -> list[int]:
    """Draw cars that are well inside the district, and were there before."""
    actors = pair[1].actors
    inside = (actors["x"] > bounds[0] + 30) & (actors["x"] < bounds[2] - 30)
    inside &= (actors["y"] > bounds[1] + 30) & (actors["y"] < bounds[3] - 30)
    inside &= np.isin(actors["actor_id"], pair[0].actors["actor_id"])
    cars = np.flatnonzero(inside & (actors["classification"] == ObjectClass.CAR))
    drawn = rng.permutation(cars)[:count]
    return [int(number) for number in actors["actor_id"][drawn]]


def save(path: Path, scans: list[LabelledScan]) -> None:
    """Write scans."""
    arrays: dict[str, np.ndarray] = {}
    for i, scan in enumerate(scans):
        arrays |= {f"{name}{i}": getattr(scan, name) for name in _ARRAYS}
    arrays["format"] = np.array(_FORMAT)
    for name in ("sensor_height", "elapsed", "sensor"):
        arrays[name] = np.array([getattr(scan, name) for scan in scans])
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)
    part.replace(path)


def load(path: Path) -> list[LabelledScan]:
    """Read scans.

    Raises:
        ValueError: they were made by another version of this file.

    """
    with np.load(path) as stored:
        if "format" not in stored or stored["format"] != _FORMAT:
            raise ValueError(
                f"{path}: scans of another version; expected {_FORMAT}: remove the folder, or name another"
            )
        heights, elapsed, sensors = stored["sensor_height"], stored["elapsed"], stored["sensor"]
        return [
            LabelledScan(
                **{name: stored[f"{name}{i}"] for name in _ARRAYS},
                sensor_height=float(heights[i]), elapsed=float(elapsed[i]), sensor=str(sensors[i]),
            )
            for i in range(len(heights))
        ]  # fmt: skip
