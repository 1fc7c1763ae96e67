"""Late, doubled and missing arrays, and time that jumps."""

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core.detections import Detections, empty
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.tracks import CONFIRMED, Tracks
from twin_tracking.synthetic import START_NS, clutter, crowd, detect, joined

STEP_NS = 100_000_000
OBJECTS = crowd(20, np.random.default_rng(1), (100.0, 80.0))


def frames(count: int) -> list[tuple[Detections, int]]:
    rng = np.random.default_rng(2)
    return [
        (joined(detect(OBJECTS.at(0.1 * k), rng, miss=0.1), clutter(3, rng, (100.0, 80.0))), START_NS + k * STEP_NS)
        for k in range(count)
    ]


def run(order: list[tuple[Detections, int]], **settings: object) -> tuple[Tracker, list[Tracks]]:
    tracker = Tracker(TrackerConfig(**settings))  # type: ignore[arg-type]
    return tracker, [tracker.step(*frame) for frame in order]


def assert_same_states(one: Tracks, other: Tracks) -> None:
    for name in Tracks.__dataclass_fields__:
        if name != "ids":
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_late_arrays_give_what_they_give_in_order() -> None:
    in_order = frames(30)
    swapped = list(in_order)
    for place in (1, 10, 15, 20, 25):
        swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
    swapped.insert(9, swapped.pop(5))
    _, expected = run(in_order)
    tracker, got = run(swapped)
    assert tracker.events["reordered"] == 6 and tracker.events["late"] == 0
    assert_same_states(got[-1], expected[-1])
    assert [t.stamp_ns for t in got] == sorted(t.stamp_ns for t in got), "the output never goes back in time"


def test_ids_survive_the_replay_after_a_late_array() -> None:
    order = frames(30)
    order.insert(23, order.pop(20))
    _, got = run(order)
    before, after = got[21], got[23]
    kept = np.isin(before.ids[before.state == CONFIRMED], after.ids)
    assert kept.mean() > 0.9
    for track_id in np.intersect1d(before.ids, after.ids):
        a, b = before.position[before.ids == track_id], after.position[after.ids == track_id]
        assert np.linalg.norm(a - b) < 0.3 * 14 + 1.0


def test_a_track_born_after_the_late_array_keeps_its_id() -> None:
    order = frames(2)
    tracker = Tracker(TrackerConfig())
    tracker.step(empty(), START_NS - 2 * STEP_NS)
    first = tracker.step(*order[1])
    after = tracker.step(empty(), START_NS - STEP_NS)
    np.testing.assert_array_equal(first.ids, after.ids)


def test_too_late_arrays_are_counted_and_change_nothing() -> None:
    order = frames(20)
    tracker, got = run(order)
    again = tracker.step(clutter(5, np.random.default_rng(3), (100.0, 80.0)), order[10][1] + 1)
    assert tracker.events["late"] == 1
    assert_same_states(again, got[-1])


def test_a_doubled_array_changes_nothing() -> None:
    order = frames(20)
    doubled = [frame for frame in order for _ in range(2)]
    late = [*order, order[17]]
    _, expected = run(order)
    for variant, copies in ((doubled, 20), (late, 1)):
        tracker, got = run(variant)
        assert tracker.events["duplicate"] == copies
        assert_same_states(got[-1], expected[-1])


def test_two_platforms_may_share_a_stamp() -> None:
    tracker = Tracker(TrackerConfig())
    rng = np.random.default_rng(4)
    for k in range(10):
        seen = detect(OBJECTS.at(0.1 * k), rng)
        left = seen.position[:, 0] < 50
        tracker.step(seen.take(left), START_NS + k * STEP_NS)
        tracks = tracker.step(seen.take(~left), START_NS + k * STEP_NS)
    assert (tracks.state == CONFIRMED).sum() == 20 and tracker.events["duplicate"] == 0


def test_nothing_outlives_a_huge_gap() -> None:
    tracker, _ = run(frames(20))
    tracks = tracker.step(empty(), START_NS + 3600 * 1_000_000_000)
    assert len(tracks) == 0 and tracks.stamp_ns == START_NS + 3600 * 1_000_000_000


def test_a_recording_that_starts_again_starts_anew() -> None:
    order = frames(50)
    tracker, got = run([*order, *order])
    assert tracker.events["reset"] == 1
    assert_same_states(got[-1], got[49])
    assert not np.isin(got[-1].ids, got[49].ids).any(), "another run, other objects"


def test_results_do_not_depend_on_how_often_empty_arrays_come() -> None:
    """Lifetimes are in seconds: an object unseen for a second is still known, whether 5 or 50 arrays said nothing."""
    for per_second in (5, 50):
        tracker, got = run(frames(20))
        for k in range(1, per_second + 1):
            tracks = tracker.step(empty(), got[-1].stamp_ns + round(k * 1e9 / per_second))
        assert len(tracks) == (got[-1].state == CONFIRMED).sum() or abs(len(tracks) - 20) <= 2


def test_ids_are_repeatable_per_key_and_do_not_tell_the_order() -> None:
    _, one = run(frames(10), key=5)
    _, same = run(frames(10), key=5)
    _, other = run(frames(10), key=6)
    np.testing.assert_array_equal(one[-1].ids, same[-1].ids)
    assert not np.isin(one[-1].ids, other[-1].ids).any()
    assert (np.diff(one[-1].ids.astype(np.int64)) > 0).mean() < 0.9
    assert one[-1].ids.max() < 2**53
