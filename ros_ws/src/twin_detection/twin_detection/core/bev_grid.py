"""A scan seen from above as an image: the input of the learned detector.

Cells hold what differs little between sensors: where something is at which height, how high it reaches, and how many
points are there; intensities, which every maker scales in his own way, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from twin_detection.core.ground import Ground

#: Edges of the slices of height above the ground, metres; the lowest holds the ground itself.
SLICES = (-0.4, 0.2, 0.5, 0.85, 1.25, 1.7, 2.3, 4.0)
#: Channels: a slice each, the top, all points, the distance from the sensor.
CHANNELS = len(SLICES) + 2
_STEP = 0.05  # of heights when slices are looked up, metres
_MANY = 15  # points in a cell beyond which more say nothing
_LEVELS = (np.log1p(np.arange(_MANY + 1)) / np.log1p(_MANY)).astype(np.float32)
_SLICE = (np.searchsorted(SLICES, np.arange(SLICES[0] + _STEP / 2, SLICES[-1], _STEP)) - 1).astype(np.int32)


@dataclass(frozen=True, slots=True)
class BevGrid:
    """A square around the sensor, from -reach to reach along x and y; ``cell`` divides it, metres."""

    reach: float = 50.0
    cell: float = 0.25

    @property
    def cells(self) -> int:
        """Cells along an edge."""
        return round(2 * self.reach / self.cell)

    def image(self, points: np.ndarray, height: np.ndarray) -> np.ndarray:
        """Return the image of a scan, (CHANNELS, cells, cells) float32; rows along x, columns along y.

        Args:
            points: (N, 2 or more) x, y, metres, level frame.
            height: (N,) above the ground, metres; what is out of the slices is left out.

        """
        if points.ndim != 2 or points.shape[1] < 2 or height.shape != (len(points),):
            raise ValueError(f"points, height: expected (N, 2) and (N,), got {points.shape} and {height.shape}")
        size = self.cells
        inside = (height > SLICES[0]) & (height < SLICES[-1])
        inside &= (np.abs(points[:, 0]) < self.reach) & (np.abs(points[:, 1]) < self.reach)
        kept = np.flatnonzero(inside)
        up = height[kept]
        place = ((points[kept, :2] + self.reach) * (1 / self.cell)).astype(np.int32)
        np.minimum(place, size - 1, out=place)
        cell = place[:, 0] * np.int32(size) + place[:, 1]
        layer = _SLICE[np.minimum(((up - SLICES[0]) * (1 / _STEP)).astype(np.int32), len(_SLICE) - 1)]
        image = np.zeros((CHANNELS, size * size), np.float32)
        count = np.bincount(layer * np.int32(size * size) + cell, minlength=(len(SLICES) - 1) * size * size)
        count = count.reshape(len(SLICES) - 1, -1)
        image[:-3] = _LEVELS[np.minimum(count, _MANY)]
        image[-2] = _LEVELS[np.minimum(count[1:].sum(axis=0), _MANY)]
        np.maximum.at(image[-3], cell, (up * (1 / SLICES[-1])).astype(np.float32))
        image[-1] = _distances(size)
        return image.reshape(CHANNELS, size, size)


@lru_cache(maxsize=2)
def _distances(size: int) -> np.ndarray:
    """Return the distance of each cell from the middle, in lengths of half the edge, (size * size,) float32."""
    place = (np.arange(size) + 0.5) / size * 2 - 1
    return np.hypot(place[:, None], place[None]).astype(np.float32).reshape(-1)


def scan_image(points: np.ndarray, sensor_height: float, grid: BevGrid) -> tuple[np.ndarray, np.ndarray, Ground]:
    """Return the image of a scan, the height of its points above the ground, (N,) metres, and the ground.

    ``points``: (N, 3) metres, level frame with the sensor at the origin.
    """
    ground = Ground(points, sensor_height, grid.reach)
    height = ground.above(points)
    return grid.image(points, height), height, ground
