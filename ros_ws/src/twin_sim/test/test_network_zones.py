"""Zones from a network: known widths, simple polygons, clear errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from twin_common.config import ConfigError
from twin_sim.core.network_zones import ground_zones, read_network, simple

NET = """<net version="1.20">
<location netOffset="100.00,50.00" convBoundary="0,0,200,200" origBoundary="0,0,200,200" projParameter="!"/>
<edge id="a" from="j1" to="j2" priority="3">
<lane id="a_0" index="0" allow="pedestrian" width="3.00" speed="1" length="100" shape="100.00,39.30 200.00,39.30"/>
<lane id="a_1" index="1" disallow="all" type="verge" width="1.00" speed="1" length="100" shape="100,41.30 200,41.30"/>
<lane id="a_2" index="2" disallow="all" width="2.00" speed="9" length="100" shape="100.00,42.80 200.00,42.80"/>
<lane id="a_3" index="3" allow="bicycle" width="1.50" speed="9" length="100" shape="100.00,44.55 200.00,44.55"/>
<lane id="a_4" index="4" disallow="pedestrian" width="3.20" speed="9" length="100" shape="100.00,46.90 200.00,46.90"/>
</edge>
<edge id=":j2_c0" function="crossing">
<lane id=":j2_c0_0" index="0" allow="pedestrian" width="4.00" speed="1" length="9" shape="205.00,41.80 205.00,50.80"/>
</edge>
<edge id=":j2_w0" function="walkingarea">
<lane id=":j2_w0_0" index="0" allow="pedestrian" width="4.00" speed="1" length="9"
 shape="200.00,37.80 200.00,41.80 207.00,41.80 207.00,37.80"/>
</edge>
<junction id="j2" type="traffic_light" x="203.00" y="45.00"
 shape="200.00,37.80 200.00,50.80 210.00,50.80 210.00,37.80"/>
</net>"""


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "a.net.xml"
    path.write_text(NET)
    return path


def shapes(path: Path) -> dict[str, Polygon]:
    return {f"{zone.kind} {zone.name}": Polygon(zone.corners) for zone in ground_zones(read_network(path))}


def test_lanes_have_their_users(net: Path) -> None:
    network = read_network(net)
    assert [lane.users for lane in network.edges[0].lanes] == ["foot", "verge", "none", "cycle", "all"]
    assert network.junctions[0].signals and (network.junctions[0].x, network.junctions[0].y) == (103.0, -5.0)


def test_the_carriageway_ends_at_the_kerb(net: Path) -> None:
    found = shapes(net)
    # Parking, cycle and driving lane: 2.0 + 1.5 + 3.2 m wide, 100 m long; the offset of the network is taken off.
    assert found["carriageway a"].bounds == pytest.approx((0.0, -8.2, 100.0, -1.5), abs=0.011)
    assert found["carriageway a"].area == pytest.approx(670.0, rel=2e-3)
    assert found["sidewalk sidewalk a"].bounds == pytest.approx((0.0, -12.2, 100.0, -8.2), abs=0.011)
    assert found["crosswalk crosswalk j2_c0"].area == pytest.approx(36.0)


def test_a_junction_is_carriageway_but_for_its_corners(net: Path) -> None:
    found = shapes(net)
    assert found["carriageway junction j2"].area == pytest.approx(130.0 - 28.0)
    assert found["sidewalk corner j2_w0"].area == pytest.approx(28.0)
    assert found["carriageway junction j2"].intersection(found["sidewalk corner j2_w0"]).area < 1e-6


def test_zones_end_at_the_bounds(net: Path) -> None:
    zones = ground_zones(read_network(net), (0.0, -20.0, 50.0, 20.0))
    assert max(zone.corners[:, 0].max() for zone in zones) == 50.0
    assert "crosswalk" not in {zone.kind for zone in zones}


def test_holes_are_cut_open() -> None:
    ring = shapely.box(0, 0, 30, 20).difference(shapely.box(10, 5, 20, 15))
    pieces = [Polygon(corners) for corners in simple(ring)]
    assert len(pieces) == 2 and all(piece.is_valid and not piece.interiors for piece in pieces)
    assert sum(piece.area for piece in pieces) == pytest.approx(500.0)
    assert pieces[0].intersection(pieces[1]).area == 0.0


def test_what_has_no_area_is_left_out() -> None:
    assert simple(shapely.LineString([(0, 0), (5, 0)])) == []
    bow = simple(Polygon([(0, 0), (4, 4), (4, 0), (0, 4)]))  # crosses itself
    assert sum(Polygon(corners).area for corners in bow) == pytest.approx(8.0)
    assert all(Polygon(np.asarray(corners)).exterior.is_ccw for corners in bow)


@pytest.mark.parametrize(
    ("text", "said"),
    [("not xml", "not XML"), ("<osm/>", "<osm>; expected a SUMO network"), (None, "No such file")],
)
def test_what_is_no_network_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "b.net.xml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        read_network(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
