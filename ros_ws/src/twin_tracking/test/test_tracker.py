"""The whole tracker on scenes with known truth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.detections import Detections, empty
from twin_tracking.core.tracker import Tracker
from twin_tracking.core.tracks import COASTING, CONFIRMED, TENTATIVE, Tracks
from twin_tracking.synthetic import START_NS, Mover, clutter, crowd, detect, joined, mover, shuffled

STEP_NS = 100_000_000


def follow(
    objects: Mover, steps: int, seed: int = 0, hidden: range = range(0), **how: float
) -> tuple[Tracker, list[Tracks]]:
    """Track ``objects``; in the steps ``hidden`` nothing is detected."""
    rng, tracker, seen = np.random.default_rng(seed), Tracker(TrackerConfig()), []
    for step in range(steps):
        detections = detect(objects.at(0.1 * step), rng, **how)
        seen.append(tracker.step(empty() if step in hidden else detections, START_NS + step * STEP_NS))
    return tracker, seen


def nearest(tracks: Tracks, position: np.ndarray) -> np.ndarray:
    """Index of the confirmed or coasting track nearest to each position (M, 2)."""
    sure = np.flatnonzero(tracks.state != TENTATIVE)
    distance = np.linalg.norm(tracks.position[sure][None, :, :2] - position[:, None], axis=2)
    return sure[distance.argmin(axis=1)]


def test_a_district_is_followed_with_small_errors() -> None:
    objects = crowd(200, np.random.default_rng(3))
    _, seen = follow(objects, 40, seed=4, miss=0.1)
    truth, last = objects.at(3.9), seen[-1]
    index = nearest(last, truth.position)
    error = last.position[index, :2] - truth.position
    speed_error = np.hypot(*(last.velocity[index] - truth.velocity).T)
    assert np.sqrt((error**2).sum(axis=1).mean()) < 0.25
    assert np.median(speed_error) < 0.5
    assert len(np.unique(last.ids)) == len(last.ids)
    assert abs(int((last.state != TENTATIVE).sum()) - 200) <= 4
    fast = np.hypot(*truth.velocity.T) > 3
    turned = np.abs(np.mod(last.yaw[index] - truth.yaw + np.pi, 2 * np.pi) - np.pi)[fast]
    assert turned.max() < 0.5 and np.median(turned) < 0.06


def test_tracks_are_consistent_over_seeded_runs() -> None:
    objects = mover(np.arange(100)[:, None] * [0.0, 40.0], (9.0, 0.0), label=classes.CAR)
    _, seen = follow(objects, 40, seed=5, sigma=0.2)
    truth, last = objects.at(3.9), seen[-1]
    index = nearest(last, truth.position)
    error = np.column_stack([last.position[index, :2] - truth.position, last.velocity[index] - truth.velocity])
    inverse = np.linalg.inv(last.covariance[index])
    average = np.einsum("ni,nij,nj->n", error, inverse, error).mean()
    assert 1.0 < average < 4.6, "4 expected; less is careful: the filter is ready for turns and brakes that do not come"


@pytest.mark.parametrize("angle", [0.3, 1.0, np.pi / 2, np.pi])
def test_crossing_targets_keep_their_ids(angle: float) -> None:
    speed, middle = 1.5, 20
    directions = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    aside = np.array([[0.0, 0.0], [0.3, 0.3]])
    objects = mover(-speed * 0.1 * middle * directions + aside, speed * directions, label=classes.PEDESTRIAN)
    for seed in range(5):
        _, seen = follow(objects, 2 * middle, seed=seed, sigma=0.1)
        before = seen[10].ids[nearest(seen[10], objects.at(1.0).position)]
        after = seen[-1].ids[nearest(seen[-1], objects.at(0.1 * (2 * middle - 1)).position)]
        np.testing.assert_array_equal(before, after, err_msg=f"seed {seed}")


@pytest.mark.parametrize(("label", "speed"), [(classes.CAR, 12.0), (classes.PEDESTRIAN, 1.4), (classes.CAR, 0.0)])
def test_an_object_hidden_for_a_second_keeps_its_id(label: int, speed: float) -> None:
    objects = mover((0.0, 0.0), (speed, 0.0), label=label)
    _, seen = follow(objects, 50, seed=6, hidden=range(20, 30), sigma=0.15)
    (during,) = np.flatnonzero(seen[28].state == COASTING)
    assert np.abs(seen[28].position[during, 0] - speed * 2.8) < 1.5
    assert seen[28].covariance[during, 0, 0] > seen[19].covariance[0, 0, 0]
    (after,) = np.flatnonzero(seen[-1].state == CONFIRMED)
    assert seen[-1].ids[after] == seen[19].ids[0]
    assert seen[28].existence[during] < seen[19].existence[0]


def test_clutter_makes_no_confirmed_tracks() -> None:
    rng, tracker = np.random.default_rng(7), Tracker(TrackerConfig())
    confirmed: set[int] = set()
    for step in range(100):
        tracks = tracker.step(clutter(20, rng, (200.0, 200.0)), START_NS + step * STEP_NS)
        confirmed |= set(tracks.ids[tracks.state != TENTATIVE].tolist())
    assert len(confirmed) <= 2, "of 2000 false detections"


def test_existence_of_a_lasting_doubtful_object_follows_its_detections() -> None:
    _, sure = follow(mover((0.0, 0.0), (0.0, 0.0)), 30, existence=0.95)
    _, doubtful = follow(mover((0.0, 0.0), (0.0, 0.0)), 30, existence=0.42)
    assert sure[-1].existence[0] > 0.9 and sure[-1].state[0] == CONFIRMED
    assert 0.3 < doubtful[-1].existence[0] < 0.5 and doubtful[-1].state[0] == TENTATIVE


def test_doubtful_detections_keep_a_track_but_begin_none() -> None:
    rng, tracker = np.random.default_rng(8), Tracker(TrackerConfig())
    car = mover((0.0, 0.0), (10.0, 0.0))
    for step in range(60):
        existence = 0.9 if step < 20 else 0.2
        tracks = tracker.step(detect(car.at(0.1 * step), rng, existence=existence), START_NS + step * STEP_NS)
    assert len(tracks) == 1 and tracks.last_ns[0] == START_NS + 59 * STEP_NS
    none = Tracker(TrackerConfig())
    for step in range(20):
        tracks = none.step(detect(car.at(0.1 * step), rng, existence=0.2), START_NS + step * STEP_NS)
    assert len(tracks) == 0


def test_the_order_of_detections_changes_nothing() -> None:
    objects = crowd(30, np.random.default_rng(9), (60.0, 40.0))
    frames = []
    for step in range(8):
        rng = np.random.default_rng(step)
        frames.append(joined(detect(objects.at(0.1 * step), rng, miss=0.1), clutter(5, rng, (60.0, 40.0))))
    expected = run(frames)

    @settings(max_examples=15, deadline=None)
    @given(st.integers(0, 2**32 - 1))
    def check(seed: int) -> None:
        rng = np.random.default_rng(seed)
        assert_same(run([shuffled(frame, rng) for frame in frames]), expected)

    check()


def run(frames: list[Detections]) -> Tracks:
    tracker = Tracker(TrackerConfig())
    for step, frame in enumerate(frames):
        tracks = tracker.step(frame, START_NS + step * STEP_NS)
    return tracks


def assert_same(one: Tracks, other: Tracks) -> None:
    for name in Tracks.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_unusable_detections_are_refused_and_counted() -> None:
    rng, tracker = np.random.default_rng(10), Tracker(TrackerConfig())
    good = detect(mover(np.arange(12)[:, None] * [10.0, 0.0], (0.0, 0.0)).at(0.0), rng)
    bad = replace(good, **{name: getattr(good, name).copy() for name in Detections.__dataclass_fields__})
    bad.position[0, 0] = np.nan
    bad.size[1, 2] = np.inf
    bad.yaw[2] = np.nan
    bad.covariance[3, 0, 0] = -1.0
    bad.existence[4] = 1.5
    bad.class_probability[5] = 0.0
    bad.size[6, 0] = 0.0
    bad.time_offset[7] = -5.0
    bad.covariance[8, :2, :2] = [[1.0, 2.0], [2.0, 1.0]]
    tracks = tracker.step(bad, START_NS)
    assert tracker.events["rejected"] == 9
    assert sorted(tracks.position[:, 0].round(-1)) == [90.0, 100.0, 110.0]


def test_unknown_covariance_is_replaced_by_the_class_default() -> None:
    rng, tracker = np.random.default_rng(11), Tracker(TrackerConfig())
    car = mover((0.0, 0.0), (10.0, 0.0))
    for step in range(20):
        detections = detect(car.at(0.1 * step), rng, 0.3)
        tracks = tracker.step(replace(detections, covariance=np.zeros((1, 3, 3))), START_NS + step * STEP_NS)
    assert tracks.state[0] == CONFIRMED and abs(tracks.position[0, 0] - 19.0) < 0.6


def test_time_offsets_are_used() -> None:
    """A spinning LiDAR sees each car at another moment before the stamp: without the offsets the error is 1 m."""
    rng, tracker = np.random.default_rng(12), Tracker(TrackerConfig())
    objects = mover(np.arange(10)[:, None] * [0.0, 10.0], (20.0, 0.0))
    offset = np.linspace(-0.1, 0.0, 10)
    for step in range(30):
        truth = objects.at(0.1 * step + offset)
        tracks = tracker.step(detect(truth, rng, 0.1, time_offset=offset), START_NS + step * STEP_NS)
    index = nearest(tracks, objects.at(2.9).position)
    error = tracks.position[index, 0] - objects.at(2.9).position[:, 0]
    assert np.abs(error).max() < 0.4 and abs(error.mean()) < 0.1
    assert sorted(tracks.last_ns - tracks.last_ns.max()) == sorted(np.round(offset * 1e9).astype(int))


def test_measured_velocity_helps_at_once() -> None:
    rng, tracker = np.random.default_rng(13), Tracker(TrackerConfig())
    detections = detect(mover((0.0, 0.0), (10.0, 5.0)).at(0.0), rng)
    tracks = tracker.step(replace(detections, velocity=np.array([[10.0, 5.0]])), START_NS)
    assert np.hypot(*(tracks.velocity[0] - [10.0, 5.0])) < 3.0


def test_sizes_lean_to_the_full_view_and_classes_settle() -> None:
    rng, tracker = np.random.default_rng(14), Tracker(TrackerConfig())
    car = mover((0.0, 0.0), (5.0, 0.0))
    for step in range(60):
        seen = detect(car.at(0.1 * step), rng)
        partly = seen.size * ([0.6, 1.0, 1.0] if step % 2 else [1.0, 1.0, 1.0])
        probability = np.full((1, 10), 0.05)
        probability[0, classes.TRUCK if step % 4 == 0 else classes.CAR] = 0.55
        tracks = tracker.step(replace(seen, size=partly, class_probability=probability), START_NS + step * STEP_NS)
    assert tracks.size[0, 0] > 3.8 and abs(tracks.size[0, 1] - 1.75) < 0.15
    assert tracks.class_probability[0].argmax() == classes.CAR
    assert tracks.class_probability[0].sum() == pytest.approx(1.0)


def test_platforms_are_those_of_the_last_second() -> None:
    rng, tracker = np.random.default_rng(15), Tracker(TrackerConfig())
    car = mover((0.0, 0.0), (0.0, 0.0))
    for step in range(30):
        mask = np.array([0b01 if step < 15 else 0b10], np.uint64)
        tracks = tracker.step(replace(detect(car.at(0.0), rng), platforms=mask), START_NS + step * STEP_NS)
        if step == 17:
            assert tracks.platforms[0] == 0b11
    assert tracks.platforms[0] == 0b10


def test_a_car_in_two_pieces_is_one_track() -> None:
    rng, tracker = np.random.default_rng(16), Tracker(TrackerConfig())
    car = mover((0.0, 0.0), (6.0, 0.0))
    for step in range(40):
        whole = detect(car.at(0.1 * step), rng, 0.1)
        piece = replace(whole, position=whole.position + np.array([1.2, 0.1, 0.0]), existence=np.array([0.6]))
        frame = whole if step < 10 else joined(whole, piece)
        tracks = tracker.step(frame, START_NS + step * STEP_NS)
    assert len(tracks) == 1 and tracker.events["part_of_track"] >= 25


def test_acceleration_is_measured() -> None:
    rng, tracker = np.random.default_rng(17), Tracker(TrackerConfig())
    for step in range(40):
        time = 0.1 * step
        braking = mover((20 * time - 1.5 * time**2, 0.0), (20 - 3 * time, 0.0))
        tracks = tracker.step(detect(braking.at(0.0), rng, 0.1), START_NS + step * STEP_NS)
    assert -4.5 < tracks.acceleration[0] < -1.5


def test_a_reversing_car_keeps_its_front_and_a_pedestrian_turns() -> None:
    rng = np.random.default_rng(18)
    for label, expected in ((classes.CAR, 0.0), (classes.PEDESTRIAN, np.pi)):
        tracker = Tracker(TrackerConfig())
        for step in range(70):
            time = 0.1 * step
            x = 1.5 * time if step < 50 else 7.5 - 1.5 * (time - 5.0)
            truth = replace(mover((x, 0.0), (1.0, 0.0), label=label).at(0.0))
            tracks = tracker.step(detect(truth, rng, 0.05), START_NS + step * STEP_NS)
        assert np.abs(np.mod(tracks.yaw[0] - expected + np.pi, 2 * np.pi) - np.pi) < 0.4, classes.NAMES[label]


def test_a_track_that_is_often_missed_loses_less_by_a_miss() -> None:
    car = mover((0.0, 0.0), (0.0, 0.0))
    left = {}
    for often in (1, 2):
        rng, tracker = np.random.default_rng(19), Tracker(TrackerConfig(detection_memory=1.0))
        for step in range(60):
            seen = detect(car.at(0.1 * step), rng)
            tracks = tracker.step(seen if step % often == 0 else empty(), START_NS + step * STEP_NS)
        sure = tracks.existence[0]
        for step in range(60, 68):
            tracks = tracker.step(empty(), START_NS + step * STEP_NS)
        left[often] = tracks.existence[0] / sure
    assert left[2] > left[1] + 0.02
