"""Which zones of the district a point lies in, and how high the ground is there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from twin_common.district import ZoneConfig
from twin_sim.core.network_zones import KERB


class ZoneIndex:
    """Zones by place."""

    def __init__(self, zones: Sequence[ZoneConfig]) -> None:
        """Index the zones' polygons."""
        self._kinds = np.array([zone.kind for zone in zones], dtype=object)
        self._tree = shapely.STRtree([shapely.Polygon(zone.corners()) for zone in zones])

    def inside(self, points: np.ndarray, kind: str) -> np.ndarray:
        """Return which points (N, 2), metres, map frame, lie in a zone of a kind, (N,) bool."""
        points = np.asarray(points, float).reshape(-1, 2)
        found = np.zeros(len(points), bool)
        which, zone = self._tree.query(shapely.points(points), predicate="intersects")
        found[which[self._kinds[zone] == kind]] = True
        return found

    def kinds(self, x: float, y: float) -> frozenset[str]:
        """Return the kinds of the zones that a point lies in."""
        return frozenset(self._kinds[self._tree.query(shapely.Point(x, y), predicate="intersects")])

    def ground(self, x: float, y: float) -> float:
        """Return the height of the ground at a point, metres: 0 on the carriageway, a kerb's height elsewhere."""
        return 0.0 if self.kinds(x, y) & {"carriageway", "crosswalk"} else KERB
