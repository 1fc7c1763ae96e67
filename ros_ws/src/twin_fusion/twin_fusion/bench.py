"""``./twin bench fusion``: what fusion, calibration checks and merging cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from twin_common import cdr
from twin_common.core import geometry
from twin_fusion.config import AlignmentConfig, FusionConfig, MergerConfig
from twin_fusion.core import camera_bodies as bodies
from twin_fusion.core.camera_pairing import View, image_boxes, project_boxes
from twin_fusion.core.drift import DriftCheck
from twin_fusion.core.ground_height import Ground
from twin_fusion.core.ground_position import locate
from twin_fusion.core.lens import Lens
from twin_fusion.core.merging import merge
from twin_fusion.core.placement import PoseError, place
from twin_fusion.core.platform_fusion import PlatformFusion
from twin_fusion.core.slots import Part, Slot

OBJECT, IMAGE = (cdr.record_dtype(f"twin_msgs/msg/{name}Object") for name in ("Detected", "Image"))
LENS = Lens(640, 360, np.array([[457.0, 0, 319.5], [0, 457.0, 179.5], [0, 0, 1]]), "plumb_bob", np.zeros(5))
PEDESTRIAN, CAR = 7, 1


def run(objects: int = 40, repeats: int = 15) -> dict[str, float]:
    """Return processor times in milliseconds, medians."""
    rng = np.random.default_rng(0)
    pose = camera_pose()
    people, seen = scene(objects, pose, rng)
    ground, config = Ground(0.0), FusionConfig()
    rows = bodies.rows_of(seen["classification"], seen["posture"])
    placed = locate(image_boxes(seen), seen["cut"], rows, LENS, pose, ground, config)
    fusion = PlatformFusion(config, OBJECT)
    stamp = iter(range(0, 10**12, 100_000_000))

    def scan() -> None:
        now_ns = next(stamp)
        fusion.scan(now_ns, place(people, np.eye(4), 0, PoseError.even(config.position_sigma, config.yaw_sigma)))
        fusion.frame(View(now_ns, seen, placed, LENS, pose), 0)
        fusion.again()

    check = DriftCheck(AlignmentConfig(), street(rng))
    cloud = street(rng)
    slot = Slot(tuple(Part(k, 0, people) for k in range(4)))
    return {
        f"boxes of a frame to the ground, {len(seen)} objects": timed(
            lambda: locate(image_boxes(seen), seen["cut"], rows, LENS, pose, ground, config), repeats
        ),
        f"scan and frame joined, {objects} and {len(seen)} objects": timed(scan, repeats),
        f"merging of 4 platforms, {objects} objects each": timed(lambda: merge(slot, MergerConfig()), repeats),
        "check of a mount, one in 5 s": timed(lambda: check.check(cloud), repeats),
        "renewal of its reference, one in 600 s": timed(lambda: check.renew(cloud), repeats),
    }


def timed(step: Callable[[], object], repeats: int) -> float:
    """Return the median processor time of a step, milliseconds, after one that does not count."""
    step()
    spent = []
    for _ in range(repeats):
        began = time.process_time()
        step()
        spent.append((time.process_time() - began) * 1e3)
    return median(spent)


def camera_pose() -> np.ndarray:
    """Return map_from_camera (4, 4) of a camera 5.5 m above the origin, looking along x and 16 degrees down."""
    return geometry.transform_from_rpy((0.0, 0.0, 5.5), float(np.radians(-106.0)), 0.0, float(np.radians(-90.0)))


def scene(count: int, pose: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return people and cars around a camera (count,), DetectedObject, and what it sees of them, ImageObject."""
    objects = np.zeros(count, OBJECT)
    objects["classification"] = np.where(rng.random(count) < 0.3, CAR, PEDESTRIAN)
    objects["length"], objects["width"], objects["height"] = bodies.SIZE[objects["classification"]].T
    objects["x"] = rng.uniform(8, 45, count)
    objects["y"] = rng.uniform(-0.6, 0.6, count) * objects["x"]
    objects["z"], objects["yaw"] = 0.5 * objects["height"], rng.uniform(-np.pi, np.pi, count)
    objects["position_covariance"] = (0.01 * np.eye(3)).reshape(-1)
    objects["class_probability"][np.arange(count), objects["classification"]] = 1.0
    objects["existence"], objects["sensors"], objects["point_count"] = 0.9, 1, 40
    boxes = np.clip(project_boxes(objects, LENS, pose), 0, (LENS.width, LENS.height) * 2)
    visible = np.flatnonzero((boxes[:, 2] - boxes[:, 0] > 3) & (boxes[:, 3] - boxes[:, 1] > 3))
    seen = np.zeros(len(visible), IMAGE)
    for column, name in enumerate(("x_min", "y_min", "x_max", "y_max")):
        seen[name] = boxes[visible, column]
    for name in ("classification", "class_probability", "existence"):
        seen[name] = objects[name][visible]
    seen["posture"], seen["posture_probability"][:, 1] = 1, 1.0
    return objects, seen


def street(rng: np.random.Generator, count: int = 60_000) -> np.ndarray:
    """Return points (N, 3) on a road between two fronts, seen from 5 m above it."""
    third = count // 3
    ground = np.column_stack([rng.uniform(-40, 40, third), rng.uniform(-12, 12, third), np.full(third, -5.0)])
    front = np.column_stack([rng.uniform(-40, 40, third), np.full(third, 12.0), rng.uniform(-5, 4, third)])
    across = np.column_stack([np.full(third, 30.0), rng.uniform(-12, 12, third), rng.uniform(-5, 4, third)])
    points: np.ndarray = np.concatenate([ground, front, across])
    return np.asarray(points + rng.normal(scale=0.02, size=points.shape))
