"""Shows the network what the detector will ask it about: clusters, their parts, and pairs of pieces as one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from samples import Samples, joins_actors

from twin_detection.core import joining, splitting
from twin_detection.core.cluster_features import EXTENT, ClusterFeatures
from twin_detection.core.clusters import Clusters
from twin_detection.core.judging import Judge, Segments
from twin_detection.core.point_network import CROWD, SEVERAL

#: Pairs of clusters of a scan that are shown as one, at most, and the largest extent of a group of people, metres.
PAIRS, GROUP = 40, 4.0
#: What a piece of a vehicle is not taken for: people, animals and two-wheelers; what share of them is shown even so.
SMALL_CLASSES, DOUBTFUL = (4, 5, 6, 7, 8, CROWD), 0.1

Label = Callable[[ClusterFeatures, Clusters, np.ndarray | None], Samples]


def shown(
    judge: Judge, segments: Segments, owners: np.ndarray, labelled: Label, rng: np.random.Generator
) -> list[Samples]:
    """Return the samples of one scan.

    Args:
        judge: what makes features.
        segments: foreground of the scan.
        owners: (N,) actor of each of the segments' points, -1: none.
        labelled: returns clusters with what they are; (C,) bool: which hold several in any case.
        rng: chooses pairs.

    """
    pieces = segments.clusters
    found = [labelled(judge.features(segments, pieces), pieces, None)]
    label, extent = found[0].label, found[0].scalars[:, EXTENT : EXTENT + 2].max(axis=1)
    xy, reach = segments.points[:, :2], judge.config.max_range
    for by_gaps in (True, False):
        mixed = np.flatnonzero(np.isin(label, (SEVERAL, CROWD)) & ((extent > GROUP) | (not by_gaps)))
        if not len(mixed):
            continue
        if by_gaps:
            parts, _ = splitting.by_gaps(xy, pieces, mixed, reach)
        else:
            parts, _ = splitting.by_heads(xy, segments.height, pieces, mixed)
        parts = parts.select(parts.counts >= max(judge.config.fewest_points - 1, 2))
        found.append(labelled(judge.features(segments, parts), parts, None))
        kept = ~np.isin(np.arange(len(pieces)), mixed)
        pieces = splitting.joined(pieces.select(kept), parts)
        label = np.concatenate([label[kept], found[-1].label])
        extent = np.concatenate([extent[kept], found[-1].scalars[:, EXTENT : EXTENT + 2].max(axis=1)])
    return found + _pairs(judge, segments, owners, labelled, rng, pieces, label)


def _pairs(
    judge: Judge, segments: Segments, owners: np.ndarray, labelled: Label, rng: np.random.Generator, pieces: Clusters,
    label: np.ndarray,
) -> list[Samples]:  # fmt: skip
    """Return pairs of pieces as one, and all pieces of what fell into more; those of two actors hold several."""
    allowed = ~np.isin(label, SMALL_CLASSES) | (rng.random(len(label)) < DOUBTFUL)
    pairs = joining.neighbours(segments.points[:, :2], pieces, allowed, np.ones(len(pieces), bool))
    pairs = pairs[rng.permutation(len(pairs))[: 2 * PAIRS]]
    found: list[Samples] = []
    for _ in range(2):
        if not len(pairs):
            break
        both = joining.unions(pieces, pairs)
        features = judge.features(segments, both)
        fits = np.flatnonzero(joining.plausible(features))[:PAIRS]
        if not len(fits):
            break
        chosen = np.isin(np.arange(len(both)), fits)
        both, pairs = both.select(chosen), pairs[chosen]
        several = joins_actors(pieces, pairs, owners)
        found.append(labelled(judge.features(segments, both), both, several))
        # Once more: what has been joined rightly, with what is near it.
        whole = joining.disjoint(pairs, 1.0 * ~several, 0.5)
        kept = np.ones(len(pieces), bool)
        kept[pairs[whole].reshape(-1)] = False
        allowed = np.concatenate([allowed[kept], np.ones(np.count_nonzero(whole), bool)])
        pieces = splitting.joined(pieces.select(kept), both.select(whole))
        fresh = np.arange(len(pieces)) >= np.count_nonzero(kept)
        pairs = joining.neighbours(segments.points[:, :2], pieces, allowed, fresh)
        pairs = pairs[rng.permutation(len(pairs))[:PAIRS]]
    return found
