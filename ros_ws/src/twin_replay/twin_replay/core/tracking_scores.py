"""CLEAR MOT and identity figures of tracks, computed by motmetrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import motmetrics
import numpy as np

from twin_replay.core.detection_scores import match_frame

_METRICS = {
    "mota": "mota", "motp": "motp", "idf1": "idf1", "id_switches": "num_switches",
    "fragmentations": "num_fragmentations", "recall": "recall", "precision": "precision", "misses": "num_misses",
    "false_alarms": "num_false_positives", "objects": "num_objects", "labelled_tracks": "num_unique_objects",
    "mostly_tracked": "mostly_tracked", "mostly_lost": "mostly_lost",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrackingScores:
    """Figures over all frames.

    ``mota``, ``motp`` (mean distance of matches, metres): Bernardin and Stiefelhagen 2008; ``idf1``: Ristani et
    al. 2016; a track is mostly tracked in at least 80 % of its frames and mostly lost in less than 20 %.
    """

    mota: float
    motp: float
    idf1: float
    id_switches: int
    fragmentations: int
    recall: float
    precision: float
    misses: int
    false_alarms: int
    objects: int
    labelled_tracks: int
    mostly_tracked: int
    mostly_lost: int


class TrackingJudge:
    """Collects frames and scores them."""

    def __init__(self, max_distance: float) -> None:
        """Begin; labels and tracks farther apart than ``max_distance``, metres, are never the same."""
        self._max_distance = max_distance
        self._accumulator = motmetrics.MOTAccumulator()
        self._frames = 0

    def add(
        self, truth_id: np.ndarray, truth: np.ndarray, must: np.ndarray, track_id: np.ndarray, tracks: np.ndarray,
        judged: np.ndarray,
    ) -> None:  # fmt: skip
        """Take one frame into account.

        Tracks on labels that were not asked for, and tracks that are not judged and on no label, are left out.

        Args:
            truth_id: (T,) identity of each label.
            truth: (T, 2) centres from above, metres.
            must: (T,) bool, asked for.
            track_id: (D,) identity of each track.
            tracks: (D, 2) centres.
            judged: (D,) bool, a false alarm if nothing is there.

        """
        matches = match_frame(truth, must, tracks, judged, self._max_distance)
        distance = np.hypot(*(truth[must][:, None] - tracks[None]).transpose(2, 0, 1))
        near = (distance <= self._max_distance).any(axis=0) if must.any() else np.zeros(len(tracks), bool)
        keep = judged | near
        keep[matches.pairs[~matches.hit, 1]] = False
        distance = np.where(distance[:, keep] <= self._max_distance, distance[:, keep], np.nan)
        self._accumulator.update(
            [int(number) for number in truth_id[must]], [int(number) for number in track_id[keep]], distance,
            frameid=self._frames,
        )  # fmt: skip
        self._frames += 1

    def scores(self) -> TrackingScores:
        """Return the figures so far."""
        table = motmetrics.metrics.create().compute(self._accumulator, metrics=list(_METRICS.values()), name="all")
        row = table.iloc[0]
        ratios = {"mota", "motp", "idf1", "recall", "precision"}
        figures: dict[str, Any] = {
            name: float(row[theirs]) if name in ratios else int(row[theirs]) for name, theirs in _METRICS.items()
        }
        return TrackingScores(**figures)
