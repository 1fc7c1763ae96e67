"""How well the exported networks find what held-out scans hold; and their calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from review import lessons
from samples import FEWEST, plain
from scans import LabelledScan
from scipy.optimize import linear_sum_assignment, minimize
from scipy.special import logsumexp

from twin_common.core.precision_recall import average_precision, best_level
from twin_detection.bev_model import LOOK_NAMES, NAME
from twin_detection.core.bev_decode import CLASSES, GROUPS, BevBoxes, BevCalibration, decode
from twin_detection.core.bev_grid import BevGrid, scan_image
from twin_detection.core.bev_review import LOOKS, NOTHING, Cloud, answers, reviewed
from twin_detection.models import open_session

#: How near a centre has to be, by index of CLASSES, metres; and how far labels are asked for.
NEAR = np.array([1.0, 1.0, 1.0, 0.5, 0.5, 0.5, 0.5])
FAR = 48.0
GROUP_NAMES = ("vehicles", "two-wheelers", "people")
NEUTRAL = BevCalibration(np.tile([0.0, 1.0], (3, 1)), np.tile([0.0, 1.0], (3, 1)))
_BINS = 12  # of scores, when existence is calibrated


@dataclass(frozen=True, slots=True)
class Paths:
    """Files of the first network and of the second looks."""

    first: Path
    looks: tuple[Path, ...]

    @classmethod
    def within(cls, folder: Path) -> Paths:
        """Return those of a folder."""
        return cls(folder / f"{NAME}.onnx", tuple(folder / f"{name}.onnx" for name in LOOK_NAMES))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Detections of all scans, judged.

    ``score``: (D,); ``kind``: (D,) index in CLASSES; ``hit``: (D,) bool, a label of the same group is near;
    ``label``: (D,) its class, -1 where none; ``error``: (D, 3) along, across, of the heading; ``variance``: (D, 3);
    ``wanted``: (7,) labels of each class; ``distance``: (D,) of each from the sensor; ``size_error``: (D, 2) of length
    and width; ``class_score``: (D, 7).
    """

    score: np.ndarray
    kind: np.ndarray
    hit: np.ndarray
    label: np.ndarray
    error: np.ndarray
    variance: np.ndarray
    wanted: np.ndarray
    distance: np.ndarray
    size_error: np.ndarray
    class_score: np.ndarray


def boxes_of(
    paths: Paths, grid: BevGrid, calibration: BevCalibration, scans: list[LabelledScan]
) -> Iterator[tuple[LabelledScan, BevBoxes]]:
    """Yield what the networks find in each scan."""
    first, *second = (open_session(path.read_bytes(), str(path)) for path in (paths.first, *paths.looks))
    for scan in scans:
        sample = plain(scan)
        image, height, ground = scan_image(sample.points, sample.sensor_height, grid)
        peak, heat, box = first.run(None, {"image": image})
        boxes = decode(peak, heat, box, grid.reach, 2 * grid.reach / len(peak))
        before = Cloud(sample.earlier, ground.above(sample.earlier))
        yield scan, reviewed(boxes, Cloud(sample.points, height), before, sample.elapsed, second, calibration)


def judge(paths: Paths, grid: BevGrid, calibration: BevCalibration, scans: list[LabelledScan]) -> Verdict:
    """Return how the networks' boxes compare with the labels. What is too faint is neither asked for nor wrong."""
    rows, wanted = [], np.zeros(len(CLASSES), int)
    for scan, boxes in boxes_of(paths, grid, calibration, scans):
        labels = scan.labels[np.hypot(scan.labels[:, 0], scan.labels[:, 1]) < FAR]
        boxes = boxes.select(np.hypot(*boxes.centre.T) < FAR)
        asked = labels[:, 8] >= FEWEST
        wanted += np.bincount(labels[asked, 7].astype(int), minlength=len(CLASSES))
        rows += _matched(labels, asked, boxes)
    table = np.array(rows).reshape(-1, 20)
    return Verdict(
        table[:, 0], table[:, 1].astype(int), table[:, 2] > 0, table[:, 3].astype(int), table[:, 4:7], table[:, 7:10],
        wanted, table[:, 10], table[:, 11:13], table[:, 13:],
    )  # fmt: skip


def _matched(labels: np.ndarray, asked: np.ndarray, boxes: BevBoxes) -> list[list[float]]:
    """Return a row for each box that counts; those on faint labels do not."""
    kind = boxes.class_score.argmax(axis=1)
    gap = np.hypot(*(labels[:, None, :2] - boxes.centre[None]).transpose(2, 0, 1))
    same = GROUPS[labels[:, 7].astype(int)][:, None] == GROUPS[kind][None]
    close = same & (gap < NEAR[labels[:, 7].astype(int)][:, None])
    gain = np.where(close, np.where(asked, 10.0, 1.0)[:, None] + boxes.score[None] - 0.1 * gap, 0.0)
    of = np.full(len(boxes), -1)
    for i, j in zip(*linear_sum_assignment(gain, maximize=True), strict=True):
        of[j] = i if close[i, j] else -1
    rows = []
    for j, i in enumerate(of):
        faint = i >= 0 and not asked[i]
        near_faint = i < 0 and len(labels) and bool(np.any(~asked & (gap[:, j] < 1.5)))
        if faint or near_faint:
            continue
        row = [boxes.score[j], kind[j], float(i >= 0), -1.0, *[0.0] * 3, *boxes.variance[j], boxes.yaw_variance[j]]
        row += [float(np.hypot(*boxes.centre[j])), 0.0, 0.0, *boxes.class_score[j]]
        if i >= 0:
            x, y, _, length, width, _, yaw, label = labels[i, :8]
            dx, dy = boxes.centre[j] - (x, y)
            turn = (boxes.yaw[j] - yaw + np.pi / 2) % np.pi - np.pi / 2
            row[3:7] = [label, dx * np.cos(yaw) + dy * np.sin(yaw), dy * np.cos(yaw) - dx * np.sin(yaw), turn]
            row[11:13] = [abs(boxes.size[j, 0] - length), abs(boxes.size[j, 1] - width)]
        rows.append(row)
    return rows


