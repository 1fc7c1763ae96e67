"""Whether there is such an object at all: Bayes over visible, hidden and not there, in time instead of frame counts.

The Markov chain two of Musicki, Evans, "Joint integrated probabilistic data association" (2004), section II-C, with
rates in continuous time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin_common.core.compiled import Records, kernel
from twin_tracking.config import TrackerConfig

MAX_RATIO = 1e4
LEAST_FOUND, MOST_FOUND = 0.1, 0.98


class Rates(NamedTuple):
    """What the kernels need of the configuration."""

    hide_rate: float
    reveal_rate: float
    survival_time: float
    scan_period: float
    detection_memory: float
    clutter_density: float
    score_memory: float


def rates_of(config: TrackerConfig) -> Rates:
    """Return the rates of the Markov chain."""
    return Rates(*(getattr(config, name) for name in Rates._fields))


def birth(config: TrackerConfig) -> float:
    """Return the probability that a detection that fits no track is a new object."""
    return config.birth_density / (config.birth_density + config.clutter_density)


@kernel
def predict(tracks: Records, dt: float, rates: Rates) -> None:
    """Move the probabilities of being visible and of being hidden on by ``dt`` seconds."""
    hide, reveal = rates.hide_rate, rates.reveal_rate
    settled = 1.0 - np.exp(-(hide + reveal) * dt)
    survives = np.exp(-dt / rates.survival_time)
    to_hidden, to_visible = settled * hide / (hide + reveal), settled * reveal / (hide + reveal)
    for n in range(len(tracks)):
        track = tracks[n]
        visible, hidden = track.visible, track.hidden
        track.visible = survives * (visible * (1 - to_hidden) + hidden * to_visible)
        track.hidden = survives * (visible * to_hidden + hidden * (1 - to_visible))


@kernel
def update(
    tracks: Records,
    detections: Records,
    partner: np.ndarray,
    density: np.ndarray,
    found: np.ndarray,
    dt: float,
    stamp_ns: int,
    rates: Rates,
) -> None:
    """Weigh that each track was seen (``partner`` >= 0) or missed during ``dt`` seconds.

    ``density`` (N,) 1/m^2 of the measurement; ``found`` (N,) probability that a visible object is detected within
    ``scan_period``. Each track's own ``found`` is learned over ``detection_memory``: what is far off or half hidden is
    missed more often, and a miss says less of it. The score is the average of the detections' existence over
    ``score_memory``.
    """
    learned = 1.0 - np.exp(-dt / rates.detection_memory)
    for n in range(len(tracks)):
        track = tracks[n]
        if partner[n] >= 0:
            track.found += learned * (MOST_FOUND - track.found)
            ratio = min(found[n] * density[n] / rates.clutter_density, MAX_RATIO)
            elapsed = max(stamp_ns - track.last_ns, 0) / 1e9
            track.score_weight = track.score_weight * np.exp(-elapsed / rates.score_memory) + 1.0
            track.score += (detections[partner[n]].existence - track.score) / track.score_weight
        else:
            track.found += learned * track.visible * (LEAST_FOUND - track.found)
            ratio = (1.0 - found[n]) ** (dt / rates.scan_period)
        total = track.visible * ratio + track.hidden + (1.0 - track.visible - track.hidden)
        track.visible, track.hidden = track.visible * ratio / total, track.hidden / total
