"""Precision over recall of detections that are ranked by their score."""

from __future__ import annotations

import numpy as np

_SAME_SCORE = 1e-6  # scores that differ by less are the same: numbers in a message have seven digits


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
