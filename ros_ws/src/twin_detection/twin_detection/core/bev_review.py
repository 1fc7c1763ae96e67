"""A second look at what the first network proposes: small networks read the points around each proposal.

From above a rider of a kick scooter is a person; the board, the stem before it, and where somebody was a moment ago
tell them apart. Two stages as in PointRCNN (Shi et al. 2019) and CenterPoint (Yin et al. 2021); points as in PointNet
(Qi et al. 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import softmax

from twin_detection.core.bev_decode import BOX_CHANNELS, CLASSES, BevBoxes, BevCalibration, box_of, joined, once
from twin_detection.core.points_around import points_around


@dataclass(frozen=True, slots=True)
class Look:
    """How proposals of some groups are looked at.

    ``groups``: of bev_decode.GROUPS; ``radius``, ``earlier_radius``: how far from the centre points of this scan and of
    the earlier one are read, metres; ``lowest``: of their heights above the ground, metres; ``first``: power of the
    first network's score in the product of both.
    """

    groups: tuple[int, ...]
    radius: float
    earlier_radius: float
    lowest: tuple[float, float]
    first: float


#: Whoever rides has come 2 m in 0.3 s; the board of a kick scooter is a hand above the ground.
LOOKS = (Look((0,), 4.0, 4.0, (0.2, 0.2), 0.5), Look((1, 2), 1.5, 2.6, (0.04, 0.25), 0.0))
#: Points that are read around a centre, of this scan and of the earlier one.
POINTS, EARLIER = 96, 64
_HIGHEST = 4.0  # metres above the ground
#: Numbers beside the points: logarithms of the distance and of both numbers of points, seconds since the earlier scan,
#: whether there is one, logarithms of the scores of CLASSES and of the size, twice the heading from the view.
SCALARS = 5 + len(CLASSES) + 3 + 2
#: Index of "nothing" behind the classes; columns of an answer.
NOTHING = len(CLASSES)
COLUMNS = NOTHING + 1 + BOX_CHANNELS
_WEAKEST = 0.03  # less probable objects are none
_PARTS = 3  # in which boxes are shown to a network


@dataclass(frozen=True, slots=True)
class Cloud:
    """Points of a scan, level frame at the present, metres: ``points`` (N, 3), ``height`` (N,) above the ground."""

    points: np.ndarray
    height: np.ndarray


@dataclass(frozen=True, slots=True)
class Crops:
    """What the network reads of D boxes; centres at the origin, x along the view.

    ``points``: (D, up to POINTS, 3), ``earlier``: (D, up to EARLIER, 3), metres, z above the ground, 0 where there are
    none; ``scalars``: (D, SCALARS), all float32. ``count``: (D, 2) int, how many of ``points`` and of ``earlier`` stand
    before they are repeated, at least 1.
    """

    points: np.ndarray
    earlier: np.ndarray
    scalars: np.ndarray
    count: np.ndarray

    def select(self, rows: np.ndarray) -> Crops:
        """Return some of them, by mask or by index."""
        return Crops(self.points[rows], self.earlier[rows], self.scalars[rows], self.count[rows])

    def sorted_parts(self, count: int) -> list[tuple[np.ndarray, Crops]]:
        """Return up to ``count`` parts, and the rows of each: those with about as many points, few of them repeated.

        The networks take maxima over points, so that repeated ones cost time and change nothing.
        """
        order = np.argsort(self.count[:, 0], kind="stable")
        parts = []
        for rows in np.array_split(order, min(count, len(order))) if len(order) else []:
            most, most_before = self.count[rows].max(axis=0)
            parts.append((rows, Crops(
                self.points[rows, :most], self.earlier[rows, :most_before], self.scalars[rows], self.count[rows]
            )))  # fmt: skip
        return parts


class Reader(Protocol):
    """A session of onnxruntime, or what does the same."""

    def run(self, output_names: list[str] | None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Return the output ``answer`` (D, COLUMNS) for the inputs ``points``, ``earlier`` and ``scalars``."""


