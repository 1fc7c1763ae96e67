"""What a platform of the simulated district detects: a model over the truth, in place of LiDAR and detector.

An object is seen as far as five points of its body are: none may lie behind a building or another body. It is found
with a probability that falls with distance and with what is hidden; its position has white noise of the stated
covariance.
docs/tracking.md gives the figures.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from twin_common import cdr
from twin_common.core.object_class import ObjectClass
from twin_tracking.core.visibility import Solids, Walls

OBJECT = cdr.record_dtype("twin_msgs/msg/DetectedObject")
VEHICLES = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS)
#: Places of the five points, as shares of half length, half width and of the height.
_POINTS = np.array([[0, 0, 0.97], [0, 0, 0.75], [0, 0.7, 0.75], [0, -0.7, 0.75], [0, 0, 0.4]])
#: An upright person: length and width of the trunk, height of the shoulders as a share, width of the head; m.
_TRUNK, _SHOULDERS, _HEAD = (0.28, 0.45), 0.83, 0.2
#: How common black, grey, white, red, yellow, green, blue and other colours are.
_COMMON = (0.35, 0.2, 0.15, 0.06, 0.04, 0.04, 0.12, 0.04)
_TURN = 0.1


@dataclass(frozen=True, slots=True)
class SensorModel:
    """Figures of the model; metres, seconds, shares."""

    range_person: float = 45.0
    range_vehicle: float = 60.0
    find: float = 0.95
    find_at_range: float = 0.75
    find_mostly_hidden: float = 0.5
    sigma_person: float = 0.06
    sigma_along: float = 0.15
    sigma_across: float = 0.08
    sigma_per_metre: float = 0.002
    yaw_sigma: float = 0.06
    backwards: float = 0.05
    clutter: float = 0.3
    confused: float = 0.05


def visible_share(sensor: np.ndarray, actors: np.ndarray, walls: Walls, reach: float) -> np.ndarray:
    """Return how much of each actor (N,) ACTOR a sensor (3,) sees, (N,) shares; 0 beyond ``reach``."""
    share = np.zeros(len(actors))
    near = np.flatnonzero(np.hypot(actors["x"] - sensor[0], actors["y"] - sensor[1]) < reach)
    points = _silhouette(sensor, actors[near]).reshape(-1, 3)
    hidden = walls.hide(sensor, points)
    seen = np.flatnonzero(~hidden)
    owner = np.repeat(np.arange(len(near)), len(_POINTS))[seen]
    solids = _solids(actors[near])
    for start in range(0, len(seen), 1000):
        part = seen[start : start + 1000]
        hidden[part[solids.hide(sensor, points[part], owner[start : start + 1000])]] = True
    share[near] = 1 - hidden.reshape(len(near), len(_POINTS)).mean(axis=1)
    return share


def _silhouette(sensor: np.ndarray, bodies: np.ndarray) -> np.ndarray:
    """Return five points of each body (N,) across the line of sight of a sensor, (N, 5, 3)."""
    bearing = np.arctan2(bodies["y"] - sensor[1], bodies["x"] - sensor[0])
    length, width = _extent(bodies)
    turn = bearing - bodies["yaw"]
    half = (np.abs(np.sin(turn)) * length + np.abs(np.cos(turn)) * width) / 2
    points = np.empty((len(bodies), len(_POINTS), 3))
    points[..., 0] = bodies["x"][:, None] - (np.sin(bearing) * half)[:, None] * _POINTS[:, 1]
    points[..., 1] = bodies["y"][:, None] + (np.cos(bearing) * half)[:, None] * _POINTS[:, 1]
    points[..., 2] = bodies["z"][:, None] + bodies["height"][:, None] * _POINTS[:, 2]
    return points


def _extent(bodies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return length and width (N,) of what hides others: of upright persons the trunk, not the stride."""
    upright = (bodies["classification"] == ObjectClass.PEDESTRIAN) & (bodies["height"] > 1.0)
    return np.where(upright, _TRUNK[0], bodies["length"]), np.where(upright, _TRUNK[1], bodies["width"])


