"""Pictures that are staged: cameras and weathers drawn at random, rare road users put in among the simulated ones.

Everything random comes from the generator that is given.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from twin_common.core.geometry import transform_from_rpy
from twin_common.core.object_class import ObjectClass
from twin_sim.core.fleet import KINDS
from twin_sim.core.frame import ACTOR, Activity, Frame, Light, Weather
from twin_sim.core.zone_index import ZoneIndex
from twin_sim.world import World

#: How often each kind of vehicle, and each activity of people, is put in.
KIND_SHARES = {"saloon": 2, "suv": 2, "hatchback": 1, "van": 1, "taxi": 1, "light_truck": 4, "truck": 4, "bus": 4,
               "motorcycle": 5, "scooter": 5, "bicycle": 4}  # fmt: skip
WALKS = {Activity.WALKING: 5, Activity.STANDING: 3, Activity.RUNNING: 1, Activity.SITTING: 5, Activity.LYING: 6}

CLEAR_TO = 0.8  # of the visibility: beyond it less than a tenth of the contrast is left


def random_weather(rng: np.random.Generator) -> Weather:
    """Return day, dusk or night; dry, rain or haze."""
    hour = rng.random()
    elevation = rng.uniform(0.1, 1.3) if hour < 0.55 else rng.uniform(-0.08, 0.12) if hour < 0.68 else -0.4
    wet = rng.random()
    rain = rng.uniform(0.5, 14.0) if wet < 0.25 else 0.0
    visibility = rng.uniform(150, 1500) if wet > 0.9 else 20_000.0 if not rain else rng.uniform(1500, 8000)
    return Weather(rain, visibility, 15.0, float(elevation), float(rng.uniform(-np.pi, np.pi)))


def random_fog(rng: np.random.Generator) -> Weather:
    """Return fog at any hour, its visibility 50 to 600 m."""
    visibility = float(np.exp(rng.uniform(np.log(50.0), np.log(600.0))))
    return dataclasses.replace(random_weather(rng), rain=0.0, visibility=visibility)


def leave_out_hidden(found: np.ndarray, weather: Weather) -> None:
    """Set what may be asked of objects (N,) LABEL to nothing where the air hides them."""
    found["visible"][found["distance"] > CLEAR_TO * weather.visibility] = 0.0


def random_camera(rng: np.random.Generator, world: World, index: ZoneIndex) -> np.ndarray:
    """Return map_from_camera (4, 4) of a pole of the district, of one elsewhere, or of a vehicle."""
    choice = rng.random()
    poles = [item for item in world.district.platforms if item.kind == "pole"]
    if choice < 0.4:
        pose = poles[rng.integers(len(poles))].pose
        x, y, yaw, height = pose.x, pose.y, np.radians(pose.yaw_deg), 5.65
        yaw += rng.normal(0, 0.25)
        height += rng.normal(0, 0.4)
        down = np.radians(16.0) + rng.normal(0, 0.06)
    else:
        wanted = ("sidewalk", "plaza") if choice < 0.75 else ("carriageway",)
        low, high = np.array(world.config.bounds[:2]), np.array(world.config.bounds[2:])
        while True:
            x, y = rng.uniform(low, high)
            if set(wanted) & index.kinds(x, y):
                break
        yaw = rng.uniform(-np.pi, np.pi) if choice < 0.75 else rng.integers(4) * np.pi / 2 + rng.normal(0, 0.1)
        height, down = (rng.uniform(4.0, 7.0), np.radians(rng.uniform(8, 26))) if choice < 0.75 else (
            rng.uniform(1.2, 1.8), np.radians(rng.normal(2.0, 1.0)))  # fmt: skip
    base = transform_from_rpy((x, y, index.ground(x, y)), 0.0, 0.0, yaw)
    mount = transform_from_rpy((0.0, 0.0, height), -np.pi / 2 - down, 0.0, -np.pi / 2)
    return np.asarray(base @ mount)


def put_in(rng: np.random.Generator, camera: np.ndarray, index: ZoneIndex, frame: Frame) -> np.ndarray:
    """Return people and vehicles before a camera, (N,) ACTOR: those that simulated frames have too few of."""
    rows = np.zeros(int(rng.integers(3, 13)), ACTOR)
    taken = np.column_stack([frame.actors["x"], frame.actors["y"], frame.actors["length"] / 2])
    for row in rows:
        _someone(rng, row) if rng.random() < 0.5 else _something(rng, row)
        for _ in range(20):
            x, y = _place(rng, camera, 9.0 if row["length"] > 4 else 5.0)
            free = np.hypot(*(taken[:, :2] - (x, y)).T) > taken[:, 2] + row["length"] / 2 + 0.3
            if free.all() and (row["length"] < 3 or "carriageway" in index.kinds(x, y)):
                break
        else:
            row["z"] = -50.0  # no room: out of sight
            continue
        row["x"], row["y"], row["z"] = x, y, index.ground(x, y)
        streets = rng.random() < 0.7 and row["length"] > 3
        row["yaw"] = rng.integers(4) * np.pi / 2 + rng.normal(0, 0.05) if streets else rng.uniform(-np.pi, np.pi)
        row["appearance"], row["phase"] = rng.integers(1 << 31), rng.uniform(0, 2 * np.pi)
        taken = np.vstack([taken, (x, y, row["length"] / 2)])
    return rows[rows["z"] > -1.0]


def _place(rng: np.random.Generator, camera: np.ndarray, nearest: float) -> tuple[float, float]:
    ahead = np.arctan2(camera[1, 2], camera[0, 2]) + rng.uniform(-0.65, 0.65)
    away = nearest + 45.0 * rng.random() ** 1.5
    return float(camera[0, 3] + away * np.cos(ahead)), float(camera[1, 3] + away * np.sin(ahead))


def _someone(rng: np.random.Generator, row: np.void) -> None:
    acts, weights = list(WALKS), np.array(list(WALKS.values()), float)
    activity = acts[rng.choice(len(acts), p=weights / weights.sum())]
    stature = rng.normal(1.68, 0.09)
    lying = {Activity.SITTING: (0.85, 0.5, 1.2), Activity.LYING: (stature, 0.6, 0.35)}
    row["classification"], row["activity"], row["stature"] = ObjectClass.PEDESTRIAN, activity, stature
    row["length"], row["width"], row["height"] = lying.get(activity, (0.5, 0.5, stature))


def _something(rng: np.random.Generator, row: np.void) -> None:
    kinds = [kind for kind in KINDS if kind.name in KIND_SHARES]
    shares = np.array([KIND_SHARES[kind.name] for kind in kinds], float)
    kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
    row["classification"], row["shape"] = kind.classification, kind.shape
    row["length"], row["width"], row["height"] = kind.length, kind.width, kind.height
    row["activity"] = Activity.DRIVING if kind.classification <= ObjectClass.BUS else Activity.RIDING
    row["lights"] = Light.BRAKE if rng.random() < 0.3 else 0


def mixed(rng: np.random.Generator, frame: Frame, camera: np.ndarray, index: ZoneIndex, weather: Weather) -> Frame:
    """Return a frame with some actors put in, its lights as the weather asks."""
    near = np.hypot(*(np.stack([frame.actors["x"], frame.actors["y"]]) - camera[:2, 3, None])) < 3.5
    frame = dataclasses.replace(frame, actors=frame.actors[~near])
    more = put_in(rng, camera, index, frame)
    more["actor_id"] = frame.actors["actor_id"].max(initial=0) + 1 + np.arange(len(more))
    actors = np.concatenate([frame.actors, more])
    wheels = actors["classification"] != ObjectClass.PEDESTRIAN
    actors["lights"][wheels] = (actors["lights"][wheels] & ~np.uint8(Light.HEAD)) | (Light.HEAD * weather.night)
    actors["appearance"] = rng.integers(1 << 31, size=len(actors))
    return dataclasses.replace(frame, actors=actors)
