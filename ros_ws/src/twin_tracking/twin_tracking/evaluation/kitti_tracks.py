"""Boxes of one class of KITTI to the tracker and back, frame by frame: what is told of a frame knows nothing later."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin_replay.core import kitti_results
from twin_replay.core.kitti import Boxes, frame_stamp_ns
from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.detections import Detections
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.tracks import Tracks
from twin_tracking.evaluation.kitti_data import KittiDetections
from twin_tracking.evaluation.peer import Peer
from twin_tracking.kitti_config import BoxConfig

_YAW_SIGMA, _HEIGHT_SIGMA, _POINTS = 0.1, 0.1, 100


@dataclass(frozen=True, slots=True)
class Told:
    """All boxes told of a sequence, as rows of the benchmark, and the CPU time they took, s."""

    rows: Boxes
    seconds: float


def track_boxes(sequence: KittiDetections, kind: str, box_config: BoxConfig, config: TrackerConfig) -> Told:
    """Track one class through one sequence with our tracker."""
    seen, frames = sequence.boxes[kind], _frames(sequence, kind)
    adapter, parts = _Adapter(sequence, kind, box_config, config), []
    started = time.process_time()
    in_lidar = seen.in_lidar(sequence.calibration)
    for frame, rows in enumerate(frames):
        parts.append(adapter.step(in_lidar[rows], seen.score[rows], frame))
    seconds = time.process_time() - started
    return Told(_rows(sequence, kind, parts, box_config.inside_image), seconds)


def track_with_peer(sequence: KittiDetections, kind: str) -> Told:
    """Track one class through one sequence with the peer."""
    seen, frames = sequence.boxes[kind], _frames(sequence, kind)
    peer, parts = Peer(kind), []
    started = time.process_time()
    in_lidar = seen.in_lidar(sequence.calibration)
    for frame, rows in enumerate(frames):
        pose = _pose(sequence, frame)
        boxes, numbers, score = peer.step(moved(pose, in_lidar[rows]), seen.score[rows])
        parts.append(
            (np.full(len(boxes), frame), numbers, moved(_inverse(pose), boxes), score, np.ones(len(boxes), bool))
        )
    seconds = time.process_time() - started
    return Told(_rows(sequence, kind, parts, 0.0), seconds)


class _Adapter:
    """Our tracker behind boxes with scores."""

    def __init__(self, sequence: KittiDetections, kind: str, boxes: BoxConfig, config: TrackerConfig) -> None:
        self._sequence, self._boxes, self._tracker = sequence, boxes, Tracker(config)
        self._label = np.eye(classes.COUNT)[boxes.object_class]

    def step(self, in_lidar: np.ndarray, score: np.ndarray, frame: int) -> tuple[np.ndarray, ...]:
        """Take one frame's boxes (M, 7) of the LiDAR frame with their scores (M,).

        Returns frame, id, box in the LiDAR frame, score and whether it was measured, of the tracks that are told.
        """
        pose = _pose(self._sequence, frame)
        tracks = self._tracker.step(self._detections(in_lidar, score, pose), frame_stamp_ns(frame))
        unseen = (tracks.stamp_ns - tracks.last_ns) / 1e9
        still_there = tracks.existence / np.maximum(tracks.score, 1e-9)
        likely = (unseen < self._boxes.shown_coast) & (still_there > self._boxes.shown_existence)
        measured = (unseen == 0) & (tracks.existence >= self._boxes.least_existence)
        shown = np.flatnonzero(measured | ((unseen > 0) & likely))
        boxes = moved(_inverse(pose), _boxes_of(tracks, shown))
        score = _log_odds(np.where(unseen == 0, tracks.existence, tracks.score)[shown])
        return np.full(len(shown), frame), tracks.ids[shown], boxes, score, unseen[shown] == 0

    def _detections(self, in_lidar: np.ndarray, score: np.ndarray, pose: np.ndarray) -> Detections:
        """Return boxes (M, 7) of the LiDAR frame as detections in the map, with calibrated existence and covariance."""
        config, count = self._boxes, len(in_lidar)
        boxes = moved(pose, in_lidar)
        sight = boxes[:, :2] - pose[:2, 3]
        distance = np.maximum(np.hypot(sight[:, 0], sight[:, 1]), 1e-6)
        sight /= distance[:, None]
        along = (config.along_sigma + config.sigma_per_metre * distance) ** 2
        covariance = np.zeros((count, 3, 3))
        covariance[:, :2, :2] = config.across_sigma**2 * np.eye(2)
        covariance[:, :2, :2] += (along - config.across_sigma**2)[:, None, None] * sight[:, :, None] * sight[:, None]
        covariance[:, 2, 2] = _HEIGHT_SIGMA**2
        return Detections(
            position=boxes[:, :3], covariance=covariance, size=boxes[:, 3:6], yaw=boxes[:, 6],
            yaw_variance=np.full(count, _YAW_SIGMA**2), velocity=np.full((count, 2), np.nan),
            class_probability=np.tile(self._label, (count, 1)),
            existence=1 / (1 + np.exp(-config.score_slope * (score - config.score_middle))),
            time_offset=np.zeros(count), point_count=np.full(count, _POINTS), posture=np.zeros(count, np.uint8),
            platforms=np.ones(count, np.uint64),
        )  # fmt: skip


def moved(b_from_a: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Return upright boxes (N, 7) of frame a in frame b."""
    rotation = b_from_a[:3, :3]
    centre = boxes[:, :3] @ rotation.T + b_from_a[:3, 3]
    cos, sin = np.cos(boxes[:, 6]), np.sin(boxes[:, 6])
    x, y = rotation[0, 0] * cos + rotation[0, 1] * sin, rotation[1, 0] * cos + rotation[1, 1] * sin
    return np.column_stack([centre, boxes[:, 3:6], np.arctan2(y, x)])


