"""Recall, precision, average precision and position error of detections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_common.core import precision_recall


@dataclass(frozen=True, slots=True)
class FrameMatches:
    """What became of the labels and findings of one frame.

    ``pairs``: (M, 2) label and finding; ``distance``: (M,) metres; ``hit``: (M,) the label was asked for;
    ``missed``: (U,) labels that were asked for; ``false``: (F,) findings judged, with nothing there.
    """

    pairs: np.ndarray
    distance: np.ndarray
    hit: np.ndarray
    missed: np.ndarray
    false: np.ndarray


@dataclass(frozen=True, slots=True)
class DetectionScores:
    """Figures over all frames; NaN where there is nothing to divide by. Errors in metres."""

    recall: float
    precision: float
    f1: float
    position_error: float
    position_error_p90: float
    hits: int
    misses: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class RankedFrame:
    """The findings of one frame that count: ``score`` (D,), ``hit`` (D,) bool; ``wanted``: labels asked for."""

    score: np.ndarray
    hit: np.ndarray
    wanted: int


def match_frame(
    truth: np.ndarray, must: np.ndarray, found: np.ndarray, judged: np.ndarray, max_distance: float
) -> FrameMatches:
    """Pair labels and findings so that as many as possible lie within ``max_distance``, then as close as possible.

    Labels that were asked for come first.

    Args:
        truth: (T, 2) centres from above, metres.
        must: (T,) bool, asked for.
        found: (D, 2) centres.
        judged: (D,) bool, a false alarm if nothing is there.
        max_distance: metres.

    """
    if truth.ndim != 2 or truth.shape[1] != 2 or found.ndim != 2 or found.shape[1] != 2:
        raise ValueError(f"truth, found: expected (N, 2), got {truth.shape} and {found.shape}")
    distance = np.hypot(*(truth[:, None] - found[None]).transpose(2, 0, 1))
    gain = np.where(distance <= max_distance, np.where(must, 1e6, 1e3)[:, None] - distance, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    close = distance[rows, columns] <= max_distance
    rows, columns = rows[close], columns[close]
    missed = np.setdiff1d(np.flatnonzero(must), rows)
    false = np.setdiff1d(np.flatnonzero(judged), columns)
    return FrameMatches(np.column_stack([rows, columns]), distance[rows, columns], must[rows], missed, false)


def rank_frame(
    truth: np.ndarray, must: np.ndarray, found: np.ndarray, score: np.ndarray, judged: np.ndarray, max_distance: float
) -> RankedFrame:
    """Give each finding, best first, the nearest label that is left, as in nuScenes (Caesar et al. 2020, sec. 4.1).

    Labels that were not asked for take findings too, which then do not count; neither do those not judged.

    Args:
        truth: (T, 2) centres from above, metres.
        must: (T,) bool, asked for.
        found: (D, 2) centres.
        score: (D,).
        judged: (D,) bool, a false alarm if nothing is there.
        max_distance: metres.

    """
    distance = np.hypot(*(truth[:, None] - found[None]).transpose(2, 0, 1))
    free = np.ones(len(truth), bool)
    hit, counts = np.zeros(len(found), bool), judged.copy()
    for column in np.argsort(-score, kind="stable"):
        near = np.where(free & (distance[:, column] <= max_distance), distance[:, column] - 1e3 * must, np.inf)
        row = int(near.argmin()) if len(near) else -1
        if row >= 0 and np.isfinite(near[row]):
            free[row] = False
            hit[column], counts[column] = must[row], must[row]
    return RankedFrame(score[counts], hit[counts], int(np.count_nonzero(must)))


def average_precision(frames: Sequence[RankedFrame]) -> float:
    """Return the area under precision over recall of all frames, ``precision_recall.average_precision``."""
    return precision_recall.average_precision(*_ranking(frames))


def best_level(frames: Sequence[RankedFrame]) -> precision_recall.Level:
    """Return the best F1 over all least scores of all frames, ``precision_recall.best_level``."""
    return precision_recall.best_level(*_ranking(frames))


def _ranking(frames: Sequence[RankedFrame]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return scores and hits of all findings, and how many labels were asked for."""
    score = np.concatenate([frame.score for frame in frames] or [np.zeros(0)])
    hit = np.concatenate([frame.hit for frame in frames] or [np.zeros(0, bool)])
    return score, hit, sum(frame.wanted for frame in frames)


def summarize(frames: Sequence[FrameMatches]) -> DetectionScores:
    """Return the figures over frames."""
    hits = sum(int(np.count_nonzero(frame.hit)) for frame in frames)
    misses = sum(len(frame.missed) for frame in frames)
    false_alarms = sum(len(frame.false) for frame in frames)
    errors = np.concatenate([frame.distance[frame.hit] for frame in frames]) if frames else np.zeros(0)
    return DetectionScores(
        recall=_ratio(hits, hits + misses),
        precision=_ratio(hits, hits + false_alarms),
        f1=_ratio(2 * hits, 2 * hits + misses + false_alarms),
        position_error=float(np.median(errors)) if len(errors) else float("nan"),
        position_error_p90=float(np.quantile(errors, 0.9)) if len(errors) else float("nan"),
        hits=hits,
        misses=misses,
        false_alarms=false_alarms,
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
