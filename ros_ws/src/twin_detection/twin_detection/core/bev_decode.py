"""What the learned detector's network says, as boxes.

The network answers at every second cell of its image (Zhou et al. 2019, "Objects as Points", arXiv 1904.07850; Yin et
al. 2021, "Center-based 3D object detection and tracking", CVPR): how sure a centre is there, of which class, and the
box with the spread of its own errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin_common.core.object_class import ObjectClass

#: Classes of the network's channels, in their order.
CLASSES = (
    ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS, ObjectClass.MOTORCYCLE, ObjectClass.SCOOTER,
    ObjectClass.BICYCLE, ObjectClass.PEDESTRIAN,
)  # fmt: skip
#: Cells of the image that an answer stands for, along an edge.
STRIDE = 2
#: Channels of a box: offset from the middle of the cell (2, metres), logarithms of length, width and height, sine and
#: cosine of twice the heading, logarithms of the variances along and across the box (m²) and of the former two.
BOX_CHANNELS = 10
#: Groups of classes of which one object has only one: vehicles, two-wheelers, people.
GROUPS = np.array([0, 0, 0, 1, 1, 1, 2])
_WEAKEST = 0.05  # answers below this are never objects
_MOST = 300  # objects of a scan


@dataclass(frozen=True, slots=True)
class BevCalibration:
    """How answers of the network become probabilities and variances, found on held-out simulated scans.

    ``score``, ``existence``: (G, K) of each group of classes, rising; ``position_scale``, ``yaw_scale``: factors of
    the variances; ``sharpness``, ``class_weight`` (7,): power and factors of the class scores.
    """

    score: np.ndarray
    existence: np.ndarray
    position_scale: float = 1.0
    yaw_scale: float = 1.0
    sharpness: float = 1.0
    class_weight: np.ndarray = field(default_factory=lambda: np.ones(len(CLASSES)))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> BevCalibration:
        """Return the calibration that stands in a model's description.

        Raises:
            ValueError: something is missing, or not as expected.

        """
        try:
            score, existence = np.asarray(values["score"], float), np.asarray(values["existence"], float)
            position, yaw, sharpness = (float(values[name]) for name in ("position_scale", "yaw_scale", "sharpness"))
            weight = np.asarray(values["class_weight"], float)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"calibration: {error}; expected {', '.join(cls.__dataclass_fields__)}") from None
        if score.shape != existence.shape or score.ndim != 2 or len(score) != GROUPS.max() + 1:
            raise ValueError(f"calibration: score {score.shape}, existence {existence.shape}; expected both (3, K)")
        if weight.shape != (len(CLASSES),):
            raise ValueError(f"calibration: class_weight {weight.shape}; expected ({len(CLASSES)},)")
        return cls(score, existence, position, yaw, sharpness, weight)

    def to_existence(self, score: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return how probable it is that objects are there, (D,), by score (D,) and group (D,)."""
        found = np.zeros(len(score))
        for number in range(len(self.score)):
            own = group == number
            found[own] = np.interp(score[own], self.score[number], self.existence[number])
        return found


@dataclass(frozen=True, slots=True)
class BevBoxes:
    """Objects of a scan seen from above, level frame, best first; metres and radians.

    ``centre``: (D, 2); ``size``: (D, 3); ``yaw``: (D,), as good as its reverse; ``score``: (D,) as the network says;
    ``class_score``: (D, 7), sums to 1; ``variance``: (D, 2) along and across; ``yaw_variance``: (D,).
    """

    centre: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    score: np.ndarray
    class_score: np.ndarray
    variance: np.ndarray
    yaw_variance: np.ndarray

    def __len__(self) -> int:
        return len(self.yaw)

    @property
    def group(self) -> np.ndarray:
        """Index of GROUPS of each, (D,)."""
        return np.asarray(GROUPS[self.class_score.argmax(axis=1)])

    def select(self, rows: np.ndarray) -> BevBoxes:
        """Return some of them, by mask or by index."""
        return BevBoxes(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def decode(
    peak: np.ndarray, heat: np.ndarray, box: np.ndarray, reach: float, cell: float, calibration: BevCalibration
) -> BevBoxes:
    """Return the boxes that the network's answers stand for, each thing once.

    Args:
        peak: (n, n) score where it is the greatest of its neighbourhood, else 0; rows along x.
        heat: (7, n, n) score of each class.
        box: (BOX_CHANNELS, n, n).
        reach: metres from the middle to the edges.
        cell: edge of a cell of the answer, metres.
        calibration: of this network.

    """
    if peak.ndim != 2 or heat.shape != (len(CLASSES), *peak.shape) or box.shape != (BOX_CHANNELS, *peak.shape):
        raise ValueError(
            f"peak, heat, box: expected (n, n), (7, n, n), (10, n, n), got {peak.shape}, {heat.shape}, {box.shape}"
        )
    row, column = np.nonzero(peak > _WEAKEST)
    order = np.argsort(-peak[row, column], kind="stable")[:_MOST]
    row, column = row[order], column[order]
    values = box[:, row, column].astype(float)
    middle = (np.column_stack([row, column]) + 0.5) * cell - reach
    scores = heat[:, row, column].T.astype(float) ** calibration.sharpness * calibration.class_weight
    boxes = BevBoxes(
        centre=middle + values[:2].T,
        size=np.exp(np.clip(values[2:5].T, -2.5, 3.0)),
        yaw=0.5 * np.arctan2(values[5], values[6]),
        score=peak[row, column].astype(float),
        class_score=scores / np.maximum(scores.sum(axis=1, keepdims=True), 1e-9),
        variance=np.exp(np.clip(values[7:9].T, -9.0, 4.0)) * calibration.position_scale,
        yaw_variance=np.minimum(np.exp(np.clip(values[9], -9.0, 4.0)) * calibration.yaw_scale, np.pi**2 / 12),
    )
    return boxes.select(_kept(boxes))


def _kept(boxes: BevBoxes) -> np.ndarray:
    """Return which boxes are no second answer for a better one of the same group, (D,) bool: centres in a box."""
    group, kept = boxes.group, np.ones(len(boxes), bool)
    cos, sin = np.cos(boxes.yaw)[:, None], np.sin(boxes.yaw)[:, None]
    half = 0.5 * np.maximum(boxes.size[:, :2], 0.5)
    dx, dy = (boxes.centre[None] - boxes.centre[:, None]).transpose(2, 0, 1)
    inside = (np.abs(dx * cos + dy * sin) < half[:, :1]) & (np.abs(dy * cos - dx * sin) < half[:, 1:])
    inside &= np.triu(group[:, None] == group[None], 1)
    for better in np.flatnonzero(inside.any(axis=1)):
        if kept[better]:
            kept &= ~inside[better]
    return kept
