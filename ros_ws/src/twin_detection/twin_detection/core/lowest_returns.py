"""The lowest return of each cell of a grid around a sensor, and heights above a surface that is given cell by cell."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

_CELL = 1.0  # m


class LowestReturns:
    """A square grid in a level frame with the sensor in the middle.

    Attributes:
        centres: (C,) of the cells along either axis, metres.
        lowest: (C, C) of the returns in each cell, metres; infinite where there is none.

    Args:
        points: (N, 3) float, metres, level frame.
        max_range: half the edge of the grid, metres.

    """

    def __init__(self, points: np.ndarray, max_range: float) -> None:
        """Sort the points into cells."""
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points: expected (N, 3), got {points.shape}")
        cells, self._origin = int(np.ceil(2 * max_range / _CELL)), np.float32(-max_range)
        self.centres: np.ndarray = -max_range + (np.arange(cells) + 0.5) * _CELL
        self.lowest: np.ndarray = np.full((cells, cells), np.inf, np.float32)
        _lower(self.lowest, np.ascontiguousarray(points, np.float32), self._origin)

    def above(self, points: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Return how far (N, 3) points lie above a surface of heights (C, C), (N,) float32, metres."""
        if points.ndim != 2 or points.shape[1] != 3 or height.shape != self.lowest.shape:
            raise ValueError(
                f"points, height: expected (N, 3), {self.lowest.shape}, got {points.shape}, {height.shape}"
            )
        surface = np.ascontiguousarray(height, np.float32)
        return _above(np.ascontiguousarray(points, np.float32), surface, self._origin)


@kernel
def _cell(points: np.ndarray, index: int, origin: np.float32, cells: int) -> tuple[int, int]:
    """Return row and column of a point; what lies beyond the grid belongs to the cells at its edge."""
    scale = np.float32(1 / _CELL)
    row, column = int((points[index, 0] - origin) * scale), int((points[index, 1] - origin) * scale)
    return min(max(row, 0), cells - 1), min(max(column, 0), cells - 1)


@kernel
def _lower(lowest: np.ndarray, points: np.ndarray, origin: np.float32) -> None:
    """Enter points (N, 3) into the lowest (C, C) of their cells."""
    for index in range(len(points)):
        row, column = _cell(points, index, origin, len(lowest))
        lowest[row, column] = min(lowest[row, column], points[index, 2])


@kernel
def _above(points: np.ndarray, height: np.ndarray, origin: np.float32) -> np.ndarray:
    """Return how far points (N, 3) lie above heights (C, C), (N,)."""
    above = np.empty(len(points), np.float32)
    for index in range(len(points)):
        row, column = _cell(points, index, origin, len(height))
        above[index] = points[index, 2] - height[row, column]
    return above
