"""Tells things from walls, poles and leaves by the shape of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_detection.core.clusters import Clusters

_BIN = 0.25
_GAP = 2
_BLUR = 0.2


@dataclass(frozen=True, slots=True)
class Shape:
    """Per cluster, each (C,).

    ``bottom``, ``top``: heights above the ground of the column that starts at the ground, metres;
    ``outline``: share of the points near the outline of the rectangle, 0..1.
    """

    bottom: np.ndarray
    top: np.ndarray
    outline: np.ndarray


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
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return Clusters(clusters.order[keep], starts, counts)


def describe(xy: np.ndarray, height: np.ndarray, clusters: Clusters, rectangles: np.ndarray) -> Shape:
    """Return the shape of clusters within their (C, 5) rectangles (``boxes.fit_rectangles``)."""
    if not len(clusters):
        return Shape(np.zeros(0), np.zeros(0), np.zeros(0))
    owner = np.repeat(np.arange(len(clusters)), clusters.counts)
    x, y, longer, shorter, yaw = rectangles.T
    cos, sin = np.cos(yaw)[owner], np.sin(yaw)[owner]
    points = xy[clusters.order]
    dx, dy = points[:, 0] - x[owner], points[:, 1] - y[owner]
    inset = np.minimum(
        0.5 * longer[owner] - np.abs(dx * cos + dy * sin), 0.5 * shorter[owner] - np.abs(dy * cos - dx * sin)
    )
    outline = np.add.reduceat((inset < _BLUR).astype(float), clusters.starts) / clusters.counts
    return Shape(clusters.minimum(height), clusters.maximum(height), outline)
