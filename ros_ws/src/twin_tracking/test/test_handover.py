"""Objects that are out of sight for seconds and come back: ids, probabilities, and decisions taken back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.region import ZoneRegion
from twin_tracking.core.tracker import Tracker
from twin_tracking.synthetic import START_NS, detect, mover

RED, GREY = np.eye(8)[3], np.eye(8)[1]
PERSONS = np.array([[0.0, 0.0], [0.0, 6.0]])
WALK = np.array([[1.3, 0.0], [1.3, 0.0]])


def _frames(objects, hidden, colours, seconds, seed=1):  # type: ignore[no-untyped-def]
    """Yield detections at 10 Hz; ``hidden(time)`` tells which objects (N,) bool are not seen."""
    rng = np.random.default_rng(seed)
    for step in range(round(seconds * 10)):
        time = step / 10
        seen = np.flatnonzero(~hidden(time))
        all_ = detect(objects.at(time), rng, miss=0.0)
        yield START_NS + round(time * 1e9), replace(all_.take(seen), colour=colours[seen])


def _ids_near(tracks, place):  # type: ignore[no-untyped-def]
    distance = np.hypot(*(tracks.position[:, :2] - place).T)
    near = np.flatnonzero((tracks.state == 1) & (distance < 0.8))
    return tracks.ids[near].tolist()


@pytest.mark.parametrize("gap", [2.5, 4.0, 8.0])
def test_two_persons_keep_their_ids_through_a_gap(gap: float) -> None:
    objects = mover(PERSONS, WALK, label=classes.PEDESTRIAN)
    tracker = Tracker(TrackerConfig())
    before, after = {}, {}
    for stamp, seen in _frames(
        objects, lambda time: np.full(2, 3.0 <= time < 3.0 + gap), np.stack([RED, GREY]), 6.0 + gap
    ):
        tracks = tracker.step(seen, stamp)
        time = (stamp - START_NS) / 1e9
        for one in range(2):
            for number in _ids_near(tracks, objects.at(time).position[one]):
                (before if time < 3 else after).setdefault(one, set()).add(number)
    assert before == after
    decided = tracker.reidentified()
    assert len([one for one in decided if not one.undone]) == 2
    assert all(one.probability > 0.4 for one in decided)


def test_a_stranger_of_another_colour_and_size_gets_an_id_of_its_own() -> None:
    objects = mover(np.array([[0.0, 0.0], [6.5, 1.5]]), WALK, label=classes.PEDESTRIAN)
    tracker = Tracker(TrackerConfig())

    def hidden(time: float) -> np.ndarray:
        return np.array([time >= 3.0, time < 6.0])

    ids = set()
    for stamp, seen in _frames(objects, hidden, np.stack([RED, GREY]), 8.0):
        small = replace(seen, size=seen.size * np.where(seen.colour[:, 3:4] > 0, 1.0, [[0.6, 0.6, 0.6]]))
        tracks = tracker.step(small, stamp)
        ids |= set(tracks.ids[tracks.state == 1].tolist())
    assert len(ids) == 2


def test_a_wrong_handover_is_taken_back_when_the_right_one_appears() -> None:
    """A grey person comes where the red one should; then the red one comes, and the ids are put right."""
    objects = mover(np.array([[0.0, 0.0], [0.0, 0.9]]), WALK, label=classes.PEDESTRIAN)
    tracker = Tracker(replace(TrackerConfig(), handover_least=0.05))

    def hidden(time: float) -> np.ndarray:
        return np.array([3.0 <= time < 6.8, time < 6.0])

    first, last = None, None
    for stamp, seen in _frames(objects, hidden, np.stack([RED, 0.6 * GREY + 0.4 * RED]), 9.5):
        tracks = tracker.step(seen, stamp)
        time = (stamp - START_NS) / 1e9
        place = objects.at(time).position[0]
        near = [n for n in tracks.ids[(tracks.state == 1) & (np.hypot(*(tracks.position[:, :2] - place).T) < 0.4)]]
        if time < 3.0 and near:
            first = near[0]
        if time > 8.5 and near:
            last = near[0]
    assert first is not None and first == last
    decisions = [(one.undone, one.track_id) for one in tracker.reidentified()]
    assert decisions == [(False, first), (True, first), (False, first)]


def test_who_was_lost_beside_another_one_comes_out_beside_it() -> None:
    """Two persons are seen as one for 12 s, longer than a gap may be, while they turn a corner; then they part."""
    tracker = Tracker(TrackerConfig())
    rng = np.random.default_rng(2)
    names: dict[str, set[int]] = {}
    for step in range(200):
        time = step / 10
        lead = np.array([min(time, 8.0) * 1.3, max(time - 8.0, 0.0) * 1.3])
        places = np.stack([lead, lead - np.array([0.0, 0.7 + 0.4 * max(time - 17.0, 0.0)])])
        merged = 4.0 <= time < 16.0
        truth = mover(places, np.zeros((2, 2)), label=classes.PEDESTRIAN).at(0.0)
        seen = detect(truth, rng, miss=0.0)
        seen = replace(seen.take(np.array([0]) if merged else np.array([0, 1])))
        seen = replace(seen, colour=np.stack([RED, GREY])[: len(seen)])
        tracks = tracker.step(seen, START_NS + round(time * 1e9))
        for one in range(2):
            when = "before" if time < 4 else "after" if time > 18 else ""
            if when:
                near = np.hypot(*(tracks.position[:, :2] - places[one]).T) < 0.4
                names.setdefault(f"{when} {one}", set()).update(tracks.ids[near & (tracks.state == 1)].tolist())
    assert names["before 0"] == names["after 0"]
    assert names["before 1"] == names["after 1"]


def test_late_arrays_do_not_change_who_has_come_back() -> None:
    """The array of the return comes 0.3 s late: the ids are those of arrays in order."""
    objects = mover(PERSONS, WALK, label=classes.PEDESTRIAN)
    frames = list(_frames(objects, lambda time: np.full(2, 3.0 <= time < 6.0), np.stack([RED, GREY]), 8.0))
    swapped = frames.copy()
    swapped[62:66] = [*frames[63:66], frames[62]]
    ends = []
    for order in (frames, swapped):
        tracker = Tracker(TrackerConfig())
        for stamp, seen in order:
            tracks = tracker.step(seen, stamp)
        ends.append(sorted(tracks.ids[tracks.state == 1].tolist()))
    assert ends[0] == ends[1]
    assert len(ends[0]) == 2


@pytest.mark.parametrize("seed", [23, 39])
def test_nobody_is_in_two_places_though_people_vanish_and_arrays_come_late(seed: int) -> None:
    """Twelve people of one square come and go; every third array comes up to 0.45 s late."""
    rng, tracker = np.random.default_rng(seed), Tracker(TrackerConfig())
    place, velocity = rng.uniform(-6, 6, (12, 2)), rng.normal(0, 1.0, (12, 2))
    hidden_until, arrays = np.zeros(12), []
    for step in range(250):
        place = place + 0.1 * velocity
        velocity = np.where(np.abs(place) > 7, -np.sign(place) * np.abs(velocity), velocity)
        hides = (rng.random(12) < 0.02) & (hidden_until < step)
        hidden_until[hides] = step + rng.integers(15, 60, hides.sum())
        seen = np.flatnonzero((hidden_until < step) & (rng.random(12) < 0.95))
        people = mover(place, velocity, label=classes.PEDESTRIAN).at(0.0)
        stamp = START_NS + step * 100_000_000 + int(rng.integers(0, 3_000_000))
        late = rng.uniform(0.1, 0.45) if rng.random() < 0.3 else 0.0
        arrays.append((0.1 * step + late, stamp, detect(people, rng, sigma=0.05).take(seen)))
    for _, stamp, seen in sorted(arrays, key=lambda one: one[0]):
        ids = tracker.step(seen, stamp).ids
        assert len(np.unique(ids)) == len(ids)
    assert tracker.events["reordered"] > 20 and tracker.reidentified()


def test_who_was_told_keeps_the_id_through_one_late_array_after_the_other() -> None:
    """An array of before a birth comes late, so that what followed is told anew; then one of after it does."""
    objects = mover(PERSONS[:1], WALK[:1], label=classes.PEDESTRIAN)
    frames = list(_frames(objects, lambda time: np.full(1, time < 0.5), GREY[None], 2.0))
    order = [0, 1, 2, 3, 5, 6, 8, 4, 7, *range(9, 20)]
    tracker, ids = Tracker(TrackerConfig()), set()
    for number in order:
        stamp, seen = frames[number]
        ids |= set(tracker.step(seen, stamp).ids.tolist())
    assert tracker.events["reordered"] == 2
    assert len(ids) == 1


def test_without_reach_nobody_comes_back() -> None:
    objects = mover(PERSONS, WALK, label=classes.PEDESTRIAN)
    tracker = Tracker(replace(TrackerConfig(), handover_reach=0.0))
    ids = set()
    for stamp, seen in _frames(objects, lambda time: np.full(2, 3.0 <= time < 6.0), np.stack([RED, GREY]), 8.0):
        tracks = tracker.step(seen, stamp)
        ids |= set(tracks.ids[tracks.state == 1].tolist())
    assert len(ids) == 4
    assert not tracker.reidentified()


def test_a_region_knows_what_is_where() -> None:
    square = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 20.0], [0.0, 20.0]])
    region = ZoneRegion.of(
        [("sidewalk", square), ("building", square / 2), ("carriageway", square + np.array([20.0, 0.0]))]
    )
    places = np.array([[5.0, 5.0], [15.0, 15.0], [30.0, 5.0], [-50.0, 5.0]])
    persons, vehicles = region.at(places, np.ones(4, bool)), region.at(places, np.zeros(4, bool))
    assert persons[0] < 0.05 and persons[1] == 1.0
    assert vehicles[2] == 1.0 and vehicles[1] < persons[1]
    assert persons[3] == 0.5
    half = region.share(np.array([[20.0, 10.0]]), 4.0 * np.eye(2)[None], np.array([False]))[0]
    assert 0.4 < half < 0.65, "half of the spread is carriageway, half sidewalk"


def test_a_track_that_lives_over_midnight_keeps_its_id_and_those_after_it_have_ids_of_the_new_day() -> None:
    objects = mover(PERSONS, WALK, label=classes.PEDESTRIAN)
    midnight = (START_NS // 86_400_000_000_000 + 1) * 86_400_000_000_000
    ids = []
    for shift in (midnight - START_NS - 2 * 10**9, midnight - START_NS - 10**9):
        tracker = Tracker(TrackerConfig())
        seen_ids = []
        for stamp, seen in _frames(objects, lambda time: np.array([False, time < 2.5]), np.stack([RED, GREY]), 4.0):
            seen_ids.append(set(tracker.step(seen, stamp + shift).ids.tolist()))
        assert len(seen_ids[10]) == 1 and seen_ids[10] <= seen_ids[-1]
        ids.append(seen_ids[-1] - seen_ids[10])
    assert ids[0] == ids[1], "born after midnight: the same counter gives the same id on that day"


def test_a_decision_counts_once_when_late_arrays_are_replayed() -> None:
    objects = mover(PERSONS, WALK, label=classes.PEDESTRIAN)
    frames = list(_frames(objects, lambda time: np.full(2, 3.0 <= time < 7.0), np.stack([RED, GREY]), 10.0))
    order = [place for step in range(0, len(frames), 4) for place in (step + 1, step + 2, step + 3, step)]
    tracker = Tracker(TrackerConfig())
    for place in order:
        tracker.step(frames[place][1], frames[place][0])
    assert tracker.events["reordered"] == len(frames) // 4 - 1, "the first one came before all that is known"
    decided = tracker.reidentified()
    assert len(decided) == 2 and not any(one.undone for one in decided)
