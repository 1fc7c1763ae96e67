"""What stands and hangs in Sangmu: trees, lamps, stalls, parked vehicles, signs, cranes, sensor poles, and its places.

Map frame, metres; angles in degrees.
"""

from __future__ import annotations

import numpy as np
import sangmu_blocks as blocks
from sangmu_streets import AVENUE, BACK, STREET
from shapely.geometry import LineString, Point, Polygon

from twin_common.district import PlatformConfig, PoseConfig
from twin_sim import equipment
from twin_sim.core.network_zones import KERB, Edge, Network
from twin_sim.world import (
    CraneConfig,
    CrowdAreaConfig,
    GateConfig,
    PanelConfig,
    ParkedConfig,
    PlaceConfig,
    RouteConfig,
    ThingConfig,
)

SEED = 4711
PARKED_SHAPES = ("saloon", "hatchback", "suv", "van", "taxi", "truck", "motorcycle")
PARKED_SHARES = (0.34, 0.2, 0.22, 0.1, 0.05, 0.05, 0.04)
PLAZA = blocks.plaza()
MIDDLE = tuple(float(value) for value in PLAZA.mean(axis=0))
FOUNTAIN = 3.2  # radius
PLANTERS = ((-14.0, -9.0), (12.0, -9.0), (-14.0, 10.0), (12.0, 10.0))  # middles, from the middle of the plaza
PLANTER = (5.0, 2.2)
STALLS = (-2.0, 2.0, 4.4)  # along the north edge of the plaza
ALLEY_LAMPS = (24.0, 38.0, 55.0, 70.0, 85.0)
ALLEY_STALLS = ((-42.05, 72.0), (-42.05, 84.0))  # against the west wall, where the alley is widest


def _along(line: LineString, distance: float) -> tuple[float, float, float]:
    """Return (x, y, heading in degrees) at a distance along a line."""
    here, ahead = line.interpolate(distance), line.interpolate(distance + 0.5)
    return here.x, here.y, float(np.degrees(np.arctan2(ahead.y - here.y, ahead.x - here.x)))


def _lane(edge: Edge, users: str) -> LineString | None:
    return next((LineString(lane.shape) for lane in edge.lanes if lane.users == users), None)


def _hides(x: float, y: float, poles: list[PlatformConfig]) -> bool:
    """Return whether a tree would stand close to a sensor pole, or before it."""
    for pole in poles:
        dx, dy = x - pole.pose.x, y - pole.pose.y
        off = np.degrees(np.arctan2(dy, dx)) - pole.pose.yaw_deg
        if np.hypot(dx, dy) < 7.0 or (np.hypot(dx, dy) < 17.0 and np.cos(np.radians(off)) > 0.5):
            return True
    return False


def _verges(network: Network, rng: np.random.Generator, poles: list[PlatformConfig]) -> list[ThingConfig]:
    """Return trees, lamps and what else stands on the verges, clear of sensor poles."""
    found = []
    small = ("bench", "bin", "cabinet", "bollard")
    for edge in network.edges:
        line = _lane(edge, "verge")
        if line is None:
            continue
        for i, distance in enumerate(np.arange(5.0, line.length - 4.0, 7.0)):
            x, y, heading = _along(line, float(distance + rng.uniform(-0.8, 0.8)))
            if any(np.hypot(x - pole.pose.x, y - pole.pose.y) < 3.0 for pole in poles) or not _inside(x, y):
                continue
            kind = "lamp" if i % 4 == 1 else "tree" if i % 2 == 0 else str(rng.choice(small))
            if kind == "tree" and _hides(x, y, poles):
                continue
            size = round(float(rng.uniform(0.8, 1.25)), 2) if kind == "tree" else 1.0
            # A lamp's arm and a bench's front point to the left of travel: over the street.
            found.append(ThingConfig(kind, round(x, 2), round(y, 2), round(heading + 90.0, 1), size))
    return found


def _inside(x: float, y: float) -> bool:
    return abs(x) < 297.0 and abs(y) < 197.0


def _back_street_lamps(network: Network) -> list[ThingConfig]:
    """Return lamps at the building line of the streets that have no verge."""
    found = []
    for edge in network.edges:
        if _lane(edge, "verge") is not None:
            continue
        line, width = LineString(edge.lanes[0].shape), edge.lanes[0].width
        for distance in np.arange(12.0, line.length - 6.0, 26.0):
            x, y, heading = _along(line, float(distance))
            right = np.radians(heading - 90.0)
            x, y = x + (width / 2 - 0.25) * np.cos(right), y + (width / 2 - 0.25) * np.sin(right)
            if _inside(x, y):
                found.append(ThingConfig("lamp", round(float(x), 2), round(float(y), 2), round(heading + 90.0, 1)))
    return found