def crops(now: Cloud, before: Cloud, elapsed: float, boxes: BevBoxes, look: Look) -> Crops:
    """Return what is around the centres of boxes; ``elapsed``: seconds from the earlier scan, 0 where there is none."""
    bearing = np.arctan2(boxes.centre[:, 1], boxes.centre[:, 0])
    points, count = _around(now, boxes.centre, bearing, look.radius, POINTS, look.lowest[0])
    earlier, count_before = _around(before, boxes.centre, bearing, look.earlier_radius, EARLIER, look.lowest[1])
    turned = 2 * (boxes.yaw - bearing)
    scores = np.log(np.clip(boxes.class_score, 1e-4, 1.0))
    scalars = np.column_stack([
        np.log(np.maximum(np.hypot(*boxes.centre.T), 1.0)), np.log1p(count), np.log1p(count_before),
        np.full(len(boxes), elapsed), np.full(len(boxes), float(elapsed > 0)), scores, np.log(boxes.size),
        np.sin(turned), np.cos(turned),
    ])  # fmt: skip
    counts = np.clip(np.column_stack([count, count_before]), 1, (POINTS, EARLIER))
    return Crops(points, earlier, scalars.astype(np.float32), counts)


def _around(
    cloud: Cloud, centre: np.ndarray, bearing: np.ndarray, radius: float, most: int, lowest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return points around centres (D, 2) that stand out of the ground, (D, most, 3), and their numbers (D,)."""
    return points_around(cloud.points, cloud.height, (lowest, _HIGHEST), centre, bearing, radius, most)


def reviewed(
    boxes: BevBoxes, now: Cloud, before: Cloud, elapsed: float, readers: Sequence[Reader], calibration: BevCalibration,
    least: float = 0.0,
) -> BevBoxes:  # fmt: skip
    """Return the objects among proposals, each once, the surest first.

    ``readers``: of each of LOOKS; ``least``: proposals that cannot have that score, whatever a reader says, are not
    shown to it. The higher the ``score`` of what is returned, the surer somebody is there.
    """
    parts = []
    for number, look in enumerate(LOOKS):
        own = boxes.select(np.isin(boxes.group, look.groups) & (boxes.score**look.first >= least))
        answer = answers(readers[number], crops(now, before, elapsed, own, look))
        parts.append(corrected(own, answer, calibration, number))
    found = joined(parts)
    found = found.select(np.flatnonzero(found.score > _WEAKEST))
    found = found.select(np.argsort(-found.score, kind="stable"))
    return found.select(once(found))


def answers(reader: Reader, seen: Crops) -> np.ndarray:
    """Return what a network says to each of D boxes, (D, COLUMNS)."""
    if not len(seen.count):
        return np.zeros((0, COLUMNS))
    rows, parts = zip(*seen.sorted_parts(_PARTS), strict=True)
    feeds = [{"points": part.points, "earlier": part.earlier, "scalars": part.scalars} for part in parts]
    answer = np.concatenate([reader.run(["answer"], feed)[0] for feed in feeds])
    return np.asarray(answer[np.argsort(np.concatenate(rows))], float)


def corrected(boxes: BevBoxes, answer: np.ndarray, calibration: BevCalibration, number: int) -> BevBoxes:
    """Return boxes as an answer (D, COLUMNS) to look ``number`` says: logits of classes and nothing, then a box."""
    if answer.shape != (len(boxes), COLUMNS):
        raise ValueError(f"answer: expected {(len(boxes), COLUMNS)}, got {answer.shape}")
    look = LOOKS[number]
    logits = answer[:, : NOTHING + 1] * calibration.sharpness[number] + calibration.bias[number]
    probability = softmax(logits, axis=1)
    known = 1.0 - probability[:, NOTHING]
    box = answer[:, NOTHING + 1 :]
    bearing = np.arctan2(boxes.centre[:, 1], boxes.centre[:, 0])
    cos, sin = np.cos(bearing), np.sin(bearing)
    shift = np.column_stack([box[:, 0] * cos - box[:, 1] * sin, box[:, 0] * sin + box[:, 1] * cos])
    told = box_of(box, calibration.position_scale[number], calibration.yaw_scale[number])
    told["yaw"] += bearing
    return BevBoxes(
        centre=boxes.centre + shift,
        score=known ** (1 - look.first) * boxes.score**look.first,
        class_score=probability[:, :NOTHING] / np.maximum(known, 1e-9)[:, None],
        **told,
    )
