"""What must hold for any stream of detections."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_tracking.config import TrackerConfig
from twin_tracking.core.detections import Detections, empty
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.tracks import Tracks
from twin_tracking.synthetic import START_NS, clutter, crowd, detect, joined

AREA = (60.0, 40.0)
SOME = settings(deadline=None, max_examples=25)
SEEDS = st.integers(0, 10**6)


def _stream(seed: int, steps: int = 15) -> list[tuple[int, Detections]]:
    rng = np.random.default_rng(seed)
    objects = crowd(int(rng.integers(0, 25)), rng, AREA)
    frames = []
    for step in range(steps):
        seen = joined(detect(objects.at(step / 10), rng, miss=0.2), clutter(int(rng.integers(0, 6)), rng, AREA))
        seen.platforms[:] = rng.integers(1, 8, len(seen))
        frames.append((START_NS + step * 10**8, seen))
    return frames


def _run(frames: list[tuple[int, Detections]], **settings: float) -> tuple[Tracker, Tracks]:
    tracker = Tracker(TrackerConfig(**settings))  # type: ignore[arg-type]
    tracks = tracker.tracks()
    for stamp_ns, seen in frames:
        tracks = tracker.step(seen, stamp_ns)
    return tracker, tracks


def _same(one: Tracks, other: Tracks) -> None:
    for item in fields(Tracks):
        np.testing.assert_array_equal(getattr(one, item.name), getattr(other, item.name), item.name)


@given(SEEDS)
@SOME
def test_the_order_of_detections_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = _stream(seed)
    shuffled = [(stamp_ns, seen.take(rng.permutation(len(seen)))) for stamp_ns, seen in frames]
    _same(_run(frames)[1], _run(shuffled)[1])


@given(SEEDS, st.integers(1, 4))
@SOME
def test_the_same_array_again_changes_nothing(seed: int, times: int) -> None:
    frames = _stream(seed)
    tracker, tracks = _run([frame for frame in frames for _ in range(times)])
    _same(_run(frames)[1], tracks)
    assert tracker.events["duplicate"] == (times - 1) * sum(len(seen) > 0 for _, seen in frames)


@given(SEEDS)
@SOME
def test_empty_arrays_between_keep_tracks_finite_and_ids_unique(seed: int) -> None:
    frames = [item for stamp, seen in _stream(seed) for item in ((stamp, seen), (stamp + 5 * 10**7, empty()))]
    _, tracks = _run(frames)
    assert len(set(tracks.ids.tolist())) == len(tracks)
    for item in fields(Tracks):
        assert np.isfinite(np.asarray(getattr(tracks, item.name), float)).all(), item.name
    assert (np.linalg.eigvalsh(tracks.covariance) > 0).all()


@given(SEEDS, st.floats(1.0, 1e7))
@SOME
def test_a_huge_gap_leaves_no_old_measurement_alive_and_no_nan(seed: int, gap: float) -> None:
    frames = _stream(seed)
    later = [(stamp_ns + round(gap * 1e9), seen) for stamp_ns, seen in frames]
    _, tracks = _run([*frames, *later])
    newest = later[-1][0]
    assert (newest - tracks.last_ns <= (TrackerConfig().max_coast + 0.31) * 1e9).all()
    assert np.isfinite(tracks.position).all() and np.isfinite(tracks.covariance).all()


@given(SEEDS, st.sampled_from(["position", "covariance", "size", "yaw", "existence", "time_offset", "yaw_variance"]))
@SOME
def test_a_value_that_is_no_number_is_refused_and_does_no_harm(seed: int, name: str) -> None:
    frames = _stream(seed)
    broken, expected = [], 0
    for stamp_ns, seen in frames:
        values = getattr(seen, name).copy()
        if len(seen):
            values[0] = np.nan
            expected += 1
        broken.append((stamp_ns, replace(seen, **{name: values})))
    without = [(stamp_ns, seen.take(np.arange(1, len(seen)))) for stamp_ns, seen in frames]
    tracker, tracks = _run(broken)
    assert tracker.events["rejected"] == expected
    _same(_run(without)[1], tracks)


@given(SEEDS, st.floats(3.1, 1e6))
@SOME
def test_time_going_backwards_is_reported_and_begins_anew(seed: int, back: float) -> None:
    frames = _stream(seed)
    again = [(stamp_ns - round((back + 1.4) * 1e9), seen) for stamp_ns, seen in frames]
    tracker, tracks = _run([*frames, *again])
    assert tracker.events["reset"] == 1
    assert tracks.stamp_ns == again[-1][0]
    assert not np.isin(tracks.ids, _run(frames)[1].ids).any()


@given(SEEDS, st.data())
@SOME
def test_late_arrays_give_the_tracks_of_arrays_in_order(seed: int, data: st.DataObject) -> None:
    frames = _stream(seed)
    order = list(range(len(frames)))
    for place in data.draw(st.lists(st.integers(1, len(frames) - 2), max_size=4)):
        order[place], order[place + 1] = order[place + 1], order[place]
    _, tracks = _run([frames[place] for place in order], max_clock_offset=0.0)
    _, expected = _run(frames, max_clock_offset=0.0)
    for name in ("position", "covariance", "existence", "last_ns"):
        np.testing.assert_array_equal(getattr(tracks, name), getattr(expected, name), name)
