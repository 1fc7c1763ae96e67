"""What the learned detector's network says, as boxes.

The network answers at every second cell of its image (Zhou et al. 2019, "Objects as Points", arXiv 1904.07850; Yin et
al. 2021, "Center-based 3D object detection and tracking", CVPR): how sure a centre is there, of which class, and the
box with the spread of its own errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin_common.core.compiled import kernel
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
_WEAKEST, _DOUBTFUL = 0.05, 0.07  # least scores of peaks and of other cells that propose something
_MOST = 500  # cells that propose something
_BESIDE = 0.5  # least score of a cell beside a peak that proposes somebody else, in scores of the peak
_SAME = np.array([0.5, 0.25, 0.25])  # metres between proposals that are one, by group
_NARROWEST = 0.5  # metres that a box takes up at least
_CLOSEST = 0.35  # metres between the centres of two who are not one


@dataclass(frozen=True, slots=True)
class BevCalibration:
    """How answers of the network become probabilities and variances, found on held-out simulated scans.

    ``score``, ``existence``: (G, K) of each group of classes, rising; of each look ``sharpness`` (2,) and ``bias``
    (2, 8): factor and addends of its logits; ``position_scale``, ``yaw_scale`` (2,): factors of its variances.
    """

    score: np.ndarray
    existence: np.ndarray
    sharpness: np.ndarray = field(default_factory=lambda: np.ones(2))
    bias: np.ndarray = field(default_factory=lambda: np.zeros((2, len(CLASSES) + 1)))
    position_scale: np.ndarray = field(default_factory=lambda: np.ones(2))
    yaw_scale: np.ndarray = field(default_factory=lambda: np.ones(2))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> BevCalibration:
        """Return the calibration that stands in a model's description.

        Raises:
            ValueError: something is missing, or not as expected.

        """
        try:
            found = cls(*(np.asarray(values[name], float) for name in cls.__dataclass_fields__))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"calibration: {error}; expected {', '.join(cls.__dataclass_fields__)}") from None
        score, existence = found.score.shape, found.existence.shape
        if score != existence or len(score) != 2 or score[0] != GROUPS.max() + 1:
            raise ValueError(f"calibration: score {score}, existence {existence}; expected both (3, K)")
        for name in ("sharpness", "bias", "position_scale", "yaw_scale"):
            shape, wanted = getattr(found, name).shape, (2, len(CLASSES) + 1) if name == "bias" else (2,)
            if shape != wanted:
                raise ValueError(f"calibration: {name} {shape}; expected {wanted}")
        return found

    def to_existence(self, score: np.ndarray, group: np.ndarray) -> np.ndarray:
        """Return how probable it is that objects are there, (D,), by score (D,) and group (D,)."""
        found = np.zeros(len(score))
        for number in range(len(self.score)):
            own = group == number
            found[own] = np.interp(score[own], self.score[number], self.existence[number])
        return found

    def least_score(self, existence: float) -> float:
        """Return the score below which no object of any group is so probable."""
        found = []
        for score, curve in zip(self.score, self.existence, strict=True):
            above = int(np.count_nonzero(curve < existence))
            knots = slice(max(above - 1, 0), above + 1)
            found.append(float(np.interp(existence, curve[knots], score[knots])))
        return min(found)


@dataclass(frozen=True, slots=True)
class BevBoxes:
    """Objects of a scan seen from above, level frame, best first; metres and radians.

    ``centre``: (D, 2); ``size``: (D, 3); ``yaw``: (D,), as good as its reverse; ``score``: (D,) that somebody is there;
    ``class_score``: (D, 7); ``variance``: (D, 2) along and across; ``yaw_variance``: (D,).
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


def decode(peak: np.ndarray, heat: np.ndarray, box: np.ndarray, reach: float, cell: float) -> BevBoxes:
    """Return what the network proposes, the surest first: more boxes than there are objects.

    Cells of half a metre have one peak for two people side by side, and boxes that lie between them. So every cell
    proposes that is not quite sure that nobody is there, people and two-wheelers beside a peak where the cell is, not
    where its box is; and only proposals nearly at the same place are one.

    Args:
        peak: (n, n) score where it is the greatest of its neighbourhood, else 0; rows along x.
        heat: (7, n, n) score of each class.
        box: (BOX_CHANNELS, n, n).
        reach: metres from the middle to the edges.
        cell: edge of a cell of the answer, metres.

    """
    if peak.ndim != 2 or heat.shape != (len(CLASSES), *peak.shape) or box.shape != (BOX_CHANNELS, *peak.shape):
        raise ValueError(
            f"peak, heat, box: expected (n, n), (7, n, n), (10, n, n), got {peak.shape}, {heat.shape}, {box.shape}"
        )
    heat = np.ascontiguousarray(heat, np.float32)
    best = heat.max(axis=0)
    row, column, beside = _proposing(np.ascontiguousarray(peak, np.float32), heat, best)
    best = best[row, column]
    order = np.argsort(-best, kind="stable")[:_MOST]
    row, column, best, beside = row[order], column[order], best[order], beside[order]
    values = box[:, row, column].T.astype(float)
    middle = (np.column_stack([row, column]) + 0.5) * cell - reach
    boxes = BevBoxes(
        centre=middle + np.where(beside[:, None], 0.0, values[:, :2]),
        score=best.astype(float),
        class_score=heat[:, row, column].T.astype(float),
        **box_of(values),
    )
    return boxes.select(apart(boxes))


