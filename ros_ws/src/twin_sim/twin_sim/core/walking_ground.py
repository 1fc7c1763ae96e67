"""What walkers have under their feet: sidewalk, crossing, or a corner where they wait; looked up on a grid."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.ops import substring

from twin_sim.core.network_zones import Lane, Network, outline

SIDEWALK, CROSSING, CORNER = 0, 1, 2
CELL = 0.25  # m
KERB_EDGE = 0.45  # m of either end of a crossing that belong to the kerb: who waits stands there


class WalkingGround:
    """A grid over a network's crossings and walking areas."""

    def __init__(self, network: Network) -> None:
        """Mark the cells whose middle lies in a crossing or a walking area."""
        shapes = [(CORNER, outline(area)) for area in network.walking_areas.values()]
        shapes += [(CORNER, lane.area()) for lane in network.crossings.values()]
        shapes += [(CROSSING, _between_kerbs(lane)) for lane in network.crossings.values()]
        shapes = [(kind, shape) for kind, shape in shapes if not shape.is_empty]
        bounds = np.array([shape.bounds for _, shape in shapes]).reshape(-1, 4)
        self._start = bounds[:, :2].min(axis=0) if len(bounds) else np.zeros(2)
        end = bounds[:, 2:].max(axis=0) if len(bounds) else np.zeros(2)
        self._cells = np.zeros(np.ceil((end - self._start) / CELL).astype(int) + 1, np.uint8)
        for kind, shape in shapes:
            low = np.floor((np.array(shape.bounds[:2]) - self._start) / CELL).astype(int)
            high = np.ceil((np.array(shape.bounds[2:]) - self._start) / CELL).astype(int) + 1
            x, y = (self._start[k] + (np.arange(low[k], high[k]) + 0.5) * CELL for k in (0, 1))
            inside = shapely.contains_xy(shape, *np.meshgrid(x, y, indexing="ij"))
            part = self._cells[low[0] : high[0], low[1] : high[1]]
            part[inside[: part.shape[0], : part.shape[1]]] = kind

    def at(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Return what is at points (N,) and (N,), metres, map frame."""
        i = np.floor((x - self._start[0]) / CELL).astype(int)
        j = np.floor((y - self._start[1]) / CELL).astype(int)
        inside = (i >= 0) & (j >= 0) & (i < self._cells.shape[0]) & (j < self._cells.shape[1])
        return np.where(inside, self._cells[np.where(inside, i, 0), np.where(inside, j, 0)], SIDEWALK)


def _between_kerbs(lane: Lane) -> shapely.Geometry:
    line = shapely.LineString(lane.shape)
    inner = substring(line, KERB_EDGE, max(line.length - KERB_EDGE, KERB_EDGE))
    return inner.buffer(lane.width / 2, cap_style="flat") if inner.length > 0 else shapely.Polygon()
