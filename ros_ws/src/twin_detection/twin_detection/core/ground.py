"""Height of the ground, as a grid of lowest returns cleaned by a morphological opening."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from twin_detection.core.lowest_returns import LowestReturns

_WINDOW = 7
_MAX_SLOPE = 0.12
_MARGIN = 0.4


class Ground:
    """The ground around a sensor, in a level frame with the sensor at the origin.

    Follows the idea of the progressive morphological filter (Zhang et al. 2003) with one window that is
    larger than a vehicle: the lowest return of each cell, opened, so that cells which hold only an object
    take the height of the ground around it. Cells without returns lie on the plane ``-sensor_height``.

    Args:
        points: (N, 3) float, metres, level frame.
        sensor_height: height of the sensor above the ground below it, metres.
        max_range: half the edge of the grid, metres.

    """

    def __init__(self, points: np.ndarray, sensor_height: float, max_range: float) -> None:
        """Fit the grid."""
        self._grid = LowestReturns(points, max_range)
        lowest, centres = self._grid.lowest, self._grid.centres
        tolerance = _MARGIN + _MAX_SLOPE * np.hypot(centres[:, None], centres[None, :])
        # Stray returns below the ground (mirrors, multipath) and walls without ground are no evidence.
        known = np.abs(lowest + sensor_height) < tolerance
        self.height = _opened(lowest, known, -sensor_height)

    def above(self, points: np.ndarray) -> np.ndarray:
        """Return the height of (N, 3) points above the ground, (N,), metres."""
        return self._grid.above(points, self.height)


def _opened(lowest: np.ndarray, known: np.ndarray, default: float) -> np.ndarray:
    """Return the opening of the known cells; unknown ones take the mean of their surroundings."""
    # Pits of one cell are stray returns, and would spread over the whole window.
    raised = ndimage.maximum_filter(np.where(known, lowest, -np.inf), 3)
    filled = ndimage.minimum_filter(np.where(np.isfinite(raised), raised, np.inf), 3)
    eroded = ndimage.minimum_filter(np.where(known, filled, np.inf), _WINDOW)
    reached = np.isfinite(eroded)
    opened = ndimage.maximum_filter(np.where(reached, eroded, -np.inf), _WINDOW)
    weight = ndimage.uniform_filter(reached.astype(np.float32), 3)
    total = ndimage.uniform_filter(np.where(reached, opened, 0.0).astype(np.float32), 3)
    height = np.where(weight > 0.1, total / np.maximum(weight, 0.1), default)
    return height.astype(np.float32)
