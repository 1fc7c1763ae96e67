"""Small scenes for the LiDAR's tests."""

import numpy as np

from twin_common.core.object_class import ObjectClass
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import Activity, Frame, Shape, Weather, no_actors
from twin_sim.core.lidar import LidarSensor
from twin_sim.core.lidar_models import lidar_model
from twin_sim.core.meshes import MATERIAL_NAMES, Mesh, box, joined
from twin_sim.core.still_scene import StillScene

START_NS = 1_700_000_000_000_000_000
CLEAR = Weather()


def square(corners, material):
    """Return a flat four-cornered surface."""
    return Mesh(np.array(corners, float), np.array([(0, 1, 2), (0, 2, 3)]), np.full(2, MATERIAL_NAMES.index(material)))


def ground(size=200.0, material="asphalt"):
    return square([(-size, -size, 0), (size, -size, 0), (size, size, 0), (-size, size, 0)], material)


def wall(x, material="concrete", height=60.0, half=200.0):
    return square([(x, -half, -height), (x, half, -height), (x, half, height), (x, -half, height)], material)


def pole(height=5.0, x=0.0, y=0.0):
    transform = np.eye(4)
    transform[:3, 3] = x, y, height
    return transform


def sensor(meshes, name="OS1-64", columns=0, *, at=None, weather=CLEAR, seed=1, stream=0, atlas=None):
    return LidarSensor(
        lidar_model(name, columns), StillScene(joined(meshes)), atlas or BodyAtlas(Bodies()),
        pole() if at is None else at,
        seed=seed, stream=stream, weather=weather,
    )  # fmt: skip


def frame(actors=None, stamp_ns=START_NS):
    return Frame(stamp_ns, no_actors() if actors is None else actors, np.zeros(0))


def car(x, y, yaw=0.0, speed=0.0, actor_id=1, shape=Shape.SALOON, size=(4.7, 1.84, 1.46)):
    row = no_actors(1)
    row["actor_id"], row["x"], row["y"], row["yaw"] = actor_id, x, y, yaw
    row["length"], row["width"], row["height"] = size
    row["velocity_x"], row["velocity_y"] = speed * np.cos(yaw), speed * np.sin(yaw)
    row["classification"], row["activity"], row["shape"] = ObjectClass.CAR, Activity.DRIVING, shape
    return row


def xyz(points):
    return np.stack([points["x"], points["y"], points["z"]], axis=1).astype(float)


__all__ = ["box", "car", "frame", "ground", "joined", "pole", "sensor", "square", "wall", "xyz"]
