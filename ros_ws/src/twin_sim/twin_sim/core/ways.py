"""Ways along which scripted actors move: polylines with a position and a heading at every length."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np


class Way:
    """A polyline in the map frame, metres, with rounded corners."""

    def __init__(self, points: Sequence[Sequence[float]] | np.ndarray, rounding: float = 0.0) -> None:
        """Measure the way through ``points`` (N, 2), N >= 2; corners are cut ``rounding`` metres before and after.

        Raises:
            ValueError: fewer than two different points.

        """
        corners = np.asarray(points, float)
        if corners.ndim != 2 or corners.shape[1] != 2:
            raise ValueError(f"points: expected (N, 2), got {corners.shape}")
        keep = np.concatenate([[True], np.hypot(*np.diff(corners, axis=0).T) > 1e-6])
        corners = corners[keep]
        if len(corners) < 2:
            raise ValueError("points: expected at least two different ones")
        self.points = _rounded(corners, rounding) if rounding > 0 and len(corners) > 2 else corners
        steps = np.hypot(*np.diff(self.points, axis=0).T)
        self._along = np.concatenate([[0.0], np.cumsum(steps)])
        self.length = float(self._along[-1])
        self._along_list, self._list = self._along.tolist(), self.points.tolist()

    def position(self, travelled: float) -> tuple[float, float]:
        """Return the point after ``travelled`` metres; the first and last stretch go on beyond the ends."""
        i = min(max(bisect.bisect_right(self._along_list, travelled) - 1, 0), len(self._list) - 2)
        (x0, y0), (x1, y1) = self._list[i], self._list[i + 1]
        fraction = (travelled - self._along_list[i]) / (self._along_list[i + 1] - self._along_list[i])
        return x0 + (x1 - x0) * fraction, y0 + (y1 - y0) * fraction

    def heading(self, travelled: float, base: float) -> float:
        """Return the direction from ``base / 2`` behind to ``base / 2`` ahead, radians."""
        behind, ahead = self.position(travelled - base / 2), self.position(travelled + base / 2)
        return math.atan2(ahead[1] - behind[1], ahead[0] - behind[0])

    def nearest(self, x: float, y: float) -> float:
        """Return the length at which the way comes closest to a point."""
        start, edge = self.points[:-1], np.diff(self.points, axis=0)
        squared = (edge**2).sum(1)
        fraction = np.clip(((np.array([x, y]) - start) * edge).sum(1) / squared, 0.0, 1.0)
        foot = start + fraction[:, None] * edge
        i = int(np.argmin(np.hypot(foot[:, 0] - x, foot[:, 1] - y)))
        return float(self._along[i] + fraction[i] * np.sqrt(squared[i]))


def _rounded(corners: np.ndarray, rounding: float, steps: int = 6) -> np.ndarray:
    """Replace every inner corner by a quadratic Bézier curve that begins and ends ``rounding`` from it."""
    parts = [corners[:1]]
    weights = np.linspace(0.0, 1.0, steps)[:, None]
    for before, corner, after in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        inward, outward = before - corner, after - corner
        lengths = np.hypot(*inward), np.hypot(*outward)
        start = corner + inward / lengths[0] * min(rounding, lengths[0] / 2)
        end = corner + outward / lengths[1] * min(rounding, lengths[1] / 2)
        parts.append((1 - weights) ** 2 * start + 2 * weights * (1 - weights) * corner + weights**2 * end)
    return np.concatenate([*parts, corners[-1:]])


def wrapped(angle: float) -> float:
    """Return an angle in (-pi, pi]."""
    return math.pi - (math.pi - angle) % (2 * math.pi)


def clamp(value: float, limit: float) -> float:
    """Return a value brought into -limit to limit."""
    return max(-limit, min(limit, value))
