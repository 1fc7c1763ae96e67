"""The points around each of many places: those in its box, or those near it, turned along its view."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

_CELL = 1.0  # of the coarse grid in which points near a place are sought, metres


def points_around(
    points: np.ndarray, height: np.ndarray, between: tuple[float, float], place: np.ndarray, bearing: np.ndarray,
    radius: float, most: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return what is around places, (D, most, 3) float32, metres, and how many points there are, (D,).

    Places are at the origin, x along the bearing, z the height. Of more than ``most`` points some are taken, evenly in
    the order of the grid's rows; fewer are repeated; where there are none, all is 0.

    Args:
        points: (N, 2 or more) x and y, metres.
        height: (N,) of the points, metres.
        between: heights of the points that count, both exclusive, metres.
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
    cells = _Cells(points, height, between, place, np.full(len(place), radius))
    return _points_around(
        cells.points, cells.height, cells.ordered, cells.first, cells.columns, cells.middle, cells.around, cells.place,
        bearing, radius**2, most,
    )  # fmt: skip


def points_in_boxes(
    points: np.ndarray, height: np.ndarray, lowest: float, centre: np.ndarray, half: np.ndarray, top: np.ndarray,
    yaw: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the indices of the points within one of D boxes after another, (M,), and where those of each end, (D,).

    Args:
        points: (N, 2 or more) x and y, metres.
        height: (N,) of the points, metres.
        lowest: exclusive, of the heights of the points that count, metres.
        centre: (D, 2) of the boxes, metres.
        half: (D, 2) of length and width, exclusive, metres.
        top: (D,) height below which points are in a box, metres.
        yaw: (D,) radians.

    """
    boxes = (len(yaw), 2)
    if height.shape != (len(points),) or centre.shape != boxes or half.shape != boxes or top.shape != yaw.shape:
        raise ValueError(
            f"points, height, centre, half, top, yaw: expected (N, 2), (N,), (D, 2), (D, 2), (D,), (D,), got "
            f"{points.shape}, {height.shape}, {centre.shape}, {half.shape}, {top.shape}, {yaw.shape}"
        )
    if not len(centre):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    extent = np.ascontiguousarray(half, float)
    cells = _Cells(points, height, (lowest, np.inf), centre, np.hypot(*extent.T))
    return _points_in_boxes(
        cells.points, cells.height, cells.ordered, cells.first, cells.columns, cells.middle, cells.around, cells.place,
        extent, top, np.cos(yaw), np.sin(yaw),
    )  # fmt: skip


class _Cells:
    """Points near places, sorted by the cells of a coarse grid; all in the types that the kernels are compiled for.

    Attributes:
        points, height: (N, 2 or more) and (N,) float32, metres.
        place: (D, 2) metres.
        ordered: (M,) indices of the points near any place and between two heights, cell after cell, row after row.
        first: (C + 1,) where each of the cells begins in ``ordered``.
        columns: cells of a row.
        middle: (D,) cell of each place.
        around: (D,) how many cells the radius of each place is.

    """

    def __init__(
        self, points: np.ndarray, height: np.ndarray, between: tuple[float, float], place: np.ndarray,
        radius: np.ndarray,
    ) -> None:  # fmt: skip
        """Sort points; ``between``: heights, both exclusive; ``radius``: (D,) of the places, metres."""
        if points.ndim != 2 or points.shape[1] < 2:
            raise ValueError(f"points: expected (N, 2 or more), got {points.shape}")
        self.points, self.height = np.ascontiguousarray(points, np.float32), np.ascontiguousarray(height, np.float32)
        self.place = np.ascontiguousarray(place, float)
        self.around = np.ceil(radius / _CELL).astype(np.int64)
        margin = int(self.around.max()) + 1
        # The grid is the same wherever it begins, so that a place is given the same points whoever is beside it.
        cell = np.floor(self.place / _CELL).astype(np.int64)
        first = cell.min(axis=0) - margin
        low, cell = first * _CELL, cell - first
        rows, self.columns = (int(far) for far in cell.max(axis=0) + margin + 1)
        self.middle = cell[:, 0] * self.columns + cell[:, 1]
        lowest, highest = np.float32(between[0]), np.float32(between[1])
        self.ordered, self.first = _by_cell(
            self.points, self.height, lowest, highest, low, rows, self.columns, self.middle, self.around
        )


@kernel
def _by_cell(
    points: np.ndarray, height: np.ndarray, lowest: np.float32, highest: np.float32, low: np.ndarray, rows: int,
    columns: int, middle: np.ndarray, around: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return the points near places, cell after cell of the grid that begins at ``low``, and where each cell begins."""
    near = np.zeros((rows, columns), np.bool_)
    for one in range(len(middle)):
        row, column, far = middle[one] // columns, middle[one] % columns, around[one]
        near[row - far : row + far + 1, column - far : column + far + 1] = True
    chosen, cell, count = np.empty(len(points), np.int32), np.empty(len(points), np.int32), 0
    first = np.zeros(rows * columns + 1, np.int64)
    for index in range(len(points)):
        if not lowest < height[index] < highest:
            continue
        row, column = int((points[index, 0] - low[0]) / _CELL), int((points[index, 1] - low[1]) / _CELL)
        if 0 <= row < rows and 0 <= column < columns and near[row, column]:
            chosen[count], cell[count] = index, row * columns + column
            first[cell[count] + 1] += 1
            count += 1
    for index in range(rows * columns):
        first[index + 1] += first[index]
    ordered, filled = np.empty(count, np.int32), first[:-1].copy()
    for at in range(count):
        ordered[filled[cell[at]]] = chosen[at]
        filled[cell[at]] += 1
    return ordered, first


@kernel
def _points_around(
    points: np.ndarray, height: np.ndarray, ordered: np.ndarray, first: np.ndarray, columns: int, middle: np.ndarray,
    around: np.ndarray, place: np.ndarray, bearing: np.ndarray, radius2: float, most: int,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    found, count = np.zeros((len(place), most, 3), np.float32), np.zeros(len(place), np.int64)
    close = np.empty(len(ordered), np.int32)
    for one in range(len(place)):
        x, y, far, total = place[one, 0], place[one, 1], around[one], 0
        for row in range(-far, far + 1):
            begin = middle[one] + row * columns
            for index in ordered[first[begin - far] : first[begin + far + 1]]:
                dx, dy = points[index, 0] - x, points[index, 1] - y
                if dx * dx + dy * dy < radius2:
                    close[total] = index
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


@kernel
def _points_in_boxes(
    points: np.ndarray, height: np.ndarray, ordered: np.ndarray, first: np.ndarray, columns: int, middle: np.ndarray,
    around: np.ndarray, centre: np.ndarray, half: np.ndarray, top: np.ndarray, cos: np.ndarray, sin: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    inside: np.ndarray = np.empty(len(ordered), np.int64)
    end, total = np.zeros(len(centre), np.int64), 0
    for one in range(len(centre)):
        x, y, far = centre[one, 0], centre[one, 1], around[one]
        for row in range(-far, far + 1):
            begin = middle[one] + row * columns
            near = ordered[first[begin - far] : first[begin + far + 1]]
            if total + len(near) > len(inside):  # boxes may share points
                inside = np.append(inside, inside)
            for index in near:
                dx, dy = points[index, 0] - x, points[index, 1] - y
                along, across = dx * cos[one] + dy * sin[one], dy * cos[one] - dx * sin[one]
                if abs(along) < half[one, 0] and abs(across) < half[one, 1] and height[index] < top[one]:
                    inside[total] = index
                    total += 1
        end[one] = total
    return inside[:total].copy(), end
