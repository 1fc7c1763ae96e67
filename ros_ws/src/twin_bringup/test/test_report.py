"""What the terminal tells of a graph that has only begun."""

from twin_bringup.monitor import NodeFigures, Picture
from twin_bringup.report import graph_line
from twin_common.node_spec import NodeSpec, ProcessSpec

DETECTORS = [NodeSpec(component="-", name="lidar_detector", namespace=f"/pole_0{number}") for number in range(1, 6)]
PROCESSES = [ProcessSpec(name="poles", nodes=tuple(DETECTORS))]


def test_who_waits_for_a_graph_reads_what_it_waits_for() -> None:
    picture = Picture()
    line = str(graph_line(PROCESSES, picture))
    assert "0 of 5 nodes run" in line and "/pole_01/lidar_detector" in line and line.endswith("and 2 more")
    for node in DETECTORS[:4]:
        picture.nodes[node.full_name] = NodeFigures()
    picture.nodes["/pole_04/lidar_detector"].take(0, "", {"learning": "1"})
    line = str(graph_line(PROCESSES, picture))
    assert line == (
        "starting: 4 of 5 nodes run, not yet /pole_05/lidar_detector; no background yet at /pole_04/lidar_detector"
    )


def test_a_graph_that_runs_tells_whom_it_tracks_even_if_that_is_nobody() -> None:
    picture = Picture()
    picture.nodes = {node.full_name: NodeFigures() for node in DETECTORS}
    assert str(graph_line(PROCESSES, picture)).startswith("objects now: none")
    del picture.nodes["/pole_05/lidar_detector"]  # one that never told of itself
    picture.seen[7] = "pedestrian"
    assert "1 pedestrian" in str(graph_line(PROCESSES, picture))
