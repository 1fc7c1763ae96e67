"""Detection and tracking scores on cases worked out by hand; the protocol; the baselines."""

import motmetrics
import numpy as np
import pytest

from twin_replay.baselines import DbscanDetector, NearestNeighbourTracker
from twin_replay.core import kitti
from twin_replay.core.detection_scores import (
    RankedFrame,
    average_precision,
    best_level,
    match_frame,
    rank_frame,
    summarize,
)
from twin_replay.core.protocol import Protocol, count_points, frame_truth, judged
from twin_replay.core.tracking_scores import TrackingJudge

NONE = np.zeros((0, 2))
CALIBRATION = kitti.Calibration(
    projection=np.array([[700.0, 0, 600, 0], [0, 700, 180, 0], [0, 0, 1, 0]]),
    camera_from_lidar=np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
    lidar_from_imu=np.eye(4),
)


def yes(count: int) -> np.ndarray:
    return np.ones(count, bool)


def test_hits_misses_and_false_alarms_by_hand() -> None:
    truth = np.array([[10.0, 0], [20, 0], [30, 0]])
    found = np.array([[10.3, 0.4], [20, 1.2], [5, 5], [30.0, 0.1]])
    frame = match_frame(truth, np.array([True, True, False]), found, np.array([True, True, True, True]), 1.0)
    assert sorted(map(tuple, frame.pairs)) == [(0, 0), (2, 3)]
    assert frame.missed.tolist() == [1] and frame.false.tolist() == [1, 2]
    scores = summarize([frame])
    assert (scores.hits, scores.misses, scores.false_alarms) == (1, 1, 2)
    assert scores.recall == 0.5 and scores.precision == pytest.approx(1 / 3) and scores.f1 == pytest.approx(0.4)
    assert scores.position_error == pytest.approx(0.5)


def test_as_many_as_possible_are_matched_and_what_is_asked_for_first() -> None:
    # Greedy matching by distance would pair (0, 1) and leave 1 without a partner.
    truth = np.array([[0.0, 0], [1.5, 0]])
    found = np.array([[-0.9, 0], [0.7, 0]])
    frame = match_frame(truth, yes(2), found, yes(2), 1.0)
    assert sorted(map(tuple, frame.pairs)) == [(0, 0), (1, 1)]
    only = match_frame(truth, np.array([False, True]), found[1:], yes(1), 1.0)
    assert only.pairs.tolist() == [[1, 0]] and only.hit.tolist() == [True]


def test_what_is_not_judged_is_no_false_alarm() -> None:
    frame = match_frame(NONE, np.zeros(0, bool), np.array([[1.0, 0], [2, 0]]), np.array([True, False]), 1.0)
    assert frame.false.tolist() == [0]


def test_nothing_to_score_is_not_a_number() -> None:
    scores = summarize([match_frame(NONE, np.zeros(0, bool), NONE, np.zeros(0, bool), 1.0)])
    assert np.isnan(scores.recall) and np.isnan(scores.precision) and scores.hits == 0
    with pytest.raises(ValueError, match="expected"):
        match_frame(np.zeros((2, 3)), yes(2), NONE, np.zeros(0, bool), 1.0)


def test_average_precision_by_hand() -> None:
    # Right, wrong, right, and a label that nobody finds: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3.
    frames = [
        RankedFrame(np.array([0.9, 0.7]), np.array([True, False]), 1),
        RankedFrame(np.array([0.5]), np.ones(1, bool), 2),
    ]
    assert average_precision(frames) == pytest.approx(1 / 3 + 1 / 3 * 2 / 3)
    best = best_level(frames)
    assert best.f1 == pytest.approx(2 * 2 / (3 + 3)) and best.level == 0.5
    assert average_precision([RankedFrame(np.zeros(0), np.zeros(0, bool), 1)]) == 0.0
    assert np.isnan(average_precision([])) and np.isnan(best_level([]).f1)


