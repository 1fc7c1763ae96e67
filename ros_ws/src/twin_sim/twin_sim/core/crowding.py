"""How dense people stand: on a grid over the district, and in windows over a crowd area."""

from __future__ import annotations

import numpy as np
import shapely

from twin_common.core.object_class import ObjectClass

CELL = 1.0
WINDOW = 3  # cells on a side
LEAST_GROUND = 3.0  # m² of walkable ground within a window for its density to count
_SAMPLES = (np.arange(5) + 0.5) / 5


def density_cells(actors: np.ndarray, cell: float = CELL) -> tuple[np.ndarray, np.ndarray]:
    """Return where people are, (M, 2) lower left corners of cells, metres, and how many in each, (M,) int.

    ``actors``: (N,) ACTOR. Cells without people are left out; the others come in order of x, then y.
    """
    people = actors[actors["classification"] == ObjectClass.PEDESTRIAN]
    if not len(people):
        return np.zeros((0, 2)), np.zeros(0, int)
    index = np.floor(np.column_stack([people["x"], people["y"]]) / cell).astype(int)
    cells, counts = np.unique(index, axis=0, return_counts=True)
    return cells * cell, counts


class AreaDensity:
    """Densest window of a crowd area: people over walkable ground, in windows of WINDOW x WINDOW cells."""

    def __init__(self, polygon: np.ndarray, obstacles: list[np.ndarray]) -> None:
        """Measure the walkable ground of every cell; ``polygon`` and ``obstacles`` are (N, 2), metres, map frame."""
        area = shapely.Polygon(polygon)
        for obstacle in obstacles:
            area = area.difference(shapely.Polygon(obstacle))
        shapely.prepare(area)
        self._area = area
        x0, y0, x1, y1 = area.bounds
        self._origin = np.floor([x0, y0])
        self._shape = tuple((np.ceil([x1, y1]) - self._origin).astype(int) + 1)
        corner = np.stack(np.meshgrid(*(np.arange(n) for n in self._shape), indexing="ij"), -1) + self._origin
        spots = corner[..., None, None, :] + np.stack(np.meshgrid(_SAMPLES, _SAMPLES, indexing="ij"), -1)
        self._ground = _windows(shapely.contains_xy(area, spots[..., 0], spots[..., 1]).mean(axis=(2, 3)))

    def peak(self, actors: np.ndarray) -> tuple[float, float, float]:
        """Return the greatest density, persons per m², and the middle of its window, metres; ``actors``: (N,) ACTOR."""
        people = actors[actors["classification"] == ObjectClass.PEDESTRIAN]
        place = np.floor(np.column_stack([people["x"], people["y"]]) - self._origin).astype(int)
        inside = ((place >= 0) & (place < self._shape)).all(axis=1)
        counts = np.zeros(self._shape)
        np.add.at(counts, tuple(place[inside].T), 1.0)
        crowd = _windows(counts)
        density = np.where(self._ground >= LEAST_GROUND, crowd / np.maximum(self._ground, LEAST_GROUND), 0.0)
        i, j = np.unravel_index(int(np.argmax(density)), density.shape)
        x, y = self._origin + np.array([i, j]) + WINDOW / 2
        return float(density[i, j]), float(x), float(y)


def _windows(grid: np.ndarray) -> np.ndarray:
    """Return the sums over all windows, by their lower left cells."""
    padded = np.pad(grid, ((0, WINDOW - 1), (0, WINDOW - 1)))
    sums = np.zeros(grid.shape)
    for i in range(WINDOW):
        for j in range(WINDOW):
            sums += padded[i : i + grid.shape[0], j : j + grid.shape[1]]
    return sums
