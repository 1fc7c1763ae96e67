"""What walkers have under their feet, and how they keep off the kerb; looked up on a grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import shapely
from scipy import ndimage
from shapely.ops import substring

from twin_sim.core.network_zones import Lane, Network, carriageway, outline

SIDEWALK, CROSSING, CORNER = 0, 1, 2
CELL = 0.25  # m
KERB_EDGE = 0.45  # m of either end of a crossing that belong to the kerb: who waits stands there
KERB_GAP = 0.45  # m from the middle of a person to the kerb's edge


class WalkingGround:
    """A grid over a network's streets."""

    def __init__(self, network: Network) -> None:
        """Mark the cells whose middle lies in a crossing, a walking area, or between the kerbs."""
        corners = [outline(area) for area in network.walking_areas.values()]
        crossings = list(network.crossings.values())
        streets = list(carriageway(network).values())
        bounds = np.array([shape.bounds for shape in [*corners, *streets] if not shape.is_empty]).reshape(-1, 4)
        self._start = bounds[:, :2].min(axis=0) - 1.0 if len(bounds) else np.zeros(2)
        end = bounds[:, 2:].max(axis=0) + 1.0 if len(bounds) else np.zeros(2)
        size = np.ceil((end - self._start) / CELL).astype(int) + 1
        self._cells = np.zeros(size, np.uint8)
        self._mark(self._cells, corners, CORNER)
        self._mark(self._cells, [lane.area() for lane in crossings], CORNER)
        self._mark(self._cells, [_between_kerbs(lane) for lane in crossings], CROSSING)
        road = np.zeros(size, np.uint8)
        self._mark(road, streets, 1)
        self._off_kerb = _inset(road == 1)

    def _mark(self, cells: np.ndarray, shapes: Iterable[shapely.Geometry], kind: int) -> None:
        for shape in shapes:
            if shape.is_empty:
                continue
            low = np.floor((np.array(shape.bounds[:2]) - self._start) / CELL).astype(int)
            high = np.ceil((np.array(shape.bounds[2:]) - self._start) / CELL).astype(int) + 1
            x, y = (self._start[k] + (np.arange(low[k], high[k]) + 0.5) * CELL for k in (0, 1))
            shapely.prepare(shape)
            inside = shapely.contains_xy(shape, *np.meshgrid(x, y, indexing="ij"))
            part = cells[low[0] : high[0], low[1] : high[1]]
            part[inside[: part.shape[0], : part.shape[1]]] = kind

    def _index(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i = np.floor((x - self._start[0]) / CELL).astype(int)
        j = np.floor((y - self._start[1]) / CELL).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < self._cells.shape[0]) & (j < self._cells.shape[1])
        return inside, np.where(inside, i, 0), np.where(inside, j, 0)

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return what is at points (N,) and (N,), metres, map frame."""
        inside, i, j = self._index(x, y)
        return np.where(inside, self._cells[i, j], SIDEWALK)

    def off_kerb(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return by how much people at points (N,) and (N,) who are not crossing stand back, (N, 2) metres."""
        inside, i, j = self._index(x, y)
        return np.where(inside[:, None], self._off_kerb[i, j], 0.0)


def _between_kerbs(lane: Lane) -> shapely.Geometry:
    line = shapely.LineString(lane.shape)
    inner = substring(line, KERB_EDGE, max(line.length - KERB_EDGE, KERB_EDGE))
    return inner.buffer(lane.width / 2, cap_style="flat") if inner.length > 0 else shapely.Polygon()


def _inset(road: np.ndarray) -> np.ndarray:
    """Return the shift that leads from every cell to KERB_GAP off the road, (X, Y, 2) metres, 0 farther away."""
    shift = np.zeros((*road.shape, 2), np.float32)
    if not road.any() or road.all():
        return shift
    outside, to_road = ndimage.distance_transform_edt(~road, return_indices=True)
    inside, to_walk = ndimage.distance_transform_edt(road, return_indices=True)
    depth = np.where(road, -inside + 0.5, outside - 0.5) * CELL  # distance to the kerb's edge, negative on the road
    near = (depth < KERB_GAP) & (depth > -1.0)
    place = np.argwhere(near)
    other = np.where(road[near][:, None], to_walk[:, near].T, to_road[:, near].T)
    away = np.where(road[near][:, None], other - place, place - other).astype(float)
    away /= np.maximum(np.hypot(away[:, 0], away[:, 1]), 1e-9)[:, None]
    shift[near] = away * (KERB_GAP - depth[near])[:, None]
    return shift