def test_the_better_finding_takes_the_label_and_unasked_labels_take_theirs() -> None:
    truth, must = np.array([[0.0, 0], [10, 0]]), np.array([True, False])
    found = np.array([[0.1, 0], [0.4, 0], [10.1, 0], [30, 0], [40, 0]])
    score, judged_ = np.array([0.3, 0.8, 0.9, 0.7, 0.6]), np.array([True, True, True, True, False])
    frame = rank_frame(truth, must, found, score, judged_, 1.0)
    assert dict(zip(frame.score.tolist(), frame.hit.tolist(), strict=True)) == {0.8: True, 0.3: False, 0.7: False}
    assert frame.wanted == 1
    assert len(rank_frame(NONE, np.zeros(0, bool), found, score, judged_, 1.0).score) == 4


def add(judge: TrackingJudge, truth: dict[int, float], tracks: dict[int, float]) -> None:
    """Add a frame of objects on a line: identity to position."""
    at = [np.array([[x, 0.0] for x in group.values()]).reshape(-1, 2) for group in (truth, tracks)]
    judge.add(np.array(list(truth), int), at[0], yes(len(truth)), np.array(list(tracks), int), at[1], yes(len(tracks)))


def test_perfect_tracks_score_one() -> None:
    judge = TrackingJudge(1.0)
    for frame in range(10):
        add(judge, {1: frame, 2: 50.0 + frame}, {71: frame + 0.1, 72: 50.1 + frame})
    scores = judge.scores()
    assert scores.mota == 1.0 and scores.idf1 == 1.0 and scores.id_switches == 0 and scores.fragmentations == 0
    assert scores.mostly_tracked == 2 and scores.motp == pytest.approx(0.1)


def test_a_switch_a_gap_and_a_false_alarm_by_hand() -> None:
    judge = TrackingJudge(1.0)
    for frame in range(10):
        tracks = {7 if frame < 5 else 8: float(frame)} if frame != 2 else {}
        add(judge, {1: float(frame)}, tracks | ({99: 500.0} if frame == 9 else {}))
    scores = judge.scores()
    assert (scores.misses, scores.false_alarms, scores.id_switches, scores.fragmentations) == (1, 1, 1, 1)
    assert scores.mota == pytest.approx(1 - 3 / 10)
    # The best identity keeps five frames: 5 true, 5 false positives, 5 false negatives.
    assert scores.idf1 == pytest.approx(2 * 5 / (2 * 5 + 5 + 5))


def test_tracks_on_labels_not_asked_for_do_not_count() -> None:
    judge = TrackingJudge(1.0)
    truth = np.array([[0.0, 0], [30, 0]])
    judge.add(np.array([1, 2]), truth, np.array([True, False]), np.array([5, 6]), truth + 0.1, yes(2))
    judge.add(np.array([1]), truth[:1], yes(1), np.array([5, 8]), truth + 0.1, np.array([True, False]))
    scores = judge.scores()
    assert scores.objects == 2 and scores.false_alarms == 0 and scores.mota == 1.0


def test_figures_agree_with_motmetrics_on_random_tracks() -> None:
    rng = np.random.default_rng(3)
    judge, plain = TrackingJudge(1.0), motmetrics.MOTAccumulator(auto_id=True)
    for frame in range(60):
        truth = np.column_stack([np.arange(6) * 5.0, np.full(6, 0.1 * frame)])
        seen = rng.random(6) < 0.8
        tracks = truth[seen] + rng.normal(0, 0.3, (np.count_nonzero(seen), 2))
        identity = np.flatnonzero(seen) + (10 if frame > 30 else 0)
        judge.add(np.arange(6), truth, yes(6), identity, tracks, yes(len(tracks)))
        distance = np.hypot(*(truth[:, None] - tracks[None]).transpose(2, 0, 1))
        plain.update(list(range(6)), list(identity), np.where(distance <= 1.0, distance, np.nan))
    names = ["mota", "idf1", "num_switches", "num_fragmentations"]
    row = motmetrics.metrics.create().compute(plain, metrics=names).iloc[0]
    ours = judge.scores()
    assert [ours.mota, ours.idf1, ours.id_switches, ours.fragmentations] == [row[name] for name in names]


