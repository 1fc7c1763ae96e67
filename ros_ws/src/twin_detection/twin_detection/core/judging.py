"""Asks the network what clusters are, parts those that hold several objects, and joins pieces of one vehicle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_detection.config import LidarDetectorConfig
from twin_detection.core import joining, point_network, splitting
from twin_detection.core.cluster_features import EXTENT, LONGER, Beams, ClusterFeatures, features_of
from twin_detection.core.clusters import Clusters
from twin_detection.core.point_network import CROWD, Calibration, Estimates, Network

#: What is larger is no group of people, metres; a cluster is parted where so much of its points lies in objects then.
_GROUP, _LIKELY = 4.0, 0.4
#: Longest and widest of each class, in the order of ObjectClass, metres; things may have any size.
_LARGEST = np.array(
    [(16.0, 16.0), (5.6, 2.5), (9.5, 3.0), (13.5, 3.4), (2.9, 1.7), (2.2, 1.5), (2.6, 1.6), (2.3, 1.5), (1.8, 1.2),
     (16.0, 16.0)]
)  # fmt: skip
#: Two pieces are joined where the network takes both together for one vehicle with this probability; then more pieces.
_ONE_VEHICLE, _ROUNDS = 0.6, 2
#: What is more probably a person or a two-wheeler than this is no piece of a vehicle.
_SMALL = 0.7


@dataclass(frozen=True, slots=True)
class Segments:
    """Foreground that stands on the ground, parted.

    ``points``: (N, 3) level frame, metres; ``height``, ``ring``: (N,); ``index``: (N,) which of the given returns;
    ``clusters``: of these points.
    """

    points: np.ndarray
    height: np.ndarray
    ring: np.ndarray
    index: np.ndarray
    clusters: Clusters


@dataclass(frozen=True, slots=True)
class Judge:
    """What a detector judges clusters with."""

    config: LidarDetectorConfig
    network: Network
    calibration: Calibration
    beams: Beams

    def features(self, segments: Segments, clusters: Clusters) -> ClusterFeatures:
        """Return what the network is told of clusters."""
        return features_of(segments.points, segments.height, segments.ring, clusters, self.beams)

    def judged(self, segments: Segments) -> tuple[Estimates, Clusters]:
        """Return what the network says of all clusters, after parting and joining."""
        clusters = segments.clusters
        features = self.features(segments, clusters)
        found = point_network.estimate(self.network, features, self.calibration)
        several = found.several > self.config.split_above
        large = features.scalars[:, EXTENT : EXTENT + 2].max(axis=1, initial=0.0) > _GROUP
        mixed = np.flatnonzero((several & large) | _oversized(features, found))
        xy = segments.points[:, :2]
        if len(mixed):
            parts = splitting.by_gaps(xy, clusters, mixed, self.config.max_range)
            found, clusters = self._replaced(segments, found, clusters, mixed, *parts)
        mixed = np.flatnonzero(found.several > self.config.split_above)
        if len(mixed):
            parts = splitting.by_heads(xy, segments.height, clusters, mixed)
            found, clusters = self._replaced(segments, found, clusters, mixed, *parts)
        return self._joined(segments, found, clusters)

    def _replaced(
        self, segments: Segments, found: Estimates, clusters: Clusters, mixed: np.ndarray, parts: Clusters,
        origin: np.ndarray,
    ) -> tuple[Estimates, Clusters]:  # fmt: skip
        """Put parts, (P,) of ``origin`` among the ``mixed``, in the place of clusters where the parts are something."""
        of_parts = point_network.estimate(self.network, self.features(segments, parts), self.calibration)
        likely = np.bincount(origin, weights=parts.counts * of_parts.existence, minlength=len(mixed))
        better = likely > _LIKELY * clusters.counts[mixed]
        kept = np.ones(len(clusters), bool)
        kept[mixed[better]] = False
        used = better[origin] & (parts.counts >= max(self.config.fewest_points - 1, 2))
        return found.select(kept).joined(of_parts.select(used)), splitting.joined(
            clusters.select(kept), parts.select(used)
        )

    def _joined(self, segments: Segments, found: Estimates, clusters: Clusters) -> tuple[Estimates, Clusters]:
        """Join pieces that together are one vehicle, the surest first."""
        fresh: np.ndarray = np.ones(len(clusters), bool)
        for _ in range(_ROUNDS):
            small = found.probability[:, joining.SMALL].sum(axis=1) + found.probability[:, CROWD]
            pairs = joining.neighbours(segments.points[:, :2], clusters, small <= _SMALL, fresh)
            if not len(pairs):
                break
            both = joining.unions(clusters, pairs)
            features = self.features(segments, both)
            answer = point_network.estimate(self.network, features, self.calibration)
            one = answer.probability[:, joining.VEHICLES].sum(axis=1) * joining.plausible(features)
            chosen = joining.disjoint(pairs, one, _ONE_VEHICLE)
            if not chosen.any():
                break
            kept = np.ones(len(clusters), bool)
            kept[pairs[chosen].reshape(-1)] = False
            found = found.select(kept).joined(answer.select(chosen))
            clusters = splitting.joined(clusters.select(kept), both.select(chosen))
            fresh = np.arange(len(clusters)) >= np.count_nonzero(kept)
        return found, clusters


def _oversized(features: ClusterFeatures, found: Estimates) -> np.ndarray:
    """Return which clusters are larger than anything of their class, (C,) bool."""
    limit = _LARGEST[found.classes.argmax(axis=1)] if len(found) else np.zeros((0, 2))
    return np.asarray((features.scalars[:, LONGER : LONGER + 2] > limit).any(axis=1))
