"""Speed of one prediction step."""

from __future__ import annotations

import time

import numpy as np

from twin_prediction.config import PredictionConfig
from twin_prediction.convert import message_from_paths
from twin_prediction.core.prediction import predict
from twin_prediction.core.states import TrackStates


def run(tracks: int = 1000, repeats: int = 20) -> dict[str, float]:
    """Return the median time of predicting ``tracks`` mixed objects, and of making their message, in ms."""
    rng = np.random.default_rng(0)
    states = TrackStates(
        np.arange(tracks, dtype=np.uint64), rng.uniform(-200, 200, (tracks, 2)), rng.normal(0, 4, (tracks, 2)),
        np.tile(np.diag([0.04, 0.04, 0.1, 0.1]), (tracks, 1, 1)), rng.uniform(-3, 3, tracks),
        rng.normal(0, 0.2, tracks), np.full(tracks, 0.01), rng.normal(0, 1, tracks), rng.integers(1, 8, tracks),
    )  # fmt: skip
    config, steps, messages = PredictionConfig(), [], []
    for _ in range(repeats):
        started = time.perf_counter()
        paths = predict(states, config)
        predicted = time.perf_counter()
        message_from_paths(0, "map", paths)
        steps.append(predicted - started)
        messages.append(time.perf_counter() - predicted)
    return {
        f"predict {tracks} tracks": 1e3 * float(np.median(steps)),
        f"message of {tracks} tracks": 1e3 * float(np.median(messages)),
    }
