"""Clocks that are ahead, found from moving objects that two platforms see."""

from __future__ import annotations

import numpy as np
import pytest

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.tracker import Tracker
from twin_tracking.synthetic import START_NS, detect, mover


def _run(ahead: float, speed: float, seconds: float = 40.0, limit: float = 0.2) -> tuple[Tracker, float]:
    """Let two platforms see the same cars in turn, the second with its clock ``ahead`` s.

    Return the tracker and the RMS error of positions, m, at the mean of both clocks: only relative offsets can be seen.
    """
    rng = np.random.default_rng(9)
    start = np.column_stack([rng.uniform(-40, 40, 12), np.arange(12) * 8.0])
    velocity = np.column_stack([np.where(np.arange(12) % 2, speed, -speed), np.zeros(12)])
    cars = mover(start, velocity, label=classes.CAR)
    tracker = Tracker(TrackerConfig(max_clock_offset=limit))
    errors = []
    for step in range(round(seconds * 20)):
        time, platform = step / 20, step % 2
        seen = detect(cars.at(time), rng, miss=0.05)
        seen.platforms[:] = 1 << platform
        stamp = time + (ahead if platform else 0.0)
        tracks = tracker.step(seen, START_NS + round(stamp * 1e9))
        if time > seconds / 2 and not platform:
            truth = cars.at((tracks.stamp_ns - START_NS) / 1e9 - ahead / 2).position
            distance = np.hypot(*(tracks.position[:, None, :2] - truth[None]).transpose(2, 0, 1)).min(axis=1)
            errors.append(distance[(tracks.state == 1) & (distance < 2.0)])
    return tracker, float(np.sqrt(np.mean(np.concatenate(errors) ** 2)))


@pytest.mark.parametrize("ahead", [-0.04, 0.0, 0.04])
def test_the_offset_is_found(ahead: float) -> None:
    tracker, _ = _run(ahead, 10.0)
    assert tracker.clocks.offset[1] - tracker.clocks.offset[0] == pytest.approx(ahead, abs=0.012)
    assert np.all(tracker.clocks.offset[2:] == 0)


def test_correcting_the_clock_makes_positions_better() -> None:
    assert _run(0.04, 10.0)[1] < _run(0.04, 10.0, limit=0.0)[1]


def test_the_correction_is_bounded_and_needs_motion() -> None:
    assert np.abs(_run(0.045, 10.0, limit=0.01)[0].clocks.offset).max() <= 0.01
    assert np.abs(_run(0.04, 0.0, seconds=10.0)[0].clocks.offset).max() < 1e-3