def test_points_are_counted_in_turned_boxes() -> None:
    box = np.array([[10.0, 5.0, 0.0, 4.0, 2.0, 1.5, np.pi / 4]])
    along, across = np.array([1.9, 1.9]) / np.sqrt(2), np.array([-1.2, 1.2]) / np.sqrt(2)
    xyz = np.array([[10, 5, 0], [10 + along[0], 5 + along[1], 0], [10 + across[0], 5 + across[1], 0], [10, 5, 1]])
    assert count_points(xyz, box).tolist() == [2]


def labels(kind: list[str], x: list[float]) -> kitti.Boxes:
    """Return labels straight ahead of the camera, x metres away."""
    count = len(kind)
    zero = np.zeros(count)
    return kitti.Boxes(
        frame=zero.astype(int), track_id=np.arange(count), kind=np.array(kind), truncated=zero,
        occluded=zero.astype(int), alpha=zero, image_box=np.tile([100.0, 100, 200, 200], (count, 1)),
        size=np.tile([1.5, 1.8, 4.0], (count, 1)), location=np.column_stack([zero, zero + 1.5, np.array(x)]),
        rotation_y=zero, score=zero,
    )  # fmt: skip


def test_only_near_and_well_seen_cars_and_vans_are_asked_for() -> None:
    given = labels(["Car", "Van", "Truck", "Car", "Car", "Pedestrian", "DontCare"], [10, 20, 30, 39, 45, 12, 15])
    boxes = given.in_lidar(CALIBRATION)
    rng = np.random.default_rng(0)
    points = np.concatenate([boxes[row, :3] + rng.uniform(-0.5, 0.5, (40, 3)) for row in (0, 1, 2, 4, 5)])
    truth = frame_truth(given, 0, CALIBRATION, points, Protocol())
    assert truth.track_id.tolist() == [0, 1, 2, 3, 4]
    assert truth.must.tolist() == [True, True, False, False, False]
    assert len(truth.dont_care) == 1


def test_judged_is_what_the_camera_sees_within_range() -> None:
    centres = np.array([[20.0, 0, 0], [20, 30, 0], [-20, 0, 0], [50, 0, 0], [20, 5, 0]])
    unlabelled = np.array([[400.0, 100, 450, 300]])  # 5 m to the left at 20 m lies at 600 - 175 px
    seen = judged(centres, CALIBRATION, unlabelled, Protocol())
    assert seen.tolist() == [True, False, False, False, False]
    assert judged(centres, CALIBRATION, np.zeros((0, 4)), Protocol()).tolist() == [True, False, False, False, True]
    assert judged(np.zeros((0, 3)), CALIBRATION, unlabelled, Protocol()).shape == (0,)


def test_nearest_neighbour_tracker_keeps_identities_and_forgets() -> None:
    tracker = NearestNeighbourTracker()
    first = tracker.step(np.array([[0.0, 0], [10, 0]]))
    assert first.tolist() == [0, 0]
    second = tracker.step(np.array([[10.5, 0], [0.5, 0]]))
    third = tracker.step(np.array([[1.0, 0], [11, 0]]))
    assert set(second) == {1, 2} and third.tolist() == second[::-1].tolist()
    for _ in range(4):
        tracker.step(NONE)
    assert tracker.step(np.array([[1.0, 0]])).tolist() == [0]


def test_the_baseline_finds_a_car_on_a_plane() -> None:
    rng = np.random.default_rng(0)
    ground = np.column_stack([rng.uniform(-20, 20, (8000, 2)), rng.normal(-1.7, 0.02, 8000)])
    side = np.column_stack([rng.uniform(8, 12.4, 800), np.full(800, 3.0), rng.uniform(-1.4, 0.1, 800)])
    back = np.column_stack([np.full(400, 8.0), rng.uniform(3.0, 4.8, 400), rng.uniform(-1.4, 0.1, 400)])
    boxes, counts = DbscanDetector().detect(np.concatenate([ground, side, back]).astype(np.float32))
    assert len(boxes) == 1 and counts[0] > 50
    assert np.hypot(boxes[0, 0] - 10.2, boxes[0, 1] - 3.9) < 0.8
    assert len(DbscanDetector().detect(np.zeros((0, 3), np.float32))[0]) == 0
