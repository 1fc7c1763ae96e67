"""Makes a district of an OpenStreetMap extract: SUMO network, zones, buildings, things, poles and a vehicle.

The new folder appears only when it is complete.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from twin_common.config import Config, ConfigError, setting
from twin_common.district import DatumConfig, DistrictConfig, PlatformConfig, PoseConfig, ZoneConfig
from twin_sim import equipment
from twin_sim.core import siting
from twin_sim.core.network_zones import KERB, Network, ground_zones, outline, polygons, read_network, simple
from twin_sim.core.signals import signal_heads
from twin_sim.district_files import signal_configs, write_district
from twin_sim.netconvert import netconvert
from twin_sim.osm_extract import Area, Extract, read_extract
from twin_sim.world import (
    CraneConfig,
    CrowdAreaConfig,
    GateConfig,
    PlaceConfig,
    RouteConfig,
    ThingConfig,
    World,
    WorldConfig,
    load_world,
)

NETWORK = "district.net.xml"
LEAST_BUILDING, LEAST_CROWD, LEAST_SITE = 12.0, 150.0, 400.0  # m²: of buildings, plazas with crowds, sites with a crane
LAMP_SPACING = 30.0


@dataclass(frozen=True, slots=True)
class ImportOptions(Config):
    """What an extract does not tell."""

    name: str = setting("", doc="of the district, for people; empty: the file's name")
    poles: int = setting(4, doc="at most, at the busiest junctions", low=1, high=63)
    sidewalk: float = setting(3.0, "m", "width of sidewalks", low=1.5, high=10.0)


def import_osm(
    source: Path, out: Path, options: ImportOptions | None = None, tell: Callable[[str], None] = print
) -> World:
    """Make the district's folder ``out`` of an extract, and return the district.

    Raises:
        ConfigError: the extract is missing, is not OpenStreetMap XML, has no roads, or ``out`` exists already.

    """
    options = options or ImportOptions()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out}: exists already; expected a new folder for the district")
    if not source.is_file():
        raise ConfigError(f"{source}: no such file; expected an OpenStreetMap extract (.osm, XML)")
    extract = read_extract(source)
    tell(
        f"{source}: {extract.road_count} roads, {len(extract.buildings)} buildings, {len(extract.plazas)} plazas, "
        f"{len(extract.sites)} building sites, {len(extract.things)} trees, lamps and the like"
        + (f"; {extract.skipped} left out that have no place" if extract.skipped else "")
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        made = Path(scratch) / "district"
        made.mkdir()
        warnings = _network(extract, options, Path(scratch), made / NETWORK)
        network = read_network(made / NETWORK)
        if not any(edge.driving for edge in network.edges):
            raise ConfigError(f"{source}: no roads that cars may use; expected at least one that is connected")
        tell(
            f"network: {len(network.edges)} edges, {sum(junction.signals for junction in network.junctions)} junctions "
            f"with signals, {len(network.crossings)} crosswalks ({len(warnings)} remarks of netconvert)"
        )
        district, world = _describe(extract, network, made / NETWORK, options, options.name or source.stem)
        write_district(made, district, world, f"Made from {source.name} by ./twin sim import-osm.")
        load_world(made)
        if out.exists():
            out.rmdir()
        shutil.move(made, out)
    kinds = [zone.kind for zone in district.zones]
    tell(
        f"{out}: {kinds.count('building')} buildings, {kinds.count('carriageway')} carriageways, "
        f"{sum(item.kind == 'pole' for item in district.platforms)} poles, {len(world.places)} places"
    )
    return load_world(out)


def _typemaps() -> Path:
    """Return SUMO's folder of rules for OpenStreetMap.

    Raises:
        ConfigError: SUMO is not installed.

    """
    found = importlib.util.find_spec("sumo")
    homes = [Path(place) for place in (found.submodule_search_locations or [] if found else [])]
    homes += [Path(os.environ["SUMO_HOME"])] if "SUMO_HOME" in os.environ else []
    for home in homes:
        if (home / "data/typemap").is_dir():
            return home / "data/typemap"
    raise ConfigError("SUMO: data/typemap not found; expected the package eclipse-sumo (run ./twin setup)")


def _network(extract: Extract, options: ImportOptions, folder: Path, target: Path) -> list[str]:
    """Make the network about the datum; return netconvert's warnings."""
    (folder / "roads.osm").write_text(extract.roads)
    maps = _typemaps()
    types = [str(maps / f"{name}.typ.xml") for name in ("osmNetconvert", "osmNetconvertPedestrians")]
    datum = extract.datum
    projection = (
        f"+proj=tmerc +lat_0={datum.latitude:.9f} +lon_0={datum.longitude:.9f} +k=1 +x_0=0 +y_0=0 +ellps=WGS84 +units=m"
    )
    arguments = (
        "--osm-files", "roads.osm", "--type-files", ",".join(types), "--proj", projection,
        "--offset.disable-normalization", "true", "--geometry.remove", "true", "--roundabouts.guess", "true",
        "--junctions.join", "true", "--sidewalks.guess", "true", "--sidewalks.guess.max-speed", "23",
        "--sidewalks.guess.min-speed", "1", "--default.sidewalk-width", f"{options.sidewalk:g}",
        "--crossings.guess", "true", "--walkingareas", "true", "--tls.guess-signals", "true",
        "--tls.discard-simple", "true", "--tls.join", "true", "--tls.guess", "true", "--tls.guess.threshold", "110",
        "--no-turnarounds.except-deadend", "true", "--keep-edges.by-vclass", "passenger",
        "--keep-edges.components", "1",
        "--junctions.corner-detail", "5", "--output.street-names", "true", "--rectangular-lane-cut", "true",
    )  # fmt: skip
    return netconvert(arguments, folder, target)


