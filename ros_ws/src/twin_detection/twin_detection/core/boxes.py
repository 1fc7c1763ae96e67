"""Fits oriented rectangles to clusters seen from above."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import any_order_kernel, kernel
from twin_detection.core.clusters import Clusters

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
    return np.asarray(
        _fitted(
            xy[clusters.order].astype(np.float64), height[clusters.order] < _UPRIGHT, clusters.starts, clusters.counts
        )
    )


@kernel
def _fitted(xy: np.ndarray, upright: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the rectangles of consecutive groups of (M, 2) points, (C, 5)."""
    found = np.empty((len(starts), 5))
    for number in range(len(starts)):
        begin, count = starts[number], counts[number]
        points, low = xy[begin : begin + count], upright[begin : begin + count]
        x, y = points[:, 0].mean(), points[:, 1].mean()
        shifted = points - np.array([[x, y]])
        if low.sum() < _SHARE * count:
            low = np.ones(count, np.bool_)
        order, key = _in_cells(shifted)
        whole, body = _sampled(shifted, order, key, np.ones(count, np.bool_)), _sampled(shifted, order, key, low)
        heading = _best(whole, body, 0.0, _STEP, round(np.pi / 2 / _STEP))
        heading = _best(whole, body, heading - _STEP, _STEP / 4, 9)
        found[number] = _rectangle(shifted, x, y, heading)
    return found


@kernel
def _in_cells(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the order of (M, 2) points by their cells, and the cell of each."""
    key = np.empty(len(points), np.int64)
    for place in range(len(points)):
        row, column = int(points[place, 0] / _CELL) + 2048, int(points[place, 1] / _CELL) + 2048
        key[place] = row * 4096 + column
    return np.argsort(key, kind="mergesort"), key


@kernel
def _sampled(points: np.ndarray, order: np.ndarray, key: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return evenly drawn ones of the points that are used, one per cell, (S, 2)."""
    first = np.empty(len(points), np.int64)
    count = 0
    for place in order:
        if used[place] and (count == 0 or key[place] != key[first[count - 1]]):
            first[count] = place
            count += 1
    samples = min(count, _SAMPLES)
    chosen = np.empty((samples, 2))
    for place in range(samples):
        chosen[place] = points[first[place * count // samples]]
    return chosen


@any_order_kernel
def _best(whole: np.ndarray, body: np.ndarray, first: float, step: float, headings: int) -> float:
    """Return the best of evenly spaced headings."""
    best, heading = -1.0, first
    x, y, whole_x, whole_y = body[:, 0].copy(), body[:, 1].copy(), whole[:, 0].copy(), whole[:, 1].copy()
    along, across = np.empty(len(body)), np.empty(len(body))
    for number in range(headings):
        cos, sin = np.cos(first + number * step), np.sin(first + number * step)
        end, side = _nearer_end(x, y, cos, sin, along), _nearer_end(y, x, cos, -sin, across)
        closeness = 0.0
        for place in range(len(body)):
            closeness += 1.0 / max(min(abs(along[place] - end), abs(across[place] - side)), _ON_EDGE)
        score = closeness / (_extent(whole_x, whole_y, cos, sin) * _extent(whole_y, whole_x, cos, -sin) + _AREA)
        if score > best:
            best, heading = score, first + number * step
    return heading


@any_order_kernel
def _nearer_end(x: np.ndarray, y: np.ndarray, cos: float, sin: float, along: np.ndarray) -> float:
    """Return whichever end of (S,) points along a direction is nearer to them on the whole; write where they are."""
    low, high, total = np.inf, -np.inf, 0.0
    for place in range(len(x)):
        at = x[place] * cos + y[place] * sin
        along[place] = at
        low, high, total = min(low, at), max(high, at), total + at
    return high if total > (low + high) / 2 * len(x) else low


@any_order_kernel
def _extent(x: np.ndarray, y: np.ndarray, cos: float, sin: float) -> float:
    """Return how far (S,) points reach along a direction."""
    low, high = np.inf, -np.inf
    for place in range(len(x)):
        along = x[place] * cos + y[place] * sin
        low, high = min(low, along), max(high, along)
    return high - low


@kernel
def _rectangle(points: np.ndarray, x: float, y: float, heading: float) -> np.ndarray:
    """Return the rectangle, (5,), of (M, 2) points about x, y along a heading."""
    cos, sin = np.cos(heading), np.sin(heading)
    along, across = points[:, 0] * cos + points[:, 1] * sin, points[:, 1] * cos - points[:, 0] * sin
    length, width = along.max() - along.min(), across.max() - across.min()
    middle_along, middle_across = (along.max() + along.min()) / 2, (across.max() + across.min()) / 2
    x += middle_along * cos - middle_across * sin
    y += middle_along * sin + middle_across * cos
    yaw = heading + (np.pi / 2 if width > length else 0.0)
    yaw = (yaw + np.pi / 2) % np.pi - np.pi / 2
    return np.array([x, y, max(length, width), min(length, width), yaw])
