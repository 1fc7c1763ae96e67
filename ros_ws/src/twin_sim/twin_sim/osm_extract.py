"""Reads an OpenStreetMap extract (XML): roads, buildings, trees and what else a district is made of.

Format: OpenStreetMap wiki, "OSM XML" and "Map features" (highway, building, building:levels, natural=tree, …).
Positions: map frame about the extract's middle, metres.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import shapely

from twin_common.config import ConfigError
from twin_common.core.geodesy import Datum
from twin_sim.core.network_zones import polygons

EXPECTED = "expected an OpenStreetMap extract (.osm, XML)"
#: Roads that cars may use, by the value of highway.
ROADS = frozenset(
    name + link
    for name in ("motorway", "trunk", "primary", "secondary", "tertiary", "unclassified", "residential")
    for link in ("", "_link")
) | {"living_street", "service", "road"}  # fmt: skip
STOREY, GROUND_STOREY, USUAL_HEIGHT = 3.3, 1.1, 9.9  # m a storey, more for the lowest, of buildings without tags
LARGEST = 5_000.0  # m from the middle: the flat map frame is meant for districts
#: Kind of a thing by (key, value) of a node.
THINGS = {
    ("natural", "tree"): "tree", ("highway", "street_lamp"): "lamp", ("amenity", "bench"): "bench",
    ("amenity", "waste_basket"): "bin", ("barrier", "bollard"): "bollard", ("man_made", "street_cabinet"): "cabinet",
    ("amenity", "fountain"): "fountain",
}  # fmt: skip
TREE_ROW_SPACING = 8.0


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon of the extract, with holes where it has some, and its tags."""

    name: str
    shape: shapely.Geometry
    tags: dict[str, str]

    @property
    def height(self) -> float:
        """Height of a building, metres: from height, else from building:levels, else USUAL_HEIGHT."""
        height = _metres(self.tags.get("height", self.tags.get("building:height", "")))
        if height is None:
            levels = _number(self.tags.get("building:levels", ""))
            height = None if levels is None else levels * STOREY + GROUND_STOREY
        return float(np.clip(height, 2.5, 600.0)) if height is not None and height > 0 else USUAL_HEIGHT


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that stands at a point, (x, y); ``kind`` as in twin_sim.world.ThingConfig."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Extract:
    """What an extract holds; ``roads`` is OSM XML of its roads only, with nothing missing."""

    datum: Datum
    bounds: tuple[float, float, float, float]
    roads: str
    road_count: int
    buildings: tuple[Area, ...]
    plazas: tuple[Area, ...]
    sites: tuple[Area, ...]
    things: tuple[Thing, ...]
    skipped: int


@dataclass(slots=True)
class _Raw:
    """Nodes (place, tags), ways (references, tags) and relations (members, tags) as they are in the file."""

    nodes: dict[str, tuple[float, float]] = field(default_factory=dict)
    node_tags: dict[str, dict[str, str]] = field(default_factory=dict)
    ways: dict[str, tuple[list[str], dict[str, str]]] = field(default_factory=dict)
    relations: dict[str, tuple[list[tuple[str, str]], dict[str, str]]] = field(default_factory=dict)
    bounds: tuple[float, float, float, float] | None = None
    skipped: int = 0


def _number(text: str) -> float | None:
    """Return the number that a value starts with; None: there is none."""
    match = re.match(r"\s*(\d+(?:[.,]\d+)?)", text)
    return None if match is None else float(match.group(1).replace(",", "."))


def _metres(text: str) -> float | None:
    """Return a length in metres from "12", "12 m", "40 ft" or 40 feet 6 inches; None: it is no length."""
    feet = re.match(r"\s*(\d+(?:\.\d+)?)\s*(?:'|ft|feet)\s*(?:(\d+)\s*\")?", text)
    if feet is not None:
        return 0.3048 * float(feet.group(1)) + 0.0254 * float(feet.group(2) or 0)
    return _number(text)


def _tags(element: ElementTree.Element) -> dict[str, str]:
    return {tag.get("k", ""): tag.get("v", "") for tag in element.iter("tag")}


