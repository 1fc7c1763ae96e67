"""Precision over recall of detections that are ranked by their score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SAME_SCORE = 1e-6  # scores that differ by less are the same: numbers in a message have seven digits


@dataclass(frozen=True, slots=True)
class Level:
    """The best F1, and the least score that gives it."""

    f1: float
    level: float


def levels(
    score: np.ndarray, hit: np.ndarray, weight: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores (L,) at which detections can be cut off, highest first, how many there are then, and how many hit.

    Detections of the same score come in together: no level parts them, and calibration gives many the same. Which of
    them would be first is an accident of their order, or of the last digit in a message.

    Args:
        score: (D,) of the detections.
        hit: (D,) bool, whether each is an object.
        weight: (D,) how often each counts; None: once.

    """
    order = np.argsort(-score, kind="stable")
    once = np.ones(len(score)) if weight is None else weight
    last = np.append(-np.diff(score[order]) > _SAME_SCORE, True)[: len(score)]
    return score[order][last], np.cumsum(once[order])[last], np.cumsum((hit * once)[order])[last]


def average_precision(score: np.ndarray, hit: np.ndarray, total: float, weight: np.ndarray | None = None) -> float:
    """Return the area below precision over recall, precision made monotonous (as Pascal VOC since 2010).

    Everingham et al. 2010, sec. 4.2, at every level.

    Args:
        score: (D,) of the detections.
        hit: (D,) bool, whether each is an object.
        total: objects there are; none gives NaN.
        weight: (D,) how often each counts; None: once.

    """
    if not total:
        return float("nan")
    _, count, right = levels(score, hit, weight)
    precision = np.maximum.accumulate((right / np.maximum(count, 1e-9))[::-1])[::-1]
    return float(np.sum(np.diff(right / total, prepend=0.0) * precision))


def best_level(score: np.ndarray, hit: np.ndarray, total: float) -> Level:
    """Return the best F1 over all least scores; without detections 0 at no score (NaN), without objects NaN.

    Args:
        score: (D,) of the detections.
        hit: (D,) bool, whether each is an object.
        total: objects there are.

    """
    if not len(hit) or not total:
        return Level(0.0 if total else float("nan"), float("nan"))
    level, count, right = levels(score, hit)
    f1 = 2 * right / (count + total)
    best = int(f1.argmax())
    return Level(float(f1[best]), float(level[best]))
