"""What rain and fog do to a LiDAR: extinction, returns from droplets near the sensor, wet surfaces.

Extinction: fog by Koschmieder's law with the 5 % contrast that defines the meteorological optical range (WMO-No. 8),
droplets of fog being large against the wavelength; rain by ITU-R P.1814, 1.076 R^0.67 dB/km (Carbonneau and
Wisely 1998). Backscatter of fog: 0.046 / visibility per metre and steradian, as in Hahner et al., "Fog Simulation
on Real LiDAR Point Clouds for 3D Object Detection in Adverse Weather", ICCV 2021. Raindrops: sizes by Marshall and
Palmer (1948); a drop that fills part of the beam is seen where it sends back more than the receiver needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_sim.core.frame import Weather
from twin_sim.core.lidar_models import LidarModel
from twin_sim.core.meshes import MATERIAL_NAMES

PULSE_HALF = 0.45  # half the length of a pulse of 3 ns, metres
OVERLAP = 4.0  # the receiver sees all of the beam from about here on, metres
DROP_ALBEDO = 0.05  # share of the light on a drop that comes back as from a matt surface; fitted, see the docs
CLEAR = 15_000.0  # visibility beyond which air has no effect, metres
LEAST_RAIN = 0.1  # mm/h
#: Reflectivity of porous surfaces when wet, as a share of dry (Lekner and Dorf 1988).
WET = {"asphalt": 0.55, "paving": 0.6, "concrete": 0.6, "brick": 0.65, "marking": 0.7, "bark": 0.7}
_RANGES = np.linspace(0.05, 25.0, 500)


def extinction(weather: Weather) -> float:
    """Return the extinction coefficient of the air, 1/m."""
    fog = -np.log(0.05) / weather.visibility if weather.visibility < CLEAR else 0.0
    rain = 1.076 * weather.rain**0.67 / (10 * np.log10(np.e)) / 1000 if weather.rain >= LEAST_RAIN else 0.0
    return float(fog + rain)


def wet_factors(weather: Weather) -> np.ndarray:
    """Return the factor of each material's reflectivity, (len(MATERIAL_NAMES),)."""
    factors = np.ones(len(MATERIAL_NAMES), np.float32)
    if weather.rain >= LEAST_RAIN:
        for name, factor in WET.items():
            factors[MATERIAL_NAMES.index(name)] = factor
    return factors


@dataclass(frozen=True, slots=True)
class Droplets:
    """Returns from the air: how many a pulse on average, and their distances and strengths."""

    mean_count: float
    _cumulative: np.ndarray
    _threshold: np.ndarray  # of a raindrop's diameter at each distance, metres
    _slope: float  # of the drop sizes, 1/m
    _fog: float  # strength of fog where the overlap is one half, relative to the least the receiver sees
    _decay: float

    def drawn(self, rng: np.random.Generator, pulses: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return pulse (M,), distance (M,) metres and strength (M,) of the strongest returns from the air.

        A strength of 1 is the least that the receiver sees.
        """
        parts = []
        if self.mean_count > 0:
            count = int(rng.poisson(self.mean_count * pulses))
            at = np.interp(rng.random(count), self._cumulative, _RANGES)
            least = np.interp(at, _RANGES, self._threshold)
            bigger = rng.exponential(1 / self._slope, count)
            parts.append((rng.integers(0, pulses, count), at, (1 + bigger / least) ** 2))
        if self._fog > 0.05:
            at = rng.gamma(2.0, OVERLAP / 2.5, pulses)
            strength = self._fog * np.exp(-self._decay * at) * rng.gamma(4.0, 0.25, pulses) / (1 + (at / OVERLAP) ** 2)
            seen = np.flatnonzero(strength > 1.0)
            parts.append((seen, at[seen], strength[seen]))
        if not parts:
            return np.zeros(0, int), np.zeros(0), np.zeros(0)
        pulse, at, strength = (np.concatenate(column) for column in zip(*parts, strict=True))
        return pulse, at, strength


def droplets(model: LidarModel, weather: Weather) -> Droplets | None:
    """Return the returns from the air in a weather; None in dry, clear air."""
    rain, fog = weather.rain >= LEAST_RAIN, weather.visibility < CLEAR
    if not rain and not fog:
        return None
    diameter = model.aperture + model.divergence * _RANGES
    overlap = _RANGES**2 / (_RANGES**2 + OVERLAP**2)
    needed = 0.1 * (_RANGES / model.reach) ** 2 * np.exp(2 * extinction(weather) * _RANGES) / overlap
    threshold = diameter * np.sqrt(needed / DROP_ALBEDO)
    slope, mean, cumulative = 1000.0, 0.0, np.linspace(0, 1, len(_RANGES))
    if rain:
        slope = 4.1e3 * weather.rain**-0.21
        drops = 8e6 / slope * np.exp(-slope * threshold)
        density = drops * np.pi / 4 * diameter**2 * (model.nearest <= _RANGES)
        cumulative = np.cumsum(density) * (_RANGES[1] - _RANGES[0])
        mean = float(cumulative[-1])
        cumulative = cumulative / max(mean, 1e-12)
    backscatter = 0.046 / weather.visibility if fog else 0.0
    strength = np.pi * backscatter * PULSE_HALF / 0.1 * (model.reach / OVERLAP) ** 2
    return Droplets(mean, cumulative, threshold, slope, float(strength), 2 * extinction(weather))
