"""What a LiDAR's receiver makes of the first hits: strength, detection, intensity, noise.

Radar equation for a target that fills the beam (as in Hahner et al., ICCV 2021, eq. 2): the strength falls with the
square of the range and by extinction there and back; ranges get noisier where little comes back. Real surfaces are
rough: they send back more at grazing incidence than Lambert's law gives (Oren and Nayar 1994); here cos^ROUGHNESS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_sim.core.frame import Weather
from twin_sim.core.lidar_models import LidarModel
from twin_sim.core.lidar_weather import extinction, wet_factors
from twin_sim.core.meshes import MATERIAL_NAMES, MATERIALS
from twin_sim.core.still_scene import Hits

ROUGHNESS = 0.4
STEEPNESS = 5.0  # of the detection curve: seen are s^5 / (1 + s^5) of the pulses of strength s
RETRO = 100  # reflectivity above which a surface sends light back whence it came


@dataclass(slots=True)
class Echoes:
    """What comes back to each of N pulses: arrays (N,) float32, but ``owner`` int32.

    ``distance``: metres, NOTHING where nothing; ``spread``: its standard deviation, metres; ``strength``: 1 is seen
    half the time; ``chance`` of being reported; ``intensity``: 0..255; ``owner``: index of the actor, -1 for what
    stands still.
    """

    distance: np.ndarray
    spread: np.ndarray
    strength: np.ndarray
    chance: np.ndarray
    intensity: np.ndarray
    owner: np.ndarray

    def copy(self) -> Echoes:
        """Return a copy whose arrays can be changed."""
        return Echoes(*(array.copy() for array in self.arrays()))

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Return the arrays in order."""
        return self.distance, self.spread, self.strength, self.chance, self.intensity, self.owner

    def take(self, index: np.ndarray) -> Echoes:
        """Return those of some pulses."""
        return Echoes(*(array[index] for array in self.arrays()))

    def put(self, index: np.ndarray, others: Echoes) -> None:
        """Replace those of some pulses; where an index comes twice, the last counts."""
        for mine, theirs in zip(self.arrays(), others.arrays(), strict=True):
            mine[index] = theirs


class Receiver:
    """The receiver of a model in a weather."""

    def __init__(self, model: LidarModel, weather: Weather) -> None:
        """Make the tables of materials."""
        reflectivity = np.array([MATERIALS[name].reflectivity for name in MATERIAL_NAMES], np.float32)
        self._reflectivity = reflectivity * wet_factors(weather)
        self._kept = np.array([1.0 - MATERIALS[name].dropout for name in MATERIAL_NAMES], np.float32)
        self._retro = reflectivity > RETRO
        self._decay = np.float32(-2.0 * extinction(weather))
        self._model = model

    def echoes(self, hits: Hits, owner: np.ndarray) -> Echoes:
        """Return what comes back of first hits, (N,)."""
        distance, model = hits.distance, self._model
        near = np.maximum(distance, np.float32(0.1))
        facing = np.maximum(hits.cosine, np.float32(1e-3)) ** np.float32(ROUGHNESS)
        facing[self._retro[hits.material]] = 1.0
        bright = self._reflectivity[hits.material] * facing
        strength = bright * (np.float32(model.reach) / near) ** 2 * np.float32(0.1)
        if self._decay:
            strength *= np.exp(self._decay * near)
        bounded = np.minimum(strength, np.float32(20.0)) ** np.float32(STEEPNESS)
        chance = self._kept[hits.material] * bounded / (1 + bounded)
        chance[(distance < model.nearest) | (distance > model.farthest)] = 0.0
        weak = np.maximum(strength, np.float32(0.5))
        spread = np.float32(model.noise) * np.sqrt(1 + np.float32(2.0) / weak)
        return Echoes(distance, spread, strength, chance, np.minimum(bright, np.float32(255.0)), owner)
