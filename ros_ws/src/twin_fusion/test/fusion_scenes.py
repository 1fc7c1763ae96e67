"""A camera on a pole over a street, and boxes of bodies that stand where they are told to."""

from __future__ import annotations

import numpy as np

from twin_common import cdr
from twin_common.core import geometry
from twin_fusion.core import camera_bodies as bodies
from twin_fusion.core.camera_mount import outlines
from twin_fusion.core.lens import Lens

IMAGE = cdr.record_dtype("twin_msgs/msg/ImageObject")
OBJECT = cdr.record_dtype("twin_msgs/msg/DetectedObject")
CAR, MOTORCYCLE, PEDESTRIAN = 1, 4, 7
LYING = 3
LENS = Lens(640, 360, np.array([[457.0, 0, 319.5], [0, 457.0, 179.5], [0, 0, 1]]), "plumb_bob",
            np.array([-0.10, 0.02, 0.001, -0.0008, -0.001]))  # fmt: skip


def facing_east(down: float = 0.28, height: float = 5.5) -> np.ndarray:
    """Return map_from_camera (4, 4) of a camera above the origin that looks along +x, turned down by an angle."""
    forward = np.array([np.cos(down), 0.0, -np.sin(down)])
    right = np.array([0.0, -1.0, 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack([right, np.cross(forward, right), forward])
    pose[2, 3] = height
    return pose


def standing(places: np.ndarray, label: int, yaw: np.ndarray | float = 0.0, posture: int = 1) -> np.ndarray:
    """Return objects (N,), DetectedObject, of the usual size, on the ground at places (N, 2)."""
    objects = np.zeros(len(places), OBJECT)
    objects["classification"] = label
    objects["posture"] = posture if label == PEDESTRIAN else 0
    row = bodies.rows_of(objects["classification"], objects["posture"])
    objects["length"], objects["width"], objects["height"] = bodies.SIZE[row].T
    objects["x"], objects["y"] = np.asarray(places, float).T
    objects["z"] = 0.5 * objects["height"]
    objects["yaw"] = yaw
    objects["velocity_x"] = objects["velocity_y"] = np.nan
    objects["position_covariance"] = (0.01 * np.eye(3)).reshape(-1)
    objects["class_probability"][np.arange(len(objects)), label] = 1.0
    objects["existence"], objects["point_count"], objects["sensors"] = 0.9, 40, 1
    return objects


def photographed(objects: np.ndarray, map_from_camera: np.ndarray, lens: Lens = LENS, noise: float = 0.0,
                 rng: np.random.Generator | None = None) -> np.ndarray:  # fmt: skip
    """Return what a camera sees of objects (N,), ImageObject, those in view; ``noise``: pixels of each edge."""
    camera_from_map = geometry.inverse(map_from_camera)
    corners = outlines(objects) @ camera_from_map[:3, :3].T + camera_from_map[:3, 3]
    spots = lens.project(corners) + 0.5
    box = np.concatenate([spots.min(axis=1), spots.max(axis=1)], axis=1)
    if noise:
        assert rng is not None
        box = box + rng.normal(scale=noise, size=box.shape)
    size = np.array([lens.width, lens.height] * 2, float)
    held = np.clip(box, 0, size)
    seen = np.flatnonzero((held[:, 2] - held[:, 0] > 2) & (held[:, 3] - held[:, 1] > 2))
    found = np.zeros(len(seen), IMAGE)
    for column, name in enumerate(("x_min", "y_min", "x_max", "y_max")):
        found[name] = held[seen, column]
        found["cut"] |= np.where(np.abs(box[seen, column] - held[seen, column]) > 1, 1 << column, 0).astype(np.uint8)
    found["object_id"] = seen
    found["classification"] = objects["classification"][seen]
    found["posture"] = objects["posture"][seen]
    found["class_probability"] = 0.01
    found["class_probability"][np.arange(len(seen)), found["classification"]] = 0.91
    found["posture_probability"] = 0.02
    found["posture_probability"][np.arange(len(seen)), found["posture"]] = 0.94
    found["existence"] = 0.9
    found["colour"][:, 3] = 255  # red
    return found
