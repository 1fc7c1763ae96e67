"""Joins neighbouring points into clusters, seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

_EIGHT = np.ones((3, 3), bool)


@dataclass(frozen=True, slots=True)
class Clusters:
    """Points sorted by cluster.

    ``order``: (M,) indices into the clustered points; ``starts``: (C,) where each cluster begins in ``order``;
    ``counts``: (C,).
    """

    order: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def minimum(self, values: np.ndarray) -> np.ndarray:
        """Return the least of (N,) values in each cluster, (C,)."""
        return np.minimum.reduceat(values[self.order], self.starts) if len(self) else np.zeros(0, values.dtype)

    def maximum(self, values: np.ndarray) -> np.ndarray:
        """Return the greatest of (N,) values in each cluster, (C,)."""
        return np.maximum.reduceat(values[self.order], self.starts) if len(self) else np.zeros(0, values.dtype)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of (N,) values in each cluster, (C,) float64."""
        if not len(self):
            return np.zeros(0)
        mean: np.ndarray = np.add.reduceat(values[self.order].astype(np.float64), self.starts) / self.counts
        return mean

    def select(self, keep: np.ndarray) -> Clusters:
        """Return the clusters of a (C,) mask."""
        rows = np.repeat(keep, self.counts)
        counts = self.counts[keep]
        return Clusters(self.order[rows], np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64), counts)


def cluster(
    xy: np.ndarray, seeds: np.ndarray, cell_size: float, max_range: float, reach: float, min_points: int
) -> Clusters:
    """Join points whose cells touch, in a grid of ``cell_size``.

    Farther from the sensor neighbouring beams lie farther apart: beyond the range where ``reach`` times range
    exceeds the cell, an occupied cell also joins across one empty cell.

    Args:
        xy: (N, 2) metres, sensor at the origin.
        seeds: (N,) bool; these points occupy cells, the others belong to what their cell belongs to.
        cell_size: edge of a cell, metres.
        max_range: points beyond it, along an axis, are left out, metres.
        reach: widest gap between neighbouring returns of one object, as a fraction of the range.
        min_points: smaller clusters are left out.
    """
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"xy: expected (N, 2), got {xy.shape}")
    if seeds.shape != (len(xy),):
        raise ValueError(f"seeds: expected ({len(xy)},), got {seeds.shape}")
    side = int(np.ceil(2 * max_range / cell_size)) + 4
    row, column = ((xy[:, axis] / cell_size + side / 2).astype(np.int32) for axis in (0, 1))
    inside = (row > 0) & (row < side - 1) & (column > 0) & (column < side - 1)
    flat = np.where(inside, row * np.int32(side) + column, 0)
    occupied = np.zeros((side, side), bool)
    occupied.reshape(-1)[flat[seeds]] = True
    occupied[0, 0] = False
    labels, count = ndimage.label(_stretched(occupied, cell_size, reach), _EIGHT)
    return _sorted(labels.reshape(-1)[flat], count, min_points)


def _stretched(occupied: np.ndarray, cell_size: float, reach: float) -> np.ndarray:
    """Return the cells, widened by one where the sensor is far."""
    if reach <= 0:
        return occupied
    middle = np.arange(len(occupied)) - len(occupied) / 2
    far = middle[:, None] ** 2 + middle[None] ** 2 > (1 / reach) ** 2
    distant = occupied & far
    tall = distant.copy()
    tall[1:] |= distant[:-1]
    tall[:-1] |= distant[1:]
    wide = occupied | tall
    wide[:, 1:] |= tall[:, :-1]
    wide[:, :-1] |= tall[:, 1:]
    return wide


def _sorted(label: np.ndarray, count: int, min_points: int) -> Clusters:
    sizes = np.bincount(label, minlength=count + 1)
    keep = sizes >= min_points
    keep[0] = False
    rows = np.flatnonzero(keep[label])
    order = rows[np.argsort(label[rows], kind="stable")]
    counts = sizes[keep]
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)[: len(counts)]
    return Clusters(order, starts, counts)
