"""The static map as markers."""

from collections import Counter
from pathlib import Path

import numpy as np
from visualization_msgs.msg import Marker

from twin_common import registry, stamps
from twin_common.codecs import codec_for
from twin_sim.scenario import load_scenario
from twin_sim.static_map import static_map

SCENARIOS = Path(__file__).parents[4] / "config/scenarios"
START_NS = 1_700_000_000_500_000_000


def test_every_row_of_the_map_is_a_marker_where_it_stands() -> None:
    world = load_scenario(SCENARIOS / "normal_day.yaml").world
    codec = codec_for(registry.topic("sim_map").type_name)
    markers = codec.decode(codec.encode(static_map(world, START_NS))).markers
    counts = Counter(marker.ns for marker in markers)
    assert counts["building"] == 121
    assert counts["pole"] == sum(platform.kind == "pole" for platform in world.district.platforms)
    assert counts["crane"] == 2 and counts["plaza"] >= 1 and counts["signal_1"] > 0 and counts["tree"] > 0
    assert {marker.header.frame_id for marker in markers} == {"map"}
    assert {stamps.from_time(marker.header.stamp) for marker in markers} == {START_NS}
    assert [marker.id for marker in markers] == list(range(len(markers)))

    building = next(marker for marker in markers if marker.ns == "building")
    zone = next(zone for zone in world.district.zones if zone.name == building.text)
    points = np.array([(point.x, point.y, point.z) for point in building.points])
    assert building.type == Marker.LINE_LIST and len(points) == 6 * len(zone.polygon)
    assert {float(z) for z in points[:, 2]} == {0.0, zone.height}
    assert {tuple(xy) for xy in points[:, :2]} == {tuple(corner) for corner in zone.polygon}

    pole = next(marker for marker in markers if marker.ns == "pole")
    pose = world.district.platform(pole.text).pose
    assert (pole.pose.position.x, pole.pose.position.y) == (pose.x, pose.y)
    assert abs(pole.pose.position.z - pole.scale.z / 2 - pose.z) < 1e-9
