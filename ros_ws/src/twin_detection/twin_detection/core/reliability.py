"""How often a still LiDAR's scores are right on streets, where rare classes are rarer than in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from twin_detection.core.classes import COUNT

#: Classes that share their curves, by index of ObjectClass; the others are as the network says.
GROUPS = {"car": (1,), "large": (2, 3), "two-wheelers": (4, 5, 6), "pedestrian": (7,)}
#: Values at which curves are given, 0 to 1.
STEPS = np.linspace(0.0, 1.0, 11)
#: By how much the most probable class stays ahead: equal ones change places by the rounding in a message.
_AHEAD = 0.01
_GROUP_OF = np.full(COUNT, len(GROUPS))
for _number, _labels in enumerate(GROUPS.values()):
    _GROUP_OF[list(_labels)] = _number


def _straight() -> np.ndarray:
    return np.tile(STEPS, (len(GROUPS), 1))


@dataclass(frozen=True, slots=True)
class Reliability:
    """Curves and factors for each of GROUPS, fitted on runs that were not trained on.

    ``existence``: (G, K) how often something is there, and ``certainty``: (G, K) how often what is there is of the most
    probable class, where the network says STEPS; ``spread``: (G,) factors of the standard deviations of places.
    """

    existence: np.ndarray = field(default_factory=_straight)
    certainty: np.ndarray = field(default_factory=_straight)
    spread: np.ndarray = field(default_factory=lambda: np.ones(len(GROUPS)))

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Reliability:
        """Return what stands in a model's description.

        Raises:
            ValueError: something is missing, or not as expected.

        """
        try:
            parts = [np.asarray([values[group][name] for group in GROUPS], float) for name in cls.__dataclass_fields__]
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"reliability: {error}; expected {', '.join(cls.__dataclass_fields__)} of each of "
                             f"{', '.join(GROUPS)}") from None  # fmt: skip
        if parts[0].shape != (len(GROUPS), len(STEPS)) or parts[1].shape != parts[0].shape or parts[2].ndim != 1:
            raise ValueError(f"reliability: curves {parts[0].shape}, {parts[1].shape}; expected {len(STEPS)} values")
        return cls(*parts)

    def written(self) -> dict[str, dict[str, Any]]:
        """Return it as a model's description has it."""
        return {
            group: {
                "existence": [round(float(value), 3) for value in self.existence[number]],
                "certainty": [round(float(value), 3) for value in self.certainty[number]],
                "spread": round(float(self.spread[number]), 3),
            }
            for number, group in enumerate(GROUPS)
        }

    def existence_of(self, existence: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Return how probably objects are there, (C,), of which the network says so, with their classes (C,)."""
        return self._read(self.existence, existence, label)

    def classes_of(self, probability: np.ndarray) -> np.ndarray:
        """Return class probabilities, (C, 10), for those of the network; the most probable class stays that."""
        if not len(probability):
            return probability
        rows, label = np.arange(len(probability)), probability.argmax(axis=1)
        top = probability[rows, label]
        others = probability.copy()
        others[rows, label] = 0.0
        others /= np.maximum(others.sum(axis=1, keepdims=True), 1e-9)
        second = others.max(axis=1)
        least = (second + _AHEAD) / (1.0 + second)
        wanted = np.maximum(self._read(self.certainty, top, label), np.minimum(least, top))
        wanted = np.where(top > 1.0 - 1e-6, top, wanted)
        found: np.ndarray = others * (1.0 - wanted)[:, None]
        found[rows, label] = wanted
        return found

    def spread_of(self, label: np.ndarray) -> np.ndarray:
        """Return the factor of the standard deviation of the places of (C,) classes."""
        return np.asarray(np.append(self.spread, 1.0)[_GROUP_OF[label]])

    def _read(self, curves: np.ndarray, value: np.ndarray, label: np.ndarray) -> np.ndarray:
        group, found = _GROUP_OF[label], np.array(value, float)
        for number, curve in enumerate(curves):
            own = group == number
            found[own] = np.interp(value[own], STEPS, curve)
        return found
