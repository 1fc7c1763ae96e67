"""Whether there is such an object at all: Bayes over visible, hidden and not there, in time instead of frame counts.

The Markov chain two of Musicki, Evans, "Joint integrated probabilistic data association" (2004), section II-C, with
rates in continuous time.
"""

from __future__ import annotations

import numpy as np

from twin_tracking.config import TrackerConfig

MAX_RATIO = 1e4


def predict(visible: np.ndarray, hidden: np.ndarray, dt: float, config: TrackerConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (N,) of being there and visible, and there and hidden, ``dt`` seconds later."""
    hide, reveal = config.hide_rate, config.reveal_rate
    settled = 1.0 - np.exp(-(hide + reveal) * dt)
    survives = np.exp(-dt / config.survival_time)
    to_hidden, to_visible = settled * hide / (hide + reveal), settled * reveal / (hide + reveal)
    return (
        survives * (visible * (1 - to_hidden) + hidden * to_visible),
        survives * (visible * to_hidden + hidden * (1 - to_visible)),
    )


def miss(visible: np.ndarray, hidden: np.ndarray, dt: float, config: TrackerConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities after ``dt`` seconds without a detection."""
    factor = (1.0 - config.detection_probability) ** (dt / config.scan_period)
    total = visible * factor + hidden + (1.0 - visible - hidden)
    return visible * factor / total, hidden / total


def hit(
    visible: np.ndarray, hidden: np.ndarray, density: np.ndarray, config: TrackerConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities after a detection of predicted ``density`` (N,) 1/m^2."""
    ratio = np.minimum(config.detection_probability * density / config.clutter_density, MAX_RATIO)
    total = visible * ratio + hidden + (1.0 - visible - hidden)
    return visible * ratio / total, hidden / total


def birth(config: TrackerConfig) -> float:
    """Return the probability that a detection that fits no track is a new object."""
    return config.birth_density / (config.birth_density + config.clutter_density)
