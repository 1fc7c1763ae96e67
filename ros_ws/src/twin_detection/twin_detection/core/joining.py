"""Joins pieces of one vehicle, which falls apart where the lasers that meet it are far from each other."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel
from twin_detection.core.classes import BUS, CAR, TRUCK
from twin_detection.core.cluster_features import LONGER, ClusterFeatures
from twin_detection.core.clusters import Clusters, starts_of

#: Probabilities of the network that belong to one vehicle, and to people, animals and two-wheelers.
VEHICLES, SMALL = [CAR, TRUCK, BUS], slice(4, 9)
#: Means of two pieces are at most so far from each other, and both together so long and wide, metres.
_NEAR, _LONGEST, _WIDEST = 4.5, 12.0, 3.3
#: No more pairs are asked about, the nearest first: where drops or leaves make hundreds of clusters, each has dozens.
_MOST_PAIRS = 2000


def neighbours(xy: np.ndarray, clusters: Clusters, allowed: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Return the pairs of clusters that may be pieces of one vehicle, (P, 2); of very many the nearest.

    Args:
        xy: (N, 2) metres.
        clusters: of these points.
        allowed: (C,) bool, which may be pieces.
        fresh: (C,) bool, one of every pair is one of these.

    """
    middle = np.column_stack([clusters.mean(xy[:, axis]) for axis in (0, 1)])
    pairs, squares = _near_pairs(middle, np.flatnonzero(allowed), fresh)
    if len(pairs) > _MOST_PAIRS:
        pairs = pairs[np.sort(np.argsort(squares, kind="stable")[:_MOST_PAIRS])]
    return np.asarray(pairs)


@kernel
def _near_pairs(middle: np.ndarray, rows: np.ndarray, fresh: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of some rows of (C, 2) places that are near each other, one of them fresh; and the squares."""
    ones, others, squares = [], [], []
    for place in range(len(rows)):
        first = rows[place]
        for second in rows[place + 1 :]:
            x, y = middle[second, 0] - middle[first, 0], middle[second, 1] - middle[first, 1]
            square = x * x + y * y
            if square < _NEAR * _NEAR and (fresh[first] or fresh[second]):
                ones.append(first)
                others.append(second)
                squares.append(square)
    return np.column_stack((np.array(ones), np.array(others))), np.array(squares)


def unions(clusters: Clusters, pairs: np.ndarray) -> Clusters:
    """Return both clusters of each of (P, 2) pairs as one."""
    starts, counts = clusters.starts[pairs].reshape(-1), clusters.counts[pairs].reshape(-1)
    place = np.arange(int(counts.sum())) + np.repeat(starts - starts_of(counts), counts)
    sizes = counts.reshape(-1, 2).sum(axis=1)
    return Clusters(clusters.order[place], starts_of(sizes), sizes)


def plausible(features: ClusterFeatures) -> np.ndarray:
    """Return which clusters are no larger than a bus, (C,) bool."""
    return np.asarray((features.scalars[:, LONGER : LONGER + 2] < (_LONGEST, _WIDEST)).all(axis=1))


def disjoint(pairs: np.ndarray, probability: np.ndarray, least: float) -> np.ndarray:
    """Return which pairs to join, (P,) bool: from the most probable on, none with a cluster that is taken."""
    chosen, taken = np.zeros(len(pairs), bool), set[int]()
    for row in np.argsort(-probability, kind="stable"):
        first, second = map(int, pairs[row])
        if probability[row] < least:
            break
        if first not in taken and second not in taken:
            chosen[row] = True
            taken |= {first, second}
    return chosen
