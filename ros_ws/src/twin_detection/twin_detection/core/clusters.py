"""Joins neighbouring points into clusters, seen from above."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from twin_common.core.compiled import kernel
from twin_detection.core.azimuth import azimuth
from twin_detection.core.integer_order import order_of
from twin_detection.core.regions import touching, united

_EIGHT = np.ones((3, 3), bool)
_MOST_WIDENED = 3
#: Successive lasers on one roof differ by less than this in height and in distance, metres.
_ROOF_STEP = 0.12
_ROOF_GAP = 3.0
#: Edge of the cells in which returns of tall things are joined, metres.
_TALL_CELL = 1.2
#: Neighbouring beams see one side if their distances differ by less than this many spacings of the beams, or up to
#: twice that, as the grid falls: sides seen at more than about 25 degrees.
_GRAZING = 2.0
#: Who lies is lower than the first, and where lasers meet the ground farther apart than the second, is joined in cells
#: of the third, metres.
FLAT, _FLAT_STEP, _FLAT_CELL = 0.65, 0.35, 0.6
#: More than any LiDAR has, so that the last laser of a column is not followed by the first of the next.
_LASERS = 1024


def starts_of(counts: np.ndarray) -> np.ndarray:
    """Return where each of consecutive groups of (C,) sizes begins, (C,)."""
    return np.asarray(np.cumsum(counts) - counts)


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
        return Clusters(self.order[rows], starts_of(counts), counts)


def cluster_moving(
    xy: np.ndarray, body: np.ndarray, cell_size: float, max_range: float, spacing: float, min_points: int
) -> Clusters:
    """Join points whose cells touch, in a grid seen from above.

    Where the distance between beams exceeds the cells, an occupied cell also joins across as many empty ones.

    Args:
        xy: (N, 2) metres, sensor at the origin.
        body: (N,) bool; these points occupy cells, the others belong to what their cell belongs to.
        cell_size: edge of a cell, metres.
        max_range: points beyond it, along an axis, are left out, metres.
        spacing: angle between neighbouring beams, radians.
        min_points: smaller clusters are left out.

    """
    _check(xy, body, "body")
    grid = _Grid(xy, cell_size, max_range)
    label, count = grid.label(_widened(grid.occupied(body), cell_size, spacing))
    return _sorted(label, count, min_points)


def cluster_still(
    points: np.ndarray, ring: np.ndarray, tall: np.ndarray, cell_size: float, max_range: float, spacing: float,
    min_points: int,
) -> Clusters:  # fmt: skip
    """Join foreground points: those whose cells touch, those of neighbouring beams, those of tall things.

    Two people abreast have a beam between them that sees the background; a side at a grazing angle has not.
    Lasers that follow each other upwards and return from one height lie on one roof. Nothing as high as ``tall``
    stands close beside another such thing, while buses have windows: these join across a metre.

    Args:
        points: (N, 3) metres, level frame, sensor at the origin.
        ring: (N,) laser of each point, counted upwards.
        tall: (N,) bool; points that only lorries and buses have.
        cell_size: edge of a cell, metres.
        max_range: points beyond it, along an axis, are left out, metres.
        spacing: angle between neighbouring beams, radians.
        min_points: smaller clusters are left out.

    """
    xy = points[:, :2]
    _check(xy, tall, "tall")
    grid = _Grid(xy, cell_size, max_range)
    label, count = grid.label_few()
    column, away = _beams(points, spacing)
    label, count = _united(label, count, label, _beam_groups(column, away))
    first, second = _roof_pairs(points, ring, column)
    label, count = _united(label, count, *_pair_groups(label, first, second))
    if tall.any():
        coarse = _Grid(xy[tall], _TALL_CELL, max_range)
        label, count = _united(label, count, label[tall], coarse.label_few()[0])
    return _sorted(label, count, min_points)


def regions(xy: np.ndarray, cell_size: float, max_range: float) -> tuple[np.ndarray, int]:
    """Return the region of touching cells each of (N, 2) points lies in, from 1, and how many there are."""
    return _Grid(xy, cell_size, max_range).label_few()


def join_flat(xy: np.ndarray, height: np.ndarray, steps: np.ndarray, clusters: Clusters, max_range: float) -> Clusters:
    """Join low clusters between which no beam passes: who lies is seen by few lasers, each far from the next.

    Args:
        xy: (N, 2) metres.
        height: (N,) above the ground, metres.
        steps: (N,) from where a laser meets the ground to where the next does, metres.
        clusters: of these points.
        max_range: half the edge of the grid, metres.

    """
    owner = np.repeat(np.arange(len(clusters)), clusters.counts)
    flat = (clusters.maximum(height) < FLAT)[owner] & (steps[clusters.order] > _FLAT_STEP)
    if not flat.any():
        return clusters
    group, _ = _Grid(xy[clusters.order[flat]], _FLAT_CELL, max_range).label_few()
    label, count = _united(owner + 1, len(clusters), owner[flat] + 1, group)
    order = order_of(label)
    counts = np.bincount(label, minlength=count + 1)[1:]
    counts = counts[counts > 0]
    return Clusters(clusters.order[order], starts_of(counts), counts)


def _check(xy: np.ndarray, flags: np.ndarray, name: str) -> None:
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(f"xy: expected (N, 2), got {xy.shape}")
    if flags.shape != (len(xy),):
        raise ValueError(f"{name}: expected ({len(xy)},), got {flags.shape}")


class _Grid:
    """Which cell of a square grid around the sensor each point is in."""

    def __init__(self, xy: np.ndarray, cell_size: float, max_range: float) -> None:
        self._side = int(np.ceil(2 * max_range / cell_size)) + 4
        row, column = ((xy[:, axis] / cell_size + self._side / 2).astype(np.int32) for axis in (0, 1))
        edge = self._side - 1
        inside = (row > 0) & (row < edge) & (column > 0) & (column < edge)
        self._cell = np.where(inside, row * np.int32(self._side) + column, 0)

    def occupied(self, points: np.ndarray) -> np.ndarray:
        """Return the cells that hold any of some points."""
        cells = np.zeros((self._side, self._side), bool)
        cells.reshape(-1)[self._cell[points]] = True
        cells[0, 0] = False
        return cells

    def label(self, cells: np.ndarray) -> tuple[np.ndarray, int]:
        """Return the connected region each point lies in, 0 for none, and how many regions there are."""
        labels, count = ndimage.label(cells, _EIGHT)
        return labels.reshape(-1)[self._cell], count

    def label_few(self) -> tuple[np.ndarray, int]:
        """Return the same for the cells of all points, without looking at the empty ones."""
        label, count = touching(np.where(self._cell > 0, self._cell, -1).astype(np.int64), self._side)
        return label, int(count)


def _beams(points: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the direction of each point in steps of the beams, and its distance in logarithmic steps, (N,) each."""
    columns = max(int(2 * np.pi / spacing), 8)
    turn = (azimuth(points) + np.pi) * (columns / (2 * np.pi))
    away = np.log(np.maximum(np.hypot(points[:, 0], points[:, 1]), 1.0)) / (_GRAZING * spacing)
    return turn.astype(np.int64) % columns, away.astype(np.int64)