def _describe(
    extract: Extract, network: Network, path: Path, options: ImportOptions, name: str
) -> tuple[DistrictConfig, WorldConfig]:
    """Return what district.yaml and world.yaml say."""
    ground = ground_zones(network)
    shapes = {
        kind: shapely.union_all([outline(zone.corners) for zone in ground if zone.kind == kind])
        for kind in ("carriageway", "sidewalk")
    }
    street = shapely.union_all(list(shapes.values()))
    buildings = _pieces(extract.buildings, street.buffer(0.3), LEAST_BUILDING, "building")
    houses = shapely.union_all([area.shape for area in buildings])
    plazas = _pieces(extract.plazas, shapes["carriageway"].union(houses), 10.0, "plaza")
    sites = _pieces(extract.sites, street.union(houses).buffer(0.3), 50.0, "site")
    walks = shapely.union_all([shapes["sidewalk"], *(area.shape for area in plazas)]).difference(shapes["carriageway"])
    spots = siting.pole_sites(network, walks, houses, options.poles)
    if not spots:
        spots = [_beside_the_road(walks, shapes["carriageway"])]
    bounds = _bounds(extract.bounds, [street, houses])
    zones = [ZoneConfig(zone.name, zone.kind, _rows(zone.corners)) for zone in ground]
    for kind, areas in (("plaza", plazas), ("site", sites), ("building", buildings)):
        zones += [ZoneConfig(area.name, kind, _rows(simple(area.shape)[0]), _height(area, kind)) for area in areas]
    route = siting.round_trip(network, path)
    platforms = [_pole(i, spot) for i, spot in enumerate(spots)]
    platforms += [equipment.vehicle("vehicle_01")] if route else []
    datum = DatumConfig(round(extract.datum.latitude, 9), round(extract.datum.longitude, 9), extract.datum.altitude)
    things = _things(extract, network, street, houses, spots)
    cranes = _cranes(sites)
    world = WorldConfig(
        NETWORK, bounds, things, (), (), cranes, _crowds(plazas, network), _places(network, plazas, sites),
        (RouteConfig("vehicle_01", route),) if route else (),
    )  # fmt: skip
    heads = signal_configs(signal_heads(path))
    return DistrictConfig(name, datum, tuple(platforms), tuple(zones), heads), world


def _pieces(areas: tuple[Area, ...], without: shapely.Geometry, least: float, kind: str) -> list[Area]:
    """Return areas as simple polygons of at least ``least`` m² that do not cover ``without``; names tell them apart."""
    found, names = [], set()
    for area in areas:
        for part in polygons(area.shape.difference(without)):
            for corners in simple(part):
                shape = shapely.Polygon(corners)
                if not shape.is_valid or shape.area < least:
                    continue
                name, count = f"{kind} {area.name}", 1
                while name in names:
                    count += 1
                    name = f"{kind} {area.name} {count}"
                names.add(name)
                found.append(Area(name, shape, area.tags))
    return found


def _rows(corners: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in corners)


def _height(area: Area, kind: str) -> float:
    return round(area.height, 1) if kind == "building" else 0.0


