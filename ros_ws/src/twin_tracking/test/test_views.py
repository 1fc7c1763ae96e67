"""What several platforms see of one object, and one platform of several."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.detections import Detections
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.views import passes
from twin_tracking.synthetic import START_NS, detect, joined, mover

STEP_NS = 100_000_000


def views(places: np.ndarray, seen: list[list[int]], rng: np.random.Generator, sigma: float = 0.08) -> Detections:
    """Return what each platform sees of the persons at ``places`` (N, 2): those with the numbers ``seen``."""
    truth = mover(places, np.zeros_like(places), label=classes.PEDESTRIAN).at(0.0)
    parts = []
    for platform, numbers in enumerate(seen):
        found = detect(truth, rng, sigma, miss=0.0).take(np.array(numbers, int))
        parts.append(replace(found, platforms=np.full(len(found), 1 << platform, np.uint64)))
    return joined(*parts)


def test_each_detection_comes_once_with_the_first_of_its_platforms() -> None:
    masks = np.array([4, 1, 3, 2, 6, 0], np.uint64)
    assert [part.tolist() for part in passes(masks)] == [[1, 2], [3, 4], [0], [5]]
    assert [part.tolist() for part in passes(np.array([5, 5], np.uint64))] == [[0, 1]]


def test_two_views_of_a_person_are_one_track_that_knows_more_than_one_view() -> None:
    rng, tracker, alone = np.random.default_rng(0), Tracker(TrackerConfig()), Tracker(TrackerConfig())
    for step in range(30):
        seen = views(np.array([[5.0, 2.0]]), [[0], [0]], rng)
        tracks = tracker.step(seen, START_NS + step * STEP_NS)
        single = alone.step(seen.take(np.array([0])), START_NS + step * STEP_NS)
        assert len(tracks) == 1
    assert tracks.platforms[0] == 3
    assert np.trace(tracks.covariance[0, :2, :2]) < 0.8 * np.trace(single.covariance[0, :2, :2])


@pytest.mark.parametrize("seed", range(5))
def test_persons_side_by_side_stay_themselves_when_each_platform_misses_another_one(seed: int) -> None:
    rng, tracker = np.random.default_rng(seed), Tracker(TrackerConfig())
    names: list[set[int]] = [set(), set()]
    for step in range(80):
        places = np.array([[0.1 * step, 0.0], [0.1 * step, 0.55]])
        seen = [[0, 1], [0, 1]] if step < 20 else [[[0, 1], [0]], [[0], [1]], [[1], [0, 1]]][step % 3]
        tracks = tracker.step(views(places, seen, rng), START_NS + step * STEP_NS)
        for one in range(2):
            near = np.hypot(*(tracks.position[:, :2] - places[one]).T) < 0.27
            names[one] |= set(tracks.ids[near & (tracks.state == 1)].tolist())
    assert len(tracks) == 2
    assert [len(name) for name in names] == [1, 1] and names[0] != names[1]


def test_who_turns_on_the_spot_keeps_the_id() -> None:
    rng, tracker = np.random.default_rng(3), Tracker(TrackerConfig())
    names = set()
    for step in range(60):
        time = step / 10
        place = np.array([[2.5 * min(time, 3.0) - 2.5 * max(time - 3.0, 0.0), 0.0]])
        tracks = tracker.step(views(place, [[0]], rng), START_NS + step * STEP_NS)
        names |= set(tracks.ids[tracks.state == 1].tolist())
    assert len(names) == 1


def test_a_track_that_follows_another_ones_object_ends() -> None:
    """Two persons; one leaves unseen, and her track must not live on the second view of the other one."""
    rng, tracker = np.random.default_rng(4), Tracker(TrackerConfig(max_coast=10.0))
    for step in range(60):
        seen = [[0, 1], [0, 1]] if step < 20 else [[0], [0]]
        places = np.array([[0.0, 0.0], [0.35 if step > 15 else 0.6, 0.0]])
        tracks = tracker.step(views(places, seen, rng), START_NS + step * STEP_NS)
        if step == 19:
            assert len(tracks) == 2
    assert len(tracks) == 1


def test_arrays_of_one_stamp_do_not_fill_the_memory() -> None:
    rng, tracker = np.random.default_rng(5), Tracker(TrackerConfig())
    for _ in range(300):
        tracker.step(views(np.zeros((1, 2)), [[0]], rng), START_NS)
    assert len(tracker._history._moments) <= 128


@pytest.mark.parametrize("seed", range(5))
def test_a_second_person_whom_one_of_two_platforms_sees_beside_the_first_becomes_a_track(seed: int) -> None:
    rng, tracker = np.random.default_rng(seed), Tracker(TrackerConfig())
    places = np.array([[5.0, 2.0], [5.0, 2.7]])
    for step in range(50):
        seen = [[0], [0] if step < 20 else [0, 1]]
        tracks = tracker.step(views(places, seen, rng, 0.3), START_NS + step * STEP_NS)
    assert (tracks.state == 1).sum() == 2 and tracker.events["seen_again"] < 5
