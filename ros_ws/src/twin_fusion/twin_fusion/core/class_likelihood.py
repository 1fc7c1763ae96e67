"""What it means for the class of an object that a camera calls it so: measured while it runs, against the LiDAR."""

from __future__ import annotations

import numpy as np

from twin_fusion.core import classes

_SURE = 0.9  # probability of a class above which the LiDAR is taken for right
_FLOOR = 0.01  # no class is ruled out by one sensor alone
_PRIOR = 10.0  # observations that the first guess is worth
_REPEATED = 0.2  # what one more frame of the same object is worth
#: First guess: how often a camera calls an object of one kind by its own class, another of its kind, or a person. Small
#: riders look like persons, so that until something is known "person" hardly speaks against a rider.
_OWN = {"vehicle": 0.75, "rider": 0.15, "person": 0.92}
_SAME_KIND = {"vehicle": 0.2, "rider": 0.05}
_AS_PERSON = {"rider": 0.85, "animal": 0.3}
_VEHICLES = list(classes.VEHICLES)
_OFTEN = (5.0, 1.0, 1.0)  # observations of cars, lorries and buses that the first guess is worth


class ClassLikelihood:
    """Likelihood of a camera's word for each class, from its words for what the LiDAR is sure of.

    Args:
        memory: observations of a class that are remembered.

    """

    def __init__(self, memory: float = 300.0) -> None:
        """Begin with the guess."""
        self._prior = _first_guess()
        self._counts: np.ndarray = np.zeros_like(self._prior)
        self._memory = memory
        self._often = np.zeros(classes.COUNT)
        self._often[_VEHICLES] = _OFTEN

    def note(self, sure: np.ndarray, said: np.ndarray) -> None:
        """Count what a camera said (N, 10) of objects whose LiDAR classes are (N, 10), where these are sure."""
        label = sure.argmax(axis=1)
        for row in np.flatnonzero((sure.max(axis=1) >= _SURE) & (label != classes.UNKNOWN)):
            counts = self._counts[label[row]]
            counts *= 1 - _REPEATED / self._memory
            counts += _REPEATED * said[row]
            self._often[label[row]] += _REPEATED

    def of(self, said: np.ndarray) -> np.ndarray:
        """Return the likelihood of each class (N, 10) of what a camera says (N, 10), 1 for the likeliest.

        Column 0, of unknown, is how far the camera knows nothing: 0..1.
        """
        table = self._counts + _PRIOR * self._prior
        table = table[:, 1:] / table[:, 1:].sum(axis=1, keepdims=True)
        ignorance = said[:, :1].astype(float)
        likelihood = np.maximum(said[:, 1:] @ table.T + ignorance / (classes.COUNT - 1), _FLOOR)
        likelihood /= likelihood[:, 1:].max(axis=1, keepdims=True)
        likelihood[:, :1] = ignorance
        return np.asarray(likelihood)

    def vehicles(self, said: np.ndarray) -> np.ndarray:
        """Return the classes (N, 10) of what only a camera sees and says (N, 10): which vehicle it is by Bayes' rule.

        Where cars are many and lorries few, a camera that calls some cars lorries is mostly wrong when it says "lorry".
        """
        told = np.asarray(said, float).copy()
        share = self.of(said)[:, _VEHICLES] * self._often[_VEHICLES]
        told[:, _VEHICLES] = told[:, _VEHICLES].sum(axis=1, keepdims=True) * share / share.sum(axis=1, keepdims=True)
        return told


def telling(log_ratio: np.ndarray, alike: float) -> np.ndarray:
    """Return how much of the logarithms of likelihood ratios lies beyond ``alike``: what is less tells nothing."""
    return np.asarray(np.sign(log_ratio) * np.maximum(np.abs(log_ratio) - alike, 0.0))


def _first_guess() -> np.ndarray:
    """Return the table (10, 10): of an object of the row's class, how often it is called by the column's."""
    table = np.full((classes.COUNT, classes.COUNT), _FLOOR)
    for group in classes.GROUPS:
        for one in group.classes:
            for other in group.classes:
                table[one, other] = _SAME_KIND.get(group.name, 0.0) / max(len(group.classes) - 1, 1) + _FLOOR
            table[one, one] = _OWN.get(group.name, 0.5)
            if group.name in _AS_PERSON:
                table[one, classes.PERSON] = _AS_PERSON[group.name]
    table[classes.UNKNOWN] = 1 / classes.COUNT
    return np.asarray(table / table.sum(axis=1, keepdims=True))
