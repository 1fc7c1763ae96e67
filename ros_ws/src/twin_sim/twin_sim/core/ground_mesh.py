"""The ground: carriageways, raised pavements with kerbs, building sites, and the markings on the road.

Map frame, metres; the carriageway is at height 0, what lies behind the kerb at KERB.
Dashes, stop lines and zebra stripes have the usual sizes in towns: dashes of 3 m each 8 m, stripes of 0.5 m each 1 m.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
import shapely
from shapely.geometry import LineString
from shapely.ops import substring

from twin_common.district import ZoneConfig
from twin_sim.core.network_zones import KERB, Edge, Junction, Lane, Network
from twin_sim.core.surfaces import Surfaces

ABOVE = 0.005  # of paint above the asphalt
DASH, PERIOD = 3.0, 8.0
LINE, STOP_LINE, STRIPE, STRIPE_PERIOD = 0.15, 0.4, 0.5, 1.0
STOP_BACK = 0.6  # of a stop line from the end of its lane
PIECE = 60.0  # ground is cut into squares of this size, so that a part of the district is a part of its triangles
#: Of each kind of zone, what its ground is made of.
PAVED = {"sidewalk": "paving", "plaza": "stone", "site": "earth"}


def shapes(zones: Iterable[ZoneConfig], *kinds: str) -> shapely.Geometry:
    """Return the ground that zones of these kinds cover."""
    chosen = [shapely.make_valid(shapely.Polygon(zone.corners())) for zone in zones if zone.kind in kinds]
    return shapely.union_all(chosen)


def build(out: Surfaces, zones: tuple[ZoneConfig, ...], bounds: tuple[float, float, float, float]) -> None:
    """Add the ground of a district."""
    frame = shapely.box(*bounds)
    # Rounded corners of neighbours leave slits of a centimetre: close them.
    road = shapes(zones, "carriageway", "crosswalk").buffer(0.03, join_style="mitre").buffer(-0.03, join_style="mitre")
    road = road.intersection(frame)
    raised = frame.difference(road)
    _pieces(out, road, 0.0, "asphalt", bounds)
    left = raised
    for kind, material in PAVED.items():
        part = shapes(zones, kind).intersection(left)
        _pieces(out, part, KERB, material, bounds)
        left = left.difference(part)
    _pieces(out, left, KERB, "yard", bounds)
    _kerbs(out, raised, frame)


def _kerbs(out: Surfaces, raised: shapely.Geometry, frame: shapely.Geometry) -> None:
    """Add the face of the kerb all along the raised ground, but not along the end of the district."""
    edge = frame.exterior.buffer(0.05)
    for piece in shapely.get_parts(raised):
        # Counter-clockwise outside and clockwise inside: the raised ground is always to the left.
        piece = shapely.orient_polygons(piece)
        for ring in (piece.exterior, *piece.interiors):
            line = np.asarray(ring.coords)
            for i in np.flatnonzero(~shapely.within(shapely.points((line[:-1] + line[1:]) / 2), edge)):
                out.fences(line[i : i + 2], 0.0, KERB, "kerb")


def _pieces(
    out: Surfaces, shape: shapely.Geometry, z: float, material: str, bounds: tuple[float, float, float, float]
) -> None:
    """Add a surface in squares of PIECE."""
    if shape.is_empty:
        return
    x0, y0, x1, y1 = bounds
    for x in np.arange(x0, x1, PIECE):
        for y in np.arange(y0, y1, PIECE):
            part = shape.intersection(shapely.box(x, y, x + PIECE, y + PIECE))
            if not part.is_empty and part.area > 1e-4:
                out.area(part, z, material)


def markings(out: Surfaces, network: Network) -> None:
    """Add lane lines, stop lines and zebra stripes."""
    signals = {junction.name: junction for junction in network.junctions}
    for edge in network.edges:
        _lane_lines(out, edge)
        _stop_line(out, edge, signals.get(edge.end))
    for lane in network.crossings.values():
        _zebra(out, lane)


def _strip(line: LineString, start: float, end: float, width: float) -> np.ndarray:
    """Return quads along a stretch of a line, (N, 4, 3)."""
    piece = substring(line, start, end)
    points = np.asarray(piece.coords)
    if len(points) < 2:
        return np.zeros((0, 4, 3))
    a, b = points[:-1], points[1:]
    along = (b - a) / np.maximum(np.hypot(*(b - a).T), 1e-9)[:, None]
    left = width / 2 * np.column_stack([-along[:, 1], along[:, 0]])
    flat = np.stack([a - left, b - left, b + left, a + left], axis=1)
    return np.concatenate([flat, np.full((*flat.shape[:2], 1), ABOVE)], axis=2)


def _lane_lines(out: Surfaces, edge: Edge) -> None:
    """Add dashes between lanes of vehicles, a solid line at cycle and parking lanes, and the middle line."""
    inner = [lane for lane in edge.lanes if lane.users in ("all", "cycle", "none")]
    for lane, neighbour in itertools.pairwise(inner):
        line = LineString(lane.shape).parallel_offset(lane.width / 2, "left")
        if line.is_empty or line.geom_type != "LineString":
            continue
        same = lane.users == neighbour.users == "all"
        starts = np.arange(1.0, line.length - DASH, PERIOD) if same else np.array([0.0])
        for start in starts:
            end = start + DASH if same else line.length
            out.quads(_strip(line, float(start), float(end), LINE), "marking")
    if inner:
        line = LineString(inner[-1].shape).parallel_offset(inner[-1].width / 2 - 0.12, "left")
        if not line.is_empty and line.geom_type == "LineString":
            out.quads(_strip(line, 0.0, line.length, LINE), "marking_yellow")


def _stop_line(out: Surfaces, edge: Edge, junction: Junction | None) -> None:
    if junction is None or not edge.driving or not junction.signals:
        return
    for lane in edge.driving:
        line = LineString(lane.shape)
        if line.length < 5.0:
            continue
        at = line.length - STOP_BACK - STOP_LINE / 2
        here, ahead = np.array(line.interpolate(at).coords[0]), np.array(line.interpolate(at + 0.2).coords[0])
        along = (ahead - here) / np.hypot(*(ahead - here))
        across = np.array([-along[1], along[0]]) * lane.width / 2
        out.quads(_strip(LineString([here - across, here + across]), 0.0, lane.width, STOP_LINE), "marking")


def _zebra(out: Surfaces, lane: Lane) -> None:
    """Add the stripes of a crosswalk: along the traffic, so across the way of those who walk."""
    line = LineString(lane.shape)
    for start in np.arange(0.3, line.length - STRIPE, STRIPE_PERIOD):
        out.quads(_strip(line, float(start), float(start + STRIPE), lane.width), "marking")
