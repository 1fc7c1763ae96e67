"""Parts clusters that hold several objects: people who stand close, a person beside a car."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from twin_detection.core.clusters import Clusters, regions, starts_of
from twin_detection.core.heads import nearest_heads

_CELLS = (0.8, 0.6, 0.45, 0.3, 0.2, 0.12)  # m
_LEAST_SHARE, _LEAST = 0.06, 6  # of the points, that make a part


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
        label = nearest_heads(xy[rows], height[rows])
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
