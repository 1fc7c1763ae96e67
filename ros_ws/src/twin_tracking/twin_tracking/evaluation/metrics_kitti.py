"""What KITTI asks for, and sAMOTA, AMOTA and AMOTP of AB3DMOT.

Weng et al. 2020, "3D Multi-Object Tracking: A Baseline and New Evaluation Metrics", section IV, with the rules of the
published evaluation: an integral over 40 levels of recall, each reached with a threshold on the mean score of a track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twin_tracking.evaluation.boxes import box_overlap, near_in_frames
from twin_tracking.evaluation.metrics import TrackedSequence, best_pairs, judged

if TYPE_CHECKING:
    from twin_replay.core.kitti import Boxes

#: A class and the one that is neither asked for nor a false alarm.
NEIGHBOURS = {"Car": "Van", "Pedestrian": "Person_sitting", "Cyclist": ""}
MIN_HEIGHT_PX = 25.0
MAX_OCCLUSION = 2
MAX_TRUNCATION = 0
RECALL_LEVELS = 40
_CARDINALITY = 1e3


@dataclass(frozen=True, slots=True)
class KittiSequence:
    """Labels and tracks of one class in one sequence.

    ``truth_frame``, ``truth_id``: (T,) int; ``optional``: (T,) bool, not asked for. ``track_frame``, ``track_id``:
    (D,) int; ``score``: (D,), mean of its track's scores; ``unjudged``: (D,) bool, no false alarm if unmatched.
    ``truth``, ``track``, ``overlap``: (K,) pairs with a 3D intersection over union above 0.
    """

    truth_frame: np.ndarray
    truth_id: np.ndarray
    optional: np.ndarray
    track_frame: np.ndarray
    track_id: np.ndarray
    score: np.ndarray
    unjudged: np.ndarray
    truth: np.ndarray
    track: np.ndarray
    overlap: np.ndarray


@dataclass(frozen=True, slots=True)
class KittiScores:
    """The figures of AB3DMOT; what is not averaged over recall is at ``threshold``, the one with the best MOTA."""

    samota: float
    amota: float
    amotp: float
    mota: float
    motp: float
    switches: int
    fragmentations: int
    mostly_tracked: float
    mostly_lost: float
    false_positives: int
    misses: int
    recall: float
    precision: float
    threshold: float


@dataclass(frozen=True, slots=True)
class _Pass:
    """Figures at one threshold; ``scores``: mean scores of the matched tracks."""

    smota: float
    mota: float
    motp: float
    hits: int
    false: int
    misses: int
    scores: np.ndarray
    switches: int
    fragments: int
    tracked: float
    lost: float


def kitti_sequence(labels: Boxes, tracks: Boxes, kind: str, frames: int | None = None) -> KittiSequence:
    """Return what is asked for of ``kind`` in one sequence, and what was found; ``frames`` cuts the sequence."""
    names = np.char.lower(labels.kind)
    neighbour = names == NEIGHBOURS[kind].lower()
    asked = ((names == kind.lower()) | neighbour) & (labels.track_id >= 0)
    truth, neighbour = labels.select(asked), neighbour[asked]
    tracks = tracks.select((np.char.lower(tracks.kind) == kind.lower()) & (tracks.frame < (frames or np.inf)))
    first, second = _ground_boxes(truth), _ground_boxes(tracks)
    reach = sum(float(np.hypot(boxes[:, 3], boxes[:, 4]).max(initial=0.0)) / 2 for boxes in (first, second))
    i, j = near_in_frames(truth.frame, first, tracks.frame, second, reach + 0.1)
    overlap = box_overlap(first[i], second[j])
    some = overlap > 0
    too_small = np.abs(tracks.image_box[:, 3] - tracks.image_box[:, 1]) <= MIN_HEIGHT_PX
    return KittiSequence(
        truth.frame, truth.track_id,
        neighbour | (truth.occluded > MAX_OCCLUSION) | (truth.truncated.astype(int) > MAX_TRUNCATION),
        tracks.frame, tracks.track_id, _mean_score(tracks.track_id, tracks.score),
        too_small | _in_regions(tracks, labels.select(names == "dontcare")), i[some], j[some], overlap[some],
    )  # fmt: skip


def _ground_boxes(boxes: Boxes) -> np.ndarray:
    """Return (N, 7) boxes with z up from the camera's axes: x right stays, forward becomes y."""
    height, width, length = boxes.size.T
    x, y, z = boxes.location.T
    return np.column_stack([x, z, height / 2 - y, length, width, height, -boxes.rotation_y])


