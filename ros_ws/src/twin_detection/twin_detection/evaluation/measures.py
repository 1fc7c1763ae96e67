"""Average precision, errors and calibration of scored detections."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from twin_common.core.precision_recall import average_precision
from twin_detection.evaluation.scoring import BINS, Rows

#: Share of the squared errors, in units of their covariance, that a consistent estimate has below this: 95 %.
NEES_BOUND = float(chi2.ppf(0.95, 2))


@dataclass(frozen=True, slots=True)
class Slice:
    """Which rows count: classes, distances from and to (metres), scenes (none: all).

    ``every``: objects count however little is seen of them; ``least``: those with so many points; ``hidden``: only
    those that are partly hidden, or only the others.
    """

    labels: tuple[int, ...]
    near: float = 0.0
    far: float = 50.0
    scenes: tuple[int, ...] | None = None
    every: bool = False
    least: int = 0
    hidden: bool | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What counts in a slice: ``objects`` (T,) bool; (D,) bool of detections: ``counted``, and those that ``hit``."""

    objects: np.ndarray
    counted: np.ndarray
    hit: np.ndarray


def selected(rows: Rows, part: Slice, hidden: np.ndarray) -> Selection:
    """Return what counts in a slice.

    Objects that are not of it are neither asked for nor wrong: a detection of one of them counts neither way, while
    every false one at the slice's distances counts, as in the levels of difficulty of KITTI.

    Args:
        rows: of one source.
        part: what counts.
        hidden: (T,) which objects are partly hidden.

    """
    objects = _objects(rows, part, hidden)
    detections = np.isin(rows["label"], part.labels) & (rows["distance"] >= part.near) & (rows["distance"] < part.far)
    if part.scenes is not None:
        detections &= np.isin(rows["scene"], part.scenes)
    found = rows["found"]
    hit = np.zeros(len(found), bool)
    hit[found >= 0] = objects[found[found >= 0]]
    # An object near the edge of a band may have its detection beyond it: both count where the object is.
    return Selection(objects, hit | (detections & (found == -1)), hit)


def measured(rows: Rows, part: Slice, hidden: np.ndarray) -> dict[str, float]:
    """Return the figures of a slice, of one source; ``hidden``: (T,) which objects are partly hidden."""
    chosen = selected(rows, part, hidden)
    counted, hit, total = chosen.counted, chosen.hit, int(chosen.objects.sum())
    figures = {"objects": float(total), "AP": average_precision(rows["score"][counted], hit[counted], total)}
    figures["recall"] = hit.sum() / total if total else float("nan")
    figures["precision"] = hit.sum() / max(counted.sum(), 1) if counted.any() else float("nan")
    figures |= _errors(rows, hit)
    figures["ECE"] = calibration_error(rows["score"][counted], hit[counted])
    return figures


def _objects(rows: Rows, part: Slice, hidden: np.ndarray) -> np.ndarray:
    """Return which objects are asked for in a slice, (T,) bool."""
    chosen = np.isin(rows["truth_label"], part.labels)
    chosen &= (rows["truth_distance"] >= part.near) & (rows["truth_distance"] < part.far)
    if part.scenes is not None:
        chosen &= np.isin(rows["truth_scene"], part.scenes)
    if part.hidden is not None:
        chosen &= hidden == part.hidden
    if part.least:
        chosen &= rows["truth_points"] >= part.least
    return np.asarray(chosen if part.every else chosen & rows["truth_asked"])


def _errors(rows: Rows, hit: np.ndarray) -> dict[str, float]:
    if not hit.any():
        return dict.fromkeys(("position m", "heading deg", "length m", "width m", "NEES", "within 95 %"), float("nan"))
    size = rows["size_error"][hit]
    return {
        "position m": float(np.mean(rows["position_error"][hit])),
        "heading deg": float(np.degrees(np.median(rows["heading_error"][hit]))),
        "length m": float(np.mean(np.abs(size[:, 0]))), "width m": float(np.mean(np.abs(size[:, 1]))),
        "NEES": float(np.mean(rows["nees"][hit])), "within 95 %": float(np.mean(rows["nees"][hit] < NEES_BOUND)),
    }  # fmt: skip


def reliability(score: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean score, share that is right, and number, each (BINS,), by bins of the score."""
    index = np.minimum((score * BINS).astype(int), BINS - 1)
    count = np.bincount(index, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(index, weights=score, minlength=BINS) / count
        right = np.bincount(index, weights=hit, minlength=BINS) / count
    return mean, right, count


def calibration_error(score: np.ndarray, hit: np.ndarray) -> float:
    """Return the expected calibration error (Guo et al. 2017, eq. 3) of scores (D,) that were right or not, (D,)."""
    if not len(score):
        return float("nan")
    mean, right, count = reliability(score, hit.astype(float))
    used = count > 0
    return float(np.sum(count[used] * np.abs(mean[used] - right[used])) / count.sum())


def partly_hidden(rows: Rows) -> np.ndarray:
    """Return which objects have less than half of the points usual for their class at their distance, (T,) bool."""
    label, distance, points = rows["truth_label"], rows["truth_distance"], rows["truth_points"]
    hidden = np.zeros(len(label), bool)
    band = (distance / 5.0).astype(int)
    for kind in np.unique(label):
        for part in np.unique(band[label == kind]):
            chosen = (label == kind) & (band == part)
            usual = float(np.quantile(points[chosen], 0.75))
            hidden[chosen] = points[chosen] < 0.5 * usual
    return hidden
