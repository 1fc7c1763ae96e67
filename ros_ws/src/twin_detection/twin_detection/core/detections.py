"""What a detector finds in one scan."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from twin_detection.core.classes import COUNT


@dataclass(frozen=True, slots=True)
class Detections:
    """Objects of one scan, sensor frame, metres and radians.

    ``centre``: (C, 3); ``size``: (C, 3) length, width, height; ``yaw``: (C,); ``covariance``: (C, 3, 3) of the
    centre; ``yaw_variance``: (C,); ``class_probability``: (C, 10); ``existence``: (C,); ``point_count``: (C,);
    ``time_offset``: (C,) seconds after the scan's stamp; ``posture``: (C,) uint8, POSTURE_* of
    twin_msgs/DetectedObject, all unknown where it is not given.
    """

    centre: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    covariance: np.ndarray
    yaw_variance: np.ndarray
    class_probability: np.ndarray
    existence: np.ndarray
    point_count: np.ndarray
    time_offset: np.ndarray
    posture: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))

    def __post_init__(self) -> None:
        """Fill in the posture where it is not given."""
        if len(self.posture) != len(self.yaw):
            object.__setattr__(self, "posture", np.zeros(len(self.yaw), np.uint8))

    def __len__(self) -> int:
        return len(self.yaw)

    @property
    def label(self) -> np.ndarray:
        """Most probable class of each, (C,)."""
        return np.asarray(self.class_probability.argmax(axis=1))

    def select(self, rows: np.ndarray) -> Detections:
        """Return some of them, by mask or by index."""
        return Detections(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def none_detected() -> Detections:
    """Return no detections."""
    empty = np.zeros(0)
    return Detections(
        centre=np.zeros((0, 3)), size=np.zeros((0, 3)), yaw=empty, covariance=np.zeros((0, 3, 3)), yaw_variance=empty,
        class_probability=np.zeros((0, COUNT)), existence=empty, point_count=np.zeros(0, np.int64), time_offset=empty,
    )  # fmt: skip