def _mean_score(track_id: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return the mean score of each row's track, (D,)."""
    number = np.unique(track_id, return_inverse=True)[1]
    return np.asarray((np.bincount(number, score) / np.maximum(np.bincount(number), 1))[number])


def _in_regions(tracks: Boxes, regions: Boxes) -> np.ndarray:
    """Return which tracks have over half of their image box in a region of the same frame, (D,) bool."""
    inside = np.zeros(len(tracks), bool)
    box, region = tracks.image_box, regions.image_box
    for frame in np.unique(regions.frame):
        rows, there = np.flatnonzero(tracks.frame == frame), region[regions.frame == frame]
        low = np.maximum(box[rows, None, :2], there[None, :, :2])
        high = np.minimum(box[rows, None, 2:], there[None, :, 2:])
        shared = np.maximum(high - low, 0).prod(axis=2)
        area = (box[rows, 2:] - box[rows, :2]).prod(axis=1)
        inside[rows] = (shared > 0.5 * area[:, None]).any(axis=1)
    return inside


def ab3dmot(sequences: Sequence[KittiSequence], min_overlap: float) -> KittiScores:
    """Return the figures over all sequences; boxes match from ``min_overlap`` on (3D intersection over union)."""
    judges = [_Judge(sequence, min_overlap) for sequence in sequences]
    everything = _judge(judges, -np.inf, 1.0)
    best, best_mota, best_threshold = everything, 0.0, -np.inf
    passes = []
    for threshold, recall in _thresholds(everything.scores, everything.hits + everything.misses):
        passes.append(_judge(judges, threshold, recall))
        if passes[-1].mota > best_mota:
            best, best_mota, best_threshold = passes[-1], passes[-1].mota, threshold
    samota, amota, amotp = (
        sum(getattr(one, name) for one in passes) / RECALL_LEVELS for name in ("smota", "mota", "motp")
    )
    return KittiScores(
        samota, amota, amotp, best.mota, best.motp, best.switches, best.fragments, best.tracked, best.lost, best.false,
        best.misses, best.hits / max(best.hits + best.misses, 1), best.hits / max(best.hits + best.false, 1),
        float(best_threshold),
    )  # fmt: skip


def _thresholds(scores: np.ndarray, objects: int) -> list[tuple[float, float]]:
    """Return scores from which on a level of recall is reached, and that level; the level 0 is left out."""
    chosen: list[tuple[float, float]] = []
    level = 0.0
    ranked = np.sort(scores)[::-1]
    for rank, score in enumerate(ranked):
        last = rank == len(ranked) - 1
        here, further = (rank + 1) / objects, (rank + 1 if last else rank + 2) / objects
        if not last and further - level < level - here:
            continue
        chosen.append((float(score), level))
        level += 1 / RECALL_LEVELS
    return chosen[1:]


class _Judge:
    """One sequence, judged at several thresholds."""

    def __init__(self, sequence: KittiSequence, min_overlap: float) -> None:
        """Keep the pairs that may match, and the labels of each object in time."""
        fits = sequence.overlap >= min_overlap
        self.sequence = sequence
        self.truth, self.track, self.overlap = sequence.truth[fits], sequence.track[fits], sequence.overlap[fits]
        self.order = np.lexsort((sequence.truth_frame, sequence.truth_id))
        # The published evaluation never forgets that a box has matched at another threshold; then it is always judged.
        self.ever_matched = np.zeros(len(sequence.track_id), bool)

    def at(self, threshold: float) -> tuple[np.ndarray, float, np.ndarray]:
        """Return hits, false alarms, misses, asked for, switches, fragments, tracked, lost and objects; see below.

        Then the summed overlap and the mean scores of the matched tracks.
        """
        sequence = self.sequence
        kept = sequence.score >= threshold
        pairs = np.flatnonzero(kept[self.track])
        best = pairs[best_pairs(self.truth[pairs], self.track[pairs], self.overlap[pairs] + _CARDINALITY)]
        partner = np.full(len(sequence.truth_id), -1)
        partner[self.truth[best]] = sequence.track_id[self.track[best]]
        self.ever_matched[self.track[best]] = True
        unjudged = int((kept & sequence.unjudged & ~self.ever_matched).sum())
        misses = int(((partner < 0) & ~sequence.optional).sum())
        counts = [len(best), int(kept.sum()) - len(best) - unjudged, misses, int((~sequence.optional).sum())]
        life = _lives(partner[self.order], sequence.optional[self.order], sequence.truth_id[self.order])
        return np.array([*counts, *life]), float(self.overlap[best].sum()), sequence.score[self.track[best]]


def _judge(judges: Sequence[_Judge], threshold: float, recall: float) -> _Pass:
    """Return the figures of all sequences with the tracks from ``threshold`` on."""
    total, overlap, scores = np.zeros(9, int), 0.0, []
    for judge in judges:
        counts, summed, matched = judge.at(threshold)
        total, overlap = total + counts, overlap + summed
        scores.append(matched)
    hits, false, misses, asked, switches, fragments, tracked, lost, objects = (int(value) for value in total)
    errors, asked = misses + false + switches, max(asked, 1)
    return _Pass(
        float(np.clip(1 - (errors - (1 - recall) * asked) / (recall * asked), 0, 1)), 1 - errors / asked,
        overlap / max(hits, 1), hits, false, misses, np.concatenate(scores) if scores else np.zeros(0), switches,
        fragments, tracked / max(objects, 1), lost / max(objects, 1),
    )  # fmt: skip


def _lives(partner: np.ndarray, optional: np.ndarray, who: np.ndarray) -> tuple[int, int, int, int, int]:
    """Return switches, fragments, mostly tracked, mostly lost and how many objects are asked for at all.

    Rows are sorted by object, then frame. A switch is another track in the frame after a match; a fragment begins with
    a match after another track or a miss that is not the object's first and not a single frame.
    """
    if not len(who):
        return 0, 0, 0, 0, 0
    first = np.r_[True, who[1:] != who[:-1]]
    last = np.r_[first[1:], True]
    number, found = np.cumsum(first) - 1, partner >= 0
    asked = ~np.logical_and.reduceat(optional, np.flatnonzero(first))
    seen = np.logical_or.reduceat(found, np.flatnonzero(first))
    counts = (asked & seen)[number] & ~first & ~optional & found
    before, after = np.r_[-1, partner[:-1]], np.r_[partner[1:], -1]
    fresh = optional & ~first
    changed = counts & (before != partner)
    switches = changed & (before >= 0) & ~np.r_[True, fresh[:-1]]
    row = np.arange(len(who))
    begin = np.maximum.accumulate(np.where(first, row, np.where(fresh, row + 1, 0)))
    earlier = np.r_[0, np.cumsum(found)]
    known = earlier[row] > earlier[np.minimum(np.r_[0, begin[:-1]], row)]
    fragments = changed & np.where(last, True, known & (after >= 0))
    tracked = np.bincount(number, found & (first | ~optional))
    ratio = tracked / np.maximum(np.bincount(number, ~optional), 1)
    return (
        int(switches.sum()), int(fragments.sum()), int((asked & seen & (ratio > 0.8)).sum()),
        int((asked & (~seen | (ratio < 0.2))).sum()), int(asked.sum()),
    )  # fmt: skip


def tracked_sequence(sequence: KittiSequence, min_overlap: float, threshold: float = -np.inf) -> TrackedSequence:
    """Return what HOTA and IDF1 judge: tracks from ``threshold`` on, without what is not asked for.

    As in KITTI's own evaluation, tracks on labels that are not asked for and unmatched tracks that are not judged are
    left out.
    """
    kept = sequence.score >= threshold
    both = kept[sequence.track]
    scored = TrackedSequence(
        sequence.truth_frame, sequence.truth_id, sequence.track_frame[kept], sequence.track_id[kept],
        sequence.truth[both], (np.cumsum(kept) - 1)[sequence.track[both]], sequence.overlap[both],
    )  # fmt: skip
    return judged(scored, sequence.optional, sequence.unjudged[kept], min_overlap)
