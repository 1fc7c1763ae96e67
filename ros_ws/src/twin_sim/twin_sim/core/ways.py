"""Ways along which scripted actors move: polylines with a position and a heading at every length."""

from __future__ import annotations

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

    def position(self, travelled: float) -> tuple[float, float]:
        """Return the point after ``travelled`` metres; the first and last stretch go on beyond the ends."""
        along, points = self._along, self.points
        i = int(np.searchsorted(along, travelled, side="right")) - 1
        i = min(max(i, 0), len(along) - 2)
        fraction = (travelled - along[i]) / (along[i + 1] - along[i])
        start, end = points[i], points[i + 1]
        return float(start[0] + (end[0] - start[0]) * fraction), float(start[1] + (end[1] - start[1]) * fraction)

    def heading(self, travelled: float, base: float) -> float:
        """Return the direction from ``base / 2`` behind to ``base / 2`` ahead, radians."""
        behind, ahead = self.position(travelled - base / 2), self.position(travelled + base / 2)
        return float(np.arctan2(ahead[1] - behind[1], ahead[0] - behind[0]))

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
    return float(np.pi - (np.pi - angle) % (2 * np.pi))
