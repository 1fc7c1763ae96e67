"""A district from an OpenStreetMap extract: what is in it, where, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import osm_sample
import pytest
import shapely
from shapely.geometry import Point, Polygon

from twin_common.config import ConfigError
from twin_sim.core.network_zones import read_network
from twin_sim.core.scenery import local_scenery, scenery
from twin_sim.osm_extract import read_extract
from twin_sim.osm_import import ImportOptions, import_osm
from twin_sim.world import World, load_world


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("osm") / "quarter.osm"
    path.write_text(osm_sample.sample())
    return path


@pytest.fixture(scope="module")
def said() -> list[str]:
    return []


@pytest.fixture(scope="module")
def world(source: Path, said: list[str]) -> World:
    return import_osm(source, source.parent / "quarter", ImportOptions(poles=3), said.append)


def named(world: World, part: str) -> list[Polygon]:
    return [Polygon(zone.corners()) for zone in world.district.zones if part in zone.name]


def test_it_tells_what_it_does(world: World, said: list[str]) -> None:
    assert len(said) == 3 and "6 roads, 6 buildings, 1 plazas, 2 building sites" in said[0] and "2 left out" in said[0]
    assert "crosswalks" in said[1] and "3 poles" in said[2]


def test_the_datum_is_the_middle_of_the_extract(world: World) -> None:
    datum = world.district.datum
    off = osm_sample.distance_m(datum.latitude, datum.longitude, osm_sample.LATITUDE, osm_sample.LONGITUDE)
    assert off < 0.05


def test_streets_lie_where_they_were_drawn(world: World) -> None:
    network = read_network(world.network)
    spots = {(round(item.x), round(item.y)) for item in network.junctions}
    assert {(x, y) for x in (-100, 0, 100) for y in (-100, 0, 100)} <= spots
    middle = next(item for item in network.junctions if np.hypot(item.x, item.y) < 1)
    assert middle.signals and np.hypot(middle.x, middle.y) < 0.1


def test_network_and_buildings_share_one_frame(world: World) -> None:
    (long_house,) = named(world, "Long house")
    assert long_house.bounds == pytest.approx((-80.0, 25.0, -20.0, 75.0), abs=0.15)


@pytest.mark.parametrize(
    ("middle", "height"),
    [((-50, 50), 5 * 3.3 + 1.1), ((-50, -50), 12.5), ((-20, -70), 40 * 0.3048), ((30, -30), 3.3 * 3 + 1.1 - 1.1 * 1)],
)
def test_heights_come_from_tags(world: World, middle: tuple[float, float], height: float) -> None:
    zone = next(zone for zone in world.district.zones
                if zone.kind == "building" and Polygon(zone.corners()).contains(Point(middle)))  # fmt: skip
    assert zone.height == pytest.approx(height, abs=0.06)


def test_a_courtyard_stays_open(world: World) -> None:
    halves = named(world, "Court & yard")
    assert len(halves) == 2 and all(half.is_valid for half in halves)
    assert sum(half.area for half in halves) == pytest.approx(70 * 60 - 30 * 20, rel=0.005)
    assert not any(half.contains(Point(50, 50)) for half in halves)


def test_nothing_stands_in_the_road(world: World) -> None:
    road = shapely.union_all(
        [Polygon(z.corners()) for z in world.district.zones if z.kind in ("carriageway", "crosswalk")]
    )
    houses = [Polygon(zone.corners()) for zone in world.district.zones if zone.kind == "building"]
    assert all(house.intersection(road).area < 0.05 for house in houses)
    assert not any(road.contains(Point(item.x, item.y)) for item in world.config.things)
    kinds = [item.kind for item in world.config.things]
    assert kinds.count("tree") == 5 + 4 and kinds.count("lamp") == 1


def test_poles_stand_at_the_busiest_junctions(world: World) -> None:
    poles = [item for item in world.district.platforms if item.kind == "pole"]
    walks = shapely.union_all([Polygon(z.corners()) for z in world.district.zones if z.kind == "sidewalk"])
    assert len(poles) == 3 and all(walks.contains(Point(item.pose.x, item.pose.y)) for item in poles)
    assert np.hypot(poles[0].pose.x, poles[0].pose.y) < 25.0  # the one with signals, on the primary street
    yaw = np.radians(poles[0].pose.yaw_deg)
    assert np.cos(yaw) * -poles[0].pose.x + np.sin(yaw) * -poles[0].pose.y > 0, "looks away from its junction"


def test_plazas_sites_and_the_vehicle(world: World) -> None:
    kinds = [zone.kind for zone in world.district.zones]
    assert kinds.count("plaza") == 1 and kinds.count("site") == 2
    assert [item.name for item in world.config.crowd_areas] == ["plaza Small square"]
    (route,) = world.config.routes
    assert len(route.edges) >= 4 and world.district.platform("vehicle_01").kind == "vehicle"


def test_sensors_can_see_it(world: World) -> None:
    mesh, part = scenery(world), local_scenery(world, (0.0, 0.0), 30.0)
    assert 500 < len(part.triangles) < len(mesh.triangles) / 2
    assert 2_000 < len(mesh.triangles) < 60_000 and np.isfinite(mesh.vertices).all()


def test_the_same_extract_gives_the_same_files(source: Path, world: World, tmp_path: Path) -> None:
    import_osm(source, tmp_path / "again", ImportOptions(poles=3), lambda _: None)
    for path in sorted((tmp_path / "again").iterdir()):
        assert path.read_bytes() == (world.folder / path.name).read_bytes(), path.name


def test_an_extract_without_bounds_and_buildings_will_do(tmp_path: Path) -> None:
    out = osm_sample.Writer()
    out.way([(-60.0, 0.0), (60.0, 5.0)], highway="residential")
    source = tmp_path / "road.osm"
    source.write_text(out.text(bounds=None))
    import_osm(source, tmp_path / "road", tell=lambda _: None)
    world = load_world(tmp_path / "road")
    assert [item.name for item in world.district.platforms if item.kind == "pole"] == ["pole_01"]
    assert world.config.routes == () or world.config.routes[0].edges


def test_feet_and_odd_numbers_are_read(tmp_path: Path) -> None:
    out = osm_sample.Writer()
    out.way([(-60.0, 0.0), (60.0, 0.0)], highway="residential")
    for i, tags in enumerate(({"height": "30'6\""}, {"height": "7,5"}, {"building__levels": "2.5"}, {"height": "-3"})):
        out.way(osm_sample.square(-40 + 20 * i, 20, 10, 10), building="yes", **tags)
    source = tmp_path / "tags.osm"
    source.write_text(out.text())
    heights = [area.height for area in read_extract(source).buildings]
    assert heights == pytest.approx([30 * 0.3048 + 6 * 0.0254, 7.5, 2.5 * 3.3 + 1.1, 9.9])


LONELY = """<osm><node id="1" lat="52" lon="13"/>
<way id="2"><nd ref="1"/><nd ref="7"/><tag k="highway" v="primary"/></way></osm>"""
EXPECTED = "expected an OpenStreetMap extract (.osm, XML)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", f"not XML (syntax error: line 1, column 0); {EXPECTED}"),
        ("", f"not XML (no element found: line 1, column 0); {EXPECTED}"),
        ("<html/>", f"<html>; {EXPECTED}"),
        ('<osm version="0.6"/>', f"no nodes; {EXPECTED} with at least one road"),
        (LONELY, "no roads; expected ways with highway=residential or another that cars may use"),
        (None, f"no such file; {EXPECTED}"),
    ],
)  # fmt: skip
def test_bad_extracts_get_one_line_and_leave_nothing(tmp_path: Path, text: str | None, said: str) -> None:
    source = tmp_path / "bad.osm"
    if text is not None:
        source.write_text(text)
    with pytest.raises(ConfigError) as caught:
        import_osm(source, tmp_path / "out", tell=lambda _: None)
    assert str(caught.value) == f"{source}: {said}"
    assert [item.name for item in tmp_path.iterdir()] == (["bad.osm"] if text is not None else [])


def test_a_folder_that_is_in_use_is_left_alone(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists already; expected a new folder for the district"):
        import_osm(source, tmp_path / "out", tell=lambda _: None)
    assert [item.name for item in (tmp_path / "out").iterdir()] == ["mine.txt"]
