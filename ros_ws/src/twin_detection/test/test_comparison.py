"""Whether a joint result is worse than the better sensor is told from chance, with known truth."""

import numpy as np
import pytest

from twin_common.core.precision_recall import average_precision
from twin_detection.evaluation.comparison import compare
from twin_detection.evaluation.scenes import SceneSpec
from twin_detection.evaluation.scoring import Rows

DAY = (SceneSpec("street", 1, "day", ("pole_01",)),)


def rows(score: np.ndarray, found: np.ndarray, blocks: int = 12) -> Rows:
    """Cars (T,) at 10 m, over all blocks, and a detection (D,) with ``score`` for each; ``found``: its car, or -1."""
    objects, count = len(score), len(score)
    columns = {
        "score": score, "label": np.ones(count, int), "found": found, "distance": np.full(count, 10.0),
        "scene": np.zeros(count, int), "block": np.arange(count) % blocks,
        **{name: np.zeros(count) for name in ("position_error", "nees", "heading_error", "existence", "posture")},
        "size_error": np.zeros((count, 3)), "place": found >= 0,
        "truth_label": np.ones(objects, int), "truth_distance": np.full(objects, 10.0),
        "truth_scene": np.zeros(objects, int), "truth_asked": np.ones(objects, bool),
        "truth_points": np.full(objects, 50), "truth_lying": np.zeros(objects, bool),
        "truth_block": np.arange(objects) % blocks,
    }  # fmt: skip
    return Rows(columns)


def test_a_loss_beyond_chance_is_told_and_one_by_chance_is_not() -> None:
    rng = np.random.default_rng(2)
    score, every = rng.uniform(0.5, 1.0, 120), np.arange(120)
    few_missed, many_missed = every.copy(), every.copy()
    few_missed[7], many_missed[rng.permutation(120)[:40]] = -1, -1
    cases = (("the same", every, False), ("one object fewer", few_missed, False), ("a third fewer", many_missed, True))
    for name, found, worse in cases:
        told = compare({"LiDAR": rows(score, every), "camera": rows(score, many_missed), "fused": rows(score, found)},
                       "fused", DAY)  # fmt: skip
        car = {row.name: row for row in told}["car | day"]
        assert car.objects == 120 and car.worse is worse, name
        assert car.low <= car.gain <= car.high + 1e-9, name
        assert car.value["LiDAR"] == pytest.approx(1.0) and car.gain == pytest.approx(car.value["fused"] - 1.0)


def test_rows_of_few_objects_are_left_out() -> None:
    score, every = np.linspace(0.5, 1.0, 12), np.arange(12)
    assert compare({"LiDAR": rows(score, every), "fused": rows(score, every)}, "fused", DAY) == []


def test_weights_count_detections_as_often() -> None:
    score, hit = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True])
    repeated = np.repeat(np.arange(4), (2, 1, 0, 3))
    weighted = average_precision(score, hit, 6, np.array([2.0, 1.0, 0.0, 3.0]))
    assert weighted == pytest.approx(average_precision(score[repeated], hit[repeated], 6))
