"""The directions of a still LiDAR as an image: one row per laser, one column per firing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.core.compiled import kernel
from twin_detection.core.azimuth import azimuth

_FEWEST, _MOST = 90, 8192
#: More lasers than any LiDAR has; memory is taken for each.
_MOST_LASERS = 512
_HALF = np.float32(0.5)


@dataclass(frozen=True, slots=True)
class BeamGrid:
    """Rows of lasers and columns of azimuth; ``phase``: (R,) where in a column each laser fires, in columns."""

    columns: int
    phase: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.phase), self.columns

    def cells(self, xyz: np.ndarray, ring: np.ndarray) -> np.ndarray:
        """Return the direction of (N, 3) float32 points of (N,) lasers as flat indices, (N,) int32.

        Raises:
            ValueError: a laser that the grid has not.

        """
        highest = int(ring.max()) if len(ring) else 0
        if highest >= len(self.phase):
            raise ValueError(f"ring: {highest}; the background was learned with {len(self.phase)} rings")
        return np.asarray(_cells(azimuth(xyz), ring, self.phase, self.columns))


@kernel
def _cells(turn: np.ndarray, ring: np.ndarray, phase: np.ndarray, columns: int) -> np.ndarray:
    """Return the flat indices, (N,) int32, of azimuths (N,), radians, of lasers (N,); ``phase``: (R,) in columns."""
    cell, per_radian = np.empty(len(turn), np.int32), np.float32(columns / (2 * np.pi))
    for place in range(len(turn)):
        column = int(np.floor(turn[place] * per_radian - phase[ring[place]] + _HALF))
        column = column if column >= 0 else column + columns
        if not 0 <= column < columns:  # of a broken number or phase, but in the image all the same
            column %= columns
        cell[place] = column + ring[place] * columns
    return cell


@kernel
def range_image(cell: np.ndarray, distance: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Return the (N,) ranges of one scan as an image, 0 where nothing returned; of two in a cell the later."""
    image = np.zeros(rows * columns, np.float32)
    for place in range(len(cell)):
        image[cell[place]] = distance[place]
    return image.reshape(rows, columns)


def lasers_of(ring: np.ndarray) -> int:
    """Return how many lasers a scan has at least, from the (N,) laser of each return.

    Raises:
        ValueError: more than any LiDAR has.

    """
    count = int(ring.max(initial=0)) + 1
    if count > _MOST_LASERS:
        raise ValueError(f"ring: {count - 1}; expected less than {_MOST_LASERS}")
    return count


def grid_of(xyz: np.ndarray, ring: np.ndarray, columns: int = 0) -> BeamGrid:
    """Return the grid of a scan: its columns from the usual step between the returns of its fullest laser.

    Args:
        xyz: (N, 3) returns, sensor frame, metres.
        ring: (N,) laser of each, counted from 0.
        columns: of a turn; 0: as the scan shows.

    Raises:
        ValueError: more lasers than any LiDAR has.

    """
    counts = np.bincount(ring, minlength=lasers_of(ring))
    turn = np.arctan2(xyz[:, 1], xyz[:, 0]).astype(np.float64) / (2 * np.pi)
    if not columns:
        fullest = np.sort(turn[ring == counts.argmax()])
        step = np.diff(fullest)
        step = step[step > 1 / (2 * _MOST)]
        columns = int(np.clip(round(1 / float(np.median(step))), _FEWEST, _MOST)) if len(step) else _FEWEST
    angle = turn * columns * 2 * np.pi
    rings = len(counts)
    east = np.bincount(ring, weights=np.cos(angle), minlength=rings)
    north = np.bincount(ring, weights=np.sin(angle), minlength=rings)
    return BeamGrid(columns, (np.arctan2(north, east) / (2 * np.pi)).astype(np.float32))
