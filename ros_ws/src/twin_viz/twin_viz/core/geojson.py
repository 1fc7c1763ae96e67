"""Maps as GeoJSON (RFC 7946): positions are longitude, latitude in degrees, WGS84."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_METRES_PER_DEGREE = 111_320.0  # of latitude; a drawing needs no more
_CORNERS = 20


def polygon(name: str, longitude: np.ndarray, latitude: np.ndarray, color: tuple[float, ...]) -> dict[str, Any]:
    """Return a named polygon with its style; ``longitude``, ``latitude`` (N,) degrees, open ring."""
    ring = np.stack([longitude, latitude], axis=1).round(8)
    shade = "#" + "".join(f"{round(255 * channel):02x}" for channel in color[:3])
    return {
        "type": "Feature",
        "properties": {"name": name, "style": {"color": shade, "fillColor": shade, "weight": 1, "fillOpacity": 0.4}},
        "geometry": {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]},
    }


def disc(name: str, longitude: float, latitude: float, radius: float, color: tuple[float, ...]) -> dict[str, Any]:
    """Return a named circle as a polygon; ``radius`` in metres."""
    angle = np.linspace(0, 2 * math.pi, _CORNERS, endpoint=False)
    per_degree = _METRES_PER_DEGREE * max(math.cos(math.radians(latitude)), 1e-6)
    return polygon(
        name,
        longitude + radius * np.cos(angle) / per_degree,
        latitude + radius * np.sin(angle) / _METRES_PER_DEGREE,
        color,
    )


def collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a feature collection."""
    return {"type": "FeatureCollection", "features": features}
