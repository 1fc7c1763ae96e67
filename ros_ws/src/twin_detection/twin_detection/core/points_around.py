"""The points around each of many places, turned along its view: what a second look reads."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

_CELL = 1.0  # of the coarse grid in which points near a place are sought, metres


def points_around(
    points: np.ndarray, height: np.ndarray, place: np.ndarray, bearing: np.ndarray, radius: float, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return what is around places, (D, most, 3) float32, metres, and how many points there are, (D,).

    Places are at the origin, x along the bearing, z the height. Of more than ``most`` points some are taken, evenly in
    the order of the grid's rows; fewer are repeated; where there are none, all is 0.

    Args:
        points: (N, 2 or more) x and y, metres.
        height: (N,) of the points, metres.
        place: (D, 2) metres.
        bearing: (D,) radians.
        radius: metres.
        most: points of each place.

    """
    if height.shape != (len(points),) or bearing.shape != (len(place),) or place.shape != (len(place), 2):
        raise ValueError(
            f"points, height, place, bearing: expected (N, 2), (N,), (D, 2), (D,), got {points.shape}, {height.shape}, "
            f"{place.shape}, {bearing.shape}"
        )
    if not len(place):
        return np.zeros((0, most, 3), np.float32), np.zeros(0, np.int64)
    around = int(np.ceil(radius / _CELL))
    low = place.min(axis=0) - (around + 1) * _CELL
    middle = np.floor((place - low) / _CELL).astype(np.int64)
    rows, columns = (int(far) for far in middle.max(axis=0) + around + 2)
    plane, up = np.ascontiguousarray(points[:, :2], np.float32), np.ascontiguousarray(height, np.float32)
    where = np.ascontiguousarray(place, float)
    return _points_around(plane, up, where, bearing, low, middle, rows, columns, around, radius**2, most)


@kernel
def _points_around(
    points: np.ndarray, height: np.ndarray, place: np.ndarray, bearing: np.ndarray, low: np.ndarray,
    middle: np.ndarray, rows: int, columns: int, around: int, radius2: float, most: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    near = np.zeros((rows, columns), np.bool_)
    for row, column in middle:
        near[row - around : row + around + 1, column - around : column + around + 1] = True
    # Points are sorted by their cells, row after row: ``first`` is where a cell begins.
    cell = np.full(len(points), -1, np.int32)
    first = np.zeros(rows * columns + 1, np.int64)
    for index in range(len(points)):
        row, column = int((points[index, 0] - low[0]) / _CELL), int((points[index, 1] - low[1]) / _CELL)
        if 0 <= row < rows and 0 <= column < columns and near[row, column]:
            cell[index] = row * columns + column
            first[cell[index] + 1] += 1
    for index in range(rows * columns):
        first[index + 1] += first[index]
    ordered = np.empty(first[-1], np.int32)
    filled = first[:-1].copy()
    for index in range(len(points)):
        if cell[index] >= 0:
            ordered[filled[cell[index]]] = index
            filled[cell[index]] += 1
    found, count = np.zeros((len(place), most, 3), np.float32), np.zeros(len(place), np.int64)
    close = np.empty(len(ordered), np.int32)
    for one in range(len(place)):
        x, y, total = place[one, 0], place[one, 1], 0
        for row in range(middle[one, 0] - around, middle[one, 0] + around + 1):
            begin = row * columns + middle[one, 1]
            for at in range(first[begin - around], first[begin + around + 1]):
                dx, dy = points[ordered[at], 0] - x, points[ordered[at], 1] - y
                if dx * dx + dy * dy < radius2:
                    close[total] = ordered[at]
                    total += 1
        count[one] = total
        cos, sin = np.cos(bearing[one]), np.sin(bearing[one])
        for step in range(most if total else 0):
            taken = close[step * total // most if total > most else step % total]
            dx, dy = points[taken, 0] - x, points[taken, 1] - y
            found[one, step, 0] = dx * cos + dy * sin
            found[one, step, 1] = dy * cos - dx * sin
            found[one, step, 2] = height[taken]
    return found, count