def _log_odds(probability: np.ndarray) -> np.ndarray:
    probability = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(probability / (1 - probability)))


def _boxes_of(tracks: Tracks, shown: np.ndarray) -> np.ndarray:
    return np.column_stack([tracks.position[shown], tracks.size[shown], tracks.yaw[shown]])


def _pose(sequence: KittiDetections, frame: int) -> np.ndarray:
    return np.eye(4) if sequence.map_from_lidar is None else np.asarray(sequence.map_from_lidar[frame])


def _inverse(b_from_a: np.ndarray) -> np.ndarray:
    a_from_b = np.eye(4)
    a_from_b[:3, :3] = b_from_a[:3, :3].T
    a_from_b[:3, 3] = -b_from_a[:3, :3].T @ b_from_a[:3, 3]
    return a_from_b


def _frames(sequence: KittiDetections, kind: str) -> list[np.ndarray]:
    """Return the rows of each frame."""
    frame = sequence.boxes[kind].frame
    order = np.argsort(frame, kind="stable")
    return np.split(order, np.searchsorted(frame[order], np.arange(1, sequence.frames)))


def _numbers(track_id: np.ndarray) -> np.ndarray:
    """Return 1, 2, ... for ids (N,) in the order of their first rows, so that no later row changes an earlier one."""
    _, first, inverse = np.unique(track_id, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[inverse] + 1)


def _rows(sequence: KittiDetections, kind: str, parts: Sequence[tuple[np.ndarray, ...]], inside_image: float) -> Boxes:
    """Return rows of the benchmark of all that lies in the image; what is not measured must lie well in it."""
    frame, track_id, boxes, score, measured = (np.concatenate(column) for column in zip(*parts, strict=True))
    number = _numbers(track_id)
    rows = kitti_results.boxes_from_lidar(sequence.calibration, frame, number, [kind] * len(frame), boxes, score)
    width, height = (rows.image_box[:, 2:] - rows.image_box[:, :2]).T
    uncut = kitti_results.project_boxes(sequence.calibration, boxes, None)
    ahead = rows.location[:, 2] > np.hypot(boxes[:, 3], boxes[:, 4]) / 2
    with np.errstate(invalid="ignore"):
        share = width / (uncut[:, 2] - uncut[:, 0])
        seen = (rows.location[:, 2] > 0) & (width > 1) & (height > 1) & (measured | (ahead & (share >= inside_image)))
    return rows.select(seen)
