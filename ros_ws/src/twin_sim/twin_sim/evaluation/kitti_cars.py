"""Cars in real HDL-64E scans: their boxes, their points, and what stands before them, from KITTI tracking.

``whole`` are labelled cars and vans that are neither occluded nor truncated in the image. Because only few are, all
other labelled ones count too where at most half is hidden, and what hides it is taken from the scan itself. Boxes of
PointRCNN are no help: what it finds besides the labelled ones has a tenth of a car's points. Everything is in the LiDAR
frame: x forward, y left, z up, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin_common.config import ConfigError
from twin_common.core.geometry import wrap
from twin_replay.core import kitti

MARGIN = 0.10  # m around a box, at its sides
FOOT = 0.25  # m above a box's bottom; below, the road is in the box too
MOST_HIDDEN = 0.5  # share of the shots towards a box that something nearer may stop
NEARER = 0.7  # m before a box, or before a simulated point, from which on a point is something else
FEWEST = 5  # points


@dataclass(frozen=True, slots=True)
class Sighting:
    """One car in one scan.

    ``row``: of its box in the scene; ``box``: (7,) centre x, y, z, length, width, height, yaw; ``points``: (N, 3) in
    it, box frame with its origin on the middle of the bottom; ``before``: (M, 3) points of the scan around its
    direction, azimuth, elevation (rad) and range; ``vehicle``: number of the car, the same in all scans; ``whole``:
    labelled as neither occluded nor truncated.
    """

    row: int
    box: np.ndarray
    points: np.ndarray
    before: np.ndarray
    vehicle: int
    whole: bool

    @property
    def distance(self) -> float:
        """Level distance from the sensor, metres."""
        return float(np.hypot(self.box[0], self.box[1]))


@dataclass(frozen=True, slots=True)
class Scene:
    """All boxes of a scan (N, 7) with their kinds, and the cars among them that can be compared."""

    frame: int
    boxes: np.ndarray
    kinds: list[str]
    sightings: list[Sighting]


def inside(points: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the points (N, 3) in a box, in its frame, (M, 3): grown at the sides, without its foot."""
    local = points - (box[0], box[1], box[2] - box[5] / 2)
    c, s = np.cos(box[6]), np.sin(box[6])
    local = np.column_stack([local[:, 0] * c + local[:, 1] * s, local[:, 1] * c - local[:, 0] * s, local[:, 2]])
    half = box[3:5] / 2 + MARGIN
    within = (np.abs(local[:, 0]) < half[0]) & (np.abs(local[:, 1]) < half[1])
    kept: np.ndarray = local[within & (local[:, 2] > FOOT) & (local[:, 2] < box[5] + MARGIN)]
    return kept


def corners(box: np.ndarray, foot: float = 0.0) -> np.ndarray:
    """Return the corners of a box from ``foot`` above its bottom up, (8, 3)."""
    c, s = np.cos(box[6]), np.sin(box[6])
    signs = np.array([(i, j) for i in (-0.5, 0.5) for j in (-0.5, 0.5)])
    level = signs * box[3:5]
    turned = np.column_stack([level[:, 0] * c - level[:, 1] * s, level[:, 0] * s + level[:, 1] * c]) + box[:2]
    bottom = box[2] - box[5] / 2
    return np.concatenate([np.column_stack([turned, np.full(4, z)]) for z in (bottom + foot, bottom + box[5])])


def spherical(points: np.ndarray) -> np.ndarray:
    """Return azimuth, elevation (rad) and range of points, (N, 3)."""
    level = np.hypot(points[:, 0], points[:, 1])
    return np.column_stack(
        [np.arctan2(points[:, 1], points[:, 0]), np.arctan2(points[:, 2], level), np.hypot(level, points[:, 2])]
    )


def towards(scan: np.ndarray, box: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """Return which shots of a scan (N, 3: azimuth, elevation, range) go towards a box, (N,) bool."""
    edge = spherical(corners(box, FOOT))
    middle = np.arctan2(box[1], box[0])
    turn, azimuth = (wrap(angles[:, 0] - middle) for angles in (edge, scan))
    level = (scan[:, 1] > edge[:, 1].min() - margin) & (scan[:, 1] < edge[:, 1].max() + margin)
    return np.asarray(level & (azimuth > turn.min() - margin) & (azimuth < turn.max() + margin))


def hidden(scan: np.ndarray, box: np.ndarray) -> float:
    """Return the share of the shots towards a box that something nearer stops; ``scan``: azimuth, elevation, range."""
    here = scan[towards(scan, box)]
    nearest = spherical(corners(box, FOOT))[:, 2].min()
    before = (here[:, 2] < nearest - NEARER) & (here[:, 2] > 2.5)
    return float(before.mean()) if len(here) else 1.0


def scenes(data: Path, step: int = 1) -> list[Scene]:
    """Return every ``step``-th scan with its boxes and cars.

    Raises:
        ConfigError: the recordings are missing or broken; one line.

    """
    root = data / "kitti_tracking"
    try:
        found = []
        for name in kitti.sequences(root):
            sequence = kitti.TrackingSequence(root, name)
            found += _scenes_of(sequence, step)
    except kitti.KittiError as error:
        raise ConfigError(str(error)) from None
    return found


def _scenes_of(sequence: kitti.TrackingSequence, step: int) -> list[Scene]:
    labels = sequence.labels
    found = []
    for frame in sequence.frames[::step]:
        here = labels.select((labels.frame == frame) & (labels.kind != "DontCare"))
        boxes = here.in_lidar(sequence.calibration)
        whole = (here.occluded == 0) & (here.truncated == 0)
        points = sequence.scan(frame).xyz
        scan = spherical(points)
        sightings = []
        for row in np.flatnonzero(np.isin(here.kind, ("Car", "Van"))):
            box, within = boxes[row], inside(points, boxes[row])
            if len(within) >= FEWEST and hidden(scan, box) <= MOST_HIDDEN:
                before = scan[towards(scan, box, 0.01)]
                sightings.append(Sighting(int(row), box, within, before, int(here.track_id[row]), bool(whole[row])))
        found.append(Scene(frame, boxes, list(here.kind), sightings))
    return found
