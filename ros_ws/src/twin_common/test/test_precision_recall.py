"""Average precision where scores are the same."""

import numpy as np
import pytest

from twin_common.core.precision_recall import average_precision, best_level


def test_average_precision_by_hand() -> None:
    hit = np.array([True, False, True, False])
    assert average_precision(np.array([0.9, 0.8, 0.7, 0.6]), hit, 3) == pytest.approx(1 / 3 + (2 / 3) / 3)
    assert average_precision(np.zeros(0), np.zeros(0, bool), 4) == 0.0
    assert np.isnan(average_precision(np.zeros(0), np.zeros(0, bool), 0))


def test_detections_of_one_score_count_together_whatever_their_order() -> None:
    """A message's rounding may put them in any order: the figure is that of the only level there is."""
    rng = np.random.default_rng(4)
    hit = rng.random(40) < 0.7
    score = np.repeat([0.9, 0.6], 20)
    wanted = average_precision(score, hit, 50)
    for _ in range(5):
        order = rng.permutation(40)
        noisy = score[order].astype(np.float32) * (1 + rng.uniform(-1e-7, 1e-7, 40))
        assert average_precision(noisy, hit[order], 50) == pytest.approx(wanted)
    first, both = hit[:20].sum(), hit.sum()
    envelope = max(first / 20, both / 40)
    assert wanted == pytest.approx(first / 50 * envelope + (both - first) / 50 * both / 40)


def test_best_level_by_hand() -> None:
    """With the best two of four, of three wanted: F1 is 2 * 2 / (2 + 3)."""
    best = best_level(np.array([0.4, 0.9, 0.8, 0.3]), np.array([False, True, True, False]), 3)
    assert best.f1 == pytest.approx(0.8) and best.level == 0.8
    nothing = best_level(np.zeros(0), np.zeros(0, bool), 4)
    assert nothing.f1 == 0.0 and np.isnan(nothing.level)
    assert np.isnan(best_level(np.ones(1), np.zeros(1, bool), 0).f1)
