"""Whether a small road user walks or rides, by how fast it goes: Bayes' rule with a likelihood of the speed.

Where the outline leaves it open, speed tells: people walk at 1.34 ± 0.26 m/s (Weidmann 1993), cyclists ride at 6.0 m/s
on the flat (Parkin & Rotheram 2010), at anything slower in traffic, and often at a walk among people. Some people run,
so that a fast one whose outline is a person's stays a person.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from twin_fusion.core import classes
from twin_fusion.core.class_likelihood import telling

_RIDERS, _PEOPLE = classes.RIDERS, (classes.PERSON,)
_NOISE = 0.25  # m/s of a velocity over some scans
_STANDING = 0.3  # share of all, whatever they are
#: Uniform shares of speeds, m/s, from and to: up to the top speed of pedals and kick scooters, among people and at
#: junctions, and up to that of motorcycles.
_RIDING = ((0.5, 0.0, 8.0), (0.3, 0.0, 2.5), (0.2, 8.0, 15.0))
_NOT_WALKING = ((0.15, 0.0, 1.5), (0.05, 1.5, 8.0))  # who strolls or sets off, who runs
_WALKING = (0.8, 1.34, 0.26)  # share, mean and standard deviation
_WRONG = (0.2, 0.0, 10.0)  # velocities of who was taken for another, or half hidden
_FLOOR = 1e-4  # s/m, density of any other speed: a velocity that fits nobody says nothing
_ALIKE = 0.5  # logarithms of the densities that differ by less tell nothing: streets differ by as much


def by_speed(class_probability: np.ndarray, speed: np.ndarray, weight: float = 1.0) -> np.ndarray:
    """Return classes (N, 10) once the speeds (N,), m/s, are known; NaN changes nothing.

    Only how probability is shared between people and riders changes, and only of what is most probably one of them: a
    car that nobody walks or rides stays a car. ``weight`` is the exponent of the likelihood.
    """
    told = np.asarray(class_probability, float).copy()
    both = list(_RIDERS + _PEOPLE)
    known = np.isfinite(speed) & np.isin(told.argmax(axis=1), both)
    rides, walks = _likelihoods(speed[known])
    riding = np.exp(weight * telling(np.log(rides / walks), _ALIKE))
    before = told[np.ix_(known, both)]
    after = before * np.column_stack([riding] * len(_RIDERS) + [np.ones_like(riding)] * len(_PEOPLE))
    scale = before.sum(axis=1) / np.maximum(after.sum(axis=1), 1e-12)
    told[np.ix_(known, both)] = after * scale[:, None]
    return told


def _likelihoods(speed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the densities (N,), (N,) of speeds of riders and of people."""
    standing = _STANDING * 2 * _normal(speed, 0.0, 0.0)
    wrong = _uniform(speed, _WRONG)
    share, mean, sigma = _WALKING
    moving = (
        sum(_uniform(speed, part) for part in _RIDING),
        share * _normal(speed, mean, sigma) + sum(_uniform(speed, part) for part in _NOT_WALKING),
    )
    rides, walks = (standing + (1 - _STANDING) * ((1 - _WRONG[0]) * part + wrong) + _FLOOR for part in moving)
    return np.asarray(rides), np.asarray(walks)


def _normal(speed: np.ndarray, mean: float, sigma: float) -> np.ndarray:
    width = np.hypot(sigma, _NOISE)
    return np.asarray(np.exp(-0.5 * ((speed - mean) / width) ** 2) / (width * np.sqrt(2 * np.pi)))


def _uniform(speed: np.ndarray, part: tuple[float, float, float]) -> np.ndarray:
    share, low, high = part
    return np.asarray(share / (high - low) * (ndtr((speed - low) / _NOISE) - ndtr((speed - high) / _NOISE)))
