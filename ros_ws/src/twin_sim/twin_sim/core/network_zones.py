"""Zones on the ground, derived from a SUMO road network: carriageways, crosswalks, ... as simple polygons.

Lengths in metres, in the network's coordinates less its offset, which is the map frame.
Format: SUMO, "Networks/SUMO Road Networks" (edges, lanes, junctions, crossings, walking areas).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon

from twin_common.config import ConfigError

#: Corners of zones are kept to the centimetre; pieces below this area (m²) are dropped.
DECIMALS, LEAST_AREA = 2, 0.5
KERB = 0.15
#: Lanes of these users lie on the raised ground.
BEHIND_KERB = ("foot", "verge")


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane: its middle line ``shape`` (N, 2) along the travel; ``users``: all, foot, cycle, verge or none."""

    name: str
    shape: np.ndarray
    width: float
    users: str

    def area(self) -> Polygon:
        """Return the ground it covers."""
        return LineString(self.shape).buffer(self.width / 2, cap_style="flat", join_style="mitre", mitre_limit=2.0)


@dataclass(frozen=True, slots=True)
class Edge:
    """A street's one direction between two junctions; lanes from the outside in."""

    name: str
    start: str
    end: str
    lanes: tuple[Lane, ...]
    priority: int

    @property
    def walk(self) -> Lane | None:
        """The sidewalk, if there is one."""
        return next((lane for lane in self.lanes if lane.users == "foot"), None)

    @property
    def driving(self) -> tuple[Lane, ...]:
        """Lanes for vehicles, from the outside in."""
        return tuple(lane for lane in self.lanes if lane.users == "all")


@dataclass(frozen=True, slots=True)
class Junction:
    """A junction: its ground with the corners where people walk, and whether signals stand there."""

    name: str
    x: float
    y: float
    shape: np.ndarray
    signals: bool


@dataclass(frozen=True, slots=True)
class Network:
    """A SUMO network: normal edges, junctions, crossings by name, and walking areas by name, outlines (N, 2)."""

    edges: tuple[Edge, ...]
    junctions: tuple[Junction, ...]
    crossings: dict[str, Lane]
    walking_areas: dict[str, np.ndarray]

    def edge(self, name: str) -> Edge:
        """Return an edge.

        Raises:
            ConfigError: no such edge.

        """
        for edge in self.edges:
            if edge.name == name:
                return edge
        raise ConfigError(f"{name}: no such edge in the network")


@dataclass(frozen=True, slots=True)
class GroundZone:
    """A named simple polygon, (N, 2) counter-clockwise; ``kind`` as in twin_common.district.ZONE_KINDS."""

    name: str
    kind: str
    corners: np.ndarray


def _points(text: str | None, offset: np.ndarray) -> np.ndarray:
    rows = [row.split(",")[:2] for row in (text or "").split()]
    return np.asarray(np.array(rows, float).reshape(-1, 2) - offset)


def _users(lane: ElementTree.Element) -> str:
    allowed = lane.get("allow")
    if lane.get("disallow") == "all":
        return "verge" if lane.get("type") == "verge" else "none"
    if allowed is None:
        return "all"
    names = set(allowed.split())
    if names <= {"pedestrian", "wheelchair"}:
        return "foot"
    return "cycle" if names <= {"bicycle", "scooter", "pedestrian"} else "all"


def _lane(element: ElementTree.Element, offset: np.ndarray) -> Lane:
    width = float(element.get("width", 3.2))
    return Lane(element.get("id", ""), _points(element.get("shape"), offset), width, _users(element))


def read_network(path: Path) -> Network:
    """Read a SUMO network.

    Raises:
        ConfigError: the file is missing, is not XML or is not a SUMO network.

    """
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a SUMO network") from None
    except ElementTree.ParseError as error:
        raise ConfigError(f"{path}: not XML ({error}); expected a SUMO network") from None
    location = root.find("location")
    if root.tag != "net" or location is None:
        raise ConfigError(f"{path}: <{root.tag}>; expected a SUMO network (<net> with <location>)")
    offset = np.array(location.get("netOffset", "0,0").split(","), float)
    edges, crossings, areas = [], {}, {}
    for element in root.iter("edge"):
        name, function = element.get("id", ""), element.get("function", "normal")
        lanes = tuple(_lane(item, offset) for item in element.iter("lane"))
        if function == "normal":
            start, end = element.get("from", ""), element.get("to", "")
            edges.append(Edge(name, start, end, lanes, int(element.get("priority", "0"))))
        elif function == "crossing":
            crossings[name] = lanes[0]
        elif function == "walkingarea":
            areas[name] = lanes[0].shape
    return Network(tuple(edges), tuple(_junctions(root, offset)), crossings, areas)


