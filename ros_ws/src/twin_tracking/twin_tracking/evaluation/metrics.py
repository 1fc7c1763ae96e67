"""Figures of tracks against truth: CLEAR MOT, identity (IDF1) and HOTA.

Bernardin and Stiefelhagen 2008; Ristani et al. 2016; Luiten et al. 2020. Conventions are those of TrackEval, which the
tests hold these figures against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from twin_tracking.evaluation.boxes import Similarity, near_in_frames

#: Similarities at which HOTA is taken, and over which it is averaged.
ALPHAS = np.arange(0.05, 0.99, 0.05)
_EPSILON = float(np.finfo(float).eps)
_KEEP = 1000.0


@dataclass(frozen=True, slots=True)
class TrackedSequence:
    """Truth and tracks of one recording, and how alike they are.

    ``truth_frame``, ``truth_id``: (T,) int, one row per object and frame; ``track_frame``, ``track_id``: (D,) int.
    ``truth``, ``track``: (K,) rows that are alike at all, sorted; ``similarity``: (K,) above 0, at most 1.
    """

    truth_frame: np.ndarray
    truth_id: np.ndarray
    track_frame: np.ndarray
    track_id: np.ndarray
    truth: np.ndarray
    track: np.ndarray
    similarity: np.ndarray

    def __post_init__(self) -> None:
        """Refuse rows of different length, and an id that occurs twice in a frame."""
        for what in ("truth", "track"):
            frame, number = getattr(self, f"{what}_frame"), getattr(self, f"{what}_id")
            if frame.shape != number.shape or frame.ndim != 1:
                raise ValueError(f"{what}_frame and {what}_id: expected (N,) each, got {frame.shape}, {number.shape}")
            rows, counts = np.unique(np.column_stack([frame, number]), axis=0, return_counts=True)
            if (counts > 1).any():
                frame, number = rows[counts.argmax()]
                raise ValueError(f"{what}: id {number} occurs {counts.max()} times in frame {frame}; expected once")
        if not self.truth.shape == self.track.shape == self.similarity.shape:
            raise ValueError("truth, track and similarity: expected (K,) each")


def compare(
    truth_frame: np.ndarray, truth_id: np.ndarray, truth_boxes: np.ndarray,
    track_frame: np.ndarray, track_id: np.ndarray, track_boxes: np.ndarray,
    similarity: Similarity, reach: float,
) -> TrackedSequence:  # fmt: skip
    """Return what ``metrics`` need: boxes (T, 7) and (D, 7) whose centres are at most ``reach`` apart are compared."""
    i, j = near_in_frames(truth_frame, truth_boxes, track_frame, track_boxes, reach)
    alike = similarity(truth_boxes[i], track_boxes[j])
    some = alike > 0
    return TrackedSequence(truth_frame, truth_id, track_frame, track_id, i[some], j[some], alike[some])


@dataclass(frozen=True, slots=True)
class ClearScores:
    """CLEAR MOT at one similarity.

    ``motp`` is the mean similarity of the matches; mostly tracked is found in over 80 %, mostly lost in under 20 %.
    """

    mota: float
    motp: float
    true_positives: int
    false_positives: int
    misses: int
    switches: int
    fragmentations: int
    mostly_tracked: int
    mostly_lost: int
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class IdentityScores:
    """Identity figures at one similarity."""

    idf1: float
    recall: float
    precision: float


@dataclass(frozen=True, slots=True)
class HotaScores:
    """HOTA and its parts, means over ``ALPHAS``."""

    hota: float
    detection: float
    association: float
    localization: float


def best_pairs(row: np.ndarray, column: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return which pairs, (K,) bool, give the largest sum of ``score`` (above 0) with no row and no column twice."""
    chosen = (np.bincount(row)[row] == 1) & (np.bincount(column)[column] == 1) if len(row) else np.zeros(0, bool)
    contested = np.flatnonzero(~chosen)
    if not len(contested):
        return chosen
    rows, r = np.unique(row[contested], return_inverse=True)
    columns, c = np.unique(column[contested], return_inverse=True)
    size = len(rows) + len(columns)
    graph = coo_matrix((np.ones(len(contested)), (r, len(rows) + c)), (size, size))
    group = connected_components(graph, directed=False)[1][r]
    order = np.argsort(group, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        pairs = contested[members]
        _, i = np.unique(r[members], return_inverse=True)
        _, j = np.unique(c[members], return_inverse=True)
        matrix = np.zeros((i.max() + 1, j.max() + 1))
        matrix[i, j] = score[pairs]
        partner = np.full(len(matrix), -1)
        best = linear_sum_assignment(matrix, maximize=True)
        partner[best[0]] = best[1]
        chosen[pairs] = (partner[i] == j) & (score[pairs] > 0)
    return chosen


def clear_mot(sequences: Sequence[TrackedSequence], threshold: float) -> ClearScores:
    """Return CLEAR MOT over all sequences; pairs below ``threshold`` never match, matches are kept where possible."""
    total, alike = np.zeros(7, int), 0.0
    for sequence in sequences:
        counts, similarity = _clear_one(sequence, threshold)
        total, alike = total + counts, alike + similarity
    hits, false, misses, switches, fragments, tracked, lost = (int(value) for value in total)
    objects = max(hits + misses, 1)
    return ClearScores(
        (hits - false - switches) / objects, alike / max(hits, 1), hits, false, misses, switches, fragments, tracked,
        lost, hits / objects, hits / max(hits + false, 1),
    )  # fmt: skip


def _clear_one(sequence: TrackedSequence, threshold: float) -> tuple[np.ndarray, float]:
    """Return hits, false positives, misses, switches, fragments, mostly tracked and lost, and the summed similarity."""
    truth_ids, truth_id = np.unique(sequence.truth_id, return_inverse=True)
    track_id = np.unique(sequence.track_id, return_inverse=True)[1]
    fits = sequence.similarity >= threshold - _EPSILON
    truth, track, similarity = sequence.truth[fits], sequence.track[fits], sequence.similarity[fits]
    frame = sequence.truth_frame[truth]
    order = np.argsort(frame, kind="stable")
    truth, track, similarity, frame = truth[order], track[order], similarity[order], frame[order]
    matched, last, before = np.zeros(len(truth), bool), np.full(len(truth_ids), -1), np.full(len(truth_ids), -1)
    switches, runs = 0, np.zeros(len(truth_ids), int)
    for now in np.intersect1d(sequence.truth_frame, sequence.track_frame):
        pairs = np.arange(*np.searchsorted(frame, [now, now + 1]))
        who, whom = truth_id[truth[pairs]], track_id[track[pairs]]
        best = best_pairs(truth[pairs], track[pairs], similarity[pairs] + _KEEP * (before[who] == whom))
        matched[pairs[best]] = True
        who, whom = who[best], whom[best]
        switches += int(((last[who] >= 0) & (last[who] != whom)).sum())
        runs[who] += before[who] < 0
        last[who] = whom
        before[:] = -1
        before[who] = whom
    hits = int(matched.sum())
    share = np.bincount(truth_id[truth[matched]], minlength=len(truth_ids)) / np.bincount(truth_id) if hits else runs
    counts = [hits, len(track_id) - hits, len(truth_id) - hits, switches, np.maximum(runs - 1, 0).sum()]
    return np.array([*counts, (share > 0.8).sum(), (share < 0.2).sum()]), float(similarity[matched].sum())


def identity(sequences: Sequence[TrackedSequence], threshold: float) -> IdentityScores:
    """Return the identity figures over all sequences; pairs below ``threshold`` are not the same."""
    hits = truths = tracks = 0
    for sequence in sequences:
        fits = sequence.similarity >= threshold
        pairs = np.column_stack([sequence.truth_id[sequence.truth[fits]], sequence.track_id[sequence.track[fits]]])
        both, frames = np.unique(pairs, axis=0, return_counts=True)
        who = np.unique(both[:, 0], return_inverse=True)[1]
        whom = np.unique(both[:, 1], return_inverse=True)[1]
        hits += int(frames[best_pairs(who, whom, frames.astype(float))].sum())
        truths, tracks = truths + len(sequence.truth_id), tracks + len(sequence.track_id)
    return IdentityScores(2 * hits / max(truths + tracks, 1), hits / max(truths, 1), hits / max(tracks, 1))


def hota(sequences: Sequence[TrackedSequence]) -> HotaScores:
    """Return HOTA over all sequences."""
    hits, associated, alike = np.zeros((3, len(ALPHAS)))
    for sequence in sequences:
        counts = _hota_one(sequence)
        hits, associated, alike = hits + counts[0], associated + counts[1], alike + counts[2]
    rows = sum(len(sequence.truth_id) + len(sequence.track_id) for sequence in sequences)
    detection = hits / np.maximum(rows - hits, 1)
    association = associated / np.maximum(hits, 1)
    localization = np.maximum(alike, 1e-10) / np.maximum(hits, 1e-10)
    return HotaScores(
        float(np.sqrt(detection * association).mean()), float(detection.mean()), float(association.mean()),
        float(localization.mean()),
    )  # fmt: skip


def _hota_one(sequence: TrackedSequence) -> np.ndarray:
    """Return matches, their summed association and their summed similarity at each of ``ALPHAS``, (3, A)."""
    if not len(sequence.similarity):
        return np.zeros((3, len(ALPHAS)))
    i, j, similarity = sequence.truth, sequence.track, sequence.similarity
    truth_id = np.unique(sequence.truth_id, return_inverse=True)[1]
    track_id = np.unique(sequence.track_id, return_inverse=True)[1]
    share = similarity / (np.bincount(i, similarity)[i] + np.bincount(j, similarity)[j] - similarity)
    both, pair = np.unique(np.column_stack([truth_id[i], track_id[j]]), axis=0, return_inverse=True)
    lengths = np.bincount(truth_id)[both[:, 0]] + np.bincount(track_id)[both[:, 1]]
    together = np.bincount(pair.ravel(), share)
    matched = best_pairs(i, j, (together / (lengths - together))[pair.ravel()] * similarity)
    figures = np.zeros((3, len(ALPHAS)))
    for a, alpha in enumerate(ALPHAS):
        hit = matched & (similarity >= alpha - _EPSILON)
        frames = np.bincount(pair.ravel()[hit], minlength=len(both))
        figures[:, a] = hit.sum(), (frames * frames / np.maximum(lengths - frames, 1)).sum(), similarity[hit].sum()
    return figures


def judged(sequence: TrackedSequence, optional: np.ndarray, unjudged: np.ndarray, threshold: float) -> TrackedSequence:
    """Return a sequence without ``optional`` truth (T,), what lies on it, and free ``unjudged`` tracks (D,); masks."""
    pairs = np.flatnonzero(sequence.similarity >= threshold)
    best = pairs[best_pairs(sequence.truth[pairs], sequence.track[pairs], sequence.similarity[pairs])]
    kept = ~unjudged
    kept[sequence.track[best]] = ~optional[sequence.truth[best]]
    both = ~optional[sequence.truth] & kept[sequence.track]
    return TrackedSequence(
        sequence.truth_frame[~optional], sequence.truth_id[~optional], sequence.track_frame[kept],
        sequence.track_id[kept], (np.cumsum(~optional) - 1)[sequence.truth[both]],
        (np.cumsum(kept) - 1)[sequence.track[both]], sequence.similarity[both],
    )  # fmt: skip
