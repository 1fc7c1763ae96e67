"""What changes slowly or never: height over ground, size, class, posture."""

from __future__ import annotations

import numpy as np

from twin_tracking.core import classes

WELL_SEEN_POINTS = 20.0
UNCOUNTED_WEIGHT = 0.3
HEIGHT_DENSITY = 0.05  # random walk of z, m^2/s
CLASS_SMOOTHING = 0.1


def update_height(
    z: np.ndarray, variance: np.ndarray, measured: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return z (N,) m of the box centre and its variance after a measurement."""
    gain = variance / (variance + noise)
    return z + gain * (measured - z), (1 - gain) * variance


def view_weight(point_count: np.ndarray) -> np.ndarray:
    """Return how well an object is seen, 0 to 1, from its LiDAR points (N,); 0 points: a camera's."""
    weight = point_count / (point_count + WELL_SEEN_POINTS)
    return np.where(point_count > 0, weight, UNCOUNTED_WEIGHT)


def update_size(size: np.ndarray, weight: np.ndarray, measured: np.ndarray, seen: np.ndarray, memory: float,
                expectile: float) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Return sizes (N, 3) and the weight (N,) behind them after a measurement seen with ``seen`` (N,) weight.

    An expectile above 0.5 leans towards the larger measurements (Newey, Powell 1987): a partial view is too small,
    never too large.
    """
    weight = np.minimum(weight + seen, memory)
    lean = np.where(measured > size, 2 * expectile, 2 * (1 - expectile))
    gain = np.minimum(lean * (seen / weight)[:, None], 1.0)
    return size + gain * (measured - size), weight


def class_likelihood(measured: np.ndarray) -> np.ndarray:
    """Return the likelihood (N, 10) of each class given a detector's probabilities (N, 10).

    What a detector calls unknown speaks for no class in particular.
    """
    unknown = measured[:, classes.UNKNOWN, None]
    likelihood = measured + unknown / (classes.COUNT - 1)
    likelihood[:, classes.UNKNOWN] = unknown[:, 0]
    likelihood /= likelihood.sum(axis=1, keepdims=True)
    return (1 - CLASS_SMOOTHING) * likelihood + CLASS_SMOOTHING / classes.COUNT


def update_class(probability: np.ndarray, measured: np.ndarray, elapsed: np.ndarray, memory: float) -> np.ndarray:
    """Return class probabilities (N, 10): product of likelihoods, forgotten over ``memory`` s; ``elapsed`` (N,) s."""
    kept = probability ** np.exp(-elapsed / memory)[:, None]
    updated = np.maximum(kept * class_likelihood(measured), 1e-9)
    return np.asarray(updated / updated.sum(axis=1, keepdims=True))


def update_posture(votes: np.ndarray, measured: np.ndarray, elapsed: np.ndarray, memory: float) -> np.ndarray:
    """Return votes (N, 4) for each posture, forgotten over ``memory`` seconds; an unknown one does not vote."""
    votes = votes * np.exp(-elapsed / memory)[:, None]
    known = np.flatnonzero(measured > 0)
    votes[known, measured[known]] += 1.0
    return votes
