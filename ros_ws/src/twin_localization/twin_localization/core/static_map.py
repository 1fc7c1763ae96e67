"""The surfaces of a district that its file tells: walls of buildings, the road, and the kerb beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from twin_common.core.geometry import inside_polygon
from twin_localization.core.registration import Matches

WALL, GROUND = 0, 1
_LOW, _CORNER = 2.5, 0.3  # metres: below it shops and plants hide walls; this near to an end walls are not matched
_UNKNOWN_HEIGHT = 6.0  # metres, of a building of which none is told
_WALL_SIGMA, _GROUND_SIGMA = 0.3, 0.03  # metres: facades have signs, sills and recessed windows
_GROUND_GATE = (0.1, 0.4)  # metres, narrowest and widest
_EDGE_WIDTH = (0.08, 0.5)  # metres, over which the kerb rises
_EDGE_REACH = 2.0  # metres from the road's edge, outside it, the ground is known to be pavement


@dataclass(frozen=True, slots=True)
class Walls:
    """Walls as segments ``start`` (S, 2) to ``end`` (S, 2), the building to their left, up to ``top`` (S,); metres."""

    start: np.ndarray
    end: np.ndarray
    top: np.ndarray

    def near(self, place: np.ndarray, reach: float) -> Walls:
        """Return those within ``reach`` metres of a place (2,)."""
        kept = _distance_to_segments(place[None, :2], self.start, self.end)[0] < reach
        return Walls(self.start[kept], self.end[kept], self.top[kept])


def walls_of(buildings: Sequence[tuple[np.ndarray, float]]) -> Walls:
    """Return the walls of buildings: corners (N, 2) and height each, map frame; height 0: not known."""
    starts: list[np.ndarray] = [np.zeros((0, 2))]
    ends: list[np.ndarray] = [np.zeros((0, 2))]
    tops: list[np.ndarray] = [np.zeros(0)]
    for corners, height in buildings:
        after = np.roll(corners, -1, axis=0)
        area = np.sum(corners[:, 0] * after[:, 1] - after[:, 0] * corners[:, 1])
        ring = corners if area > 0 else corners[::-1]
        starts.append(ring)
        ends.append(np.roll(ring, -1, axis=0))
        tops.append(np.full(len(ring), height or _UNKNOWN_HEIGHT))
    return Walls(np.concatenate(starts), np.concatenate(ends), np.concatenate(tops))


class StaticMap:
    """Walls and ground around a place, map frame, metres.

    Args:
        walls: of all buildings.
        roads: corners (N, 2) of polygons that cover the road; they may overlap.
        edges: (E, 2, 2) segments, the edge of all roads together.
        road_height: of the road's surface.
        kerb: how much higher the ground beside the road is.
        place: (2,), of the sensor.
        reach: only what lies within it is matched.

    """

    def __init__(
        self, walls: Walls, roads: Sequence[np.ndarray], edges: np.ndarray, road_height: float, kerb: float,
        place: np.ndarray, reach: float = 70.0,
    ) -> None:  # fmt: skip
        """Keep what is near."""
        self._place, self._reach = np.asarray(place, float)[:2], reach
        self.walls = walls.near(self._place, reach)
        near = _distance_to_segments(self._place[None], edges[:, 0], edges[:, 1])[0] < reach
        self._edges = edges[near]
        self._roads = [
            polygon for polygon in roads
            if _distance_to_segments(self._place[None], polygon, np.roll(polygon, -1, axis=0)).min() < reach
            or inside_polygon(self._place[None], polygon)[0]
        ]  # fmt: skip
        self._height, self._kerb = road_height, kerb

    def match(self, points: np.ndarray, gate: float) -> Matches:
        """Return the walls and the ground within ``gate`` metres of points (N, 3)."""
        wall, ground = self._match_walls(points, gate), self._match_ground(points, gate)
        return Matches(*(np.concatenate([getattr(wall, name), getattr(ground, name)]) for name in Matches.__slots__))

    def share_of_ground(self, points: np.ndarray) -> float:
        """Return which share of the points (N, 3) near the ground's height are road or pavement as they should be."""
        within = _GROUND_GATE[0]
        off = points[:, 2] - self._height
        near = np.linalg.norm(points[:, :2] - self._place, axis=1) < self._reach
        low = points[near & (off > -within) & (off < self._kerb + within)]
        beside, _ = self._beside(low[:, :2])
        low, beside = low[beside < _EDGE_REACH], beside[beside < _EDGE_REACH]
        expected = self._height + np.where(beside > 0, self._kerb, 0.0)
        clear = np.abs(beside) > _EDGE_WIDTH[0]
        fits = np.abs(low[:, 2] - expected) < 0.3 * self._kerb + 0.01
        return float(np.count_nonzero(fits & clear) / max(np.count_nonzero(clear), 1))

    def _match_walls(self, points: np.ndarray, gate: float) -> Matches:
        above = np.flatnonzero(points[:, 2] > self._height + _LOW)
        walls = self.walls
        if not len(above) or not len(walls.start):
            return _no_matches()
        place, span = points[above, :2], walls.end - walls.start
        length = np.linalg.norm(span, axis=1)
        along = span / length[:, None]
        outward = np.stack([along[:, 1], -along[:, 0]], axis=1)
        offset = place[:, None] - walls.start[None]
        run, out = np.einsum("nsi,si->ns", offset, along), np.einsum("nsi,si->ns", offset, outward)
        inside = (run > _CORNER) & (run < length - _CORNER) & (points[above, 2, None] < walls.top - _CORNER)
        distance = np.where(inside & (np.abs(out) < gate), np.abs(out), np.inf)
        best = np.argmin(distance, axis=1)
        rows = np.flatnonzero(np.isfinite(distance[np.arange(len(above)), best]))
        normal = np.zeros((len(rows), 3))
        normal[:, :2] = outward[best[rows]]
        return Matches(
            above[rows], out[rows, best[rows]], normal, np.full(len(rows), _WALL_SIGMA), np.full(len(rows), WALL)
        )

    def _match_ground(self, points: np.ndarray, gate: float) -> Matches:
        """Match the height of the ground, which rises from road to pavement over some width: that finds its edge."""
        within = float(np.clip(gate, *_GROUND_GATE))
        off = points[:, 2] - self._height
        near = np.linalg.norm(points[:, :2] - self._place, axis=1) < self._reach
        low = np.flatnonzero(near & (off > -within) & (off < self._kerb + within))
        beside, outward = self._beside(points[low, :2])
        width = float(np.clip(gate / 2, *_EDGE_WIDTH))
        share = 1 / (1 + np.exp(-np.clip(beside / width, -30, 30)))
        rise = off[low] - self._kerb * share
        rows = np.flatnonzero((np.abs(rise) < within) & (beside < _EDGE_REACH))
        normal = np.tile((0.0, 0.0, 1.0), (len(rows), 1))
        slope = self._kerb * share[rows] * (1 - share[rows]) / width
        normal[:, :2] = -slope[:, None] * outward[rows]
        sigma = np.full(len(rows), _GROUND_SIGMA)
        return Matches(low[rows], rise[rows], normal, sigma, np.full(len(rows), GROUND))

    def _beside(self, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far places (N, 2) lie from the road, negative on it, and the direction away from it (N, 2)."""
        inside = np.zeros(len(places), bool)
        for polygon in self._roads:
            left = np.flatnonzero(~inside)
            inside[left[inside_polygon(places[left], polygon)]] = True
        if not len(self._edges):
            return np.where(inside, -np.inf, np.inf), np.zeros_like(places)
        distance = _distance_to_segments(places, self._edges[:, 0], self._edges[:, 1])
        best = np.argmin(distance, axis=1)
        span = self._edges[best, 1] - self._edges[best, 0]
        offset = places - self._edges[best, 0]
        run = np.clip(np.sum(offset * span, axis=1) / np.maximum(np.sum(span**2, axis=1), 1e-9), 0, 1)
        away = offset - run[:, None] * span
        shortest = distance[np.arange(len(places)), best]
        outward = away / np.maximum(shortest, 1e-6)[:, None] * np.where(inside, -1.0, 1.0)[:, None]
        return np.where(inside, -shortest, shortest), outward


def _distance_to_segments(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the distances (N, S) of points (N, 2) to segments from (S, 2) to (S, 2)."""
    span = end - start
    x, y = points[:, 0, None] - start[:, 0], points[:, 1, None] - start[:, 1]
    run = np.clip((x * span[:, 0] + y * span[:, 1]) / np.maximum(np.sum(span**2, axis=1), 1e-9), 0, 1)
    return np.asarray(np.hypot(x - run * span[:, 0], y - run * span[:, 1]))


def _no_matches() -> Matches:
    return Matches(np.zeros(0, int), np.zeros(0), np.zeros((0, 3)), np.zeros(0), np.zeros(0, int))
