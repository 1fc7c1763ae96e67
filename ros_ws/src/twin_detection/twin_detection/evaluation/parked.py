"""Parked vehicles as truth: the simulator keeps them among what stands still, but a moving LiDAR has to find them."""

from __future__ import annotations

import dataclasses

import numpy as np

from twin_common.core.geometry import apply
from twin_detection.evaluation.scenes import View
from twin_sim.core.frame import Frame
from twin_sim.core.scenery import parked_actors
from twin_sim.world import World

_MARGIN = 0.1  # metres around a box whose points are a vehicle's
_FOOT = 0.15  # metres above its foot, below which they are the ground's
_NEAR = 60.0  # metres


def with_parked(view: View, world: World) -> tuple[Frame, np.ndarray, np.ndarray]:
    """Return a view's frame with the parked vehicles near it, and LiDAR points and pixels on each actor.

    Points are those in a parked vehicle's box; pixels are not known, and 0.
    """
    parked = parked_actors(world.config.parked)
    position = view.map_from_lidar[:3, 3]
    parked = parked[np.hypot(parked["x"] - position[0], parked["y"] - position[1]) < _NEAR]
    points = apply(view.map_from_lidar, view.cloud.xyz.astype(float))
    counts = np.array([_inside(points, row) for row in parked], view.points.dtype)
    frame = dataclasses.replace(view.frame, actors=np.concatenate([view.frame.actors, parked]))
    return frame, np.concatenate([view.points, counts]), np.concatenate([view.pixels, np.zeros_like(counts)])


def _inside(points: np.ndarray, row: np.void) -> int:
    dx, dy = points[:, 0] - row["x"], points[:, 1] - row["y"]
    up = points[:, 2] - row["z"]
    cos, sin = np.cos(row["yaw"]), np.sin(row["yaw"])
    inside = np.abs(dx * cos + dy * sin) < row["length"] / 2 + _MARGIN
    inside &= np.abs(dy * cos - dx * sin) < row["width"] / 2 + _MARGIN
    return int(np.count_nonzero(inside & (up > _FOOT) & (up < row["height"] + _MARGIN)))