def _area_things(rng: np.random.Generator) -> list[ThingConfig]:
    """Return what stands on the plaza and in the alley; obstacles of the crowd areas are the same things."""
    (x0, y0), (x1, y1) = PLAZA[0], PLAZA[2]
    found = [ThingConfig("fountain", float(MIDDLE[0]), float(MIDDLE[1]))]
    found += [ThingConfig("planter", float(MIDDLE[0] + x), float(MIDDLE[1] + y)) for x, y in PLANTERS]
    found += [
        ThingConfig("tree", MIDDLE[0] + x + dx, MIDDLE[1] + y, 0.0, round(float(rng.uniform(0.7, 0.9)), 2))
        for x, y in PLANTERS for dx in (-1.4, 1.4)
    ]  # fmt: skip
    found += [ThingConfig("stall", float(MIDDLE[0] + 4 * x), float(y1 - 1.3), -90.0) for x in STALLS]
    found += [ThingConfig("stall", x, y, 0.0, 0.5) for x, y in ALLEY_STALLS]
    # Lamps of the alley hang on its east wall: their posts are within it.
    found += [ThingConfig("lamp", blocks.ALLEY_EAST + 0.15, y, 180.0, 0.62) for y in ALLEY_LAMPS]
    gates = plaza_gates()
    for x in np.arange(x0 + 5.0, x1, 2.0):  # bollards along the sidewalks, open at the gates
        if not any(gate.start[1] == gate.end[1] and gate.start[0] - 0.5 < x < gate.end[0] + 0.5 for gate in gates):
            found.append(ThingConfig("bollard", round(float(x), 2), round(float(y0 + 0.25), 2)))
    for y in np.arange(y0 + 5.0, y1, 2.0):
        if not any(gate.start[0] == gate.end[0] and gate.start[1] - 0.5 < y < gate.end[1] + 0.5 for gate in gates):
            found.append(ThingConfig("bollard", round(float(x0 + 0.25), 2), round(float(y), 2)))
    for corner in ((x0 + 2.0, y1 - 1.5), (x1 - 1.5, y1 - 1.5), (x1 - 1.5, y0 + 2.0)):
        found.append(ThingConfig("lamp", round(float(corner[0]), 2), round(float(corner[1]), 2), -135.0))
    return found


def things(network: Network, poles: list[PlatformConfig]) -> tuple[ThingConfig, ...]:
    """Return everything of ThingConfig's kinds."""
    rng = np.random.default_rng((SEED, 1))
    return (*_verges(network, rng, poles), *_back_street_lamps(network), *_area_things(rng))


def parked(network: Network) -> tuple[ParkedConfig, ...]:
    """Return parked vehicles on the parking lanes: most bays are taken, some are free."""
    rng = np.random.default_rng((SEED, 2))
    found = []
    for edge in network.edges:
        line = _lane(edge, "none")
        if line is None:
            continue
        for distance in np.arange(8.0, line.length - 8.0, 6.4):
            free, shape = rng.random() > 0.44, str(rng.choice(PARKED_SHAPES, p=PARKED_SHARES))
            x, y, heading = _along(line, float(distance + rng.normal(0.0, 0.25)))
            aside, turn, seed = rng.normal(0.0, 0.08), rng.normal(0.0, 0.8), int(rng.integers(0, 2**31))
            x, y = x - aside * np.sin(np.radians(heading)), y + aside * np.cos(np.radians(heading))
            if free or not _inside(x, y) or abs(x) > 292 or abs(y) > 192:
                continue
            if shape == "motorcycle":
                turn += 60.0
            yaw = round(float(heading + turn), 1)
            found.append(ParkedConfig(round(float(x), 2), round(float(y), 2), yaw, shape, seed))
    return tuple(found)


