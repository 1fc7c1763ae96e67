"""Whether a still sensor has moved since what stands still about it was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial import cKDTree

from twin_common.core import geometry
from twin_fusion.core.cloud_map import CloudMap, thinned
from twin_localization.core.registration import correction, register

_NEAREST = 2.5  # metres: nearer points are of the mount itself
_GATES = (0.8, 0.6, 0.4, 0.3, 0.2, 0.15)
_FEWEST = 100  # points on known surfaces, without which nothing can be told
_REFERENCE_CELL, _REFERENCE_SURFACES, _CELL = 0.3, 5000, 0.5
_AGREEING = 0.5  # share of the limits within which a check agrees with the reference
_FOUND_AGAIN = 0.7  # and share of its surfaces that are seen again
_STILL_THERE = 0.5  # metres between points of two scans of one thing


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

    ``problem``: one line once it has been so for as many checks as wanted, else None; ``agrees``: whether the reference
    may be renewed with the same scan.
    """

    turn_deg: float
    shift: float
    share: float
    problem: str | None
    agrees: bool = False


class DriftCheck:
    """Compares scans with a reference, by registration of some of their points.

    Everything is in the frame that the sensor had when the reference was learned.
    """

    def __init__(self, settings: DriftSettings, reference: np.ndarray) -> None:
        """Learn what stands still, from points (N, 3) of one scan, or of a ``reference`` that was kept.

        Raises:
            ValueError: there are too few, or too few of them on surfaces.

        """
        self._settings = settings
        self._pose = np.eye(4)
        self._bad = 0
        self._learn(thinned(self._usable(reference), _REFERENCE_CELL))

    def _learn(self, reference: np.ndarray) -> None:
        known = CloudMap(reference, _REFERENCE_CELL, _REFERENCE_SURFACES)
        share = len(known.match(self._sample(reference), _GATES[-1]).index)
        if share < _FEWEST:
            raise ValueError(f"reference: {share} points on surfaces; expected at least {_FEWEST}")
        self.reference, self._map, self._share = reference, known, share

    def check(self, points: np.ndarray) -> Check:
        """Compare a scan (N, 3) with the reference."""
        sample = self._sample(points)
        try:
            found = register(sample, np.eye(4), self._map, _GATES)
        except ValueError:
            return self._judged(float("nan"), float("nan"), 0.0)
        self._pose = found.pose
        turn, shift = correction(np.eye(4), found.pose)
        share = len(found.residual) / max(self._share, 1)
        return self._judged(float(np.degrees(np.linalg.norm(turn))), float(np.linalg.norm(shift)), share)

    def renew(self, points: np.ndarray) -> bool:
        """Follow what stands still, by the scan (N, 3) that was checked last; return whether it could be.

        What is there still stays as it was first seen, so that a mount that creeps is noticed all the same; what has
        come is added where the last check puts it, what has gone is dropped.
        """
        placed = thinned(geometry.apply(self._pose, self._usable(points)), _REFERENCE_CELL)
        if not len(placed):
            return False
        kept = self.reference[_near(self.reference, placed)]
        come = placed[~_near(placed, self.reference)]
        try:
            self._learn(np.concatenate([kept, come]))
        except ValueError:
            return False
        return True

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
        small = turn_deg < _AGREEING * settings.max_turn_deg and shift < _AGREEING * settings.max_shift
        return Check(turn_deg, shift, share, problem, self._bad == 0 and small and share >= _FOUND_AGAIN)

    def _usable(self, points: np.ndarray) -> np.ndarray:
        distance = np.linalg.norm(points, axis=1)
        return np.asarray(points[(distance > _NEAREST) & (distance < self._settings.reach)], float)

    def _sample(self, points: np.ndarray) -> np.ndarray:
        """Return evenly spread points of a scan, the same for the same scan."""
        spread = thinned(self._usable(points), _CELL)
        count = min(self._settings.points, len(spread))
        return np.asarray(spread[np.linspace(0, max(len(spread) - 1, 0), count).astype(int)])


def _near(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which points (N, 3) have one of the others (M, 3) beside them, (N,) bool."""
    distance, _ = cKDTree(others).query(points, distance_upper_bound=_STILL_THERE)
    return np.asarray(np.isfinite(distance))
