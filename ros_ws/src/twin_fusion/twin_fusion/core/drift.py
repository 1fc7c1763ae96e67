"""Whether a still sensor has moved since what stands still about it was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin_fusion.core.cloud_map import CloudMap, thinned
from twin_fusion.core.registration import correction, register

_NEAREST = 2.5  # metres: nearer points are of the mount itself
_GATES = (0.8, 0.6, 0.4, 0.3, 0.2, 0.15)
_FEWEST = 100  # points on known surfaces, without which nothing can be told
_REFERENCE_CELL, _REFERENCE_SURFACES, _CELL = 0.3, 5000, 0.5


class DriftSettings(Protocol):
    """What is reported; see ``config.AlignmentConfig``."""

    @property
    def patience(self) -> int:
        """Checks."""

    @property
    def max_turn_deg(self) -> float:
        """Degrees."""

    @property
    def max_shift(self) -> float:
        """Metres."""

    @property
    def min_share(self) -> float:
        """0..1."""

    @property
    def points(self) -> int:
        """Points of a check."""

    @property
    def reach(self) -> float:
        """Metres."""


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found: ``turn_deg`` and ``shift`` (m) since the reference, ``share`` of points on its surfaces.

    ``problem``: one line once it has been so for as many checks as wanted, else None.
    """

    turn_deg: float
    shift: float
    share: float
    problem: str | None


class DriftCheck:
    """Compares scans with the first one, by registration of some of their points; everything in the sensor's frame."""

    def __init__(self, settings: DriftSettings, reference: np.ndarray) -> None:
        """Learn what stands still, from points (N, 3) of one scan.

        Raises:
            ValueError: there are too few, or too few of them on surfaces.

        """
        self._settings = settings
        self._map = CloudMap(self._usable(reference), _REFERENCE_CELL, _REFERENCE_SURFACES)
        self._share = len(self._map.match(self._sample(reference), _GATES[-1]).index)
        if self._share < _FEWEST:
            raise ValueError(f"reference: {self._share} points on surfaces; expected at least {_FEWEST}")
        self._bad = 0

    def check(self, points: np.ndarray) -> Check:
        """Compare a scan (N, 3) with the reference."""
        sample = self._sample(points)
        try:
            found = register(sample, np.eye(4), self._map, _GATES)
        except ValueError:
            return self._judged(float("nan"), float("nan"), 0.0)
        turn, shift = correction(np.eye(4), found.pose)
        share = len(found.residual) / max(self._share, 1)
        return self._judged(float(np.degrees(np.linalg.norm(turn))), float(np.linalg.norm(shift)), share)

    def _judged(self, turn_deg: float, shift: float, share: float) -> Check:
        settings = self._settings
        lost = share < settings.min_share
        moved = turn_deg > settings.max_turn_deg or shift > settings.max_shift
        self._bad = self._bad + 1 if lost or moved else 0
        problem = None
        if self._bad >= settings.patience and lost:
            problem = f"LiDAR sees {share:.0%} of the surfaces it knew: covered, or its mount has moved far"
        elif self._bad >= settings.patience:
            problem = f"mount of the LiDAR has turned by {turn_deg:.2f} deg and shifted by {shift:.2f} m"
        return Check(turn_deg, shift, share, problem)

    def _usable(self, points: np.ndarray) -> np.ndarray:
        distance = np.linalg.norm(points, axis=1)
        return np.asarray(points[(distance > _NEAREST) & (distance < self._settings.reach)], float)

    def _sample(self, points: np.ndarray) -> np.ndarray:
        """Return evenly spread points of a scan, the same for the same scan."""
        spread = thinned(self._usable(points), _CELL)
        count = min(self._settings.points, len(spread))
        return np.asarray(spread[np.linspace(0, max(len(spread) - 1, 0), count).astype(int)])
