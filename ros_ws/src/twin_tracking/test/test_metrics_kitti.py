"""KITTI's rules and AB3DMOT's figures against a plain reading of the published rules, one box after the other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from trackeval.metrics import CLEAR, HOTA, Identity

from twin_replay.core.kitti import Boxes, read_detections, read_labels
from twin_tracking.evaluation.metrics import TrackedSequence, clear_mot, hota, identity
from twin_tracking.evaluation.metrics_kitti import KittiScores, ab3dmot, kitti_sequence, tracked_sequence

KITTI = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "kitti_tracking"


def _rows(kind: list[str], **columns: np.ndarray) -> Boxes:
    count = len(kind)
    zero = np.zeros(count)
    fields = {
        "truncated": zero, "occluded": np.zeros(count, int), "alpha": zero, "score": np.ones(count),
        "image_box": np.tile([0.0, 0.0, 50.0, 50.0], (count, 1)), "size": np.tile([1.5, 1.6, 4.0], (count, 1)),
        "rotation_y": zero, **columns,
    }  # fmt: skip
    return Boxes(kind=np.array(kind, "U16"), **fields)


def _scene(seed: int) -> tuple[Boxes, Boxes]:
    """Return labels and tracks of a random street, in which every rule of the benchmark has a case."""
    rng = np.random.default_rng(seed)
    labels, tracks = [], []
    kinds = rng.choice(["Car", "Car", "Car", "Van", "Truck"], 8)
    score = np.where(np.arange(400) < 100, rng.uniform(0.3, 1, 400), rng.uniform(0, 0.6, 400))
    for frame in range(30):
        place = np.column_stack([np.arange(8) * 3.0 - 12, np.full(8, 1.5), 10.0 + frame + np.arange(8)])
        name = np.arange(8) + 8 * (rng.random(8) < 0.05)
        for one in np.flatnonzero(rng.random(8) < 0.85):
            labels.append((frame, one, kinds[one], place[one], rng.random() < 0.1, rng.choice([0, 1, 2, 3]), 60.0))
            if rng.random() < 0.8:
                shift = rng.normal(0, [0.1, 0.1, 0.4])
                tracks.append((frame, name[one], "Car", place[one] + shift, 0, 0, rng.choice([20.0, 60.0])))
        for clutter in range(int(rng.integers(0, 2))):
            where = np.array([rng.uniform(-15, 15), 1.5, rng.uniform(5, 40)])
            tracks.append((frame, 100 + 3 * (frame // 5) + clutter, "Car", where, 0, 0, rng.choice([20.0, 60.0])))

    def boxes(rows: list, scored: bool) -> Boxes:  # type: ignore[type-arg]
        frame, number, kind, place, truncated, occluded, height = map(np.array, zip(*rows, strict=True))
        left = 30 * place[:, 0] + 600
        image = np.column_stack([left, np.full(len(rows), 150.0), left + 60, 150 + height])
        each = score[number] + (rng.normal(0, 0.05, len(rows)) if scored else 0.0)
        turn = rng.normal(0, 0.1, len(rows))
        return _rows(list(kind), frame=frame, track_id=number, location=place, truncated=truncated.astype(float),
                     occluded=occluded, image_box=image, score=each, rotation_y=turn)  # fmt: skip

    region = _rows(["DontCare"] * 30, frame=np.arange(30), track_id=np.full(30, -1), location=np.full((30, 3), -1000.0),
                   image_box=np.tile([150.0, 100.0, 400.0, 300.0], (30, 1)))  # fmt: skip
    truth = boxes(labels, False)
    merged = {
        name: np.concatenate([getattr(truth, name), getattr(region, name)]) for name in Boxes.__dataclass_fields__
    }
    return Boxes(**merged), boxes(tracks, True)


def _plain(scenes: list[tuple[Boxes, Boxes]], min_overlap: float) -> dict[str, float]:
    """Return AB3DMOT's figures for cars as its evaluation takes them, box by box."""
    valid: set[tuple[int, int]] = set()

    def run(threshold: float, recall: float) -> dict[str, float]:
        count: dict[str, float] = defaultdict(float)
        scores: list[float] = []
        for number, (labels, tracks) in enumerate(scenes):
            sequence = kitti_sequence(labels, tracks, "Car")
            mean = {one: tracks.score[tracks.track_id == one].mean() for one in set(tracks.track_id.tolist())}
            history: dict[int, list[tuple[int, bool]]] = defaultdict(list)
            overlaps = np.zeros((len(sequence.truth_id), len(tracks)))
            overlaps[sequence.truth, sequence.track] = sequence.overlap
            for frame in range(int(max(labels.frame.max(), tracks.frame.max())) + 1):
                here = np.flatnonzero(sequence.truth_frame == frame)
                rows = [k for k in np.flatnonzero(tracks.frame == frame) if mean[tracks.track_id[k]] >= threshold]
                gain = overlaps[np.ix_(here, rows)]
                gain = np.where(gain >= min_overlap, gain + 1000.0, 0.0)
                partner = {a: b for a, b in zip(*linear_sum_assignment(-gain), strict=True) if gain[a, b] > 0}
                matched = {rows[b] for b in partner.values()}
                valid.update((number, k) for k in matched)
                for k in rows:
                    left, top, right, bottom = tracks.image_box[k]
                    wide = min(right, 400.0) - max(left, 150.0)
                    high = min(bottom, 300.0) - max(top, 100.0)
                    covered = wide > 0 and high > 0 and wide * high > 0.5 * (right - left) * (bottom - top)
                    if k not in matched and ((number, k) in valid or not (bottom - top <= 25 or covered)):
                        count["false"] += 1
                for a, k in enumerate(here):
                    row = rows[partner[a]] if a in partner else None
                    ignored = bool(sequence.optional[k])
                    history[int(sequence.truth_id[k])].append(
                        (-1 if row is None else int(tracks.track_id[row]), ignored)
                    )
                    count["asked"] += not ignored
                    if row is None:
                        count["missed"] += not ignored
                    else:
                        count["hits"] += 1
                        count["overlap"] += overlaps[k, row]
                        scores.append(mean[tracks.track_id[row]])
            for life in history.values():
                _plain_life(life, count)
        errors = count["missed"] + count["false"] + count["switches"]
        smota = 1 - (errors - (1 - recall) * count["asked"]) / (recall * count["asked"])
        return {**count, "mota": 1 - errors / count["asked"], "motp": count["overlap"] / max(count["hits"], 1),
                "smota": min(1, max(0, smota)), "scores": sorted(scores, reverse=True)}  # fmt: skip

    full = run(-1e4, 1.0)
    scores, objects = full["scores"], full["hits"] + full["missed"]
    levels, level = [], 0.0
    for rank, score in enumerate(scores):
        left = (rank + 1) / objects
        right = (rank + 2) / objects if rank < len(scores) - 1 else left
        if right - level < level - left and rank < len(scores) - 1:
            continue
        levels.append((score, level))
        level += 1 / 40
    passes = [run(*one) for one in levels[1:]]
    best = max(passes, key=lambda one: one["mota"])
    assert best["mota"] > 0
    average = {f"a{name}": sum(one[name] for one in passes) / 40 for name in ("mota", "motp")}
    return {**best, **average, "samota": sum(one["smota"] for one in passes) / 40}