@kernel
def _proposing(peak: np.ndarray, heat: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row and column of the cells that propose something, and which are beside a peak, (P,) each."""
    rows, columns = best.shape
    found_row, found_column = np.empty(rows * columns, np.int64), np.empty(rows * columns, np.int64)
    found_beside, count = np.empty(rows * columns, np.bool_), 0
    for row in range(rows):
        for column in range(columns):
            score = best[row, column]
            if not (peak[row, column] > _WEAKEST or score > _DOUBTFUL):
                continue
            beside = peak[row, column] == 0 and GROUPS[np.argmax(heat[:, row, column])] > 0
            around = best[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            if not beside or score > _BESIDE * around.max():
                found_row[count], found_column[count], found_beside[count] = row, column, beside
                count += 1
    return found_row[:count].copy(), found_column[:count].copy(), found_beside[:count].copy()


def box_of(values: np.ndarray, position_scale: float = 1.0, yaw_scale: float = 1.0) -> dict[str, np.ndarray]:
    """Return size, heading and variances of boxes as BevBoxes has them, but for where they are.

    ``values``: (D, BOX_CHANNELS) of a network; the scales are factors of the variances.
    """
    return {
        "size": np.exp(np.clip(values[:, 2:5], -2.5, 3.0)),
        "yaw": 0.5 * np.arctan2(values[:, 5], values[:, 6]),
        "variance": np.exp(np.clip(values[:, 7:9], -9.0, 4.0)) * position_scale,
        "yaw_variance": np.minimum(np.exp(np.clip(values[:, 9], -9.0, 4.0)) * yaw_scale, np.pi**2 / 12),
    }


def apart(boxes: BevBoxes) -> np.ndarray:
    """Return which boxes, the best first, are not nearly where a better one of the same group is, (D,) bool."""
    return _left(boxes, np.zeros((len(boxes), 2)), _SAME[boxes.group], 0.0)


def once(boxes: BevBoxes) -> np.ndarray:
    """Return which boxes, the best first, are no second answer for a better one, (D,) bool.

    They are one where a centre lies in a better box of the same group; a person where a rider is, is the rider.
    """
    return _left(boxes, 0.5 * np.maximum(boxes.size[:, :2], _NARROWEST), np.zeros(len(boxes)), _CLOSEST)


def _left(boxes: BevBoxes, half: np.ndarray, near: np.ndarray, closest: float) -> np.ndarray:
    """Return which boxes are left when each, the best first, drops those that it covers, (D,) bool.

    It covers those of its group whose centre is in its rectangle or near its own, and what is small and closest to it
    if it is small.

    Args:
        boxes: the best first.
        half: (D, 2) of the rectangle's length and width, metres.
        near: (D,) metres.
        closest: metres between two who are no vehicles.

    """
    place, extent = np.ascontiguousarray(boxes.centre), np.ascontiguousarray(half)
    return _dropped(place, extent, np.cos(boxes.yaw), np.sin(boxes.yaw), boxes.group, near**2, closest**2)


@kernel
def _dropped(
    centre: np.ndarray, half: np.ndarray, cos: np.ndarray, sin: np.ndarray, group: np.ndarray, near2: np.ndarray,
    closest2: float,
) -> np.ndarray:  # fmt: skip
    left = np.ones(len(group), np.bool_)
    for better in range(len(group)):
        for other in range(better + 1, len(group) if left[better] else 0):
            x, y = centre[other, 0] - centre[better, 0], centre[other, 1] - centre[better, 1]
            along, across = x * cos[better] + y * sin[better], y * cos[better] - x * sin[better]
            gap2 = x * x + y * y
            inside = abs(along) < half[better, 0] and abs(across) < half[better, 1]
            small = group[other] > 0 and group[better] > 0
            if (group[other] == group[better] and (inside or gap2 < near2[better])) or (small and gap2 < closest2):
                left[other] = False
    return left


def joined(parts: Sequence[BevBoxes]) -> BevBoxes:
    """Return all boxes of several sets."""
    names = BevBoxes.__dataclass_fields__
    return BevBoxes(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))
