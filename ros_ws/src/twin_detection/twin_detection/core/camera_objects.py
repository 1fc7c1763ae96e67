"""A network's boxes as road users: its classes to ours, a person on a two-wheeler as one, calibrated certainty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_common.core.image_boxes import area, intersections
from twin_common.core.object_class import CLASS_NAMES, ObjectClass
from twin_detection.core.camera_decode import Boxes

#: Posture probabilities: not known, upright, sitting, lying.
POSTURES = 4
CUT_LEFT, CUT_TOP, CUT_RIGHT, CUT_BOTTOM = 1, 2, 4, 8  # as in twin_msgs/ImageObject
#: COCO's classes that we know, by their place among its 80; all others are no objects of ours.
COCO = {
    0: ObjectClass.PEDESTRIAN, 1: ObjectClass.BICYCLE, 2: ObjectClass.CAR, 3: ObjectClass.MOTORCYCLE,
    5: ObjectClass.BUS, 7: ObjectClass.TRUCK,
    **dict.fromkeys(range(14, 24), ObjectClass.ANIMAL),
}  # fmt: skip
ON_WHEELS = (ObjectClass.BICYCLE, ObjectClass.MOTORCYCLE)
UNSURE = 0.02  # probability that is left for classes which a network does not know
_SHARED = 0.25  # of the smaller of person and two-wheeler that lies in the other, at least, for a rider


@dataclass(frozen=True, slots=True)
class ImageObjects:
    """Objects in an image.

    Args:
        box: (N, 4), x0 y0 x1 y1, pixels; the left upper corner of the image is (0, 0).
        class_probability: (N, 10), by ObjectClass, rows sum to 1.
        posture_probability: (N, 4), not known, upright, sitting, lying; rows sum to 1.
        existence: (N,), probability that there is such an object.

    """

    box: np.ndarray
    class_probability: np.ndarray
    posture_probability: np.ndarray
    existence: np.ndarray

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.box)

    def __getitem__(self, chosen: np.ndarray) -> ImageObjects:
        """Return those of an index or mask."""
        return ImageObjects(
            self.box[chosen],
            self.class_probability[chosen],
            self.posture_probability[chosen],
            self.existence[chosen],
        )

    @property
    def label(self) -> np.ndarray:
        """Most probable class, (N,) uint8."""
        return np.asarray(self.class_probability.argmax(axis=1), np.uint8)

    @property
    def posture(self) -> np.ndarray:
        """Most probable posture, (N,) uint8."""
        return np.asarray(self.posture_probability.argmax(axis=1), np.uint8)


def our_classes(names: Sequence[str]) -> np.ndarray:
    """Return our class of each of a network's, (C,), -1: none of ours.

    Args:
        names: of the network's classes, ours, or ``coco`` alone for the 80 of COCO.

    Raises:
        ValueError: a name is not one of our classes.

    """
    if list(names) == ["coco"]:
        table = np.full(80, -1)
        table[list(COCO)] = list(COCO.values())
        return table
    for name in names:
        if name not in CLASS_NAMES:
            raise ValueError(f"class {name!r}; expected coco, or some of {', '.join(CLASS_NAMES)}")
    return np.array([CLASS_NAMES.index(name) for name in names])


def calibrated(score: np.ndarray, slope: float = 1.0, offset: float = 0.0) -> np.ndarray:
    """Return probabilities of scores (N,): Platt 1999, on the score's logit."""
    bounded = np.clip(score, 1e-6, 1 - 1e-6)
    return np.asarray(1 / (1 + np.exp(-(slope * np.log(bounded / (1 - bounded)) + offset))))


