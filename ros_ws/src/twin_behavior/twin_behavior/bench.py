"""Speed of one step of the behaviour recognition."""

from __future__ import annotations

import time

import numpy as np

from twin_behavior.config import BehaviorConfig
from twin_behavior.core.recognition import Recognizer
from twin_behavior.core.table import Motions


def run(tracks: int = 1000, repeats: int = 20) -> dict[str, float]:
    """Return the median time in ms of recognising the behaviours of ``tracks`` mixed tracks."""
    rng = np.random.default_rng(0)
    number, kind = np.arange(tracks, dtype=np.uint64), rng.integers(1, 8, tracks)
    sigma, recognizer, spent = np.full(tracks, 0.2), Recognizer(BehaviorConfig()), []
    for k in range(repeats):
        motions = Motions(
            number, kind, np.zeros(tracks, int), rng.uniform(0, 12, tracks), sigma, rng.normal(0, 0.2, tracks), sigma
        )
        started = time.perf_counter()
        recognizer.step(motions, (k + 1) * 100_000_000)
        spent.append(time.perf_counter() - started)
    return {f"recognise {tracks} tracks": 1e3 * float(np.median(spent))}
