"""Tells things from walls, poles and leaves by the shape of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_detection.core.clusters import Clusters, starts_of

_BIN = 0.25
_GAP = 2
_BLUR = 0.2
#: Below this height bodywork is upright, metres.
_UPRIGHT = 1.2
#: A top within this elevation of the highest beams may go on above them, radians.
_BEAM_STEP = 0.012


@dataclass(frozen=True, slots=True)
class Shape:
    """Per cluster, each (C,).

    ``bottom``, ``top``: heights above the ground of the column that starts at the ground, metres;
    ``outline``: share of the lower points near the outline of the rectangle, 0..1; ``solidity``: points over what a
    closed surface of that width and height would return; ``cut_off``: the top may be higher than the highest beam.
    """

    bottom: np.ndarray
    top: np.ndarray
    outline: np.ndarray
    solidity: np.ndarray
    cut_off: np.ndarray


def trim_overhang(height: np.ndarray, clusters: Clusters, max_height: float) -> Clusters:
    """Drop the points above a gap of half a metre: branches, wires and roofs over what stands below.

    Args:
        height: (N,) metres above the ground.
        clusters: of those points.
        max_height: greatest height among them, metres.

    """
    if not len(clusters):
        return clusters
    bins = int(np.ceil(max_height / _BIN)) + 1
    owner = np.repeat(np.arange(len(clusters)), clusters.counts)
    level = np.clip((height[clusters.order] / _BIN).astype(np.int64), 0, bins - 1)
    filled = np.bincount(owner * bins + level, minlength=len(clusters) * bins).reshape(-1, bins) > 0
    started = np.logical_or.accumulate(filled, axis=1)
    empty = started & ~filled
    for shift in range(1, _GAP):
        empty[:, :-shift] &= ~filled[:, shift:]
    top = np.where(empty.any(axis=1), empty.argmax(axis=1), bins)
    keep = level < top[owner]
    counts = np.bincount(owner[keep], minlength=len(clusters))
    return Clusters(clusters.order[keep], starts_of(counts), counts)


@dataclass(frozen=True, slots=True)
class Beams:
    """A LiDAR's beams: returns per steradian, angle between neighbours in a turn (radians), sine of the highest."""

    density: float
    spacing: float
    highest: float


def beams_of(points: np.ndarray, ring: np.ndarray) -> Beams:
    """Return what the (N, 3) returns of one scan, and their (N,) lasers, tell of the beams; sensor frame."""
    if len(points) < 2:
        return Beams(1.0, 0.01, -1.0)
    some = points[:: max(len(points) // 2000, 1)].astype(np.float64)
    sine = some[:, 2] / np.maximum(np.linalg.norm(some, axis=1), 1e-6)
    low, high = np.quantile(sine, (0.01, 0.99))
    density = float(len(points) / (2 * np.pi * max(high - low, 0.05)))
    lasers = np.count_nonzero(np.bincount(ring))
    spacing = 2 * np.pi * lasers / len(points) if lasers > 3 else density**-0.5
    return Beams(density, float(spacing), float(high))


def describe(
    points: np.ndarray, height: np.ndarray, clusters: Clusters, sine: np.ndarray, rectangles: np.ndarray, beams: Beams
) -> Shape:
    """Return the shape of clusters.

    Args:
        points: (N, 3) metres, level frame, sensor at the origin.
        height: (N,) metres above the ground.
        clusters: of those points.
        sine: (N,) of the elevation of each point, sensor frame.
        rectangles: (C, 5), of ``boxes.fit_rectangles``.
        beams: of the whole scan.

    """
    if not len(clusters):
        return Shape(*(np.zeros(0) for _ in range(5)))
    owner = np.repeat(np.arange(len(clusters)), clusters.counts)
    x, y, longer, shorter, yaw = rectangles.T
    cos, sin = np.cos(yaw)[owner], np.sin(yaw)[owner]
    xy = points[clusters.order, :2]
    dx, dy = xy[:, 0] - x[owner], xy[:, 1] - y[owner]
    inset = np.minimum(
        0.5 * longer[owner] - np.abs(dx * cos + dy * sin), 0.5 * shorter[owner] - np.abs(dy * cos - dx * sin)
    )
    upright = height[clusters.order] < _UPRIGHT
    near = np.bincount(owner, weights=upright & (inset < _BLUR), minlength=len(clusters))
    outline = near / np.maximum(np.bincount(owner, weights=upright, minlength=len(clusters)), 1)
    bottom, top = clusters.minimum(height), clusters.maximum(height)
    view = np.arctan2(y, x) - yaw
    breadth = longer * np.abs(np.sin(view)) + shorter * np.abs(np.cos(view))
    square = np.square(clusters.mean(points[:, 2])) + x**2 + y**2
    expected = beams.density * np.maximum(breadth, 0.1) * np.maximum(top - bottom, 0.1) / np.maximum(square, 1.0)
    # Every LiDAR on a vehicle looks above the horizon: where no beam from there returned, nothing is cut off.
    cut_off = (clusters.maximum(sine) > beams.highest - _BEAM_STEP) & (beams.highest > 0)
    return Shape(bottom, top, outline, clusters.counts / np.maximum(expected, 1.0), cut_off)
