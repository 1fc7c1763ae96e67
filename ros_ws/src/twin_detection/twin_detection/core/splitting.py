"""Parts clusters that hold several objects: people who stand close, a person beside a car."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twin_detection.core.clusters import Clusters, regions, starts_of

_CELL = 0.15  # m, of the map of heights in which heads are looked for
_APART = 0.4  # m, heads are at least so far from each other
_LOWEST = 0.9  # m, heads are above this
_DROP = 0.25  # m, and so much above the lowest point between two of them
_CELLS = (0.8, 0.6, 0.45, 0.3, 0.2, 0.12)  # m
_LEAST_SHARE, _LEAST = 0.06, 6  # of the points, that make a part
_MOST = 4096  # cells of one cluster's map along an edge


def by_gaps(xy: np.ndarray, clusters: Clusters, chosen: np.ndarray, max_range: float) -> tuple[Clusters, np.ndarray]:
    """Return the parts of the chosen clusters in the coarsest cells that do not touch: cars in a queue.

    Args:
        xy: (N, 2) metres.
        clusters: of these points.
        chosen: (K,) which of them to part.
        max_range: half the edge of the grid, metres.

    Returns:
        the parts, and which of the chosen each is of, (P,); what cannot be parted is one part.

    """
    return _parted(clusters, chosen, lambda rows: _apart(rows, xy, max_range))


def by_heads(xy: np.ndarray, height: np.ndarray, clusters: Clusters, chosen: np.ndarray) -> tuple[Clusters, np.ndarray]:
    """Return the parts of the chosen clusters by the heads seen in them: people who stand close.

    Args:
        xy: (N, 2) metres.
        height: (N,) above the ground, metres.
        clusters: of these points.
        chosen: (K,) which of them to part.

    Returns:
        the parts, and which of the chosen each is of, (P,); what shows a single head is one part.

    """

    def parts(rows: np.ndarray) -> list[np.ndarray]:
        label = _labels(xy[rows], height[rows])
        return [rows[label == part] for part in range(int(label.max()) + 1) if (label == part).any()]

    return _parted(clusters, chosen, parts)


def _parted(
    clusters: Clusters, chosen: np.ndarray, parts_of: Callable[[np.ndarray], list[np.ndarray]]
) -> tuple[Clusters, np.ndarray]:
    order: list[np.ndarray] = [np.zeros(0, np.int64)]
    counts: list[int] = []
    origin: list[int] = []
    for place, number in enumerate(chosen):
        parts = parts_of(clusters.order[clusters.starts[number] : clusters.starts[number] + clusters.counts[number]])
        order += parts
        counts += [len(part) for part in parts]
        origin += [place] * len(parts)
    sizes = np.array(counts, np.int64)
    return Clusters(np.concatenate(order), starts_of(sizes), sizes), np.array(origin, np.int64)


def _apart(members: np.ndarray, xy: np.ndarray, max_range: float) -> list[np.ndarray]:
    """Return groups of members whose cells do not touch; what is little goes with what is nearest."""
    for cell_size in _CELLS:
        label, count = regions(xy[members], cell_size, max_range)
        sizes = np.bincount(label, minlength=count + 1)
        large = np.flatnonzero(sizes >= max(_LEAST_SHARE * len(members), _LEAST))
        if len(large) >= 2:
            break
    else:
        return [members]
    middle = np.array([xy[members[label == part]].mean(axis=0) for part in large])
    nearest = ((xy[members][:, None] - middle[None]) ** 2).sum(axis=2).argmin(axis=1)
    place = np.full(count + 1, -1)
    place[large] = np.arange(len(large))
    owner = np.where(place[label] >= 0, place[label], nearest)
    return [members[owner == part] for part in range(len(large))]


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
