"""Metrics against TrackEval and motmetrics, on random tracks, and against figures worked out by hand."""

from __future__ import annotations

import motmetrics
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import affinity
from shapely.geometry import box as rectangle
from trackeval.metrics import CLEAR, HOTA, Identity

from twin_tracking.evaluation.boxes import box_overlap, intersection_area, near_in_frames, nearness
from twin_tracking.evaluation.metrics import TrackedSequence, best_pairs, clear_mot, compare, hota, identity

NEAR = nearness(2.0)


def _random_boxes(rng: np.random.Generator, count: int) -> np.ndarray:
    centre, size = rng.uniform(-2, 2, (count, 3)), rng.uniform(0.2, 5.0, (count, 3))
    return np.column_stack([centre, size, rng.uniform(-7, 7, count)])


def _random_sequence(seed: int) -> tuple[TrackedSequence, list[np.ndarray]]:
    """Return objects that walk, seen with misses, clutter and switched ids; and the dense similarities per frame."""
    rng = np.random.default_rng(seed)
    objects, frames = int(rng.integers(1, 9)), int(rng.integers(2, 40))
    path = rng.uniform(0, 6, (objects, 2)) + np.cumsum(rng.normal(0, 0.3, (frames, objects, 2)), axis=0)
    name = rng.permutation(100)[:objects] * 7
    truth, track = [], []
    for frame in range(frames):
        if rng.random() < 0.1:
            name[:] = rng.permutation(name)
        used = set()
        for one in range(objects):
            if rng.random() < 0.9:
                truth.append([frame, one + 3, *path[frame, one]])
            if rng.random() < 0.8:
                track.append([frame, name[one], *(path[frame, one] + rng.normal(0, 0.4, 2))])
                used.add(name[one])
        for clutter in range(int(rng.integers(0, 3))):
            track.append([frame, 1000 + 3 * frame + clutter, *rng.uniform(0, 6, 2)])
    a, b = np.array(truth or np.zeros((0, 4))), np.array(track or np.zeros((0, 4)))

    def boxes(rows: np.ndarray) -> np.ndarray:
        return np.column_stack([rows[:, 2:4], np.zeros(len(rows)), np.ones((len(rows), 3)), np.zeros(len(rows))])

    sequence = compare(
        a[:, 0].astype(int),
        a[:, 1].astype(int),
        boxes(a),
        b[:, 0].astype(int),
        b[:, 1].astype(int),
        boxes(b),
        NEAR,
        2.0,
    )
    dense = []
    for frame in range(frames):
        first, second = boxes(a[a[:, 0] == frame]), boxes(b[b[:, 0] == frame])
        i, j = np.meshgrid(np.arange(len(first)), np.arange(len(second)), indexing="ij")
        dense.append(NEAR(first[i.ravel()], second[j.ravel()]).reshape(i.shape))
    return sequence, dense


def _for_trackeval(sequence: TrackedSequence, dense: list[np.ndarray]) -> dict[str, object]:
    truth_ids, truth_id = np.unique(sequence.truth_id, return_inverse=True)
    track_ids, track_id = np.unique(sequence.track_id, return_inverse=True)
    frames = range(len(dense))
    return {
        "num_timesteps": len(dense),
        "num_gt_ids": len(truth_ids),
        "num_tracker_ids": len(track_ids),
        "num_gt_dets": len(truth_id),
        "num_tracker_dets": len(track_id),
        "gt_ids": [truth_id[sequence.truth_frame == frame] for frame in frames],
        "tracker_ids": [track_id[sequence.track_frame == frame] for frame in frames],
        "similarity_scores": dense,
    }


