"""The reference district: what was asked for is there, and stands where it can stand."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point, Polygon

from twin_common.district import ZoneConfig
from twin_sim.core.network_zones import Network, read_network
from twin_sim.core.signals import USERS_VEHICLES
from twin_sim.districts import heads_of
from twin_sim.world import World, load_world

DISTRICTS = Path(__file__).resolve().parents[4] / "config/districts"
SANGMU = DISTRICTS / "sangmu"


@pytest.fixture(scope="module")
def world() -> World:
    return load_world(SANGMU)


@pytest.fixture(scope="module")
def network(world: World) -> Network:
    return read_network(world.network)


def covered(world: World, *kinds: str) -> shapely.Geometry:
    zones = [Polygon(zone.corners()) for zone in world.district.zones if zone.kind in kinds]
    return shapely.union_all(zones)


def area(world: World, name: str) -> Polygon:
    return Polygon(next(item for item in world.config.crowd_areas if item.name == name).polygon)


def test_the_files_are_what_the_generator_makes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, DISTRICTS / "make_sangmu.py", tmp_path / "made"], check=True, capture_output=True)
    for name in ("district.yaml", "world.yaml", "sangmu.net.xml"):
        assert (tmp_path / "made" / name).read_bytes() == (SANGMU / name).read_bytes(), f"{name}: run make_sangmu.py"


def test_the_district_lists_the_signal_heads_of_its_network(world: World) -> None:
    listed, heads = world.district.signals, heads_of(world)
    assert [item.id for item in listed] == [head.signal_id for head in heads] and len(heads) > 50
    for item, head in zip(listed, heads, strict=True):
        assert np.allclose((item.x, item.y, item.z), (head.x, head.y, head.z), atol=0.006)
        assert abs(np.radians(item.yaw_deg) - head.yaw) < 0.001
        assert item.users == ("vehicles" if head.users == USERS_VEHICLES else "pedestrians")


def test_its_size_and_what_it_has(world: World) -> None:
    kinds = [zone.kind for zone in world.district.zones]
    assert world.config.bounds == (-300.0, -200.0, 300.0, 200.0)
    assert kinds.count("building") == 121 and kinds.count("site") == 2 == len(world.config.cranes)
    heights = [zone.height for zone in world.district.zones if zone.kind == "building"]
    assert 7.0 < min(heights) < 12.0 and 60.0 < max(heights) < 80.0
    assert len([item for item in world.district.platforms if item.kind == "pole"]) == 12
    assert [item.name for item in world.district.platforms if item.kind == "vehicle"] == ["vehicle_01", "vehicle_02"]
    panels = [panel.kind for panel in world.config.panels]
    assert panels.count("panel") >= 3 and panels.count("sign") >= 4 and len(world.config.places) >= 25
    assert world.district.datum.latitude == 35.1525 and world.district.datum.longitude == 126.851


def test_zones_are_simple_polygons_within_the_bounds(world: World) -> None:
    frame = shapely.box(*world.config.bounds).buffer(0.02)
    for zone in world.district.zones:
        shape = Polygon(zone.corners())
        assert shape.is_valid and shape.exterior.is_ccw and frame.contains(shape), zone.name


def test_buildings_keep_clear_of_each_other_and_of_the_street(world: World) -> None:
    buildings = [zone for zone in world.district.zones if zone.kind == "building"]
    shapes = [Polygon(zone.corners()) for zone in buildings]
    street = covered(world, "carriageway", "crosswalk", "sidewalk", "plaza", "site")
    for zone, shape in zip(buildings, shapes, strict=True):
        assert shape.intersection(street).area < 0.5, zone.name
    tree = shapely.STRtree(shapes)
    first, second = tree.query(shapes)
    for i, j in zip(first, second, strict=True):
        assert i >= j or shapes[i].intersection(shapes[j]).area < 0.1, (buildings[i].name, buildings[j].name)


def test_sidewalks_and_lanes_are_wide_enough(network: Network) -> None:
    for edge in network.edges:
        assert edge.walk is not None and edge.walk.width >= 3.0, edge.name
        assert all(lane.width >= 3.0 for lane in edge.driving)
    assert len(network.edge("avenue_street2_street3").driving) == 3
    assert len(network.edge("street3_avenue_north").driving) == 2
    assert len(network.edge("street2_avenue_north").driving) == 1


def test_signals_let_people_and_vehicles_go_in_turn(world: World, network: Network) -> None:
    root = ElementTree.parse(world.network).getroot()
    walks: dict[str, set[int]] = {}
    for item in root.iter("connection"):
        if item.get("tl") and item.get("to") in network.crossings:
            walks.setdefault(item.get("tl", ""), set()).add(int(item.get("linkIndex", "-1")))
    logics = {
        logic.get("id"): [phase.get("state", "") for phase in logic.iter("phase")] for logic in root.iter("tlLogic")
    }
    assert len(logics) == 9 and set(walks) == set(logics)
    for name, states in logics.items():
        for link in walks[name]:
            shown = {state[link] for state in states}
            assert "G" in shown and "r" in shown, (name, link)


def test_speed_limits_are_those_of_a_town(world: World) -> None:
    root = ElementTree.parse(world.network).getroot()
    lanes = [lane for edge in root.iter("edge") if edge.get("function") is None for lane in edge.iter("lane")]
    lanes = [lane for lane in lanes if lane.get("disallow", "").startswith("pedestrian")]
    speeds = np.array([float(lane.get("speed", "nan")) for lane in lanes]) * 3.6
    assert speeds.min() == pytest.approx(30, abs=0.1) and speeds.max() == pytest.approx(50, abs=0.1)


def test_the_alley_is_a_canyon_between_buildings(world: World) -> None:
    alley, houses = area(world, "alley"), covered(world, "building")
    (x0, y0, x1, y1) = alley.bounds
    assert 60.0 <= y1 - y0 <= 80.0
    for y in np.arange(y0 + 0.5, y1, 0.5):
        across = LineString([(x0 - 5, y), (x1 + 5, y)])
        width = across.intersection(alley).length
        assert 3.5 <= width <= 5.0, y
        assert across.difference(houses).length == pytest.approx(width, abs=0.02), "a gap in its walls"


def test_crowds_come_in_from_sidewalks_and_keep_out_of_obstacles(world: World, network: Network) -> None:
    for item in world.config.crowd_areas:
        outline, shape = Polygon(item.polygon).exterior, Polygon(item.polygon)
        for gate in item.gates:
            assert outline.distance(LineString([gate.start, gate.end])) < 0.01
            assert outline.buffer(0.02).contains(LineString([gate.start, gate.end])), gate.name
            walk = network.edge(gate.edge).walk
            assert walk is not None
            spot = LineString(walk.shape).interpolate(gate.position)
            middle = Point(np.mean([gate.start, gate.end], axis=0))
            assert spot.distance(middle) < walk.width / 2 + 0.1, gate.name
        for obstacle in item.obstacles:
            assert shape.buffer(0.06).contains(Polygon(obstacle))
    assert area(world, "plaza").area == pytest.approx(2000, rel=0.02)


def test_poles_stand_on_pavements_and_look_at_streets(world: World) -> None:
    pavement, houses = covered(world, "sidewalk", "plaza"), covered(world, "building")
    road = covered(world, "carriageway", "crosswalk")
    for item in world.district.platforms:
        if item.kind != "pole":
            continue
        spot, yaw = Point(item.pose.x, item.pose.y), np.radians(item.pose.yaw_deg)
        assert pavement.contains(spot) and road.distance(spot) > 0.3 and houses.distance(spot) > 0.3, item.name
        assert item.pose.z == 0.15 and item.lidar is not None and item.lidar.mount.z == 5.2
        ahead = LineString([spot, (spot.x + 12 * np.cos(yaw), spot.y + 12 * np.sin(yaw))])
        assert not ahead.intersects(houses), f"{item.name} looks at a wall"
        assert item.camera is not None
        optical = item.camera.mount.matrix()[:3, 2]  # forward of the camera in the pole's frame
        assert optical[0] > 0.9 and -0.4 < optical[2] < -0.15
        for thing in world.config.things:
            assert np.hypot(thing.x - spot.x, thing.y - spot.y) > 1.2, f"{thing.kind} at {item.name}"


def test_the_first_four_poles_watch_one_place(world: World) -> None:
    spots = np.array([(item.pose.x, item.pose.y) for item in world.district.platforms[:4]])
    assert np.hypot(*spots.T).max() < 50.0


def test_things_keep_clear_of_lanes_and_walls(world: World) -> None:
    road, houses = covered(world, "carriageway"), covered(world, "building").buffer(-0.2)
    for thing in world.config.things:
        spot = Point(thing.x, thing.y)
        assert road.distance(spot) > 0.3 or not road.contains(spot), thing
        assert not houses.contains(spot), thing


def test_parked_vehicles_stand_on_parking_lanes(world: World, network: Network) -> None:
    lanes = shapely.union_all([lane.area() for edge in network.edges for lane in edge.lanes if lane.users == "none"])
    spots = np.array([(item.x, item.y) for item in world.config.parked])
    assert len(spots) > 100
    assert shapely.contains_xy(lanes, *spots.T).all()
    gaps = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1)) + 99 * np.eye(len(spots))
    assert gaps.min() > 5.0, "bodies would overlap"


def test_panels_hang_on_walls_and_look_away_from_them(world: World) -> None:
    buildings = [zone for zone in world.district.zones if zone.kind == "building"]
    for panel in world.config.panels:
        spot = Point(panel.x, panel.y)
        zone: ZoneConfig = min(buildings, key=lambda item: Polygon(item.corners()).distance(spot))
        wall, yaw = Polygon(zone.corners()), np.radians(panel.yaw_deg)
        assert not wall.contains(spot) and wall.distance(spot) < 0.7, panel.name
        assert panel.z + panel.height < zone.height + 0.2, f"{panel.name} hangs above the roof"
        if panel.kind == "panel":
            out = Point(panel.x + np.cos(yaw), panel.y + np.sin(yaw))
            assert wall.distance(out) == pytest.approx(wall.distance(spot) + 1.0, abs=0.02), panel.name
        assert panel.kind == "sign" or panel.z > 6.0


def test_places_lie_in_the_open(world: World) -> None:
    frame, houses = shapely.box(*world.config.bounds), covered(world, "building")
    for place in world.config.places:
        assert frame.contains(Point(place.x, place.y)) and not houses.contains(Point(place.x, place.y)), place.name


def test_vehicles_can_drive_their_rounds(world: World) -> None:
    root = ElementTree.parse(world.network).getroot()
    leads = {(item.get("from"), item.get("to")) for item in root.iter("connection")}
    assert {route.platform for route in world.config.routes} == {"vehicle_01", "vehicle_02"}
    for route in world.config.routes:
        for a, b in zip(route.edges, (*route.edges[1:], route.edges[0]), strict=True):
            assert (a, b) in leads, f"{route.platform}: no way from {a} to {b}"
