"""Which labels of the KITTI tracking benchmark must be found, and which findings are judged.

Labels cover only what the camera sees. ``docs/evaluation.md`` gives the rules in words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_replay.core.kitti import Boxes, Calibration

IMAGE_SIZE = (1242, 375)


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is scored. Distances in metres, seen from above."""

    kinds: tuple[str, ...] = ("Car", "Van")
    #: Labels of a kindred sort: neither asked for nor counted as a false alarm when found.
    similar: tuple[str, ...] = ("Truck", "Tram", "Misc")
    max_range: float = 40.0
    min_points: int = 20
    match_distance: float = 1.0


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """The labels of one frame that play a part.

    ``track_id``: (T,); ``boxes``: (T, 7) x, y, z, length, width, height, yaw, LiDAR frame; ``must``: (T,) bool,
    whether it must be found; ``dont_care``: (K, 4) image regions without labels, pixels.
    """

    track_id: np.ndarray
    boxes: np.ndarray
    must: np.ndarray
    dont_care: np.ndarray


def count_points(xyz: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return how many of (N, 3) points lie in each of (B, 7) boxes, (B,)."""
    counts = np.zeros(len(boxes), int)
    for index, (x, y, z, length, width, height, yaw) in enumerate(boxes):
        near = xyz[np.abs(xyz[:, 0] - x) + np.abs(xyz[:, 1] - y) < length + width]
        dx, dy, dz = near[:, 0] - x, near[:, 1] - y, near[:, 2] - z
        along, across = dx * np.cos(yaw) + dy * np.sin(yaw), dy * np.cos(yaw) - dx * np.sin(yaw)
        inside = (np.abs(along) <= length / 2) & (np.abs(across) <= width / 2) & (np.abs(dz) <= height / 2)
        counts[index] = np.count_nonzero(inside)
    return counts


def frame_truth(labels: Boxes, frame: int, calibration: Calibration, xyz: np.ndarray, protocol: Protocol) -> FrameTruth:
    """Return the labels of a frame, given its (N, 3) scan."""
    here = labels.select(labels.frame == frame)
    wanted = here.select(np.isin(here.kind, protocol.kinds + protocol.similar))
    boxes = wanted.in_lidar(calibration)
    must = np.isin(wanted.kind, protocol.kinds) & (np.hypot(boxes[:, 0], boxes[:, 1]) <= protocol.max_range)
    must &= count_points(xyz, boxes) >= protocol.min_points
    return FrameTruth(wanted.track_id, boxes, must, here.image_box[here.kind == "DontCare"])


def judged(centres: np.ndarray, calibration: Calibration, dont_care: np.ndarray, protocol: Protocol) -> np.ndarray:
    """Return which of (D, 3) centres, LiDAR frame, count as false alarms if nothing is there, (D,) bool.

    Those in the image, within range, and not in a region that was left unlabelled.
    """
    camera = centres @ calibration.camera_from_lidar[:3, :3].T + calibration.camera_from_lidar[:3, 3]
    pixels = camera @ calibration.projection[:, :3].T + calibration.projection[:, 3]
    ahead = camera[:, 2] > 0.1
    depth = np.where(ahead, pixels[:, 2], 1.0)
    u, v = pixels[:, 0] / depth, pixels[:, 1] / depth
    seen = ahead & (u >= 0) & (u < IMAGE_SIZE[0]) & (v >= 0) & (v < IMAGE_SIZE[1])
    left, top, right, bottom = dont_care.T[..., None]
    unlabelled = ((u >= left) & (u <= right) & (v >= top) & (v <= bottom)).any(axis=0)
    within = np.hypot(centres[:, 0], centres[:, 1]) <= protocol.max_range
    return np.asarray(seen & ~unlabelled & within)
