"""What the terminal tells of a graph that has only begun."""

from twin_bringup.monitor import NodeFigures, Picture
from twin_bringup.report import objects_line, start_line
from twin_common.node_spec import NodeSpec, ProcessSpec

DETECTORS = [NodeSpec(component="-", name="lidar_detector", namespace=f"/pole_0{number}") for number in range(1, 6)]
PROCESSES = [ProcessSpec(name="poles", nodes=tuple(DETECTORS))]


def test_who_waits_for_a_graph_reads_what_it_waits_for() -> None:
    picture = Picture()
    line = str(start_line(PROCESSES, picture))
    assert "0 of 5 nodes run" in line and "/pole_01/lidar_detector" in line and line.endswith("and 2 more")
    for node in DETECTORS:
        picture.nodes[node.full_name] = NodeFigures()
    assert "not yet" not in str(start_line(PROCESSES, picture))
    picture.nodes["/pole_04/lidar_detector"].take(0, "", {"learning": "1"})
    assert "/pole_04/lidar_detector still learning" in str(start_line(PROCESSES, picture))
    picture.seen[7] = "pedestrian"
    assert start_line(PROCESSES, picture) is None
    assert "1 pedestrian" in str(objects_line(picture))