def road_users(
    found: Boxes, classes: np.ndarray, calibration: Mapping[str, float] | None = None, *, riders_apart: bool
) -> ImageObjects:
    """Return the road users among a network's boxes.

    Args:
        found: boxes in pixels of the image.
        classes: (C,), our class of each of the network's, -1: none.
        calibration: slope and offset of ``calibrated``; None: scores are taken as they are.
        riders_apart: the network boxes riders and two-wheelers on their own, and they are to be joined.

    """
    known = found[np.flatnonzero(np.isin(found.scores.argmax(axis=1), np.flatnonzero(classes >= 0)))]
    if riders_apart:
        known = _with_riders(known, classes)
    probability = np.zeros((len(known), len(CLASS_NAMES)))
    for index, kind in enumerate(classes):
        if kind >= 0:
            probability[:, kind] = np.maximum(probability[:, kind], known.scores[:, index])
    total = probability.sum(axis=1, keepdims=True)
    probability *= (1 - UNSURE) / np.where(total > 0, total, 1.0)
    probability[:, ObjectClass.UNKNOWN] += 1 - probability.sum(axis=1)
    existence = calibrated(known.score, **(calibration or {}))
    return ImageObjects(known.box, probability, _postures(known.extra, probability), existence)


def _postures(extra: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return (N, 4): of a network with postures those, weighted with how surely it is a person; else not known."""
    out = np.zeros((len(classes), POSTURES))
    if extra.shape[1] >= POSTURES - 1:
        out[:, 1:] = extra[:, : POSTURES - 1] * classes[:, ObjectClass.PEDESTRIAN, None]
    out[:, 0] = 1 - out[:, 1:].sum(axis=1)
    return out


def _with_riders(found: Boxes, classes: np.ndarray) -> Boxes:
    """Join each two-wheeler with the person on it: one box around both, of the two-wheeler's class."""
    kinds = classes[found.scores.argmax(axis=1)] if len(found) else np.zeros(0, int)
    wheels, people = np.flatnonzero(np.isin(kinds, ON_WHEELS)), np.flatnonzero(kinds == ObjectClass.PEDESTRIAN)
    if not len(wheels) or not len(people):
        return found
    fit = riding(found.box[wheels], found.box[people])
    rows, columns = linear_sum_assignment(-fit)
    pairs = [(wheels[a], people[b]) for a, b in zip(rows, columns, strict=True) if fit[a, b] > 0]
    if not pairs:
        return found
    box = found.box.copy()
    machine, rider = np.array(pairs).T
    box[machine, :2] = np.minimum(box[machine, :2], box[rider, :2])
    box[machine, 2:] = np.maximum(box[machine, 2:], box[rider, 2:])
    score = found.object_score.copy()
    score[machine] = np.maximum(score[machine], score[rider])
    joined = Boxes(box, score, found.scores, found.extra)
    return joined[np.setdiff1d(np.arange(len(found)), rider)]


def riding(wheels: np.ndarray, people: np.ndarray) -> np.ndarray:
    """Return how well persons (P, 4) sit on two-wheelers (W, 4), (W, P); 0: not at all.

    A rider's box overlaps that of the machine, its middle is above the machine's, its foot not below the wheels, and
    it is over the machine, not beside it.
    """
    shared = intersections(wheels, people) / np.maximum(np.minimum(area(wheels)[:, None], area(people)[None]), 1.0)
    height = (wheels[:, 3] - wheels[:, 1])[:, None]
    middle = (people[:, 0] + people[:, 2])[None] / 2
    over = (middle > wheels[:, :1]) & (middle < wheels[:, 2:3])
    above = (people[:, 1] + people[:, 3])[None] < (wheels[:, 1] + wheels[:, 3])[:, None]
    foot = people[None, :, 3] <= wheels[:, 3:4] + 0.15 * height
    return np.where(over & above & foot & (shared >= _SHARED), shared, 0.0)


def cut_off(box: np.ndarray, height: int, width: int, margin: float = 1.5) -> np.ndarray:
    """Return which edges of an image cut boxes (N, 4) off, bits of CUT_*, (N,) uint8."""
    return np.asarray(
        CUT_LEFT * (box[:, 0] <= margin)
        + CUT_TOP * (box[:, 1] <= margin)
        + CUT_RIGHT * (box[:, 2] >= width - margin)
        + CUT_BOTTOM * (box[:, 3] >= height - margin),
        np.uint8,
    )
