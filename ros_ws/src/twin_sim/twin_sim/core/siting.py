"""Finds places in a road network by itself: junctions worth watching, spots for poles, a round for a vehicle, gates.

Map frame, metres.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LineString, Point

from twin_sim.core.network_zones import Edge, Junction, Network

REACH = 35.0  # how far from a junction's middle a pole may stand
FREE = 0.6  # of a pole from the kerb and from walls
GATE, GATE_REACH, LARGEST_GATES = 6.0, 8.0, 4


@dataclass(frozen=True, slots=True)
class Site:
    """A spot for a pole: (x, y), and where it looks, degrees counter-clockwise from east."""

    x: float
    y: float
    yaw_deg: float


def weight(edge: Edge) -> float:
    """Return how busy a street is, as its rank and its lanes suggest."""
    return max(edge.priority, 1) * len(edge.driving)


def busiest(network: Network) -> list[Junction]:
    """Return the junctions of at least three streets, the busiest first; signals count double."""
    load: dict[str, float] = {}
    arms: dict[str, set[str]] = {}
    for edge in network.edges:
        for here, there in ((edge.start, edge.end), (edge.end, edge.start)):
            load[here] = load.get(here, 0.0) + weight(edge)
            arms.setdefault(here, set()).add(there)
    found = [junction for junction in network.junctions if len(arms.get(junction.name, ())) >= 3]
    return sorted(found, key=lambda item: (-load[item.name] * (1 + item.signals), item.name))


def pole_sites(
    network: Network, walks: shapely.Geometry, blocked: shapely.Geometry, count: int
) -> list[Site]:  # fmt: skip
    """Return spots for poles at the busiest junctions, one each, on ground where people walk.

    Args:
        network: the streets.
        walks: sidewalks and plazas.
        blocked: buildings.
        count: how many at most.

    """
    found: list[Site] = []
    room = walks.buffer(-FREE).difference(blocked.buffer(FREE))
    for junction in busiest(network):
        if len(found) == count:
            break
        middle = Point(junction.x, junction.y)
        near = room.intersection(middle.buffer(REACH))
        if near.is_empty:
            continue
        # The nearest free spot: a corner of the crossing.
        spot = shapely.shortest_line(middle, near).coords[-1]
        yaw = float(np.degrees(np.arctan2(junction.y - spot[1], junction.x - spot[0])))
        found.append(Site(round(spot[0], 2), round(spot[1], 2), round(yaw, 1)))
    return found


def round_trip(network: Network, path: Path) -> tuple[str, ...]:
    """Return the edges of a round for a vehicle that passes a busy junction; empty: there is none.

    ``path`` is the file of the network, for its connections. The round is the shortest one, in edges, from the
    busiest street back to it, of at least four edges where there is such a one.
    """
    driving = {edge.name: edge for edge in network.edges if edge.driving}
    after: dict[str, list[str]] = {name: [] for name in driving}
    for item in ElementTree.parse(path).getroot().iter("connection"):
        a, b = item.get("from", ""), item.get("to", "")
        if a in driving and b in driving and b not in after[a] and not _turns_back(driving[a], driving[b]):
            after[a].append(b)
    best: tuple[str, ...] = ()
    for start in sorted(driving, key=lambda name: (-weight(driving[name]), name))[:12]:
        way = _loop(start, after)
        if len(way) >= 4:
            return way
        best = best or way
    return best


def _turns_back(here: Edge, there: Edge) -> bool:
    return (here.start, here.end) == (there.end, there.start)


def _loop(start: str, after: dict[str, list[str]]) -> tuple[str, ...]:
    before: dict[str, str] = {}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for there in after[here]:
            if there == start:
                way = [here]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return tuple(reversed(way))
            if there not in before:
                before[there] = here
                queue.append(there)
    return ()


@dataclass(frozen=True, slots=True)
class Gate:
    """An opening in the outline of a plaza: its ends (x, y), and where it meets a sidewalk."""

    start: tuple[float, float]
    end: tuple[float, float]
    edge: str
    position: float


def gates(corners: np.ndarray, network: Network) -> list[Gate]:
    """Return gates where the sides of a plaza, (N, 2), lie beside sidewalks: the longest sides first."""
    walks = [
        (edge.name, LineString(edge.walk.shape), edge.walk.width) for edge in network.edges if edge.walk is not None
    ]
    sides = sorted(zip(corners, np.roll(corners, -1, axis=0), strict=True), key=lambda ab: -np.hypot(*(ab[1] - ab[0])))
    inside = shapely.Polygon(corners).buffer(-0.1)
    found: list[Gate] = []
    for a, b in sides:
        length = float(np.hypot(*(b - a)))
        if length < 3.0 or len(found) == LARGEST_GATES:
            break
        middle, half = (a + b) / 2, min(GATE, length - 1.0) / 2 * (b - a) / length
        point = Point(*middle)
        near = [(line.distance(point) - width / 2, name, line) for name, line, width in walks]
        gap, name, line = min(near, key=lambda item: (item[0], item[1]), default=(np.inf, "", LineString()))
        if gap <= GATE_REACH and _faces(b - a, point, line, inside):
            start, end = np.round(middle - half, 2), np.round(middle + half, 2)
            place = round(float(line.project(point)), 2)
            found.append(Gate((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), name, place))
    return found


def _faces(side: np.ndarray, point: Point, line: LineString, inside: shapely.Geometry) -> bool:
    """Return whether a line lies before a side of an area, not behind it or aside of it."""
    way = shapely.shortest_line(point, line)
    x, y = np.diff(np.asarray(way.coords), axis=0)[0]
    square = abs(x * side[1] - y * side[0]) >= 0.7 * np.hypot(x, y) * np.hypot(*side)
    return bool(square) and not way.intersects(inside)
