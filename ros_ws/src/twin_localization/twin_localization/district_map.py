"""The surfaces that a district's file tells of, to register scans to."""

from __future__ import annotations

import numpy as np
import shapely

from twin_common.district import DistrictConfig
from twin_localization.core.static_map import StaticMap, walls_of


def static_map(district: DistrictConfig, place: np.ndarray, road: float, kerb: float, reach: float) -> StaticMap:
    """Return the walls and the ground within ``reach`` of a place (2,); ``road``: its height, ``kerb``; metres."""
    roads = [*district.polygons("carriageway"), *district.polygons("crosswalk")]
    parts = [shapely.make_valid(shapely.Polygon(corners)) for corners in roads]
    whole = shapely.union_all(parts).buffer(0.03, join_style="mitre").buffer(-0.03, join_style="mitre")  # slits between
    edges = [np.zeros((0, 2, 2))]
    for part in shapely.get_parts(whole):
        for ring in (part.exterior, *part.interiors):
            corners = np.asarray(ring.coords)
            edges.append(np.stack([corners[:-1], corners[1:]], axis=1))
    walls = walls_of([(zone.corners(), zone.height) for zone in district.zones if zone.kind == "building"])
    return StaticMap(walls, roads, np.concatenate(edges), road, kerb, place, reach)
