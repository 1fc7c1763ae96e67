"""Points on cars and the shape of their clusters: our bodies before our HDL-64E, beside KITTI's scans.

Every box of a real scan gets our body of its size and pose, and one simulated turn of the sensor is cast at them. Shots
that something nearer stopped in the real scan are taken out of the simulated one as well. The road is left out: points
below a quarter of a metre do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from twin_common.core.object_class import ObjectClass
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import SIGNAL, Activity, Frame, Shape, no_actors
from twin_sim.core.lidar import LidarSensor
from twin_sim.core.lidar_models import PERIOD_NS, lidar_model
from twin_sim.core.meshes import joined
from twin_sim.core.still_scene import StillScene
from twin_sim.evaluation import plots
from twin_sim.evaluation.kitti_cars import NEARER, Scene, Sighting, inside, scenes, spherical, towards
from twin_sim.evaluation.results import Figure, distance, quantile

TOPIC_POINTS, TOPIC_SHAPE = "points per car", "car clusters"
BANDS = tuple(range(5, 50, 5))  # m, lower edges
BAND = 5
ENOUGH = 2  # sightings without which a band says nothing
POINTS_TOLERANCE, EXTENT_TOLERANCE, EXTENT_DISTANCE = 0.25, 0.10, 0.25
_CLASSES = {"Pedestrian": ObjectClass.PEDESTRIAN, "Person": ObjectClass.PEDESTRIAN, "Cyclist": ObjectClass.BICYCLE,
            "Truck": ObjectClass.TRUCK, "Tram": ObjectClass.BUS}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pair:
    """One car as the real and as the simulated sensor saw it; points (N, 3) in the frame of its box."""

    sighting: Sighting
    real: np.ndarray
    ours: np.ndarray


def compare(data: Path, out: Path, step: int = 1) -> list[Figure]:
    """Return the figures of cars in every ``step``-th scan, and plot them."""
    found = pairs(scenes(data, step))
    _write(found, out)
    return [*_points(found, out), *_extents(found, out)]


def pairs(every: Sequence[Scene]) -> list[Pair]:
    """Simulate every car of real scenes."""
    model = lidar_model("HDL-64E")
    sensor = LidarSensor(model, StillScene(joined([])), BodyAtlas(Bodies()), np.eye(4), seed=1, stream=0)
    found = []
    for scene in every:
        if not scene.sightings:
            continue
        frame = Frame(PERIOD_NS * (scene.frame + 1), _actors(scene), np.zeros(0, SIGNAL))
        cloud = sensor.cloud(sensor.sweep(frame))
        points = np.column_stack([cloud[name] for name in "xyz"]).astype(float)
        for sighting in scene.sightings:
            ours = _visible(points[towards(spherical(points), sighting.box, 0.01)], sighting.before)
            found.append(Pair(sighting, sighting.points, inside(ours, sighting.box)))
    return found


def _actors(scene: Scene) -> np.ndarray:
    """Return our actors in the boxes of a scene, (N,) ACTOR."""
    actors = no_actors(len(scene.boxes))
    boxes = scene.boxes
    actors["actor_id"] = np.arange(len(boxes)) + 1
    for column, name in enumerate(("x", "y")):
        actors[name] = boxes[:, column]
    actors["z"] = boxes[:, 2] - boxes[:, 5] / 2
    for column, name in enumerate(("length", "width", "height", "yaw"), 3):
        actors[name] = boxes[:, column]
    actors["appearance"] = 7919 * np.arange(1, len(boxes) + 1)
    for actor, kind in zip(actors, scene.kinds, strict=True):
        actor["classification"] = _CLASSES.get(kind, ObjectClass.CAR)
        person = actor["classification"] == ObjectClass.PEDESTRIAN
        actor["activity"] = Activity.WALKING if person else Activity.PARKED
        actor["stature"] = actor["height"] if person else 0.0
        if actor["classification"] == ObjectClass.BICYCLE:
            actor["activity"] = Activity.RIDING
        if actor["classification"] == ObjectClass.CAR:
            actor["shape"] = _shape(float(actor["length"]), float(actor["height"]), kind)
    return actors


def _shape(length: float, height: float, kind: str) -> Shape:
    """Return the body that fits a box best."""
    if kind == "Van" or height > 1.80:
        return Shape.VAN
    if height > 1.60:
        return Shape.SUV
    return Shape.HATCHBACK if length < 4.15 else Shape.SALOON


def _visible(points: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return simulated points (N, 3) before which the real scan has nothing; ``before``: azimuth, elevation, range."""
    if not len(points) or not len(before):
        return points
    seen = spherical(points)
    _, nearest = cKDTree(before[:, :2]).query(seen[:, :2])
    shown: np.ndarray = points[before[nearest, 2] > seen[:, 2] - NEARER]
    return shown