def _bounds(
    own: tuple[float, float, float, float], shapes: list[shapely.Geometry]
) -> tuple[float, float, float, float]:  # fmt: skip
    """Return the extract's bounds, wide enough for all that is in it."""
    boxes = np.array([own, *(shape.bounds for shape in shapes if not shape.is_empty)])
    low, high = boxes[:, :2].min(axis=0) - 2.0, boxes[:, 2:].max(axis=0) + 2.0
    x0, y0, x1, y1 = (round(float(value), 1) for value in (*low, *high))
    return x0, y0, x1, y1


def _beside_the_road(walks: shapely.Geometry, road: shapely.Geometry) -> siting.Site:
    """Return a spot for the only pole of a district without junctions."""
    ground = walks if not walks.is_empty else road.buffer(2.0).difference(road)
    spot = max(polygons(ground), key=lambda part: part.area).representative_point()
    ahead = shapely.shortest_line(spot, road).coords[-1]
    yaw = float(np.degrees(np.arctan2(ahead[1] - spot.y, ahead[0] - spot.x)))
    return siting.Site(round(spot.x, 2), round(spot.y, 2), round(yaw, 1))


def _pole(number: int, spot: siting.Site) -> PlatformConfig:
    pose = PoseConfig(x=spot.x, y=spot.y, z=KERB, yaw_deg=spot.yaw_deg)
    return equipment.pole(f"pole_{number + 1:02d}", pose, number)


def _things(
    extract: Extract, network: Network, street: shapely.Geometry, houses: shapely.Geometry, poles: list[siting.Site]
) -> tuple[ThingConfig, ...]:
    """Return what stands beside the streets, and lamps along the sidewalks where the extract has none."""
    found = [ThingConfig(item.kind, round(item.x, 2), round(item.y, 2)) for item in extract.things]
    if not any(item.kind == "lamp" for item in found):
        found += _lamps(network)
    road = shapely.difference(street, shapely.union_all([edge.walk.area() for edge in network.edges if edge.walk]))
    taken = shapely.union_all([road, houses, *(shapely.Point(pole.x, pole.y).buffer(1.5) for pole in poles)])
    shapely.prepare(taken)
    return tuple(item for item in found if not shapely.contains_xy(taken, item.x, item.y))


def _lamps(network: Network) -> list[ThingConfig]:
    found = []
    for edge in network.edges:
        if edge.walk is None:
            continue
        line, aside = shapely.LineString(edge.walk.shape), edge.walk.width / 2 - 0.3
        for distance in np.arange(LAMP_SPACING / 2, line.length - 4.0, LAMP_SPACING):
            here, ahead = line.interpolate(distance), line.interpolate(distance + 0.5)
            along = np.array([ahead.x - here.x, ahead.y - here.y])
            left = np.array([-along[1], along[0]]) / max(float(np.hypot(*along)), 1e-9)
            x, y = np.array([here.x, here.y]) - aside * left
            yaw = round(float(np.degrees(np.arctan2(left[1], left[0]))), 1)
            found.append(ThingConfig("lamp", round(float(x), 2), round(float(y), 2), yaw))
    return found


def _cranes(sites: list[Area]) -> tuple[CraneConfig, ...]:
    large = [area for area in sites if area.shape.area >= LEAST_SITE]
    spots = [area.shape.representative_point() for area in large]
    return tuple(
        CraneConfig(area.name, round(spot.x, 2), round(spot.y, 2), 35.0, 25.0)
        for area, spot in zip(large, spots, strict=True)
    )


def _crowds(plazas: list[Area], network: Network) -> tuple[CrowdAreaConfig, ...]:
    """Return the plazas that sidewalks lead to as areas of dense crowds."""
    found = []
    for area in plazas:
        corners = simple(area.shape)[0]
        openings = siting.gates(corners, network) if area.shape.area >= LEAST_CROWD else []
        gates = tuple(
            GateConfig(f"{area.name} gate {i + 1}", gate.start, gate.end, gate.edge, gate.position)
            for i, gate in enumerate(openings)
        )
        if gates:
            found.append(CrowdAreaConfig(area.name, _rows(corners), (), gates))
    return tuple(found)


def _places(network: Network, plazas: list[Area], sites: list[Area]) -> tuple[PlaceConfig, ...]:
    """Return junctions, the busiest first, plazas and sites as places for scenarios."""
    rows = [(f"junction_{i + 1}", item.x, item.y) for i, item in enumerate(siting.busiest(network))]
    for kind, areas in (("plaza", plazas), ("site", sites)):
        for i, area in enumerate(areas):
            spot = area.shape.representative_point()
            rows.append((f"{kind}_{i + 1}", spot.x, spot.y))
    return tuple(PlaceConfig(name, round(x, 2), round(y, 2)) for name, x, y in rows)