def calibrate(paths: Paths, grid: BevGrid, scans: list[LabelledScan], workers: int) -> BevCalibration:
    """Return the calibration that makes existence, classes and variances true on these scans."""
    sharpness, bias = [], []
    for path, known in zip(paths.looks, lessons(paths.first, grid, scans, None, 1, workers), strict=True):
        logits = answers(open_session(path.read_bytes(), str(path)), known.crops)[:, : NOTHING + 1]
        factor, addends = _scale(logits, known.kind)
        sharpness.append(factor)
        bias.append(addends)
    classes = replace(NEUTRAL, sharpness=np.array(sharpness), bias=np.array(bias))
    verdict = judge(paths, grid, classes, scans)
    group = GROUPS[verdict.kind]
    curves = [_curve(verdict.score[group == number], verdict.hit[group == number]) for number in range(3)]
    right = verdict.hit & (verdict.label == verdict.kind) & (verdict.score > 0.3)
    ratio = verdict.error**2 / np.maximum(verdict.variance, 1e-6)
    looks = [right & np.isin(group, look.groups) for look in LOOKS]
    turning = group < 2  # a pedestrian's heading hardly shows
    return replace(
        classes,
        score=np.array([a for a, _ in curves]),
        existence=np.array([b for _, b in curves]),
        position_scale=np.array([_spread(ratio[own, :2]) for own in looks]),
        yaw_scale=np.array([_spread(ratio[own & turning, 2]) for own in looks]),
    )


def _spread(ratio: np.ndarray) -> float:
    """Return the factor that makes variances true, of squared errors over variances.

    Nine of ten squared errors of a normal deviate lie below 2.71 variances; the rest may be of another kind.
    """
    return float(np.quantile(ratio, 0.9) / 2.71) if ratio.size else 1.0


def _scale(logits: np.ndarray, label: np.ndarray) -> tuple[float, np.ndarray]:
    """Return factor and addends (K,) of logits (D, K) that make true classes (D,) most likely."""
    if not len(logits):
        return 1.0, np.zeros(logits.shape[1])

    def surprise(values: np.ndarray) -> float:
        scaled = logits * np.exp(values[0]) + values[1:]
        return float((logsumexp(scaled, axis=1) - scaled[np.arange(len(label)), label]).mean() + 1e-3 * values @ values)

    best = minimize(surprise, np.zeros(logits.shape[1] + 1)).x
    return float(np.exp(best[0])), best[1:]


def _curve(score: np.ndarray, hit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and how often they are right: pooled until it rises (isotonic regression, Ayer et al. 1955)."""
    order = np.argsort(score)
    parts = [part for part in np.array_split(order, _BINS) if len(part)]
    blocks = [[float(hit[part].sum()), float(len(part)), float(score[part].mean())] for part in parts]
    rates = [(hits + 0.5) / (count + 1.0) for hits, count, _ in blocks]
    rising: list[list[float]] = []
    for rate, (_, count, _) in zip(rates, blocks, strict=True):
        rising.append([rate, count, 1])
        while len(rising) > 1 and rising[-2][0] >= rising[-1][0]:
            b, a = rising.pop(), rising.pop()
            rising.append([(a[0] * a[1] + b[0] * b[1]) / (a[1] + b[1]), a[1] + b[1], a[2] + b[2]])
    level = np.concatenate([[value] * int(times) for value, _, times in rising]) if rising else np.zeros(0)
    knots = np.array([place for _, _, place in blocks])
    missing = _BINS - len(knots)
    scores, levels = np.concatenate([knots, np.ones(missing + 1)]), np.concatenate([level, np.ones(missing + 1)])
    levels[-1] = max(level[-1], 0.99) if len(level) else 1.0
    return np.concatenate([[0.0], scores]), np.concatenate([[0.0], levels])


def show(verdict: Verdict) -> None:
    """Print average precision and errors of each class."""
    for number, name in enumerate([item.name.lower() for item in CLASSES]):
        own, right = verdict.kind == number, verdict.label == number
        ap = average_precision(verdict.score[own], (verdict.hit & right)[own], int(verdict.wanted[number]))
        sure = verdict.hit & right & (verdict.score > 0.3)
        print(f"{name}: AP {ap:.3f} of {verdict.wanted[number]}, errors {_errors(verdict, sure)}", flush=True)
    for number, name in enumerate(GROUP_NAMES):
        own = GROUPS[verdict.kind] == number
        wanted = int(verdict.wanted[number == GROUPS].sum())
        ap = average_precision(verdict.score[own], verdict.hit[own], wanted)
        best = best_level(verdict.score[own], verdict.hit[own], wanted)
        print(f"{name}, class aside: AP {ap:.3f} of {wanted}, best F1 {best.f1:.3f} at {best.level:.2f}")


def _errors(verdict: Verdict, sure: np.ndarray) -> str:
    if not sure.any():
        return "none"
    place = float(np.median(np.hypot(*verdict.error[sure, :2].T)))
    turn = float(np.degrees(np.median(np.abs(verdict.error[sure, 2]))))
    length, width = np.median(verdict.size_error[sure], axis=0)
    return f"{place:.2f} m, {turn:.1f} deg, {length:.2f} x {width:.2f} m"