def _points(found: Sequence[Pair], out: Path) -> list[Figure]:
    """Return the median of simulated by real counts in bands of distance, and over the whole ones."""
    reach = np.array([pair.sighting.distance for pair in found])
    ratio = np.array([len(pair.ours) / len(pair.real) for pair in found])
    figures = []
    for low in BANDS:
        rows = (reach >= low) & (reach < low + BAND)
        cars = {pair.sighting.vehicle for pair, row in zip(found, rows, strict=True) if row}
        value = float(np.median(ratio[rows])) if rows.sum() >= ENOUGH else float("nan")
        of = f"{rows.sum()} sightings of {len(cars)} cars"
        figures.append(_count(f"simulated / recorded, {low} to {low + BAND} m: median", value, of))
    whole = np.array([pair.sighting.whole for pair in found], bool)
    value = float(np.median(ratio[whole])) if whole.any() else float("nan")
    figures.append(_count("simulated / recorded, labelled unoccluded and untruncated: median", value,
                          f"{whole.sum()} sightings"))  # fmt: skip
    made, axes = plots.figure(2)
    for name, counts in (("recorded", [len(p.real) for p in found]), ("simulated", [len(p.ours) for p in found])):
        axes[0].plot(reach, counts, ".", ms=4, color=plots.colour(name), label=name)
    axes[0].set(xlabel="distance, m", ylabel="points on the car", yscale="log")
    axes[0].legend()
    axes[1].axhspan(1 - POINTS_TOLERANCE, 1 + POINTS_TOLERANCE, color="#e2e8f0")
    axes[1].plot(reach, ratio, ".", ms=4, color=plots.OTHER)
    axes[1].plot([low + BAND / 2 for low in BANDS], [f.ours for f in figures[:-1]], "o-", color=plots.OURS)
    axes[1].set(xlabel="distance, m", ylabel="simulated / recorded", ylim=(0, 2))
    plots.save(made, out / "points_per_car.png")
    return figures


def _count(name: str, value: float, of: str) -> Figure:
    return Figure(TOPIC_POINTS, name, value, 1.0, "1", POINTS_TOLERANCE, of=of)


def _extents(found: Sequence[Pair], out: Path) -> list[Figure]:
    """Return height and longer side of clusters of at least 30 points, from their 2nd to 98th percentile."""
    enough = [pair for pair in found if min(len(pair.real), len(pair.ours)) >= 30]
    figures, panels = [], []
    for name, column, widest in (("height", 2, 2.5), ("length", 0, 6.0), ("width", 1, 2.5)):
        real, ours = (
            np.array([np.subtract(*np.quantile(p[:, column], (0.98, 0.02))) for p in points])
            for points in ([pair.real for pair in enough], [pair.ours for pair in enough])
        )
        figures.append(quantile(TOPIC_SHAPE, name, ours, real, 0.5, "m", EXTENT_TOLERANCE))
        figures.append(distance(TOPIC_SHAPE, name, ours, real, EXTENT_DISTANCE))
        panels.append((f"{name} of the cluster, m", {"recorded": real, "simulated": ours}, (0.0, widest)))
    plots.distributions(out / "car_clusters.png", panels)
    return figures


def _write(found: Sequence[Pair], out: Path) -> None:
    """Write one line per car and scan."""
    out.mkdir(parents=True, exist_ok=True)
    lines = ["row,vehicle,whole,distance,length,width,height,points_recorded,points_simulated"]
    for pair in found:
        s = pair.sighting
        size = ",".join(f"{value:.2f}" for value in s.box[3:6])
        lines.append(f"{s.row},{s.vehicle},{int(s.whole)},{s.distance:.2f},{size},{len(pair.real)},{len(pair.ours)}")
    (out / "cars.csv").write_text("\n".join(lines) + "\n")
