"""Parts clusters that hold several objects: people who stand close, a person beside a car."""

from __future__ import annotations

import numpy as np

from twin_detection.core.clusters import Clusters, starts_of

_CELL = 0.15  # m, of the map of heights in which heads are looked for
_APART = 0.4  # m, heads are at least so far from each other
_LOWEST = 0.9  # m, heads are above this
_DROP = 0.25  # m, and so much above the lowest point between two of them
_MOST = 4096  # cells of one cluster's map along an edge


def split(xy: np.ndarray, height: np.ndarray, clusters: Clusters, chosen: np.ndarray) -> Clusters:
    """Return the chosen clusters, each parted by the heads seen in it; one that shows a single head stays whole.

    Args:
        xy: (N, 2) metres.
        height: (N,) above the ground, metres.
        clusters: of these points.
        chosen: (K,) which of them to part.

    """
    order: list[np.ndarray] = []
    counts: list[int] = []
    for number in chosen:
        members = clusters.order[clusters.starts[number] : clusters.starts[number] + clusters.counts[number]]
        label = _labels(xy[members], height[members])
        for part in range(int(label.max()) + 1):
            rows = members[label == part]
            if len(rows):
                order.append(rows)
                counts.append(len(rows))
    sizes = np.array(counts, np.int64)
    return Clusters(np.concatenate(order) if order else np.zeros(0, np.int64), starts_of(sizes), sizes)


def joined(first: Clusters, second: Clusters) -> Clusters:
    """Return the clusters of both."""
    counts = np.concatenate([first.counts, second.counts])
    return Clusters(np.concatenate([first.order, second.order]), starts_of(counts), counts)


def _labels(xy: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return the nearest head of each point, (N,), counted from 0."""
    heads = _heads(xy, height)
    if len(heads) < 2:
        return np.zeros(len(xy), int)
    return np.asarray(np.argmin(((xy[:, None] - heads[None]) ** 2).sum(axis=2), axis=1))


def _heads(xy: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return where heads are, (H, 2): highest points, each clearly above what lies between it and higher ones."""
    cell = np.minimum(np.floor((xy - xy.min(axis=0)) / _CELL).astype(np.int64), _MOST - 1)
    flat = cell[:, 0] * _MOST + cell[:, 1]
    best = np.lexsort((-height, flat))
    first = best[np.unique(flat[best], return_index=True)[1]]
    first = first[height[first] > _LOWEST]
    first = first[np.argsort(-height[first])]
    heads: list[int] = []
    for index in first:
        gap = np.hypot(*(xy[heads] - xy[index]).T) if heads else np.zeros(0)
        if (gap < _APART).any():
            continue
        if all(_valley(xy, height, index, other) > _DROP for other in np.array(heads, int)[gap < 4 * _APART]):
            heads.append(int(index))
    return xy[heads]


def _valley(xy: np.ndarray, height: np.ndarray, first: int, second: int) -> float:
    """Return how far the surface falls between two points below the lower of them, metres."""
    way = xy[second] - xy[first]
    length = float(np.hypot(*way))
    along = (xy - xy[first]) @ way / length
    across = np.abs((xy - xy[first]) @ np.array([-way[1], way[0]])) / length
    level = min(float(height[first]), float(height[second]))
    steps = np.arange(0.25, 0.8, 0.25) * length
    near = (np.abs(along[None] - steps[:, None]) < _CELL) & (across[None] < _CELL)
    tops = np.where(near, height[None], -np.inf).max(axis=1)
    return level - float(tops.min())
