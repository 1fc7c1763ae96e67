"""Where the sun stands: elevation and azimuth at a time and place."""

from __future__ import annotations

import math


def sun_position(stamp_ns: int, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
    """Return elevation above the horizon and azimuth counter-clockwise from east, radians.

    Low-precision formulas of the Astronomical Almanac ("Low precision formulas for the Sun", section C), good to
    about 0.01 degrees between 1950 and 2050; refraction is left out.
    """
    days = stamp_ns / 86_400e9 - 10_957.5  # since 2000-01-01 12:00 UTC
    mean_longitude = math.radians((280.460 + 0.9856474 * days) % 360)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360)
    ecliptic = mean_longitude + math.radians(1.915) * math.sin(anomaly) + math.radians(0.020) * math.sin(2 * anomaly)
    tilt = math.radians(23.439 - 4e-7 * days)
    declination = math.asin(math.sin(tilt) * math.sin(ecliptic))
    ascension = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    sidereal = math.radians((280.46061837 + 360.98564736629 * days + longitude_deg) % 360)
    hour_angle, latitude = sidereal - ascension, math.radians(latitude_deg)
    up = math.sin(latitude) * math.sin(declination) + math.cos(latitude) * math.cos(declination) * math.cos(hour_angle)
    east = -math.cos(declination) * math.sin(hour_angle)
    north = math.cos(latitude) * math.sin(declination) - math.sin(latitude) * math.cos(declination) * math.cos(
        hour_angle
    )
    return math.asin(max(-1.0, min(1.0, up))), math.atan2(north, east)