def _solids(bodies: np.ndarray) -> Solids:
    """Return the boxes that hide what is behind them: bodies (N,), upright persons as trunk and head."""
    length, width = _extent(bodies)
    upright = np.flatnonzero((bodies["classification"] == ObjectClass.PEDESTRIAN) & (bodies["height"] > 1.0))
    owner = np.concatenate([np.arange(len(bodies)), upright])
    low = bodies["z"].astype(float)
    top = low + bodies["height"]
    trunk = top.copy()
    trunk[upright] = low[upright] + _SHOULDERS * bodies["height"][upright]
    head = np.full(len(upright), _HEAD)
    return Solids(
        bodies["x"][owner], bodies["y"][owner], bodies["yaw"][owner].astype(float), np.concatenate([length, head]),
        np.concatenate([width, head]), np.concatenate([trunk, top[upright]]), owner,
    )  # fmt: skip


def detect(
    actors: np.ndarray, share: np.ndarray, sensor: np.ndarray, offset: np.ndarray, platform: int, model: SensorModel,
    rng: np.random.Generator,
) -> np.ndarray:  # fmt: skip
    """Return what a sensor reports, (M,) DetectedObject records in the map frame, clutter last.

    ``actors`` (N,) ACTOR are where they are when the beam meets them, ``offset`` (N,) s after the stamp.
    """
    found = _found(actors, share, sensor, model, rng)
    actors, share, offset = actors[found], share[found], offset[found]
    distance = np.hypot(actors["x"] - sensor[0], actors["y"] - sensor[1])
    objects = np.zeros(len(actors), OBJECT)
    vehicle = np.isin(actors["classification"], VEHICLES)
    person = actors["classification"] == ObjectClass.PEDESTRIAN
    wider = 1 / np.sqrt(np.clip(share, 0.2, 1.0))
    along = (np.where(vehicle, model.sigma_along, model.sigma_person) + model.sigma_per_metre * distance) * wider
    across = (np.where(vehicle, model.sigma_across, model.sigma_person) + model.sigma_per_metre * distance) * wider
    cos, sin = np.cos(actors["yaw"]), np.sin(actors["yaw"])
    noise = rng.normal(size=(3, len(actors))) * np.stack([along, across, np.full(len(actors), 0.05)])
    objects["x"] = actors["x"] + cos * noise[0] - sin * noise[1]
    objects["y"] = actors["y"] + sin * noise[0] + cos * noise[1]
    objects["z"] = actors["z"] + actors["height"] / 2 + noise[2]
    turn = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)
    spread = np.zeros((len(actors), 3, 3))
    spread[:, :2, :2] = np.einsum("nij,nj,nkj->nik", turn, np.stack([along, across], 1) ** 2, turn)
    spread[:, 2, 2] = 0.05**2
    objects["position_covariance"] = spread.reshape(-1, 9)
    for name in ("length", "width", "height"):
        objects[name] = actors[name] * np.exp(rng.normal(0, 0.05, len(actors)))
    sigma = np.where(person, 1.0, model.yaw_sigma)
    flipped = np.pi * (rng.random(len(actors)) < model.backwards)
    yaw = actors["yaw"] + rng.normal(0, 1, len(actors)) * sigma + flipped
    objects["yaw"], objects["yaw_variance"] = np.arctan2(np.sin(yaw), np.cos(yaw)), sigma**2
    objects["class_probability"] = _classes(actors["classification"], model, rng)
    objects["existence"] = np.clip(rng.normal(0.85, 0.08, len(actors)), 0.3, 0.99)
    objects["time_offset"] = offset
    objects["colour"] = colours(actors["appearance"], rng)
    objects = np.concatenate([objects, _clutter(sensor, model, rng)])
    objects["classification"] = objects["class_probability"].argmax(axis=1)
    objects["velocity_x"] = objects["velocity_y"] = np.nan
    objects["platforms"] = np.uint64(1) << np.uint64(platform)
    objects["point_count"], objects["sensors"] = 30, 1
    objects["object_id"] = np.arange(len(objects))
    return objects


def reach_of(actors: np.ndarray, model: SensorModel) -> np.ndarray:
    """Return how far each actor (N,) can be detected, (N,) metres."""
    vehicle = np.isin(actors["classification"], VEHICLES)
    return np.asarray(np.where(vehicle, model.range_vehicle, model.range_person))


