"""Where a vehicle is on the map: its scan, registered to the walls and the ground that the district's file tells of.

One scan gives the place within centimetres where the guess is within a metre or two; farther off the walls of another
bay of the street fit as well. So places around the guess are tried now and then, and the one that explains most of what
stands high is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from twin_common.core import geometry
from twin_common.core.own_motion import OwnMotion, compensated
from twin_localization.core.registration import Registration, register
from twin_localization.core.static_map import GROUND, WALL, StaticMap

_GATES = (1.0, 0.7, 0.5, 0.4, 0.3, 0.25)  # metres, one step of the registration each
_NEAREST = 3.0  # metres: the vehicle itself
_HIGH = 2.5  # metres above the road: walls, where little else is
_MOVED = 15.0  # metres, after which the surfaces around are chosen anew
_STEP, _TRIED_GATE, _TRIED_POINTS = 1.2, 0.8, 200  # of the places that are tried: metres, metres, points
_BEST = 3  # of them are registered
_SEARCHED = (3.0, 8.0)  # metres: how far around the guess at least, at most
_LEAST = 100  # points on walls, and on the ground
_AXES = [3, 4, 5, 2]  # x, y, z and yaw of a registration's covariance


class MatcherSettings(Protocol):
    """What a matcher needs to know; see ``config.MapMatcherConfig``."""

    @property
    def reach(self) -> float:
        """Metres."""

    @property
    def points(self) -> int:
        """Of a scan that are registered."""

    @property
    def road(self) -> float:
        """Height of the roads, metres."""

    @property
    def min_share(self) -> float:
        """Least share of the high points that lie on walls."""

    @property
    def map_sigma(self) -> float:
        """Metres."""

    @property
    def search_sigma(self) -> float:
        """Metres."""

    @property
    def search_every(self) -> float:
        """Seconds."""


@dataclass(frozen=True, slots=True)
class Match:
    """Place of base_link (x, y, z, yaw) with covariance (4, 4), and the share of what stands high that is on walls.

    ``problem`` says in one line why the place is not to be believed; else None.
    """

    place: np.ndarray
    covariance: np.ndarray
    share: float
    problem: str | None = None


class MapMatcher:
    """Registers scans of one vehicle.

    Args:
        settings: limits.
        surfaces: gives the static map around a place (2,).
        base_from_lidar: mount, (4, 4).

    """

    def __init__(
        self, settings: MatcherSettings, surfaces: Callable[[np.ndarray], StaticMap], base_from_lidar: np.ndarray
    ) -> None:
        """Start without a place."""
        self._settings = settings
        self._surfaces = surfaces
        self._mount = base_from_lidar
        self._known: StaticMap | None = None
        self._centre = np.full(2, np.inf)
        self._searched_ns: int | None = None

    def match(
        self, points: np.ndarray, time_offset: np.ndarray, motion: OwnMotion, guess: np.ndarray, sigma: float
    ) -> Match:
        """Return where a scan lies on the map.

        Args:
            points: (N, 3) metres, sensor frame, each at its own time.
            time_offset: (N,) seconds after the stamp.
            motion: of base_link, in its own axes, at the stamp.
            guess: map_from_base (4, 4) at the stamp.
            sigma: metres, how far off the guess may be.

        """
        guess = guess.copy()
        guess[2, 3] = self._settings.road  # a vehicle stands on it; receivers are worst in height
        high, low = self._chosen(points, time_offset, motion, guess)
        if min(len(high), len(low)) < _LEAST:
            return _refused(f"{len(high)} points above {_HIGH:g} m, {len(low)} below; expected {_LEAST} of each")
        known = self._around(guess[:2, 3])
        both = np.concatenate([high, low])
        found: list[Registration] = []
        for start in self._starts(high, guess, known, sigma, motion.stamp_ns):
            try:
                found.append(register(both, start, known, _GATES))
            except ValueError:
                continue
        if not found:
            return _refused("no walls and no ground of the map where the scan has them")
        best = max(found, key=lambda item: int(np.count_nonzero(item.kind == WALL)))
        return self._judged(best, len(high))

    def _chosen(
        self, points: np.ndarray, time_offset: np.ndarray, motion: OwnMotion, guess: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what stands high and what is low of a scan, base_link at the stamp; the same for the same scan."""
        distance = np.linalg.norm(points, axis=1)
        near = np.isfinite(distance) & (distance > _NEAREST) & (distance < self._settings.reach)
        base = geometry.apply(self._mount, points[near].astype(float))
        base = compensated(base, time_offset[near], motion)
        above = geometry.apply(guess, base)[:, 2] - self._settings.road > _HIGH
        rng, half = np.random.default_rng(0), self._settings.points // 2
        high, low = (base[rows] for rows in (above, ~above))
        return high[rng.permutation(len(high))[:half]], low[rng.permutation(len(low))[:half]]

    def _around(self, place: np.ndarray) -> StaticMap:
        if self._known is None or np.linalg.norm(place - self._centre) > _MOVED:
            self._known, self._centre = self._surfaces(place), place.copy()
        return self._known

    def _starts(
        self, high: np.ndarray, guess: np.ndarray, known: StaticMap, sigma: float, stamp_ns: int
    ) -> list[np.ndarray]:
        """Return poses (4, 4) to begin with: the guess, or the best of the places around it."""
        fresh = self._searched_ns is not None and 0 <= stamp_ns - self._searched_ns < self._settings.search_every * 1e9
        if fresh and sigma < self._settings.search_sigma:
            return [guess]
        self._searched_ns = stamp_ns
        count = int(np.ceil(np.clip(2 * sigma, *_SEARCHED) / _STEP))
        axis = _STEP * np.arange(-count, count + 1)
        shifts = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        placed = geometry.apply(guess, high[:_TRIED_POINTS])
        fits = np.empty(len(shifts))
        for k, shift in enumerate(shifts):
            fits[k] = len(known.match(placed + np.append(shift, 0.0), _TRIED_GATE).index)
        order = np.lexsort((np.linalg.norm(shifts, axis=1), -fits))[:_BEST]
        starts = [guess]
        for shift in shifts[order]:
            start = guess.copy()
            start[:2, 3] += shift
            starts.append(start)
        return starts

    def _judged(self, found: Registration, high: int) -> Match:
        walls, ground = (int(np.count_nonzero(found.kind == kind)) for kind in (WALL, GROUND))
        share = walls / high
        place = np.array([*found.pose[:3, 3], geometry.yaw_of(found.pose)])
        error = self._settings.map_sigma
        of_map = np.diag(np.square([error, error, error, error / self._settings.reach]))
        covariance = found.covariance[np.ix_(_AXES, _AXES)] + of_map
        problem = None
        if share < self._settings.min_share:
            problem = f"{share:.0%} of what stands high is on walls of the map; expected {self._settings.min_share:.0%}"
        elif ground < _LEAST:
            problem = f"{ground} points on the ground of the map; expected {_LEAST}"
        return Match(place, covariance, share, problem)


def _refused(problem: str) -> Match:
    return Match(np.zeros(4), np.zeros((4, 4)), 0.0, problem)
