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
_SEARCH_AGAIN_NS = 1_000_000_000  # between two searches, however unsure the guess is
_APART = 1.0  # metres, between two places that are not the same
_AS_GOOD, _BETTER = 0.92, 1.1  # share of the walls of the best place with which another one is as good, or better
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
    def min_ground(self) -> float:
        """Least share of the ground that is road or pavement where the map has them."""

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
        self._lost = False  # whether the last scan was not found

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
        starts = self._starts(high, guess, known, sigma, motion.stamp_ns)
        found = [item for start in starts if (item := _registered(both, start, known)) is not None]
        match = self._best_of(found, known, both, len(high), sigma)
        self._lost = match.problem is not None
        return match

    def _best_of(
        self, found: list[Registration], known: StaticMap, points: np.ndarray, high: int, sigma: float
    ) -> Match:
        """Return the best of the places that were found, the first from the guess itself; none if two are as good."""
        if not found:
            return _refused("no walls and no ground of the map where the scan has them")
        walls = np.array([np.count_nonzero(item.kind == WALL) for item in found])
        best = int(np.argmax(walls))
        if sigma < self._settings.search_sigma and walls[best] < _BETTER * walls[0]:
            best = 0  # the guess was sure, and little speaks against it
        else:
            for number in np.flatnonzero(walls > _AS_GOOD * walls[best]):
                if _differ(found[best], found[number]):
                    apart = np.linalg.norm(found[best].pose[:2, 3] - found[number].pose[:2, 3])
                    return _refused(f"two places {apart:.1f} m apart explain the scan equally well")
        return self._judged(found[best], high, known.share_of_ground(geometry.apply(found[best].pose, points)))

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
        since_ns = np.inf if self._searched_ns is None else abs(stamp_ns - self._searched_ns)
        unsure = self._lost or sigma > self._settings.search_sigma
        if since_ns < (_SEARCH_AGAIN_NS if unsure else self._settings.search_every * 1e9):
            return [guess]
        self._searched_ns = stamp_ns
        around = np.clip(2 * sigma, *_SEARCHED) if np.isfinite(sigma) else _SEARCHED[1]
        count = int(np.ceil(around / _STEP))
        axis = _STEP * np.arange(-count, count + 1)
        shifts = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
        placed = geometry.apply(guess, high[:_TRIED_POINTS])
        fits = np.empty(len(shifts))
        for k, shift in enumerate(shifts):
            fits[k] = len(known.match(placed + np.append(shift, 0.0), _TRIED_GATE).index)
        starts, taken = [guess], np.zeros((0, 2))
        for shift in shifts[np.lexsort((np.linalg.norm(shifts, axis=1), -fits))]:
            if len(starts) > _BEST:
                break
            if (np.linalg.norm(taken - shift, axis=1) > 1.5 * _STEP).all():
                start = guess.copy()
                start[:2, 3] += shift
                starts.append(start)
                taken = np.vstack([taken, shift])
        return starts

    def _judged(self, found: Registration, high: int, on_ground: float) -> Match:
        walls, ground = (int(np.count_nonzero(found.kind == kind)) for kind in (WALL, GROUND))
        share = min(walls / high, 1.0)
        place = np.array([*found.pose[:3, 3], geometry.yaw_of(found.pose)])
        error = self._settings.map_sigma
        of_map = np.diag(np.square([error, error, error, error / self._settings.reach]))
        covariance = found.covariance[np.ix_(_AXES, _AXES)] + of_map
        problem = None
        if share < self._settings.min_share:
            problem = f"{share:.0%} of what stands high is on walls of the map; expected {self._settings.min_share:.0%}"
        elif ground < _LEAST:
            problem = f"{ground} points on the ground of the map; expected {_LEAST}"
        elif on_ground < self._settings.min_ground:
            problem = f"{on_ground:.0%} of the ground is as mapped; expected {self._settings.min_ground:.0%}"
        return Match(place, covariance, share, problem)


def _registered(points: np.ndarray, start: np.ndarray, known: StaticMap) -> Registration | None:
    try:
        return register(points, start, known, _GATES)
    except ValueError:
        return None


def _differ(first: Registration, second: Registration) -> bool:
    """Whether two registrations are of two places: apart, and more than the surfaces leave open."""
    offset = second.pose[:2, 3] - first.pose[:2, 3]
    spread = first.covariance[3:5, 3:5] + second.covariance[3:5, 3:5]
    return bool(np.linalg.norm(offset) > _APART and offset @ np.linalg.solve(spread, offset) > 9.0)


def _refused(problem: str) -> Match:
    return Match(np.zeros(4), np.zeros((4, 4)), 0.0, problem)
