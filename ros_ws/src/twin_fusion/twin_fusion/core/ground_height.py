"""Height of the ground: a plane, raised where people walk, corrected by the feet of what a LiDAR sees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from twin_common.core.geometry import inside_polygon

_CELL = 1.0  # metres
_MARGIN = 20.0  # metres around all corners
_WIDTH = 4000  # cells at most, along each side
_KERB_SIGMA = 0.05  # metres: where the map tells road from pavement
_PLANE_SIGMA = 0.15  # metres: where it does not
_LEAST_SIGMA = 0.05  # metres: boxes end in the wheels and shoes of what is measured
_FEET_SIGMA = 0.15  # metres, of one measurement
_SURE, _POINTS = 0.6, 15  # of an object whose underside counts
_MEMORY = 50.0  # measurements


class Ground:
    """Heights on a grid over a district.

    ``level`` is the height of the road (map frame, metres) and may be set anew while a platform moves.

    Args:
        level: of the road, or of everything where there are no roads.
        roads: polygons (N, 2), map frame, metres; all else is raised by ``kerb``. None: nothing is known.
        kerb: metres.

    """

    def __init__(self, level: float, roads: Sequence[np.ndarray] = (), kerb: float = 0.0) -> None:
        """Draw the roads into the grid."""
        self.level = level
        self._kerb = kerb
        corners = np.concatenate(list(roads)) if roads else np.zeros((1, 2))
        low, high = corners.min(axis=0) - _MARGIN, corners.max(axis=0) + _MARGIN
        if not roads:
            low, high = low - 10 * _MARGIN, high + 10 * _MARGIN
        self._origin = low
        shape = np.clip(np.ceil((high - low) / _CELL).astype(int), 1, _WIDTH)
        self._raised = np.full(shape, bool(roads))
        self._sigma = _KERB_SIGMA if roads else _PLANE_SIGMA
        self._feet, self._count = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for polygon in roads:
            self._lower(polygon)

    def _lower(self, polygon: np.ndarray) -> None:
        """Note that a polygon is road."""
        first = np.maximum(np.floor((polygon.min(axis=0) - self._origin) / _CELL).astype(int), 0)
        last = np.ceil((polygon.max(axis=0) - self._origin) / _CELL).astype(int) + 1
        rows, columns = (np.arange(first[i], min(last[i], self._raised.shape[i])) for i in (0, 1))
        grid = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        inside = grid[inside_polygon(self._origin + (grid + 0.5) * _CELL, polygon)]
        self._raised[inside[:, 0], inside[:, 1]] = False

    def raised_by(self, place: np.ndarray) -> float:
        """Return how much higher than the road a place (2,) lies, metres."""
        cell, inside = self._cells(place[None])
        return self._kerb if inside[0] and self._raised[cell][0] else 0.0

    def at(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return height and its standard deviation at places (N, 2), map frame, each (N,) metres."""
        cell, inside = self._cells(places)
        plane = self.level + np.where(inside & self._raised[cell], self._kerb, 0.0)
        count = np.where(inside, self._count[cell], 0.0).astype(float)
        prior, feet = 1 / self._sigma**2, count / _FEET_SIGMA**2
        height = (prior * plane + feet * np.where(count > 0, self._feet[cell], 0.0)) / (prior + feet)
        return height, np.hypot(np.sqrt(1 / (prior + feet)), _LEAST_SIGMA)

    def learn_from(self, objects: np.ndarray) -> None:
        """Take the undersides of what a LiDAR is sure of into account: (N,) DetectedObject, map frame."""
        sure = objects[(objects["existence"] > _SURE) & (objects["point_count"] >= _POINTS)]
        self.learn(np.stack([sure["x"], sure["y"], sure["z"] - 0.5 * sure["height"]], axis=1))

    def learn(self, feet: np.ndarray) -> None:
        """Take the undersides of objects on the ground into account, (N, 3), map frame."""
        feet = feet[np.abs(feet[:, 2] - self.level) < self._kerb + 0.6]
        cell, inside = self._cells(feet[:, :2])
        for row, column, height in zip(cell[0][inside], cell[1][inside], feet[inside, 2], strict=True):
            self._count[row, column] = min(self._count[row, column] + 1, _MEMORY)
            self._feet[row, column] += (height - self._feet[row, column]) / self._count[row, column]

    def _cells(self, places: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
        index = np.floor((places - self._origin) / _CELL).astype(int)
        inside = ((index >= 0) & (index < self._raised.shape)).all(axis=1)
        index = np.clip(index, 0, np.array(self._raised.shape) - 1)
        return (index[:, 0], index[:, 1]), inside
