"""Fits how often the detector's scores are right on ordinary streets, which no training has seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from twin_detection.core.detections import Detections
from twin_detection.core.point_network import Calibration, Network
from twin_detection.core.reliability import GROUPS, STEPS, Reliability
from twin_detection.evaluation.lidar_sources import PoleLidar
from twin_detection.evaluation.scenes import Scenes, SceneSpec, wanted_platforms
from twin_detection.evaluation.scoring import GATES, REACH, USUAL_GATE, Truth, truth_of

_BUSY = (("population.vehicles_per_hour", 3200), ("population.pedestrians_per_hour", 4000), ("population.warmup", 240))
#: Runs with their seeds, and the one in which backgrounds are learned.
STREETS = (
    SceneSpec("normal_day", 871, "day", ("pole_01", "pole_05", "pole_07"), 24.0, 10.0, (*_BUSY, ("start", "18:10"))),
    SceneSpec("normal_day", 872, "day", ("pole_02", "pole_04", "pole_10"), 24.0, 30.0, (*_BUSY, ("start", "08:10"))),
    SceneSpec("red_light", 873, "day", ("pole_01", "pole_06", "pole_08"), 16.0),
    SceneSpec("normal_day", 874, "rain", ("pole_01", "pole_03"), 12.0, 10.0, (*_BUSY, ("weather.kind", "rain"))),
)
LEARNING = SceneSpec("normal_day", 870, "day", (), 110.0, 0.0, _BUSY)
#: Every so many frames of a run are looked at, and what is less probable than this is not.
STRIDE, LEAST = 6, 0.1
#: Each step of a curve is held to a straight line by as many detections; squared errors count up to this.
HELD, GROSS = 8.0, 25.0


def reliability_on_streets(folder: Path, network: Network, calibration: Calibration) -> Reliability:
    """Return the curves and factors of a network; ``folder``: of the scenarios."""
    rows = np.array([row for found, truth in _seen(folder, network, calibration) for row in _judged(found, truth)])
    label, existence, top, there, right, nees = rows.T
    parts = []
    for group, labels in GROUPS.items():
        own = np.isin(label, labels)
        known, known_right = own & (there > 0), own & (right > 0)
        parts.append((
            rising(existence[own], there[own]),
            rising(top[known], right[known]),
            float(np.sqrt(np.minimum(nees[known_right], GROSS).mean() / 2)) if known_right.any() else 1.0,
        ))  # fmt: skip
        print(f"streets: {group}: {own.sum()} detections, {there[own].mean():.3f} of something, "
              f"{right[known].mean():.3f} of these of this class, spread {parts[-1][2]:.2f}", flush=True)  # fmt: skip
    return Reliability(*(np.array(values) for values in zip(*parts, strict=True)))


def rising(value: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the rising curve through STEPS nearest to whether (N,) values were right, (N,) in 0..1, by squares."""
    basis = np.clip((value[:, None] - STEPS[None, :-1]) / np.diff(STEPS), 0.0, 1.0)
    basis = np.column_stack([np.ones(len(value)), basis])
    held = np.sqrt(HELD) * np.tril(np.ones((len(STEPS), len(STEPS))))
    rates, _ = nnls(np.vstack([basis, held]), np.concatenate([right, np.sqrt(HELD) * STEPS]))
    return np.asarray(np.minimum(np.cumsum(rates), 1.0))


def _seen(folder: Path, network: Network, calibration: Calibration) -> Iterator[tuple[Detections, Truth]]:
    """Yield the detections and the truth of each scan, map frame."""
    scenes = Scenes(folder)
    lidar = PoleLidar(model=(network, calibration), min_existence=LEAST)
    lidar.learn(scenes, wanted_platforms(STREETS), LEARNING)
    for spec in STREETS:
        begun = False
        for view, _ in scenes.views(spec, stride=STRIDE):
            if not begun:
                assert scenes.current is not None
                lidar.start(spec, scenes.current)
                begun = True
            found, position = lidar.detect(view), view.map_from_lidar[:3, 3]
            near = np.hypot(found.centre[:, 0] - position[0], found.centre[:, 1] - position[1]) < REACH
            yield found.select(near), truth_of(view.frame, position, view.points, view.pixels)
    scenes.close()


def _judged(found: Detections, truth: Truth) -> Iterator[tuple[float, ...]]:
    """Yield class, existence, probability of the class, whether something is there, and is of it, and NEES."""
    there = truth.centre[None] + truth.velocity[None] * found.time_offset[:, None, None]
    error = found.centre[:, None, :2] - there
    gates = np.array([GATES.get(kind, USUAL_GATE) for kind in truth.label])
    apart = np.hypot(error[..., 0], error[..., 1]) / gates if len(truth) else np.full((len(found), 1), np.inf)
    for number, label in enumerate(found.label):
        nearest = int(apart[number].argmin())
        something = bool(apart[number, nearest] < 1.0)
        same = something and truth.label[nearest] == label
        nees = 0.0
        if same:
            off = error[number, nearest]
            nees = float(off @ np.linalg.solve(found.covariance[number, :2, :2], off))
        top = found.class_probability[number, label]
        yield float(label), float(found.existence[number]), float(top), float(something), float(same), nees
