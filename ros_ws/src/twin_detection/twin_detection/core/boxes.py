"""Fits oriented rectangles to clusters seen from above."""

from __future__ import annotations

import numpy as np

from twin_detection.core.clusters import Clusters, starts_of

#: Points that stand for one cluster, one in a cell of this edge, metres, so that near sides do not outweigh far ones.
_SAMPLES = 64
_CELL = 0.1
#: Below this height bodywork is upright; bonnets, windscreens and mirrors are above it, metres.
_UPRIGHT = 1.2
#: A cluster with a smaller share of its points below that height is fitted with all of them.
_SHARE = 0.2
#: Distance between the headings of the first search; the second searches between its neighbours.
_STEP = np.radians(5.0)
#: Distances below this count as on the edge, metres; the area of a line counts as this, m².
_ON_EDGE = 0.1
_AREA = 0.3


def fit_rectangles(xy: np.ndarray, height: np.ndarray, clusters: Clusters) -> np.ndarray:
    """Return the rectangle of each cluster, (C, 5): x, y, length, width, yaw.

    Search over headings for the rectangle whose nearer edges lie closest to the points (the closeness
    criterion of Zhang, Xu, Dong and Dolan 2017, "Efficient L-shape fitting for vehicle detection using laser
    scanners", algorithms 2 and 4) divided by its area (their algorithm 3), on all clusters at once. On labelled
    vans the headings have half the error of either criterion alone. ``length`` is the longer side, ``yaw`` its
    direction in [-pi/2, pi/2).

    Args:
        xy: (N, 2) metres.
        height: (N,) metres above the ground.
        clusters: the points' clusters.

    """
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"xy: expected (N, 2), got {xy.shape}")
    if height.shape != (len(xy),):
        raise ValueError(f"height: expected ({len(xy)},), got {height.shape}")
    if not len(clusters):
        return np.zeros((0, 5))
    owner = np.repeat(np.arange(len(clusters)), clusters.counts)
    mean = np.column_stack([clusters.mean(xy[:, 0]), clusters.mean(xy[:, 1])])
    shifted = (xy[clusters.order] - mean[owner]).astype(np.float32)
    low = height[clusters.order] < _UPRIGHT
    few = np.bincount(owner, weights=low) < _SHARE * clusters.counts
    low |= few[owner]
    whole, body = _sampled(shifted, owner), _sampled(shifted[low], owner[low])
    headings = np.broadcast_to(np.arange(0, np.pi / 2, _STEP), (len(clusters), round(np.pi / 2 / _STEP)))
    best = _best(whole, body, headings)
    fine = _best(whole, body, best[:, None] + np.linspace(-1, 1, 9)[None] * _STEP)
    return _rectangles(shifted, owner, clusters, mean, fine)


def _sampled(points: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Return evenly drawn points of each owner, one per cell, (S, C, 2); repeated where there are fewer."""
    cells = (points * np.float32(1 / _CELL)).astype(np.int64) + 2048
    _, first = np.unique((owner << 24) + (cells[:, 0] << 12) + cells[:, 1], return_index=True)
    counts = np.bincount(owner[first])
    starts = starts_of(counts)
    samples = min(_SAMPLES, int(counts.max()))
    steps = (np.arange(samples)[:, None] * counts[None]) // samples
    return np.asarray(points[first[starts[None] + steps]])


def _best(whole: np.ndarray, body: np.ndarray, headings: np.ndarray) -> np.ndarray:
    """Return the best of (C, A) headings for each cluster, (C,)."""
    cos, sin = np.cos(headings).astype(np.float32), np.sin(headings).astype(np.float32)

    def along_and_across(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = points[:, :, 0, None], points[:, :, 1, None]
        return x * cos + y * sin, y * cos - x * sin

    along, across = along_and_across(body)
    nearest = np.minimum(_edge_distance(along), _edge_distance(across))
    np.maximum(nearest, _ON_EDGE, out=nearest)
    closeness = np.reciprocal(nearest, out=nearest).sum(axis=0)
    along, across = along_and_across(whole)
    area = (along.max(axis=0) - along.min(axis=0)) * (across.max(axis=0) - across.min(axis=0))
    best = np.argmax(closeness / (area + _AREA), axis=1)
    return np.asarray(np.take_along_axis(headings, best[:, None], axis=1)[:, 0])


def _edge_distance(along: np.ndarray) -> np.ndarray:
    """Return the distance of (S, C, A) coordinates to whichever end of their extent is nearer on the whole."""
    high, low = along.max(axis=0), along.min(axis=0)
    along = along - np.where(along.sum(axis=0) > len(along) * (high + low) / 2, high, low)
    return np.asarray(np.abs(along, out=along))


def _rectangles(
    shifted: np.ndarray, owner: np.ndarray, clusters: Clusters, mean: np.ndarray, heading: np.ndarray
) -> np.ndarray:
    """Return the bounding rectangles of all points along the headings, (C, 5)."""
    cos, sin = np.cos(heading), np.sin(heading)
    along = shifted[:, 0] * cos[owner] + shifted[:, 1] * sin[owner]
    across = shifted[:, 1] * cos[owner] - shifted[:, 0] * sin[owner]
    ends = [end.reduceat(values, clusters.starts) for values in (along, across) for end in (np.minimum, np.maximum)]
    middle_along, middle_across = (ends[0] + ends[1]) / 2, (ends[2] + ends[3]) / 2
    x = mean[:, 0] + middle_along * cos - middle_across * sin
    y = mean[:, 1] + middle_along * sin + middle_across * cos
    length, width = ends[1] - ends[0], ends[3] - ends[2]
    turned = width > length
    yaw = heading + np.where(turned, np.pi / 2, 0.0)
    yaw = np.mod(yaw + np.pi / 2, np.pi) - np.pi / 2
    return np.column_stack([x, y, np.where(turned, width, length), np.where(turned, length, width), yaw])