def _plain_life(life: list[tuple[int, bool]], count: dict[str, float]) -> None:
    """Add what happened to one object: its tracks (-1: none) and whether it was optional, frame by frame."""
    tracks = [track for track, _ in life]
    if all(ignored for _, ignored in life):
        return
    count["objects"] += 1
    if all(track < 0 for track in tracks):
        count["lost"] += 1
        return
    known, seen = tracks[0], int(tracks[0] >= 0)
    for k in range(1, len(life)):
        track, ignored = life[k]
        if ignored:
            known = -1
            continue
        if known not in (track, -1) and track != -1 and tracks[k - 1] != -1:
            count["switches"] += 1
        if k < len(life) - 1 and tracks[k - 1] != track and known != -1 and track != -1 and tracks[k + 1] != -1:
            count["fragments"] += 1
        if track != -1:
            seen, known = seen + 1, track
    if len(life) > 1 and tracks[-2] != tracks[-1] and tracks[-1] != -1 and not life[-1][1]:
        count["fragments"] += 1
    share = seen / (len(life) - sum(ignored for _, ignored in life))
    count["tracked"] += share > 0.8
    count["lost"] += share < 0.2


def _same(ours: KittiScores, plain: dict[str, float]) -> None:
    for mine, theirs in (
        ("samota", "samota"),
        ("amota", "amota"),
        ("amotp", "amotp"),
        ("mota", "mota"),
        ("motp", "motp"),
    ):
        assert getattr(ours, mine) == pytest.approx(plain[theirs], abs=1e-9), mine
    pairs = {"switches": "switches", "fragmentations": "fragments", "false_positives": "false", "misses": "missed"}
    assert {mine: getattr(ours, mine) for mine in pairs} == {mine: plain[theirs] for mine, theirs in pairs.items()}
    assert ours.mostly_tracked == pytest.approx(plain["tracked"] / plain["objects"])
    assert ours.mostly_lost == pytest.approx(plain["lost"] / plain["objects"])


@pytest.mark.parametrize("min_overlap", [0.25, 0.5])
def test_figures_are_those_of_the_published_rules(min_overlap: float) -> None:
    scenes = [_scene(seed) for seed in (1, 2, 3)]
    ours = ab3dmot([kitti_sequence(*scene, "Car") for scene in scenes], min_overlap)
    _same(ours, _plain(scenes, min_overlap))
    assert ours.switches > 0 and ours.fragmentations > 0 and ours.false_positives > 0