def panels() -> tuple[PanelConfig, ...]:
    """Return the pieces of facades and the signs that scenarios can make fall; each hangs on a wall that is there."""
    south, east = float(AVENUE.half), blocks.ALLEY_EAST
    face = south - 0.13  # the middle of a piece 0.25 m thick on the avenue's north building line
    return (
        PanelConfig("alley_corner_facade", "panel", -24.0, face, 9.2, -90.0, 4.0, 3.0, 0.25),
        PanelConfig("alley_corner_parapet", "panel", -30.0, face, 12.5, -90.0, 3.0, 2.0, 0.25),
        PanelConfig("alley_facade", "panel", -41.5 + 0.1, 55.0, 7.6, 0.0, 3.5, 2.6, 0.2),
        PanelConfig("plaza_tower_facade", "panel", 61.48 - 0.13, 30.0, 14.3, 180.0, 4.5, 3.2, 0.25),
        PanelConfig("avenue_west_facade", "panel", -70.0, face, 9.2, -90.0, 4.0, 2.8, 0.25),
        PanelConfig("alley_mouth_sign", "sign", -37.8 + 1.6, south - 0.62, 4.6, 0.0, 1.1, 3.2, 0.3),
        PanelConfig("alley_middle_sign", "sign", east - 0.6, 48.0, 3.6, 90.0, 1.0, 2.2, 0.25),
        PanelConfig("alley_north_sign", "sign", -42.7 + 0.6, 78.0, 3.8, 90.0, 1.0, 2.4, 0.25),
        PanelConfig("corner_sign", "sign", -18.0, south - 0.62, 4.4, 0.0, 1.1, 2.6, 0.3),
        PanelConfig("avenue_west_sign", "sign", -56.0, south - 0.1, 4.4, -90.0, 5.0, 1.1, 0.15),
    )


def cranes() -> tuple[CraneConfig, ...]:
    """Return the tower crane of each site, its jib over the site."""
    middles = {name: Polygon(corners).centroid for name, corners in blocks.sites().items()}
    first, second = middles["site_1"], middles["site_2"]
    return (
        CraneConfig("site_1", round(first.x - 13.0, 1), round(first.y + 9.0, 1), 38.0, 30.0, -40.0),
        CraneConfig("site_2", round(second.x + 10.0, 1), round(second.y + 8.0, 1), 45.0, 28.0, -140.0),
    )


