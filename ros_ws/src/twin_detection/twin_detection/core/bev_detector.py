"""Finds objects of a moving LiDAR's scan with a learned network that sees it from above."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from twin_common.core.compiled import kernel
from twin_common.core.object_class import ObjectClass
from twin_common.core.own_motion import OwnMotion
from twin_detection.core.bev_decode import CLASSES, STRIDE, BevBoxes, BevCalibration, decode
from twin_detection.core.bev_grid import BevGrid, scan_image
from twin_detection.core.bev_memory import ScanMemory
from twin_detection.core.bev_review import Cloud, Reader, reviewed
from twin_detection.core.detections import Detections, none_detected
from twin_detection.core.points_around import points_in_boxes

#: Points of an object lie in its box made larger by this, and above its foot by as much, metres.
_MARGIN, _FOOT = 0.15, 0.15
#: How far beyond the image the second look may move a centre, metres; what a broken network says is out of it.
_BEYOND = 5.0
#: Standard deviation of the height of a centre, metres.
_HEIGHT_SPREAD = 0.15


class Answers(Protocol):
    """A session of onnxruntime, or what does the same."""

    def run(self, output_names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return the outputs ``peak``, ``heat`` and ``box`` for the input ``image``."""


class BevDetector:
    """Objects of one scan after another; keeps the last scans, which tell who rides and who walks.

    Args:
        network: the model ``bev``.
        readers: the models of the second look, of each of LOOKS.
        calibration: of all.
        sensor_height: above the ground below it, metres.
        min_existence: less probable objects are not reported.
        grid: what the network was trained on.

    """

    def __init__(
        self, network: Answers, readers: Sequence[Reader], calibration: BevCalibration, sensor_height: float,
        min_existence: float, grid: BevGrid | None = None,
    ) -> None:  # fmt: skip
        """Keep the networks."""
        self._network, self._readers, self._calibration = network, readers, calibration
        self._memory = ScanMemory()
        self._sensor_height, self._min_existence = sensor_height, min_existence
        self._least_score = calibration.least_score(min_existence)
        self._grid = grid or BevGrid()

    def step(
        self, points: np.ndarray, time_offset: np.ndarray, motion: OwnMotion | None = None, stamp_ns: int = 0
    ) -> tuple[Detections, np.ndarray]:
        """Return the objects, level frame, and which points are theirs, (N,) bool.

        Args:
            points: (N, 3) float32, metres, level frame with the sensor at the origin, finite; without the sensor's own
                motion where that is known.
            time_offset: (N,) seconds after the stamp.
            motion: of the sensor, where it is known.
            stamp_ns: of the scan.

        """
        if points.ndim != 2 or points.shape[1] != 3 or time_offset.shape != (len(points),):
            raise ValueError(
                f"points, time_offset: expected (N, 3) and (N,), got {points.shape} and {time_offset.shape}"
            )
        if not len(points):
            return none_detected(), np.zeros(0, bool)
        # Density tells the network much: a point that a sensor or a driver sends twice counts once.
        fresh = np.ones(len(points), bool)
        # Column by column: three times as fast as any() of the rows.
        fresh[1:] = np.logical_or.reduce([points[1:, axis] != points[:-1, axis] for axis in range(3)])
        if fresh.all():
            return self._found(points, time_offset, motion, stamp_ns)
        found, members = self._found(points[fresh], time_offset[fresh], motion, stamp_ns)
        return found, members[np.cumsum(fresh) - 1]

    def _found(
        self, points: np.ndarray, time_offset: np.ndarray, motion: OwnMotion | None, stamp_ns: int
    ) -> tuple[Detections, np.ndarray]:
        members = np.zeros(len(points), bool)
        image, height, ground = scan_image(points, self._sensor_height, self._grid)
        peak, heat, box = self._network.run(["peak", "heat", "box"], {"image": image})
        boxes = decode(peak, heat, box, self._grid.reach, STRIDE * self._grid.cell)
        earlier, elapsed = self._memory.earlier(points, motion, stamp_ns)
        before = Cloud(earlier, ground.above(earlier))
        boxes = reviewed(
            boxes, Cloud(points, height), before, elapsed, self._readers, self._calibration, self._least_score
        )
        existence = self._calibration.to_existence(boxes.score, boxes.group)
        within = np.isfinite(boxes.size).all(axis=1) & (np.abs(boxes.centre) < self._grid.reach + _BEYOND).all(axis=1)
        sure = within & (existence >= self._min_existence)
        return self._detections(boxes.select(sure), existence[sure], points, height, time_offset, members)

    def _detections(
        self, boxes: BevBoxes, existence: np.ndarray, points: np.ndarray, height: np.ndarray, time_offset: np.ndarray,
        members: np.ndarray,
    ) -> tuple[Detections, np.ndarray]:  # fmt: skip
        """Let the boxes stand on the ground, and count their points."""
        half, top = boxes.size[:, :2] / 2 + _MARGIN, boxes.size[:, 2] + _MARGIN
        inside, end = points_in_boxes(points, height, _FOOT, boxes.centre, half, top, boxes.yaw)
        members[inside] = True
        count = np.diff(end, prepend=0)
        late = np.bincount(np.repeat(np.arange(len(boxes)), count), time_offset[inside], len(boxes))
        foot = medians(points[inside, 2] - height[inside], end)
        kept = count > 0
        boxes = boxes.select(kept)
        return Detections(
            centre=np.column_stack([boxes.centre, foot[kept] + boxes.size[:, 2] / 2]),
            size=boxes.size,
            yaw=boxes.yaw,
            covariance=_covariance(boxes),
            yaw_variance=boxes.yaw_variance,
            class_probability=_ten_classes(boxes.class_score),
            existence=existence[kept],
            point_count=count[kept],
            time_offset=late[kept] / count[kept],
        ), members


@kernel
def medians(values: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the median of each part of values (M,), (D,); ``end``: of the parts, (D,); of an empty one it is 0."""
    found, begin = np.zeros(len(end)), 0
    for part in range(len(end)):
        if end[part] > begin:
            found[part] = np.median(values[begin : end[part]])
        begin = end[part]
    return found


def _covariance(boxes: BevBoxes) -> np.ndarray:
    """Return the covariance of the centres, (D, 3, 3), m², from the variances along and across."""
    cos, sin = np.cos(boxes.yaw), np.sin(boxes.yaw)
    along, across = boxes.variance.T
    covariance = np.zeros((len(boxes), 3, 3))
    covariance[:, 0, 0] = along * cos**2 + across * sin**2
    covariance[:, 1, 1] = along * sin**2 + across * cos**2
    covariance[:, 0, 1] = covariance[:, 1, 0] = (along - across) * sin * cos
    covariance[:, 2, 2] = _HEIGHT_SPREAD**2
    return covariance


def _ten_classes(class_score: np.ndarray) -> np.ndarray:
    """Return the probabilities of all classes, (D, 10), of the seven that the network knows."""
    probability = np.zeros((len(class_score), len(ObjectClass)))
    probability[:, list(CLASSES)] = class_score
    return probability
