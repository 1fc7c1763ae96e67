"""Finds the heads in a cluster of people who stand close. Compiled."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

_CELL = 0.15  # m, of the map of heights in which heads are looked for
_APART = 0.4  # m, heads are at least so far from each other
_LOWEST = 0.9  # m, heads are above this
_DROP = 0.25  # m, and so much above the lowest point between two of them
_MOST = 4096  # cells of one cluster's map along an edge


@kernel
def nearest_heads(xy: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the nearest head of each point, (N,), counted from 0; all 0 where there is one head or none.

    Heads are highest points, each clearly above what lies between it and higher ones.

    Args:
        xy: (N, 2) metres.
        height: (N,) above the ground, metres.

    """
    label = np.zeros(len(xy), np.int64)
    first = _tops(xy, height)
    heads = np.empty(len(first), np.int64)
    count = 0
    for candidate in first:
        if _is_head(xy, height, candidate, heads[:count]):
            heads[count] = candidate
            count += 1
    if count < 2:
        return label
    for place in range(len(xy)):
        least = np.inf
        for number in range(count):
            head = heads[number]
            apart = (xy[place, 0] - xy[head, 0]) ** 2 + (xy[place, 1] - xy[head, 1]) ** 2
            if apart < least:
                least, label[place] = apart, number
    return label


@kernel
def _tops(xy: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the highest point of each cell that is high enough for a head, the highest first."""
    x, y = xy[:, 0].min(), xy[:, 1].min()
    best = np.argsort(-height, kind="mergesort")
    cell = np.empty(len(xy), np.int64)
    for place in range(len(xy)):
        row, column = int((xy[place, 0] - x) / _CELL), int((xy[place, 1] - y) / _CELL)
        cell[place] = min(row, _MOST - 1) * _MOST + min(column, _MOST - 1)
    taken = set()
    first = np.empty(len(xy), np.int64)
    count = 0
    for place in best:
        if height[place] <= _LOWEST:
            break
        if cell[place] not in taken:
            taken.add(cell[place])
            first[count] = place
            count += 1
    return first[:count]


@kernel
def _is_head(xy: np.ndarray, height: np.ndarray, candidate: int, heads: np.ndarray) -> bool:
    for head in heads:
        if np.hypot(xy[head, 0] - xy[candidate, 0], xy[head, 1] - xy[candidate, 1]) < _APART:
            return False
    for head in heads:
        apart = np.hypot(xy[head, 0] - xy[candidate, 0], xy[head, 1] - xy[candidate, 1])
        if apart < 4 * _APART and _valley(xy, height, candidate, head) <= _DROP:
            return False
    return True


@kernel
def _valley(xy: np.ndarray, height: np.ndarray, first: int, second: int) -> float:
    """Return how far the surface falls between two points below the lower of them, metres."""
    dx, dy = xy[second, 0] - xy[first, 0], xy[second, 1] - xy[first, 1]
    length = np.hypot(dx, dy)
    tops = np.full(3, -np.inf)
    for place in range(len(xy)):
        x, y = xy[place, 0] - xy[first, 0], xy[place, 1] - xy[first, 1]
        if abs(y * dx - x * dy) >= _CELL * length:
            continue
        along = (x * dx + y * dy) / length
        for step in range(3):
            if abs(along - 0.25 * (step + 1) * length) < _CELL:
                tops[step] = max(tops[step], height[place])
    return float(min(height[first], height[second]) - tops.min())