def _found(actors: np.ndarray, share: np.ndarray, sensor: np.ndarray, model: SensorModel, rng: np.random.Generator
           ) -> np.ndarray:  # fmt: skip
    """Draw which actors are detected, (N,) bool."""
    distance = np.hypot(actors["x"] - sensor[0], actors["y"] - sensor[1]) / reach_of(actors, model)
    chance = model.find + (model.find_at_range - model.find) * np.minimum(distance, 1.0) ** 2
    chance = np.where(share < 0.35, model.find_mostly_hidden, chance) * (share > 0) * (distance <= 1)
    return np.asarray(rng.random(len(actors)) < chance)


def _classes(label: np.ndarray, model: SensorModel, rng: np.random.Generator) -> np.ndarray:
    """Return class probabilities (N, 10): sure for the right class, or doubtful for another one."""
    count = len(ObjectClass)
    wrong = rng.random(len(label)) < model.confused
    told = np.where(wrong, rng.integers(0, count, len(label)), label)
    probability = np.full((len(label), count), 0.15 / count)
    probability[np.arange(len(label)), told] += np.where(wrong, 0.45, 0.85)
    probability[:, ObjectClass.UNKNOWN] += np.where(wrong, 0.4, 0.0)
    return np.asarray(probability / probability.sum(axis=1, keepdims=True))


def colours(appearance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return colour shares (N, 8) uint8: a main and a second colour, which the appearance decides, seen with noise.

    Most clothes and cars are black, grey or white, so that many look alike.
    """
    seed = appearance.astype(np.uint64)
    main, second, share = (((seed // np.uint64(step)) % np.uint64(997)).astype(float) / 997 for step in (1, 997, 991))
    limits = np.cumsum(_COMMON)
    own = np.full((len(appearance), 8), 0.03)
    row = np.arange(len(appearance))
    own[row, np.minimum(np.searchsorted(limits, main), 7)] += 0.45 + 0.2 * share
    own[row, np.minimum(np.searchsorted(limits, second), 7)] += 0.3 - 0.2 * share
    own = own * np.exp(rng.normal(0, 0.4, own.shape))
    return np.asarray(np.round(255 * own / own.sum(axis=1, keepdims=True)).astype(np.uint8)).reshape(-1, 8)


def _clutter(sensor: np.ndarray, model: SensorModel, rng: np.random.Generator) -> np.ndarray:
    """Return false detections of one sweep, (C,) records."""
    count = int(rng.poisson(model.clutter))
    objects = np.zeros(count, OBJECT)
    distance, bearing = model.range_person * np.sqrt(rng.random(count)), rng.uniform(-np.pi, np.pi, count)
    objects["x"], objects["y"] = sensor[0] + distance * np.cos(bearing), sensor[1] + distance * np.sin(bearing)
    objects["z"], objects["length"], objects["width"], objects["height"] = 0.9, 0.6, 0.6, 1.6
    objects["position_covariance"] = np.diag([0.04, 0.04, 0.01]).ravel()
    objects["yaw_variance"] = 1.0
    objects["class_probability"][:, ObjectClass.UNKNOWN] = 0.6
    objects["class_probability"][:, ObjectClass.PEDESTRIAN] = 0.4
    objects["existence"] = np.clip(rng.normal(0.45, 0.12, count), 0.05, 0.9)
    return objects


def turn_offsets(actors: np.ndarray, sensor: np.ndarray) -> np.ndarray:
    """Return when the beam of a turning sensor meets each actor, (N,) s from the end of its turn, -0.1 to 0."""
    bearing = np.arctan2(actors["y"] - sensor[1], actors["x"] - sensor[0])
    return np.asarray(-_TURN * ((bearing + np.pi) / (2 * np.pi)))


def road_users(actors: np.ndarray, without: Iterable[int] = ()) -> np.ndarray:
    """Return the actors that are asked for: no things, and not those that carry the sensors."""
    things = (ObjectClass.UNKNOWN, ObjectClass.DEBRIS)
    return actors[~np.isin(actors["classification"], things) & ~np.isin(actors["actor_id"], list(without))]
