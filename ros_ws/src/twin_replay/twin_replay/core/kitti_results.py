"""Writes boxes as text of the KITTI tracking benchmark, with 3D boxes and scores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from twin_replay.core.kitti import Boxes, Calibration


def write_labels(path: Path, boxes: Boxes) -> None:
    """Write boxes as KITTI tracking text with scores, ordered by frame then track."""
    order = np.lexsort((boxes.track_id, boxes.frame))
    lines = []
    for i in order:
        numbers = [
            *boxes.image_box[i], *boxes.size[i], *boxes.location[i], boxes.rotation_y[i], boxes.score[i],
        ]  # fmt: skip
        lines.append(
            f"{boxes.frame[i]} {boxes.track_id[i]} {boxes.kind[i]} {boxes.truncated[i]:g} {boxes.occluded[i]} "
            f"{boxes.alpha[i]:.6f} " + " ".join(f"{value:.6f}" for value in numbers)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + ("\n" if lines else ""))


def boxes_from_lidar(
    calibration: Calibration, frame: np.ndarray, track_id: np.ndarray, kind: Iterable[str], boxes: np.ndarray,
    score: np.ndarray, image_size: tuple[int, int] = (1242, 375),
) -> Boxes:  # fmt: skip
    """Turn (N, 7) boxes of the LiDAR frame (as ``Boxes.in_lidar`` gives them) into rows of KITTI text.

    ``image_box`` is the projection of the eight corners, cut at the image of ``image_size`` (width, height).
    """
    boxes = np.asarray(boxes, float).reshape(-1, 7)
    length, width, height, yaw = boxes[:, 3], boxes[:, 4], boxes[:, 5], boxes[:, 6]
    rotation, shift = calibration.camera_from_lidar[:3, :3], calibration.camera_from_lidar[:3, 3]
    location = boxes[:, :3] @ rotation.T + shift
    location[:, 1] += height / 2
    heading = np.stack([np.cos(yaw), np.sin(yaw), np.zeros(len(yaw))], axis=1) @ rotation.T
    rotation_y = np.arctan2(-heading[:, 2], heading[:, 0])
    alpha = np.arctan2(np.sin(rotation_y - np.arctan2(location[:, 0], location[:, 2])),
                       np.cos(rotation_y - np.arctan2(location[:, 0], location[:, 2])))  # fmt: skip
    return Boxes(
        frame=np.asarray(frame, int), track_id=np.asarray(track_id, int), kind=np.array(list(kind), "U16"),
        truncated=np.full(len(boxes), -1.0), occluded=np.full(len(boxes), -1), alpha=alpha,
        image_box=project_boxes(calibration, boxes, image_size), size=np.column_stack([height, width, length]),
        location=location, rotation_y=rotation_y, score=np.asarray(score, float),
    )  # fmt: skip


def project_boxes(calibration: Calibration, boxes: np.ndarray, image_size: tuple[int, int] | None) -> np.ndarray:
    """Return the image rectangle of (N, 7) boxes of the LiDAR frame, (N, 4) pixels; NaN where behind the camera.

    It is cut at the image of ``image_size`` (width, height); None: it is not.
    """
    signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    corners = signs[None] * boxes[:, None, 3:6]
    cos, sin = np.cos(boxes[:, 6])[:, None], np.sin(boxes[:, 6])[:, None]
    x = corners[..., 0] * cos - corners[..., 1] * sin + boxes[:, None, 0]
    y = corners[..., 0] * sin + corners[..., 1] * cos + boxes[:, None, 1]
    points = np.stack([x, y, corners[..., 2] + boxes[:, None, 2], np.ones_like(x)], axis=2)
    camera = points @ calibration.camera_from_lidar.T
    camera[..., 2] = np.where(camera[..., 2] > 0.1, camera[..., 2], np.nan)
    pixels = camera @ calibration.projection.T
    u, v = pixels[..., 0] / pixels[..., 2], pixels[..., 1] / pixels[..., 2]
    seen = np.isfinite(u).any(axis=1)
    result = np.full((len(boxes), 4), np.nan)
    if seen.any():
        u, v = u[seen], v[seen]
        if image_size is not None:
            u, v = np.clip(u, 0, image_size[0] - 1), np.clip(v, 0, image_size[1] - 1)
        result[seen] = np.stack([np.nanmin(u, 1), np.nanmin(v, 1), np.nanmax(u, 1), np.nanmax(v, 1)], axis=1)
    return result
