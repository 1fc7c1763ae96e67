"""Which zones of the district a point lies in, and how high the ground is there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from twin_common.district import ZONE_KINDS, ZoneConfig
from twin_sim.core.network_zones import KERB

#: Width of a cell of the map of zones, metres: borders are good to half of it.
CELL = 0.2


class ZoneIndex:
    """Zones by place, on a map of cells."""

    def __init__(self, zones: Sequence[ZoneConfig]) -> None:
        """Draw the zones' polygons, a bit for each kind."""
        corners = [zone.corners() for zone in zones]
        every = np.concatenate(corners) if corners else np.zeros((1, 2))
        low, high = np.floor(every.min(axis=0)) - 1.0, np.ceil(every.max(axis=0)) + 1.0
        self._x0, self._y0 = float(low[0]), float(low[1])
        width, height = np.ceil((high - low) / CELL).astype(int).tolist()
        self._bits = np.zeros((height, width), np.uint8)
        for i, kind in enumerate(ZONE_KINDS):
            layer = Image.new("1", (width, height))
            draw = ImageDraw.Draw(layer)
            for zone, ring in zip(zones, corners, strict=True):
                if zone.kind == kind:
                    draw.polygon([tuple(corner) for corner in ((ring - low) / CELL - 0.5).tolist()], fill=1)
            self._bits |= np.asarray(layer, np.uint8) << i
        every_set = range(2 ** len(ZONE_KINDS))
        sets = [frozenset(kind for i, kind in enumerate(ZONE_KINDS) if bits >> i & 1) for bits in every_set]
        self._sets = sets
        self._low = [bool(kinds & {"carriageway", "crosswalk"}) for kinds in sets]

    def _at(self, x: float, y: float) -> int:
        column, row = math.floor((x - self._x0) / CELL), math.floor((y - self._y0) / CELL)
        height, width = self._bits.shape
        return int(self._bits[row, column]) if 0 <= row < height and 0 <= column < width else 0

    def kinds(self, x: float, y: float) -> frozenset[str]:
        """Return the kinds of the zones that a point, metres, map frame, lies in."""
        return self._sets[self._at(x, y)]

    def ground(self, x: float, y: float) -> float:
        """Return the height of the ground at a point, metres: 0 on the carriageway, a kerb's height elsewhere."""
        return 0.0 if self._low[self._at(x, y)] else KERB