@pytest.mark.parametrize("count", [0, 1, 500])
def test_shared_area_is_that_of_the_polygons(count: int) -> None:
    rng = np.random.default_rng(3)
    first, second = _random_boxes(rng, count), _random_boxes(rng, count)

    def polygon(row: np.ndarray):  # type: ignore[no-untyped-def]
        flat = rectangle(-row[3] / 2, -row[4] / 2, row[3] / 2, row[4] / 2)
        return affinity.translate(affinity.rotate(flat, row[6], (0, 0), use_radians=True), row[0], row[1])

    expected = [polygon(a).intersection(polygon(b)).area for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(intersection_area(first, second), expected, atol=1e-9)


def test_overlap_of_equal_touching_stacked_and_distant_boxes() -> None:
    box = np.array([[1.0, 2.0, 0.5, 4.0, 2.0, 1.0, 0.7]])
    turned = box + np.eye(7)[6] * np.pi
    above, half = box + np.eye(7)[2], box + np.eye(7)[2] / 2
    assert box_overlap(box, box)[0] == pytest.approx(1.0)
    assert box_overlap(box, turned)[0] == pytest.approx(1.0)
    assert box_overlap(box, above)[0] == pytest.approx(0.0)
    assert box_overlap(box, half)[0] == pytest.approx(1 / 3)
    assert box_overlap(box, box + np.eye(7)[0] * 9)[0] == 0.0
    with pytest.raises(ValueError, match=r"expected \(K, 7\), got \(1, 6\)"):
        box_overlap(box[:, :6], box)


def test_only_boxes_of_the_same_frame_are_near() -> None:
    boxes = np.zeros((3, 7))
    i, j = near_in_frames(np.array([0, 1, 2]), boxes, np.array([1, 1, 5]), boxes, 3.0)
    np.testing.assert_array_equal(np.column_stack([i, j]), [[1, 0], [1, 1]])


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_figures_are_those_of_trackeval(seed: int) -> None:
    sequence, dense = _random_sequence(seed)
    for_trackeval = _for_trackeval(sequence, dense)
    clear = CLEAR({"THRESHOLD": 0.5, "PRINT_CONFIG": False}).eval_sequence(for_trackeval)
    ours = clear_mot([sequence], 0.5)
    counts = ("CLR_TP", "CLR_FP", "CLR_FN", "IDSW", "Frag", "MT", "ML")
    mine = (
        "true_positives",
        "false_positives",
        "misses",
        "switches",
        "fragmentations",
        "mostly_tracked",
        "mostly_lost",
    )
    assert [getattr(ours, name) for name in mine] == [clear[name] for name in counts]
    np.testing.assert_allclose([ours.mota, ours.motp], [clear.get("MOTA", 0), clear.get("MOTP", 0)], atol=1e-9)
    same = Identity({"THRESHOLD": 0.5, "PRINT_CONFIG": False}).eval_sequence(for_trackeval)
    assert identity([sequence], 0.5).idf1 == pytest.approx(same["IDF1"], abs=1e-9)
    theirs, ours = HOTA().eval_sequence(for_trackeval), hota([sequence])
    names = ("hota", "detection", "association", "localization")
    np.testing.assert_allclose(
        [getattr(ours, name) for name in names], [theirs[key].mean() for key in ("HOTA", "DetA", "AssA", "LocA")],
        atol=1e-9,
    )  # fmt: skip


def test_sequences_are_combined_as_by_trackeval() -> None:
    both = [_random_sequence(seed) for seed in (11, 12, 13)]
    sequences, data = [one for one, _ in both], [_for_trackeval(*one) for one in both]
    judges = HOTA(), CLEAR({"PRINT_CONFIG": False}), Identity({"PRINT_CONFIG": False})
    theirs = [
        judge.combine_sequences({str(k): judge.eval_sequence(one) for k, one in enumerate(data)}) for judge in judges
    ]
    assert hota(sequences).hota == pytest.approx(theirs[0]["HOTA"].mean(), abs=1e-9)
    assert clear_mot(sequences, 0.5).mota == pytest.approx(theirs[1]["MOTA"], abs=1e-9)
    assert identity(sequences, 0.5).idf1 == pytest.approx(theirs[2]["IDF1"], abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_those_of_motmetrics(seed: int) -> None:
    sequence, dense = _random_sequence(seed)
    accumulator = motmetrics.MOTAccumulator(auto_id=True)
    for frame, similarity in enumerate(dense):
        distance = np.where(similarity >= 0.5, 1 - similarity, np.nan)
        accumulator.update(
            sequence.truth_id[sequence.truth_frame == frame], sequence.track_id[sequence.track_frame == frame], distance
        )
    table = motmetrics.metrics.create().compute(accumulator, metrics=["idf1", "num_objects", "idtp"], name="all")
    assert identity([sequence], 0.5).idf1 == pytest.approx(float(table["idf1"].iloc[0]), abs=1e-9)


def test_a_switch_worked_out_by_hand() -> None:
    """One object in four frames, found as 7, 7, not (but 9 elsewhere), 8: one switch, two runs."""
    four, hit = np.arange(4), np.array([0, 1, 3])
    sequence = TrackedSequence(four, np.full(4, 5), four, np.array([7, 7, 9, 8]), hit, hit, np.ones(3))
    clear = clear_mot([sequence], 0.5)
    assert (clear.switches, clear.fragmentations, clear.misses, clear.mostly_tracked) == (1, 1, 1, 0)
    assert clear.mota == pytest.approx(1 - 3 / 4)
    assert identity([sequence], 0.5).idf1 == pytest.approx(2 * 2 / (4 + 4))
    assert hota([sequence]).hota == pytest.approx(np.sqrt(3 / 5 * (2 * 2 / 4 + 1 / 4) / 3))


def test_an_id_twice_in_a_frame_is_refused() -> None:
    one, two = np.zeros(1, int), np.zeros(2, int)
    with pytest.raises(ValueError, match="track: id 0 occurs 2 times in frame 0; expected once"):
        TrackedSequence(one, one, two, two, one, one, np.ones(1))


def test_no_tracks_and_no_truth_give_figures_too() -> None:
    none, three = np.zeros(0, int), np.arange(3)
    lost = TrackedSequence(three, three * 0, none, none, none, none, np.zeros(0))
    assert (clear_mot([lost], 0.5).misses, clear_mot([lost], 0.5).mostly_lost) == (3, 1)
    assert identity([lost], 0.5).idf1 == hota([lost]).hota == 0.0
    false = TrackedSequence(none, none, three, three, none, none, np.zeros(0))
    assert clear_mot([false, lost], 0.5).mota == pytest.approx(-1.0)


def test_the_best_pairs_have_the_largest_sum() -> None:
    row, column = np.array([0, 0, 1, 5]), np.array([0, 1, 0, 9])
    assert best_pairs(row, column, np.array([0.9, 0.5, 0.5, 0.1])).tolist() == [False, True, True, True]
    assert best_pairs(row, column, np.array([0.9, 0.2, 0.2, 0.1])).tolist() == [True, False, False, True]