def _junctions(root: ElementTree.Element, offset: np.ndarray) -> Iterable[Junction]:
    for element in root.iter("junction"):
        if element.get("type") == "internal":
            continue
        x, y = np.array([element.get("x", "0"), element.get("y", "0")], float) - offset
        signals = element.get("type", "").startswith("traffic_light")
        yield Junction(element.get("id", ""), float(x), float(y), _points(element.get("shape"), offset), signals)


def polygons(shape: shapely.Geometry) -> list[Polygon]:
    """Return the polygons of any geometry, those of less than LEAST_AREA left out."""
    parts = shapely.get_parts(shapely.make_valid(shape))
    found: list[Polygon] = []
    for part in parts:
        if part.geom_type == "Polygon" and part.area >= LEAST_AREA:
            found.append(part)
        elif part.geom_type in ("MultiPolygon", "GeometryCollection"):
            found += polygons(part)
    return found


def simple(shape: shapely.Geometry) -> list[np.ndarray]:
    """Return a geometry as simple polygons without holes, (N, 2) counter-clockwise, to the centimetre.

    A hole is opened by cutting the polygon in two through the hole's middle.
    """
    found = []
    for part in polygons(shapely.set_precision(shapely.make_valid(shape), 10.0**-DECIMALS)):
        if part.interiors:
            x0, y0, x1, y1 = part.bounds
            middle = part.interiors[0].centroid.x
            halves = (shapely.box(x0, y0, middle, y1), shapely.box(middle, y0, x1, y1))
            found += [piece for half in halves for piece in simple(part.intersection(half))]
            continue
        ring = np.asarray(shapely.simplify(part, 0.01).normalize().exterior.reverse().coords)[:-1]
        found.append(np.round(ring, DECIMALS))
    return found


def outline(corners: np.ndarray) -> shapely.Geometry:
    """Return the polygon of an outline, made valid; empty where it has no area."""
    if len(corners) < 3:
        return Polygon()
    return shapely.make_valid(Polygon(corners))


def _joined(shapes: list[shapely.Geometry]) -> shapely.Geometry:
    """Return the union of shapes that lie side by side, gaps of a few centimetres closed."""
    return shapely.union_all([shape.buffer(0.03, join_style="mitre") for shape in shapes]).buffer(
        -0.03, join_style="mitre"
    )


def carriageway(network: Network) -> dict[str, shapely.Geometry]:
    """Return the ground between the kerbs: of every edge, and of every junction without its walking areas."""
    walks = shapely.union_all([outline(area) for area in network.walking_areas.values()])
    found: dict[str, shapely.Geometry] = {}
    for edge in network.edges:
        lanes = [lane.area() for lane in edge.lanes if lane.users not in BEHIND_KERB]
        if lanes:
            found[edge.name] = _joined(lanes)
    for junction in network.junctions:
        ground = outline(junction.shape).difference(walks)
        if ground.area >= LEAST_AREA:
            found[f"junction {junction.name}"] = ground
    return found


def ground_zones(network: Network, bounds: tuple[float, float, float, float] | None = None) -> list[GroundZone]:
    """Return carriageways, crosswalks, sidewalks and parking lanes, clipped to ``bounds`` (x0, y0, x1, y1) if given."""
    groups: list[tuple[str, dict[str, shapely.Geometry]]] = [
        ("carriageway", carriageway(network)),
        ("crosswalk", {f"crosswalk {name.lstrip(':')}": lane.area() for name, lane in network.crossings.items()}),
        ("sidewalk", _sidewalks(network)),
        ("parking", _parking(network)),
    ]
    frame = None if bounds is None else shapely.box(*bounds)
    found = []
    for kind, shapes in groups:
        for name, shape in shapes.items():
            pieces = simple(shape if frame is None else shape.intersection(frame))
            for i, corners in enumerate(pieces):
                found.append(GroundZone(name if len(pieces) == 1 else f"{name} {i + 1}", kind, corners))
    return found


def _sidewalks(network: Network) -> dict[str, shapely.Geometry]:
    found: dict[str, shapely.Geometry] = {}
    for edge in network.edges:
        lanes = [lane.area() for lane in edge.lanes if lane.users in BEHIND_KERB]
        if lanes:
            found[f"sidewalk {edge.name}"] = _joined(lanes)
    for name, corners in network.walking_areas.items():
        ground = outline(corners)
        if ground.area >= LEAST_AREA:
            found[f"corner {name.lstrip(':')}"] = ground
    return found


def _parking(network: Network) -> dict[str, shapely.Geometry]:
    """Return the lanes beside the driving ones in which nobody drives; they are part of the carriageway."""
    found: dict[str, shapely.Geometry] = {}
    for edge in network.edges:
        lanes = [lane.area() for lane in edge.lanes if lane.users == "none"]
        if lanes and edge.driving:
            found[f"parking {edge.name}"] = _joined(lanes)
    return found
