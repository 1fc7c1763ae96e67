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
        self._origin, self._cells = -max_range, int(np.ceil(2 * max_range / _CELL))
        self.centres: np.ndarray = self._origin + (np.arange(self._cells) + 0.5) * _CELL
        self.lowest: np.ndarray = np.full((self._cells, self._cells), np.inf, np.float32)
        _lower(self.lowest.reshape(-1), self._index(points), np.ascontiguousarray(points[:, 2], np.float32))

    def _index(self, points: np.ndarray) -> np.ndarray:
        row, column = (
            np.clip(((points[:, axis] - self._origin) * (1 / _CELL)).astype(np.int32), 0, self._cells - 1)
            for axis in (0, 1)
        )
        return np.asarray(row * np.int32(self._cells) + column)

    def above(self, points: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Return how far (N, 3) points lie above a surface of heights (C, C), (N,), metres."""
        return np.asarray(points[:, 2] - height.reshape(-1)[self._index(points)])


@kernel
def _lower(lowest: np.ndarray, cell: np.ndarray, height: np.ndarray) -> None:
    """Enter heights (N,) into the lowest (C,) of their cells (N,)."""
    for index in range(len(cell)):
        lowest[cell[index]] = min(lowest[cell[index]], height[index])
