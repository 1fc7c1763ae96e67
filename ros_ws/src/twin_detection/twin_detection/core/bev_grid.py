"""A scan seen from above as an image: the input of the learned detector.

Cells hold what differs little between sensors: where something is at which height, how high it reaches, and how many
points are there; intensities, which every maker scales in his own way, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from twin_common.core.compiled import kernel
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
        image = np.zeros((CHANNELS, size * size), np.float32)
        cloud, up = np.ascontiguousarray(points, np.float32), np.ascontiguousarray(height, np.float32)
        _draw(image, cloud, up, size, np.float32(self.reach), np.float32(1 / self.cell))
        image[-1] = _distances(size)
        return image.reshape(CHANNELS, size, size)


@kernel
def _draw(
    image: np.ndarray, points: np.ndarray, height: np.ndarray, size: int, reach: np.float32, density: np.float32
) -> None:
    """Enter points into all channels of an image (CHANNELS, size * size) but the last; ``density``: cells a metre."""
    bottom, top, step = np.float32(SLICES[0]), np.float32(SLICES[-1]), np.float32(1 / _STEP)
    scale, slices = np.float32(1 / SLICES[-1]), len(SLICES) - 1
    count, above = np.zeros((slices, size * size), np.uint8), np.zeros(size * size, np.uint8)
    for index in range(len(points)):
        up, x, y = height[index], points[index, 0], points[index, 1]
        if not (bottom < up < top and abs(x) < reach and abs(y) < reach):
            continue
        row, column = min(int((x + reach) * density), size - 1), min(int((y + reach) * density), size - 1)
        cell = row * size + column
        layer = _SLICE[min(int((up - bottom) * step), len(_SLICE) - 1)]
        if count[layer, cell] < _MANY:
            count[layer, cell] += 1
            image[layer, cell] = _LEVELS[count[layer, cell]]
        if layer and above[cell] < _MANY:
            above[cell] += 1
            image[slices + 1, cell] = _LEVELS[above[cell]]
        image[slices, cell] = max(image[slices, cell], up * scale)


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