def _beam_groups(column: np.ndarray, away: np.ndarray) -> np.ndarray:
    """Return the groups, from 1, of points that neighbouring beams saw at nearly the same distance, (N,)."""
    if not len(column):
        return np.zeros(0, np.int64)
    width = int(away.max()) + 2
    return np.asarray(touching(column * width + away, width)[0])


def _roof_pairs(points: np.ndarray, ring: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of points that successive lasers saw in one direction at one height, (P,) indices each."""
    beam = column * _LASERS + ring
    return _on_one_roof(points, beam, order_of(beam))


@kernel
def _on_one_roof(points: np.ndarray, beam: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which points of successive beams are at one height, by the order of the beams, (P,) indices each."""
    first, second = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    count = 0
    for place in range(1, len(order)):
        one, other = order[place - 1], order[place]
        if beam[other] != beam[one] + 1 or abs(points[other, 2] - points[one, 2]) >= _ROOF_STEP:
            continue
        if np.hypot(points[other, 0] - points[one, 0], points[other, 1] - points[one, 1]) < _ROOF_GAP:
            first[count], second[count] = one, other
            count += 1
    return first[:count].copy(), second[:count].copy()


def _pair_groups(label: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and a group for each, so that both ends of every pair share a group."""
    number = np.arange(1, len(first) + 1)
    return np.concatenate([label[first], label[second]]), np.concatenate([number, number])


def _united(label: np.ndarray, count: int, some: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, int]:
    """Give one label to all clusters of which ``some`` points lie in the same ``group``; 0 stays no cluster."""
    number = united(count, some.astype(np.int64), group.astype(np.int64))
    return number[label], int(number.max(initial=0))


def _widened(occupied: np.ndarray, cell_size: float, spacing: float) -> np.ndarray:
    """Return the cells, widened to one side where the distance between beams exceeds them, once per multiple."""
    middle = np.arange(len(occupied), dtype=np.float32) - len(occupied) / 2
    distance = np.hypot(middle[:, None], middle[None]) * spacing
    wide = occupied.copy()
    for cells in range(1, _MOST_WIDENED + 1):
        far = wide & (distance > cells)
        far[1:] |= far[:-1].copy()
        wide |= far
        wide[:, 1:] |= far[:, :-1]
    return wide


def _sorted(label: np.ndarray, count: int, min_points: int) -> Clusters:
    sizes = np.bincount(label, minlength=count + 1)
    keep = sizes >= min_points
    keep[0] = False
    rows = np.flatnonzero(keep[label])
    order = rows[order_of(label[rows])]
    counts = sizes[keep]
    return Clusters(order, starts_of(counts), counts)
