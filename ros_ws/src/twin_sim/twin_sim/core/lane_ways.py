"""Ways along the lanes of the network, and where its lanes are."""

from __future__ import annotations

import difflib

import numpy as np
import shapely

from twin_common.config import ConfigError
from twin_sim.core.network_zones import Lane, Network
from twin_sim.core.ways import wrapped


class LaneIndex:
    """Driving lanes of a network by name and by place."""

    def __init__(self, network: Network) -> None:
        """Index the driving lanes."""
        self._driving = {edge.name: edge.driving for edge in network.edges}
        self._ends = {edge.name: (edge.start, edge.end) for edge in network.edges}
        self._lanes = [lane for edge in network.edges for lane in edge.driving]
        self._tree = shapely.STRtree([shapely.LineString(lane.shape) for lane in self._lanes])

    def shape(self, edge: str, lane: int) -> np.ndarray:
        """Return the middle line of a lane, (N, 2); ``lane`` counts from the kerb.

        Raises:
            ConfigError: no such edge or lane.

        """
        if edge not in self._driving:
            close = difflib.get_close_matches(edge, self._driving, n=1)
            hint = f"did you mean {close[0]}?" if close else "expected an edge of the district's SUMO network"
            raise ConfigError(f"{edge}: no such edge; {hint}")
        lanes = self._driving[edge]
        if lane >= len(lanes):
            raise ConfigError(f"{edge}: no lane {lane}; it has {len(lanes)} for vehicles")
        return np.asarray(lanes[lane].shape, float)

    def clamped(self, edge: str, lane: int) -> np.ndarray:
        """Return the middle line of a lane, or of the innermost one where there are fewer.

        Raises:
            ConfigError: no such edge.

        """
        return self.shape(edge, min(lane, max(len(self._driving.get(edge, ())) - 1, 0)))

    def way(self, edges: tuple[str, ...], lane: int, reverse: bool = False) -> np.ndarray:
        """Return the middle line along edges, (N, 2), with curves across the junctions between them.

        An edge with fewer lanes is taken on its innermost one. ``reverse`` drives the whole way backwards.

        Raises:
            ConfigError: no such edge, or two that do not meet.

        """
        shapes = [self.clamped(edge, lane) for edge in edges]
        parts = [shapes[0]]
        for i, name in enumerate(edges[1:]):
            if self._ends[edges[i]][1] != self._ends[name][0]:
                raise ConfigError(f"{name}: does not begin where {edges[i]} ends; expected connected edges")
            parts += [_curve(shapes[i], shapes[i + 1]), shapes[i + 1]]
        way = np.concatenate(parts)
        return np.asarray(way[::-1] if reverse else way)

    def against(self, x: float, y: float, yaw: float, reach: float = 3.0) -> bool:
        """Return whether a heading runs against the lane at a point (the nearest within ``reach``, metres)."""
        lane, direction = self._nearest(x, y, reach)
        return lane is not None and abs(wrapped(yaw - direction)) > np.radians(120)

    def _nearest(self, x: float, y: float, reach: float) -> tuple[Lane | None, float]:
        point = shapely.Point(x, y)
        found = self._tree.query_nearest(point, max_distance=reach)
        if not len(found):
            return None, 0.0
        lane = self._lanes[int(np.min(found))]
        line = shapely.LineString(lane.shape)
        along = line.project(point)
        start, end = line.interpolate(max(along - 0.5, 0.0)), line.interpolate(along + 0.5)
        return lane, float(np.arctan2(end.y - start.y, end.x - start.x))


def _curve(before: np.ndarray, after: np.ndarray, steps: int = 12) -> np.ndarray:
    """Return a cubic Bézier curve from the end of one line to the beginning of another, tangent to both, (steps, 2)."""
    start, end = before[-1], after[0]
    out, into = before[-1] - before[-2], after[1] - after[0]
    reach = 0.39 * np.hypot(*(end - start)) * 1.4
    first, second = start + out / np.hypot(*out) * reach, end - into / np.hypot(*into) * reach
    t = np.linspace(0.0, 1.0, steps + 2)[1:-1, None]
    curve = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * first + 3 * t**2 * (1 - t) * second + t**3 * end
    return np.asarray(curve)
