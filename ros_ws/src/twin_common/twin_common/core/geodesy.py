"""WGS84 coordinates to and from the local east-north-up frame of a district's datum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymap3d


@dataclass(frozen=True, slots=True)
class Datum:
    """Origin of the map frame: latitude and longitude in degrees, altitude above the ellipsoid in metres."""

    latitude: float
    longitude: float
    altitude: float

    def __post_init__(self) -> None:
        """Refuse coordinates that are not on the globe."""
        if not -90 <= self.latitude <= 90 or not -180 <= self.longitude <= 180:
            raise ValueError(
                f"datum: latitude {self.latitude}, longitude {self.longitude}; expected -90 to 90 and -180 to 180"
            )

    def to_map(self, latitude: np.ndarray, longitude: np.ndarray, altitude: np.ndarray) -> np.ndarray:
        """Return east, north, up in metres, shape (..., 3)."""
        return np.stack(
            pymap3d.geodetic2enu(latitude, longitude, altitude, self.latitude, self.longitude, self.altitude),
            axis=-1,
        )

    def to_wgs84(self, east: np.ndarray, north: np.ndarray, up: np.ndarray) -> np.ndarray:
        """Return latitude (deg), longitude (deg), altitude (m), shape (..., 3)."""
        return np.stack(pymap3d.enu2geodetic(east, north, up, self.latitude, self.longitude, self.altitude), axis=-1)
