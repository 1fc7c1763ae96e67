"""Surfaces of a cloud of points, to register another cloud to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from twin_localization.core.registration import Matches

_NEIGHBOURS = 12
_FLAT = 0.15  # largest ratio of the two smaller extents of a neighbourhood that counts as a surface
_WIDEST = 1.5  # metres, of a neighbourhood
_SIGMA = 0.04  # metres
_SAME = 0.8  # cosine between two normals of one side of a surface
_REACH = 0.8  # metres between a point and the one whose surface it lies on


class CloudMap:
    """Points with normals.

    Args:
        points: (N, 3), map frame, metres.
        cell: at most one point is kept in a cube of this edge, metres.
        most: surfaces are looked for at so many of the points at most, evenly chosen.
        seen_from: (3,) where the sensor stood: normals point to it. None: either way.

    Raises:
        ValueError: there are too few points to have surfaces.

    """

    def __init__(
        self, points: np.ndarray, cell: float = 0.2, most: int = 20_000, seen_from: np.ndarray | None = None
    ) -> None:
        """Find the surface about each point by the spread of its neighbours."""
        points = thinned(points.astype(float), cell)
        if len(points) < 4 * _NEIGHBOURS:
            raise ValueError(f"reference: {len(points)} points; expected at least {4 * _NEIGHBOURS}")
        chosen = points[np.linspace(0, len(points) - 1, min(most, len(points))).astype(int)]
        distance, index = cKDTree(points).query(chosen, k=_NEIGHBOURS)
        near = points[index]
        off = near - near.mean(axis=1, keepdims=True)
        extents, axes = np.linalg.eigh(np.einsum("nki,nkj->nij", off, off))
        flat = (extents[:, 0] < _FLAT**2 * extents[:, 1]) & (distance[:, -1] < _WIDEST) & (extents[:, 1] > 0)
        self.points, self.normals = chosen[flat], axes[flat, :, 0]
        if seen_from is not None:
            away = np.einsum("ni,ni->n", self.points - seen_from, self.normals) > 0
            self.normals[away] *= -1
        self._tree = cKDTree(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def match(self, points: np.ndarray, gate: float) -> Matches:
        """Return the surfaces within ``gate`` metres of points (N, 3), map frame."""
        apart, index = self._tree.query(points, distance_upper_bound=max(gate, _REACH))
        rows = np.flatnonzero(np.isfinite(apart))
        normal = self.normals[index[rows]]
        distance = np.einsum("ni,ni->n", points[rows] - self.points[index[rows]], normal)
        close = np.abs(distance) < gate
        count = int(np.count_nonzero(close))
        return Matches(rows[close], distance[close], normal[close], np.full(count, _SIGMA), np.zeros(count, int))


@dataclass(frozen=True, slots=True)
class SameSide:
    """Surfaces of a cloud, for points that lie on the same side of them: two sensors may see a thing from both sides.

    ``normals``: (N, 3) of the points that are matched, in order, towards their sensor, map frame.
    """

    known: CloudMap
    normals: np.ndarray

    def match(self, points: np.ndarray, gate: float) -> Matches:
        """Return the surfaces within ``gate`` metres of points (N, 3), map frame, that face the same way."""
        found = self.known.match(points, gate)
        same = np.einsum("ni,ni->n", self.normals[found.index], found.normal) > _SAME
        return Matches(*(getattr(found, name)[same] for name in Matches.__slots__))


def thinned(points: np.ndarray, cell: float) -> np.ndarray:
    """Return of points (N, 3) the first in each cube of edge ``cell``, metres."""
    keys = np.floor(points / cell).astype(np.int64)
    keys -= keys.min(axis=0, initial=0)
    size = keys.max(axis=0, initial=0) + 1
    flat = (keys[:, 0] * size[1] + keys[:, 1]) * size[2] + keys[:, 2]
    _, first = np.unique(flat, return_index=True)
    return np.asarray(points[np.sort(first)])