def _gate(
    name: str, start: tuple[float, float], end: tuple[float, float], network: Network | None, edge: str
) -> GateConfig:
    position = 0.0
    if network is not None:
        walk = network.edge(edge).walk
        assert walk is not None
        middle = Point((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        position = round(float(LineString(walk.shape).project(middle)), 2)
    return GateConfig(name, start, end, edge, position)


def plaza_gates(network: Network | None = None) -> tuple[GateConfig, ...]:
    """Return the gates of the plaza to the sidewalks of the avenue and of street 3."""
    x0, y0 = (float(value) for value in PLAZA[0])
    avenue, street = "avenue_street4_street3", "street3_avenue_north"
    return (
        _gate("plaza_south_west", (x0 + 10.0, y0), (x0 + 18.0, y0), network, avenue),
        _gate("plaza_south_east", (x0 + 34.0, y0), (x0 + 44.0, y0), network, avenue),
        _gate("plaza_west", (x0, y0 + 14.0), (x0, y0 + 24.0), network, street),
    )


def _ring(corners: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple((round(float(x), 2), round(float(y), 2)) for x, y in corners)


def _square(x: float, y: float, length: float, width: float) -> tuple[tuple[float, float], ...]:
    a, b = length / 2, width / 2
    return tuple((round(float(x + i), 2), round(float(y + j), 2)) for i, j in ((-a, -b), (a, -b), (a, b), (-a, b)))


def crowd_areas(network: Network) -> tuple[CrowdAreaConfig, ...]:
    """Return plaza and alley as areas of dense crowds."""
    angles = np.radians(np.arange(0, 360, 30))
    fountain = tuple(
        (round(float(MIDDLE[0] + FOUNTAIN * np.cos(a)), 2), round(float(MIDDLE[1] + FOUNTAIN * np.sin(a)), 2))
        for a in angles
    )
    planters = tuple(_square(MIDDLE[0] + x, MIDDLE[1] + y, *PLANTER) for x, y in PLANTERS)
    stalls = tuple(_square(MIDDLE[0] + 4 * x, PLAZA[2, 1] - 1.3, 3.0, 2.0) for x in STALLS)
    small = tuple(_square(x, y, 1.0, 1.5) for x, y in ALLEY_STALLS)
    alley = blocks.alley()
    west, east = blocks.ALLEY_WEST, blocks.ALLEY_EAST
    south, north = float(alley[0, 1]), float(alley[2, 1])
    gates = (
        _gate("alley_south", (west[0][1], south), (east, south), network, "avenue_street3_street2"),
        _gate("alley_north", (west[-1][1], north), (east, north), network, "north_street2_street3"),
    )
    return (
        CrowdAreaConfig("plaza", _ring(blocks.plaza_outline()), (fountain, *planters, *stalls), plaza_gates(network)),
        CrowdAreaConfig("alley", _ring(alley), small, gates),
    )


def platforms() -> tuple[PlatformConfig, ...]:
    """Return two vehicles and twelve poles, the first four around main crossing, mouth of the alley and plaza."""
    a, s, b = AVENUE.kerb + 0.7, STREET.kerb + 0.6, BACK.half - 0.5
    poles = (
        ("pole_01", 19.0, a, -140.0), ("pole_02", -19.0, -a, 40.0), ("pole_03", -41.2, a, 82.0),
        ("pole_04", 40.0, a, 150.0), ("pole_05", -s, 27.0, -60.0), ("pole_06", s, -27.0, 120.0),
        ("pole_07", -100.0 + 20.0, -a, 140.0), ("pole_08", 110.0 + 20.0, a, -145.0),
        ("pole_09", -41.0, 100.0 + b, -86.0), ("pole_10", 211.0 - 20.0, -a, 45.0),
        ("pole_11", -201.0 - 20.0, -a, 45.0), ("pole_12", s, -105.0 + 24.0, -110.0),
    )  # fmt: skip
    masts = [
        equipment.pole(name, PoseConfig(x=x, y=y, z=KERB, yaw_deg=yaw), number)
        for number, (name, x, y, yaw) in enumerate(poles)
    ]
    cars = [equipment.vehicle(name) for name in ("vehicle_01", "vehicle_02")]
    return (*masts, *cars)


def routes() -> tuple[RouteConfig, ...]:
    """Return the rounds of the sensor vehicles; both pass the main crossing."""
    return (
        RouteConfig("vehicle_01", (
            "avenue_street2_street3", "avenue_street3_street4", "street4_avenue_north", "north_street4_street3",
            "north_street3_street2", "street2_north_avenue",
        )),
        RouteConfig("vehicle_02", (
            "avenue_street3_street4", "avenue_street4_street5", "street5_avenue_south", "south_street5_street4",
            "south_street4_street3", "street3_south_avenue",
        )),
    )  # fmt: skip


def places() -> tuple[PlaceConfig, ...]:
    """Return the named points that scenarios use."""
    px, py = (float(value) for value in MIDDLE)
    walk_n, walk_e = AVENUE.kerb + AVENUE.verge + 2.0, STREET.kerb + STREET.verge + 1.7
    first, second = (Polygon(corners).centroid for corners in blocks.sites().values())
    crane_1, crane_2 = cranes()
    rows = {
        "main_crossing": (0, 0), "main_crossing_ne": (11.0, 16.0), "main_crossing_nw": (-11.0, 16.0),
        "main_crossing_sw": (-11.0, -16.0), "main_crossing_se": (11.0, -16.0),
        "main_crosswalk_north": (0, 18.7), "main_crosswalk_south": (0, -18.7),
        "main_crosswalk_east": (13.0, 0), "main_crosswalk_west": (-13.0, 0),
        "alley_mouth": (-39.9, walk_n), "alley_south": (-39.9, 22.0), "alley_middle": (-39.65, 54.5),
        "alley_north": (-40.25, 86.0), "alley_north_mouth": (-40.25, 100.0 - BACK.half + 1.6),
        "avenue_facing_alley": (-39.9, -walk_n), "avenue_west": (-50.0, 0), "avenue_east": (55.0, 0),
        "avenue_kerb_nw": (-30.0, walk_n), "avenue_kerb_sw": (-30.0, -walk_n), "avenue_kerb_ne": (32.0, walk_n),
        "avenue_kerb_se": (32.0, -walk_n), "street3_north": (0, 60.0), "street3_south": (0, -60.0),
        "street3_walk_east": (walk_e, 40.0), "street3_walk_west": (-walk_e, 40.0),
        "plaza_centre": (px - 7.0, py), "plaza_north": (px, py + 15.0), "plaza_south": (px, py - 17.0),
        "plaza_west": (px - 22.0, py), "plaza_east": (px + 22.0, py), "plaza_fountain": (px, py - 4.5),
        "street2_avenue": (-100.0, 0), "street4_avenue": (110.0, 0), "street1_avenue": (-201.0, 0),
        "street5_avenue": (211.0, 0), "street2_north": (-100.0, 100.0), "street3_north_crossing": (0, 100.0),
        "street3_south_crossing": (0, -105.0), "street2_parked_west": (-100.0 - 4.4, 58.0),
        "street2_parked_east": (-100.0 + 4.4, 58.0), "north_parked_south": (-60.0, 100.0 - 4.4),
        "site_1_gate": (first.x, walk_n), "site_1_yard": (first.x, first.y - 8.0),
        "site_1_crane": (crane_1.x, crane_1.y),
        "site_2_gate": (second.x, -107.0 + STREET.kerb + STREET.verge + 1.7),
        "site_2_yard": (second.x, second.y - 6.0), "site_2_crane": (crane_2.x, crane_2.y),
    }  # fmt: skip
    return tuple(PlaceConfig(name, round(float(x), 2), round(float(y), 2)) for name, (x, y) in rows.items())