def _read_raw(path: Path) -> _Raw:
    try:
        root = ElementTree.parse(path).getroot()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; {EXPECTED}") from None
    except (ElementTree.ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not XML ({error}); {EXPECTED}") from None
    if root.tag != "osm":
        raise ConfigError(f"{path}: <{root.tag}>; {EXPECTED}")
    raw = _Raw()
    for element in root:
        name = element.get("id", "")
        if element.tag == "bounds":
            raw.bounds = _bounds(element)
        elif element.tag == "node":
            _add_node(raw, name, element)
        elif element.tag == "way":
            raw.ways[name] = ([item.get("ref", "") for item in element.iter("nd")], _tags(element))
        elif element.tag == "relation":
            members = [
                (item.get("ref", ""), item.get("role", ""))
                for item in element.iter("member")
                if item.get("type") == "way"
            ]
            raw.relations[name] = (members, _tags(element))
    if not raw.nodes:
        raise ConfigError(f"{path}: no nodes; {EXPECTED} with at least one road")
    return raw


def _bounds(element: ElementTree.Element) -> tuple[float, float, float, float] | None:
    values = [_coordinate(element.get(key)) for key in ("minlat", "minlon", "maxlat", "maxlon")]
    if any(value is None for value in values):
        return None
    south, west, north, east = (float(value) for value in values if value is not None)
    return south, west, north, east


def _coordinate(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _add_node(raw: _Raw, name: str, element: ElementTree.Element) -> None:
    latitude, longitude = _coordinate(element.get("lat")), _coordinate(element.get("lon"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        raw.skipped += 1
        return
    raw.nodes[name] = (latitude, longitude)
    tags = _tags(element)
    if tags:
        raw.node_tags[name] = tags


def read_extract(path: Path) -> Extract:
    """Read an extract.

    Nodes without a place, references to nodes that are not in the file, and outlines that enclose nothing are left
    out and counted.

    Raises:
        ConfigError: the file is missing, is not OpenStreetMap XML, or has no road that cars may use.

    """
    raw = _read_raw(path)
    roads = {
        name: ([ref for ref in refs if ref in raw.nodes], tags)
        for name, (refs, tags) in raw.ways.items()
        if tags.get("highway") in ROADS and tags.get("area") != "yes"
    }
    roads = {name: (refs, tags) for name, (refs, tags) in roads.items() if len(refs) >= 2}
    if not roads:
        raise ConfigError(f"{path}: no roads; expected ways with highway=residential or another that cars may use")
    box = raw.bounds or _extent([raw.nodes[ref] for refs, _ in roads.values() for ref in refs])
    datum = Datum((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, 0.0)
    place = _places(raw, datum)
    (x0, y0), (x1, y1) = (datum.to_map(np.array(box[i]), np.array(box[i + 1]), np.array(0.0))[:2] for i in (0, 2))
    if max(x1, y1, -x0, -y0) > LARGEST:
        raise ConfigError(f"{path}: {x1 - x0:,.0f} m x {y1 - y0:,.0f} m; expected a district of at most 10 km x 10 km")
    bounds = (round(float(x0), 1), round(float(y0), 1), round(float(x1), 1), round(float(y1), 1))
    frame = shapely.box(*bounds) if raw.bounds else shapely.box(x0 - 60, y0 - 60, x1 + 60, y1 + 60)
    areas = [area for area in _areas(raw, place) if area.shape.intersects(frame)]
    return Extract(
        datum, bounds, _road_xml(raw, roads), len(roads),
        tuple(area for area in areas if _is_building(area.tags)),
        tuple(area for area in areas if _is_plaza(area.tags)),
        tuple(area for area in areas if _is_site(area.tags)),
        tuple(thing for thing in _things(raw, place) if frame.contains(shapely.Point(thing.x, thing.y))),
        raw.skipped,
    )  # fmt: skip


def _extent(places: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    rows = np.array(places)
    south, west = rows.min(axis=0)
    north, east = rows.max(axis=0)
    return float(south), float(west), float(north), float(east)


def _places(raw: _Raw, datum: Datum) -> dict[str, tuple[float, float]]:
    rows = np.array(list(raw.nodes.values()))
    east_north = datum.to_map(rows[:, 0], rows[:, 1], np.zeros(len(rows)))[:, :2]
    return dict(zip(raw.nodes, map(tuple, east_north.tolist()), strict=True))


def _is_building(tags: dict[str, str]) -> bool:
    return tags.get("building", "no") not in ("no", "construction", "roof")


def _is_plaza(tags: dict[str, str]) -> bool:
    return tags.get("place") == "square" or (tags.get("highway") == "pedestrian" and tags.get("area") == "yes")


def _is_site(tags: dict[str, str]) -> bool:
    return tags.get("landuse") == "construction" or tags.get("building") == "construction"


def _areas(raw: _Raw, place: dict[str, tuple[float, float]]) -> list[Area]:
    """Return closed ways and multipolygons that are of use, in the order of the file."""
    found = []
    used: set[str] = set()
    for name, (members, tags) in raw.relations.items():
        if tags.get("type") != "multipolygon" or not (_is_building(tags) or _is_plaza(tags) or _is_site(tags)):
            continue
        parts = {role: _rings(raw, place, [ref for ref, own in members if own == role]) for role in ("outer", "inner")}
        shape = shapely.union_all(parts["outer"]).difference(shapely.union_all(parts["inner"]))
        used.update(ref for ref, role in members if role == "outer")
        found += _area(raw, name, shape, tags)
    for name, (refs, tags) in raw.ways.items():
        if name not in used and (_is_building(tags) or _is_plaza(tags) or _is_site(tags)):
            rings = _rings(raw, place, [name]) if len(refs) >= 4 and refs[0] == refs[-1] else []
            found += _area(raw, name, shapely.union_all(rings), tags)
    return found


def _area(raw: _Raw, name: str, shape: shapely.Geometry, tags: dict[str, str]) -> list[Area]:
    parts = polygons(shape)
    if not parts:
        raw.skipped += 1
        return []
    return [Area(tags.get("name", name), shapely.union_all(parts), tags)]


def _rings(raw: _Raw, place: dict[str, tuple[float, float]], names: list[str]) -> list[shapely.Geometry]:
    """Return the polygons that ways enclose, alone or end to end; references to missing nodes are left out."""
    lines = []
    for name in names:
        points = [place[ref] for ref in raw.ways.get(name, ([], {}))[0] if ref in place]
        if len(points) >= 2:
            lines.append(shapely.LineString(points))
    closed = [line for line in lines if line.is_closed]
    # A ring whose first node is missing is closed from its ends.
    open_lines = [line for line in lines if not line.is_closed and len(line.coords) >= 3 and len(names) == 1]
    merged = shapely.line_merge(shapely.union_all([line for line in lines if not line.is_closed]))
    joined = [line for line in shapely.get_parts(merged) if line.is_closed]
    return [
        shapely.make_valid(shapely.Polygon(line)) for line in (*closed, *joined, *open_lines) if len(line.coords) >= 3
    ]


def _things(raw: _Raw, place: dict[str, tuple[float, float]]) -> list[Thing]:
    found = []
    for name, tags in raw.node_tags.items():
        kind = next((kind for (key, value), kind in THINGS.items() if tags.get(key) == value), None)
        if kind is not None:
            found.append(Thing(kind, *place[name]))
    for refs, tags in raw.ways.values():
        points = [place[ref] for ref in refs if ref in place]
        if tags.get("natural") == "tree_row" and len(points) >= 2:
            line = shapely.LineString(points)
            spots = shapely.line_interpolate_point(line, np.arange(0.0, line.length + 0.1, TREE_ROW_SPACING))
            found += [Thing("tree", float(spot.x), float(spot.y)) for spot in spots]
    return found


def _road_xml(raw: _Raw, roads: dict[str, tuple[list[str], dict[str, str]]]) -> str:
    """Return OSM XML with the roads and their nodes only."""
    rows = ['<osm version="0.6">']
    needed = dict.fromkeys(ref for refs, _ in roads.values() for ref in refs)
    for ref in needed:
        latitude, longitude = raw.nodes[ref]
        rows.append(f'<node id={quoteattr(ref)} lat="{latitude:.8f}" lon="{longitude:.8f}" version="1">')
        rows += [f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in raw.node_tags.get(ref, {}).items()]
        rows.append("</node>")
    for name, (refs, tags) in roads.items():
        rows.append(f'<way id={quoteattr(name)} version="1">')
        rows += [f"<nd ref={quoteattr(ref)}/>" for ref in refs]
        rows += [f"<tag k={quoteattr(k)} v={quoteattr(v)}/>" for k, v in tags.items()]
        rows.append("</way>")
    return "\n".join([*rows, "</osm>", ""])
