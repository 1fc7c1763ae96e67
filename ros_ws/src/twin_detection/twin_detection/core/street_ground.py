"""The ground around a pole: a plane, and what lies higher or lower, never steeper than streets are."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from twin_common.core.compiled import kernel
from twin_detection.core.lowest_returns import LowestReturns

#: Heights above the plane change by at most this from one cell to the next, metres.
_STEP = 0.02
#: What is known to be no higher than this above that is ground all the same, metres.
_KERB = 0.22
#: Returns so much below the plane, and more by this share of the distance, are no ground: mirrors, multipath; metres.
_BELOW, _BELOW_SHARE = 0.3, 0.02
#: Fits of the plane; deviations count less from the first on, metres, those above the plane, of walls, sooner.
_FITS, _OFF = 12, 0.15
#: Planes are no steeper than the steepest streets.
_STEEPEST = 0.15


class StreetGround:
    """Height of the ground in a level frame with the sensor at the origin, from the lowest returns of cells.

    Far from a pole lasers meet the ground metres apart, and many cells show nothing but a wall, a crown or a parked
    car. A plane is fitted to the lowest returns by weights that fall with the residual (Cauchy's), starting level at
    ``-sensor_height``; then each cell takes the lower envelope of what is known, with a slope that is given. So a wall
    is ground nowhere, and a pit of one cell is none. A cell without returns lies as near to the plane as slopes from
    the ground around it allow.

    Args:
        points: (N, 3) float, metres, level frame.
        sensor_height: height of the sensor above the ground below it, metres.
        max_range: half the edge of the grid, metres.

    """

    def __init__(self, points: np.ndarray, sensor_height: float, max_range: float) -> None:
        """Fit the ground."""
        self._grid = LowestReturns(points, max_range)
        x, y = np.meshgrid(self._grid.centres, self._grid.centres, indexing="ij")
        lowest = self._grid.lowest.astype(np.float64)
        # A pit of one cell is a stray return.
        lowest = np.where(np.isfinite(lowest), np.maximum(lowest, _second_lowest(lowest)), np.inf)
        plane = _plane(x, y, lowest, sensor_height)
        above = lowest - plane
        above[above < -(_BELOW + _BELOW_SHARE * np.hypot(x, y))] = np.inf
        middle = len(above) // 2
        above[middle, middle] = min(0.0, above[middle, middle])
        smooth = above.copy()
        _spread(smooth, _STEP)
        ground = above < smooth + _KERB
        lower = np.where(ground, -above, np.inf)
        _spread(lower, _STEP)
        likely = np.minimum(np.maximum(-lower, 0.0), smooth)
        self.height = (plane + np.where(ground, above, likely)).astype(np.float32)

    def above(self, points: np.ndarray) -> np.ndarray:
        """Return the height of (N, 3) points above the ground, (N,), metres."""
        return self._grid.above(points, self.height)


def _second_lowest(lowest: np.ndarray) -> np.ndarray:
    """Return the lowest of the eight cells around each; -inf where none of them is known."""
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    around = ndimage.minimum_filter(lowest, footprint=ring, mode="constant", cval=np.inf)
    return np.where(np.isfinite(around), around, -np.inf)


def _plane(x: np.ndarray, y: np.ndarray, lowest: np.ndarray, sensor_height: float) -> np.ndarray:
    """Return the heights of the plane that most of the known cells lie on."""
    known = np.isfinite(lowest)
    columns = np.column_stack([x[known], y[known], np.ones(np.count_nonzero(known))])
    found = np.array([0.0, 0.0, -sensor_height])
    z = lowest[known]
    for step in range(_FITS):
        if len(z) < 3:
            break
        off = z - columns @ found
        width = _OFF * (1 + 2.0 ** (3 - step))  # wide at first, so that a slope is found
        weight = 1 / (1 + (off / np.where(off > 0, width, 2 * width)) ** 2)
        # A little weight on where the mount says the ground is keeps places without ground level.
        normal = (columns * weight[:, None]).T @ columns + np.diag([1e-3, 1e-3, 1e-3])
        right = (columns * weight[:, None]).T @ z + 1e-3 * np.array([0.0, 0.0, -sensor_height])
        found = np.linalg.solve(normal, right)
        steep = float(np.hypot(found[0], found[1]))
        if steep > _STEEPEST:
            found[:2] *= _STEEPEST / steep
    return np.asarray(found[0] * x + found[1] * y + found[2])


@kernel
def _spread(height: np.ndarray, step: float) -> None:
    """Lower cells so that none is higher than a neighbour by more than ``step``, twice there and back."""
    rows, columns = height.shape
    diagonal = step * np.sqrt(2.0)
    for _ in range(2):
        for row in range(rows):
            for column in range(columns):
                if row:
                    height[row, column] = min(height[row, column], height[row - 1, column] + step)
                    if column:
                        height[row, column] = min(height[row, column], height[row - 1, column - 1] + diagonal)
                    if column + 1 < columns:
                        height[row, column] = min(height[row, column], height[row - 1, column + 1] + diagonal)
                if column:
                    height[row, column] = min(height[row, column], height[row, column - 1] + step)
        for row in range(rows - 1, -1, -1):
            for column in range(columns - 1, -1, -1):
                if row + 1 < rows:
                    height[row, column] = min(height[row, column], height[row + 1, column] + step)
                    if column:
                        height[row, column] = min(height[row, column], height[row + 1, column - 1] + diagonal)
                    if column + 1 < columns:
                        height[row, column] = min(height[row, column], height[row + 1, column + 1] + diagonal)
                if column + 1 < columns:
                    height[row, column] = min(height[row, column], height[row, column + 1] + step)
