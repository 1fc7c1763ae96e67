"""Names of places for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin_common.core.geometry import inside_polygon


@dataclass(frozen=True, slots=True)
class Gazetteer:
    """Named polygons (K, 2) and named points (2,), map frame, metres."""

    zones: Sequence[tuple[str, np.ndarray]]
    points: Sequence[tuple[str, np.ndarray]]

    def place(self, x: float, y: float) -> str:
        """Return the names of the zones that contain a point, smallest first, or the nearest named point."""
        position = np.array([[x, y]])
        inside = [(_area(corners), name) for name, corners in self.zones if inside_polygon(position, corners)[0]]
        if inside:
            return ", ".join(dict.fromkeys(name for _, name in sorted(inside)))
        if not self.points:
            return f"x {x:.0f} m, y {y:.0f} m"
        distance, name = min((float(np.hypot(*(point - position[0]))), name) for name, point in self.points)
        return f"{distance:.0f} m from {name}"


def _area(corners: np.ndarray) -> float:
    x, y = corners.T
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))
