"""Boxes in images against what is there: average precision by class, postures, calibration.

Average precision as in PASCAL VOC from 2010 on (Everingham et al. 2015, section 4.2): the area below the precision
that is kept at or beyond each recall, at an intersection over union of 0.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin_common.core.image_boxes import area, intersections, overlaps
from twin_common.core.precision_recall import average_precision
from twin_detection.camera_scenes import LABEL
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.evaluation import measures

OVERLAP = 0.5  # intersection over union from which on an object is found
HIDDEN = 0.6  # share of a detection within what is not asked for, from which on it does not count
#: What is asked for: so many pixels of it, so many rows, so much of its box to be seen, so near (metres).
PIXELS, ROWS, VISIBLE, REACH = 60, 12.0, 0.4, 50.0
HIT, MISS, UNCOUNTED = 1, 0, -1


def asked(labels: np.ndarray) -> np.ndarray:
    """Return which objects (N,) LABEL have to be found; the others may be."""
    tall = labels["box"][:, 3] - labels["box"][:, 1]
    clear = (labels["pixels"] >= PIXELS) & (tall >= ROWS) & (labels["visible"] >= VISIBLE)
    return np.asarray(clear & (labels["distance"] <= REACH))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a detector did in pictures.

    Args:
        label: (N,) class of each detection.
        score: (N,) existence times probability of the class.
        existence: (N,).
        outcome: (N,) HIT, MISS or UNCOUNTED, against objects of its class.
        there: (N,) the same against objects of any class.
        wanted: (10,) objects that were asked for, by class.
        postures: (P, 2) true posture and that told, of persons that were found.

    """

    label: np.ndarray
    score: np.ndarray
    existence: np.ndarray
    outcome: np.ndarray
    there: np.ndarray
    wanted: np.ndarray
    postures: np.ndarray


def matched(box: np.ndarray, score: np.ndarray, truth: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcome of each detection (N,) and the object it found (N,), -1: none; the surest choose first.

    Args:
        box: (N, 4) pixels.
        score: (N,).
        truth: (M, 4) boxes of objects.
        wanted: (M,) bool: whether they are asked for.

    """
    outcome, found = np.full(len(box), MISS), np.full(len(box), -1)
    share = overlaps(box, truth)
    within = intersections(box, truth) / np.maximum(area(box)[:, None], 1e-9)
    free = wanted.copy()
    for index in np.argsort(-score, kind="stable"):
        near = np.where(free, share[index], 0.0)
        if len(near) and near.max() >= OVERLAP:
            best = int(near.argmax())
            outcome[index], found[index], free[best] = HIT, best, False
        elif ((share[index] >= OVERLAP) | (within[index] >= HIDDEN))[~wanted].any():
            outcome[index] = UNCOUNTED
    return outcome, found


def outcome_of(objects: ImageObjects, labels: np.ndarray) -> Outcome:
    """Return what a detector did in one picture, whose objects are (M,) LABEL."""
    if labels.dtype != LABEL:
        raise ValueError(f"labels: expected dtype LABEL, got {labels.dtype}")
    wanted, label = asked(labels), objects.label
    score = objects.existence * objects.class_probability.max(axis=1, initial=0.0)
    outcome = np.full(len(objects), MISS)
    postures = []
    for kind in np.unique(label):
        mine = np.flatnonzero(label == kind)
        right = labels["label"] == kind
        own, found = matched(objects.box[mine], score[mine], labels["box"], wanted & right)
        # An object of another class that is asked for does not excuse a detection; one that is not, does.
        excused = _excused(objects.box[mine], labels["box"][~wanted])
        outcome[mine] = np.where(own == HIT, HIT, np.where(excused, UNCOUNTED, MISS))
        for index, other in zip(mine[found >= 0], found[found >= 0], strict=True):
            if labels["posture"][other]:
                told = objects.posture_probability[index, 1:].argmax() + 1
                postures.append((int(labels["posture"][other]), int(told)))
    there, _ = matched(objects.box, objects.existence, labels["box"], wanted)
    counts = np.bincount(labels["label"][wanted], minlength=10)
    return Outcome(label, score, objects.existence, outcome, there, counts, np.array(postures, int).reshape(-1, 2))


def _excused(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which boxes show what is not asked for, (N,)."""
    if not len(others):
        return np.zeros(len(box), bool)
    within = intersections(box, others) / np.maximum(area(box)[:, None], 1e-9)
    return np.asarray(((overlaps(box, others) >= OVERLAP) | (within >= HIDDEN)).any(axis=1))


def joined(parts: Sequence[Outcome]) -> Outcome:
    """Return the outcomes of several pictures as one."""
    names = ("label", "score", "existence", "outcome", "there", "postures")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Outcome(wanted=np.sum([part.wanted for part in parts], axis=0), **columns)


def of_classes(outcome: Outcome, kinds: Sequence[int]) -> dict[str, float]:
    """Return objects, average precision, and recall and precision at a score of 0.5, averaged over classes."""
    rows = []
    for kind in kinds:
        mine = (outcome.label == kind) & (outcome.outcome != UNCOUNTED)
        score, hit, wanted = outcome.score[mine], outcome.outcome[mine] == HIT, int(outcome.wanted[kind])
        sure = score >= 0.5
        rows.append((wanted, average_precision(score, hit, wanted), hit[sure].sum(), sure.sum()))
    table = np.array(rows, float)
    total, hits, told = table[:, 0].sum(), table[:, 2].sum(), table[:, 3].sum()
    known = table[table[:, 0] > 0]
    return {
        "objects": float(total), "AP50": float(known[:, 1].mean()) if len(known) else float("nan"),
        "recall": float(hits / total) if total else float("nan"),
        "precision": float(hits / told) if told else float("nan"),
    }  # fmt: skip


def reliability(outcome: Outcome) -> np.ndarray:
    """Return, by bins of existence, mean existence, share of hits of any class, and count, (B, 3)."""
    counted = outcome.there != UNCOUNTED
    existence, hit = outcome.existence[counted], outcome.there[counted] == HIT
    return np.column_stack(measures.reliability(existence, hit.astype(float)))


def calibration_error(outcome: Outcome) -> float:
    """Return the expected calibration error of existence (Guo et al. 2017, eq. 3)."""
    told, hit, count = reliability(outcome).T
    return float(np.nansum(np.abs(told - hit) * count) / max(count.sum(), 1))
