"""Light, air and exposure that a Weather means for a camera.

Light is given as the exposed camera sees it: the automatic exposure of a street camera is part of the figures, and so
is its noise, which grows with the gain. Fog follows Koschmieder: contrast falls by exp(-extinction * distance), and
the meteorological range is where 5 % of it are left (WMO-No. 8). Rain extinguishes 1.076 R^0.67 dB/km (Carbonneau and
Wisely 1998).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_sim.core.frame import Weather

OVERCAST_RAIN = 0.2  # mm/h from which on the sky is closed
OVERCAST_RANGE = 3000.0  # metres of visibility below which it is
SOFT = 0.3  # metres of softness from which on shadows need more samples
FULL_RAIN = 12.0  # mm/h at which streaks and wetness are at their most


@dataclass(frozen=True, slots=True)
class Lighting:
    """Light by its kinds (3,), linear RGB; directions (3,), map frame, towards the light."""

    sun: np.ndarray
    sun_colour: np.ndarray
    direct: np.ndarray
    direct_colour: np.ndarray
    spread: float  # softness of shadows, metres
    sky_light: np.ndarray
    ground_light: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    air: np.ndarray
    clouds: float
    extinction: float  # per metre
    exposure: float
    glow: float  # of materials that give light
    lamps: float  # of street lamps; 0: off
    noise: tuple[float, float]  # at black and at white, of full scale
    wet: float
    rain: float  # 0..1

    @property
    def night(self) -> bool:
        """Whether lamps are on."""
        return self.lamps > 0

    def variants(self) -> tuple[str, ...]:
        """Return the shaders' variants that this light needs."""
        return (("NIGHT",) if self.night else ()) + (("SUNNY",) if self.spread < SOFT else ())


def lighting(weather: Weather) -> Lighting:
    """Return the light of a weather."""
    day = float(np.clip((weather.sun_elevation + 0.10) / 0.30, 0.0, 1.0))  # 0: night, 1: full day
    closed = weather.rain >= OVERCAST_RAIN or weather.visibility < OVERCAST_RANGE
    low = float(np.clip(1 - weather.sun_elevation / 0.5, 0.0, 1.0)) * day  # towards sunset light turns red
    elevation = max(weather.sun_elevation, 0.06)
    flat = np.cos(elevation)
    azimuth = weather.sun_azimuth
    sun = np.array([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)])
    shining = 0.0 if closed or weather.sun_elevation < 0.02 else day
    tint = np.array([1.0, 0.95 - 0.18 * low, 0.86 - 0.34 * low])
    sun_colour = 2.3 * shining * tint * (1 - 0.3 * low)
    dusk = np.array([0.012, 0.016, 0.030])
    blue, grey = np.array([0.36, 0.42, 0.52]), np.array([0.40, 0.41, 0.43])
    sky_light = dusk + day * (grey if closed else blue) * 1.05
    ground_light = 0.6 * dusk + day * (0.20 * np.ones(3) if closed else np.array([0.30, 0.28, 0.25]))
    soft = 0.75 * day * np.array([0.96, 0.98, 1.0]) if shining == 0 else sun_colour
    lit = weather.night
    zenith = dusk + day * (np.array([0.75, 0.77, 0.80]) if closed else np.array([0.17, 0.34, 0.72]))
    horizon = dusk * 2.2 + day * (np.array([0.88, 0.89, 0.90]) if closed else np.array([0.72, 0.80, 0.88]))
    horizon = horizon + (0.45 * low * day * np.array([0.5, 0.16, -0.10]) if not closed else 0.0)
    town = np.array([0.085, 0.066, 0.045]) * lit  # lamps shine on haze
    dim = float(np.clip(weather.visibility / 2000.0, 0.0, 1.0))
    air = (horizon * (0.72 + 0.22 * dim) + town) if closed else horizon * 0.92 + 0.5 * town
    rain = float(np.clip(weather.rain / FULL_RAIN, 0.0, 1.0)) ** 0.6
    rain_extinction = 1.076 * max(weather.rain, 0.0) ** 0.67 / 4.343 / 1000.0
    gain = 1.0 - day
    return Lighting(
        sun=sun, sun_colour=sun_colour, direct=sun if shining else np.array([0.0, 0.0, 1.0]), direct_colour=soft,
        spread=0.08 if shining else 0.55, sky_light=sky_light, ground_light=ground_light,
        zenith=zenith + 0.3 * town, horizon=horizon + town, air=air, clouds=0.0 if closed else 0.8 * day,
        extinction=float(np.log(20.0)) / max(weather.visibility, 1.0) + rain_extinction, exposure=1.35,
        glow=0.35 * day + (1.0 - day), lamps=1.15 if lit else 0.0, noise=(0.004 + 0.014 * gain, 0.009 + 0.020 * gain),
        wet=min(1.0, weather.rain / 2.0), rain=rain,
    )  # fmt: skip
