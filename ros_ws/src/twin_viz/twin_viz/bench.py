"""How long a scene takes to build and to encode."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from twin_common import cdr
from twin_viz.config import FoxgloveConfig
from twin_viz.core import scene_update
from twin_viz.core.scene import SceneSettings, Zone, build_scene

OBJECTS = 500
MODES = 2
_REPEATS = 30


def _district(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return tracks, paths of two modes each, and behaviours, spread over 600 m x 400 m."""
    rng = np.random.default_rng(1)
    tracks = np.zeros(count, cdr.record_dtype("twin_msgs/msg/Track"))
    tracks["track_id"], tracks["state"] = np.arange(1, count + 1), 1
    tracks["classification"] = rng.integers(0, 10, count)
    tracks["x"], tracks["y"], tracks["z"] = rng.uniform(0, 600, count), rng.uniform(0, 400, count), 0.8
    tracks["length"], tracks["width"], tracks["height"] = 4.5, 1.8, 1.6
    tracks["velocity_x"], tracks["velocity_y"] = rng.normal(0, 5, (2, count))
    paths = np.zeros(MODES * count, cdr.record_dtype("twin_msgs/msg/PredictedPath"))
    paths["track_id"], paths["probability"] = np.repeat(tracks["track_id"], MODES), 1 / MODES
    paths["classification"] = np.repeat(tracks["classification"], MODES)
    ahead = 0.4 * np.arange(1, 13)
    paths["x"] = np.repeat(tracks["x"][:, None] + tracks["velocity_x"][:, None] * ahead, MODES, axis=0)
    paths["y"] = np.repeat(tracks["y"][:, None] + tracks["velocity_y"][:, None] * ahead, MODES, axis=0)
    paths["covariance_xx"] = paths["covariance_yy"] = ahead**2
    behaviors = np.zeros(count, cdr.record_dtype("twin_msgs/msg/Behavior"))
    behaviors["track_id"], behaviors["kind"] = tracks["track_id"], 7
    return tracks, paths, behaviors


def _median_ms(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        started = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - started))
    return float(np.median(times))


def run() -> dict[str, float]:
    """Return the median times in milliseconds for 500 objects with two predicted paths each."""
    config = FoxgloveConfig()
    settings = SceneSettings(config.arrow_time, config.label_speed, config.min_mode_probability, config.fade_deviation)
    tracks, paths, behaviors = _district(OBJECTS)
    zones = (Zone("predicted_collision", 3, 0.8, 1.5, 300.0, 200.0, 5.0, (1, 2)),)
    entities = build_scene(tracks, paths, behaviors, zones, settings)
    size = len(scene_update.encode(entities, 0))
    return {
        f"build {OBJECTS} objects, {MODES * OBJECTS} paths [ms]": _median_ms(
            lambda: build_scene(tracks, paths, behaviors, zones, settings)
        ),
        "encode them for Foxglove [ms]": _median_ms(lambda: scene_update.encode(entities, 0)),
        "size of the message [kB]": size / 1e3,
    }


if __name__ == "__main__":
    for what, value in run().items():
        print(f"{what}: {value:.3f}")
