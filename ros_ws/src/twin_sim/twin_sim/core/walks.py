"""Where people begin and end their walks: at the district's edge, at doors, and at the gates of crowd areas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely

from twin_common.config import ConfigError
from twin_sim.core.network_zones import Network
from twin_sim.core.traffic import Traffic
from twin_sim.world import CrowdAreaConfig

DOOR_REACH, DOOR_SPACING = 7.0, 9.0  # m from a sidewalk's middle to the facade with the door; between doors
ATTEMPTS = 12
LEAST_WALK = 2  # edges


@dataclass(frozen=True, slots=True)
class Spot:
    """A place along a sidewalk, and where people come from or go to there.

    ``point`` lies on the sidewalk; ``beyond`` off it, at a door or in a gate of ``area`` (an index, and the gate's);
    None: the street leaves the district here.
    """

    edge: str
    position: float
    point: tuple[float, float]
    beyond: tuple[float, float] | None = None
    area: int = -1
    gate: int = -1


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk along the sidewalks of ``edges``."""

    start: Spot
    end: Spot
    edges: tuple[str, ...]


def sidewalk_point(network: Network, edge: str, fraction: float) -> tuple[float, float]:
    """Return the point at a fraction of an edge's sidewalk.

    Raises:
        ConfigError: no such edge, or it has no sidewalk.

    """
    lane = network.edge(edge).walk
    if lane is None:
        raise ConfigError(f"{edge}: no sidewalk; expected an edge with one")
    point = shapely.LineString(lane.shape).interpolate(min(max(fraction, 0.0), 1.0), normalized=True)
    return float(point.x), float(point.y)


class Walks:
    """Draws walks; doors are on facades beside sidewalks."""

    def __init__(
        self,
        traffic: Traffic,
        areas: Sequence[CrowdAreaConfig],
        buildings: Sequence[np.ndarray],
        visits: float,
        rng: np.random.Generator,
    ) -> None:
        """Find all spots; ``visits`` is the share of walks that end at a gate.

        Raises:
            ConfigError: a gate names an edge that is not there or has no sidewalk.

        """
        self._traffic, self._visits, self._rng = traffic, visits, rng
        self._network, ends = traffic.network, traffic.dead_ends
        edges = [edge for edge in self._network.edges if edge.walk is not None]
        self._lengths = {edge.name: traffic.edge_length(edge.name) for edge in edges}
        self._names = list(self._lengths)
        self._fringe = [self.spot(edge.name, 0.5) for edge in edges if edge.start in ends]
        self._fringe += [self.spot(edge.name, self._lengths[edge.name] - 0.5) for edge in edges if edge.end in ends]
        self._gates = [
            replace(self.spot(gate.edge, gate.position), beyond=_middle(gate.start, gate.end), area=i, gate=j)
            for i, area in enumerate(areas) for j, gate in enumerate(area.gates) if gate.edge
        ]  # fmt: skip
        self._facades = shapely.boundary(shapely.union_all([shapely.Polygon(item) for item in buildings]))
        self._areas = [shapely.Polygon(area.polygon).buffer(0.2) for area in areas]
        self._doors = self._find_doors()
        self._middle = self._doors or [self.spot(name, length / 2) for name, length in self._lengths.items()]

    def spot(self, edge: str, position: float) -> Spot:
        """Return the spot at a position along an edge.

        Raises:
            ConfigError: no such edge, or it has no sidewalk.

        """
        if edge not in self._lengths:
            raise ConfigError(f"{edge}: no edge with a sidewalk in the network")
        length = self._lengths[edge]
        position = float(np.clip(position, 0.2, length - 0.2))
        return Spot(edge, position, sidewalk_point(self._network, edge, position / length))

    def _find_doors(self) -> list[Spot]:
        if self._facades.is_empty:
            return []
        doors = []
        for name, length in self._lengths.items():
            for position in np.arange(6.0, length - 6.0, DOOR_SPACING):
                spot = self.spot(name, float(position))
                way = shapely.shortest_line(shapely.Point(spot.point), self._facades)
                if way.length <= DOOR_REACH and not any(area.intersects(way) for area in self._areas):
                    doors.append(replace(spot, beyond=way.coords[-1]))
        return doors

    def gate(self, area: int, gate: int) -> Spot | None:
        """Return the spot outside a gate; None if no sidewalk leads there."""
        return next((spot for spot in self._gates if (spot.area, spot.gate) == (area, gate)), None)

    def near(self, x: float, y: float) -> Spot:
        """Return the spot on the nearest sidewalk."""
        best: tuple[float, str, float] | None = None
        for name, length in self._lengths.items():
            lane = self._network.edge(name).walk
            assert lane is not None
            line = shapely.LineString(lane.shape)
            distance = line.distance(shapely.Point(x, y))
            if best is None or distance < best[0]:
                best = (distance, name, line.project(shapely.Point(x, y), normalized=True) * length)
        assert best is not None, "a network without sidewalks has no walkers"
        return self.spot(best[1], best[2])

    def outside(self, area: int, gate: int, reach: float = 45.0) -> Spot | None:
        """Draw a door, or else an end of the district, near a gate: where people come from who pour into it."""
        target = self.gate(area, gate)
        if target is None:
            return None
        near = [spot for spot in self._doors if _distance(spot.point, target.point) < reach]
        return near[int(self._rng.integers(len(near)))] if near else None

    def draw(self, start: Spot | None = None) -> Walk | None:
        """Draw a walk, from a given spot or from a door or the district's edge; None where there is none."""
        for _ in range(ATTEMPTS):
            first = start or self._draw_spot(0.0)
            last = self._draw_spot(0.0 if first.area >= 0 else self._visits)
            edges = self._traffic.walk(first.edge, last.edge) if first.edge != last.edge else ()
            if len(edges) >= LEAST_WALK:
                return Walk(first, last, edges)
        return None

    def between(self, start: Spot, end: Spot) -> Walk | None:
        """Return the walk between two spots; None if there is no way."""
        edges = (start.edge,) if start.edge == end.edge else self._traffic.walk(start.edge, end.edge)
        return Walk(start, end, edges) if edges else None

    def seeded(self, walk: Walk) -> Walk:
        """Return the walk as of somebody who is under way: begun at a random place of it."""
        first = int(self._rng.integers(len(walk.edges)))
        edge = walk.edges[first]
        position = float(self._rng.uniform(0.0, self._lengths[edge]))
        return Walk(self.spot(edge, position), walk.end, walk.edges[first:])

    def _draw_spot(self, gates: float) -> Spot:
        if self._gates and self._rng.random() < gates:
            return self._gates[int(self._rng.integers(len(self._gates)))]
        choices = self._fringe if self._fringe and self._rng.random() < 0.5 else self._middle
        return choices[int(self._rng.integers(len(choices)))]


def _middle(start: tuple[float, float], end: tuple[float, float]) -> tuple[float, float]:
    return ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)


def _distance(one: tuple[float, float], other: tuple[float, float]) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))
