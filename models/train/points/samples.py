"""Clusters of simulated scans with what they are: what the network learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.geometry import inverse, yaw_of
from twin_common.core.object_class import ObjectClass
from twin_detection.core.classes import VEHICLES
from twin_detection.core.cluster_features import ClusterFeatures
from twin_detection.core.clusters import Clusters
from twin_detection.core.judging import Segments
from twin_detection.core.point_network import CROWD, NOTHING, SEVERAL
from twin_sim.core.frame import Activity, Frame

MIXED_SHARE, MIXED_POINTS = 0.15, 4  # a cluster with so much of a second actor holds several,
SECOND_SHARE, SECOND_POINTS = 0.5, 12  # and one with so much of what is seen of a second actor
OWN_SHARE = 0.6  # a cluster is an actor's if so much of it is
FRAGMENT = 0.25  # a smaller share of an actor's points is a fragment of it
NO_POSTURE = -1
POSTURE = {Activity.LYING: 2, Activity.SITTING: 1}


@dataclass(slots=True)
class Samples:
    """Clusters, each a row.

    ``points``: (N, S, 3); ``scalars``: (N, F); ``label``: (N,) of CLASSES; ``posture``: (N,), -1: none; ``box``: (N, 6)
    place along and across the view, metres, length, width, height, and heading from the view; ``boxed``: (N,) bool,
    whether there is a box.
    """

    points: np.ndarray
    scalars: np.ndarray
    label: np.ndarray
    posture: np.ndarray
    box: np.ndarray
    boxed: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def select(self, rows: np.ndarray) -> Samples:
        """Return some of them."""
        return Samples(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def concatenated(parts: list[Samples]) -> Samples:
    """Return all samples of several parts."""
    return Samples(*(np.concatenate([getattr(part, name) for part in parts]) for name in Samples.__dataclass_fields__))


def labelled(
    features: ClusterFeatures, clusters: Clusters, segments: Segments, owners: np.ndarray, offsets: np.ndarray,
    frame: Frame, map_from_level: np.ndarray, several: np.ndarray | None = None,
) -> Samples:  # fmt: skip
    """Return the clusters with what they are.

    Args:
        features: of the clusters.
        clusters: of the points of the segments.
        segments: foreground of one scan.
        owners: (N,) actor of each of the segments' points, -1: none.
        offsets: (N,) seconds after the stamp of each.
        frame: at the stamp of the scan.
        map_from_level: (4, 4) pose of the level frame.
        several: (C,) bool, which hold several actors, however little is seen of the second.

    """
    actors, count = frame.actors, len(clusters)
    total = np.bincount(owners[owners >= 0], minlength=len(actors))
    vehicle = np.isin(actors["classification"], VEHICLES)
    label = np.full(count, NOTHING)
    posture, box, boxed = np.full(count, NO_POSTURE), np.zeros((count, 6)), np.zeros(count, bool)
    for number in range(count):
        members = clusters.order[clusters.starts[number] : clusters.starts[number] + clusters.counts[number]]
        held = np.bincount(owners[members] + 1, minlength=len(actors) + 1)
        ranked = np.argsort(-held[1:])[:2]
        first, second = held[1 + ranked[0]], held[1 + ranked[1]] if len(ranked) > 1 else 0
        size = len(members)
        much = len(ranked) > 1 and second >= max(SECOND_SHARE * total[ranked[1]], SECOND_POINTS)
        much |= second >= max(MIXED_SHARE * size, MIXED_POINTS) or size - held[0] >= OWN_SHARE * size > first
        if much or (several is not None and several[number]):
            driven = held[1:][vehicle].max(initial=0) >= MIXED_SHARE * size
            label[number], boxed[number] = (SEVERAL, False) if driven else (CROWD, True)
            if not driven:  # of whom most is seen
                box[number] = _box(actors[ranked[0]], float(offsets[members].mean()), features, number, map_from_level)
        elif first >= OWN_SHARE * size and first >= FRAGMENT * total[ranked[0]]:
            actor = actors[ranked[0]]
            label[number], boxed[number] = actor["classification"], True
            box[number] = _box(actor, float(offsets[members].mean()), features, number, map_from_level)
            if actor["classification"] == ObjectClass.PEDESTRIAN:
                posture[number] = POSTURE.get(Activity(int(actor["activity"])), 0)
                if actor["activity"] == Activity.FALLING:
                    posture[number] = NO_POSTURE
    return Samples(features.points.astype(np.float16), features.scalars, label, posture, box, boxed)


def joins_actors(pieces: Clusters, pairs: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Return which of (P, 2) pairs of pieces belong to two actors, (P,) bool."""
    usual = np.array([
        np.bincount(owners[pieces.order[start : start + count]] + 1).argmax() - 1
        for start, count in zip(pieces.starts, pieces.counts, strict=True)
    ])  # fmt: skip
    first, second = usual[pairs].T
    return np.asarray((first != second) & (first >= 0) & (second >= 0))


def _box(
    actor: np.void, offset: float, features: ClusterFeatures, number: int, map_from_level: np.ndarray
) -> tuple[float, ...]:
    """Return an actor's box as seen along the view of a cluster, when its points were measured."""
    x, y = actor["x"] + actor["velocity_x"] * offset, actor["y"] + actor["velocity_y"] * offset
    place = inverse(map_from_level) @ np.array([x, y, actor["z"], 1.0])
    dx, dy = place[:2] - features.origin[number]
    cos, sin = np.cos(features.bearing[number]), np.sin(features.bearing[number])
    heading = float(actor["yaw"]) - yaw_of(map_from_level) - features.bearing[number]
    size = (float(actor[name]) for name in ("length", "width", "height"))
    return float(dx * cos + dy * sin), float(dy * cos - dx * sin), *size, float(heading)
