"""What stands still in the simulated district, as markers that RViz and Foxglove draw."""

from __future__ import annotations

import math
from typing import Any

from geometry_msgs.msg import Point
from visualization_msgs.msg import Marker, MarkerArray

from twin_common import stamps
from twin_sim.convert import MAP
from twin_sim.truth_tables import map_rows
from twin_sim.world import World

LINE, SPOT, POST = 0.15, 0.3, 2.0  # widths of outlines and things, height of a thing whose own is not known, metres
GREY = 0.6


def static_map(world: World, stamp_ns: int) -> MarkerArray:
    """Return the rows of the truth's table ``map``, one marker each, map frame.

    ``ns`` is the row's kind, ``text`` its name, ``id`` its place in the table. A zone is its outline, with the outline
    at its height and the edges between them where it has one; anything else is a post where it stands.
    """
    array = MarkerArray()
    for number, (kind, name, x, y, z, yaw, height, polygon) in enumerate(map_rows(world)):
        marker = Marker(ns=kind, id=number, text=name, action=Marker.ADD)
        marker.header.frame_id = MAP
        stamps.fill_time(marker.header.stamp, stamp_ns)
        marker.color.r = marker.color.g = marker.color.b = GREY
        marker.color.a = 1.0
        marker.pose.orientation.w = 1.0
        if polygon:
            _outline(marker, polygon, float(height))
        else:
            _post(marker, (float(x), float(y), float(z)), float(yaw), float(height))
        array.markers.append(marker)
    return array


def _outline(marker: Marker, polygon: list[Any], height: float) -> None:
    """Draw the edges of a zone (corners (x, y), metres) as a list of lines."""
    marker.type, marker.scale.x = Marker.LINE_LIST, LINE
    for (x, y), (next_x, next_y) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        edges = [((x, y, 0.0), (next_x, next_y, 0.0))]
        if height:
            edges += [((x, y, height), (next_x, next_y, height)), ((x, y, 0.0), (x, y, height))]
        marker.points += [Point(x=float(a), y=float(b), z=float(c)) for edge in edges for a, b, c in edge]


def _post(marker: Marker, place: tuple[float, float, float], yaw: float, height: float) -> None:
    """Draw a thing as a post that stands on ``place``."""
    marker.type = Marker.CYLINDER
    marker.scale.x = marker.scale.y = SPOT
    marker.scale.z = height or POST
    marker.pose.position.x, marker.pose.position.y = place[:2]
    marker.pose.position.z = place[2] + marker.scale.z / 2
    marker.pose.orientation.z, marker.pose.orientation.w = math.sin(yaw / 2), math.cos(yaw / 2)