def test_perfect_tracks_have_perfect_figures() -> None:
    labels, _ = _scene(5)
    truth = labels.select(labels.kind == "Car")
    score = 1.0 + truth.track_id / 100
    ours = ab3dmot([kitti_sequence(labels, replace(truth, score=score), "Car")], 0.7)
    assert (ours.mota, ours.switches, ours.misses, ours.false_positives) == (1.0, 0, 0, 0)
    assert ours.motp == pytest.approx(1.0)


def test_a_neighbour_class_and_hidden_labels_are_not_asked_for() -> None:
    frame, one = np.zeros(4, int), np.arange(4)
    place = np.column_stack([one * 10.0, np.zeros(4), np.full(4, 20.0)])
    labels = _rows(["Car", "Van", "Car", "Car"], frame=frame, track_id=one, location=place,
                   occluded=np.array([0, 0, 3, 0]), truncated=np.array([0.0, 0.0, 0.0, 1.0]))  # fmt: skip
    sequence = kitti_sequence(labels, labels.select(np.zeros(0, int)), "Car")
    assert sequence.optional.tolist() == [False, True, True, True]
    assert ab3dmot([sequence], 0.25).misses == 1
    found = tracked_sequence(kitti_sequence(labels, replace(labels, kind=np.full(4, "Car")), "Car"), 0.25)
    assert (len(found.truth_id), len(found.track_id)) == (1, 1)


def _detections_as_tracks(sequence: str, kind: str) -> Boxes:
    """Number the detections by their nearest label of the frame: a rough tracker with switches and false alarms."""
    found = read_detections(KITTI / "det_pointrcnn" / kind / f"{sequence}.txt", kind)
    place = np.floor(found.location[:, [0, 2]] / 6).astype(int)
    number = (place[:, 0] + 100) * 1000 + place[:, 1] + 100
    _, first = np.unique(np.column_stack([found.frame, number]), axis=0, return_index=True)
    return replace(found, track_id=number).select(np.sort(first))


@pytest.mark.realdata
@pytest.mark.parametrize("kind", ["Car", "Pedestrian", "Cyclist"])
def test_recorded_sequences_have_the_figures_of_trackeval(kind: str) -> None:
    names = ["0004", "0009", "0017"]
    judges = (
        HOTA(),
        CLEAR({"THRESHOLD": 0.25, "PRINT_CONFIG": False}),
        Identity({"THRESHOLD": 0.25, "PRINT_CONFIG": False}),
    )
    ours, theirs = [], [{} for _ in judges]  # type: ignore[var-annotated]
    for name in names:
        labels = read_labels(KITTI / "label_02" / f"{name}.txt")
        judged = tracked_sequence(kitti_sequence(labels, _detections_as_tracks(name, kind), kind), 0.25)
        ours.append(judged)
        for judge, results in zip(judges, theirs, strict=True):
            results[name] = judge.eval_sequence(_dense(judged))
    combined = [judge.combine_sequences(results) for judge, results in zip(judges, theirs, strict=True)]
    clear = clear_mot(ours, 0.25)
    assert hota(ours).hota == pytest.approx(combined[0]["HOTA"].mean(), abs=1e-6)
    assert clear.mota == pytest.approx(combined[1]["MOTA"], abs=1e-6)
    assert (clear.switches, clear.fragmentations) == (combined[1]["IDSW"], combined[1]["Frag"])
    assert identity(ours, 0.25).idf1 == pytest.approx(combined[2]["IDF1"], abs=1e-6)


def _dense(sequence: TrackedSequence) -> dict[str, object]:
    truth_ids, truth_id = np.unique(sequence.truth_id, return_inverse=True)
    track_ids, track_id = np.unique(sequence.track_id, return_inverse=True)
    frames = range(int(max(sequence.truth_frame.max(initial=0), sequence.track_frame.max(initial=0))) + 1)
    whole = np.zeros((len(truth_id), len(track_id)))
    whole[sequence.truth, sequence.track] = sequence.similarity
    t, d = (
        [np.flatnonzero(rows == frame) for frame in frames] for rows in (sequence.truth_frame, sequence.track_frame)
    )
    return {
        "num_timesteps": len(frames), "num_gt_ids": len(truth_ids), "num_tracker_ids": len(track_ids),
        "num_gt_dets": len(truth_id), "num_tracker_dets": len(track_id), "gt_ids": [truth_id[rows] for rows in t],
        "tracker_ids": [track_id[rows] for rows in d],
        "similarity_scores": [whole[np.ix_(a, b)] for a, b in zip(t, d, strict=True)],
    }  # fmt: skip
