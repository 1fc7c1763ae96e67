"""What the numbers of the clusters' network mean."""

import numpy as np
import pytest

from twin_detection.core.cluster_features import BOTTOM, SAMPLES, SCALARS, ClusterFeatures
from twin_detection.core.point_network import (
    CLASSES,
    COLUMNS,
    NOTHING,
    POSTURES,
    Calibration,
    decoded,
    heading_variance,
)

RNG = np.random.default_rng(0)
CALIBRATION = Calibration(temperature=2.0, spread=1.5, heading=1.2)


def clusters(bearing: list[float], bottom: float = 0.1) -> ClusterFeatures:
    scalars = np.zeros((len(bearing), len(SCALARS)), np.float32)
    scalars[:, BOTTOM] = bottom
    view = np.array(bearing)
    origin = 10.0 * np.column_stack([np.cos(view), np.sin(view)])
    return ClusterFeatures(
        np.zeros((len(view), SAMPLES, 3), np.float32), scalars, origin, view, np.full(len(view), -5.0)
    )


def answer(**values: object) -> np.ndarray:
    """Return one answer: logits, posture, place, size, turn, factor."""
    parts = {"logits": CLASSES, "posture": POSTURES, "place": 2, "size": 3, "turn": 2, "factor": 3}
    return np.concatenate([np.broadcast_to(values.get(name, 0.0), count) for name, count in parts.items()])[
        None
    ].astype(np.float32)


def test_places_sizes_and_headings_are_turned_from_the_view_into_the_level_frame() -> None:
    said = answer(place=(1.0, 0.5), size=np.log([4.5, 1.8, 1.6]), turn=(8 * np.cos(0.6), 8 * np.sin(0.6)))
    found = decoded(said, clusters([np.pi / 2]), CALIBRATION)
    np.testing.assert_allclose(found.centre, [[-0.5, 11.0, -5.0 + 0.8]], atol=1e-6)
    np.testing.assert_allclose(found.size, [[4.5, 1.8, 1.6]], rtol=1e-6)
    np.testing.assert_allclose(found.yaw, 0.3 - np.pi / 2, atol=1e-6)  # a heading and its reverse are one
    hanging = decoded(said, clusters([np.pi / 2], bottom=2.0), CALIBRATION)
    np.testing.assert_allclose(hanging.centre[:, 2], -5.0 + 2.0 + 0.8, atol=1e-6)


def test_covariances_are_those_of_the_factor_along_the_view() -> None:
    for view in RNG.uniform(-np.pi, np.pi, 20):
        along, across, skew = RNG.uniform(-2.0, 1.0, 3)
        found = decoded(answer(factor=(along, across, skew)), clusters([view]), CALIBRATION)
        factor = np.array([[np.exp(along), 0.0], [skew, np.exp(across)]])
        turn = np.array([[np.cos(view), -np.sin(view)], [np.sin(view), np.cos(view)]])
        np.testing.assert_allclose(found.covariance[0], 1.5**2 * turn @ factor @ factor.T @ turn.T, rtol=1e-5)


def test_probabilities_are_of_the_logits_at_the_temperature() -> None:
    logits = RNG.normal(0, 3, CLASSES)
    found = decoded(answer(logits=logits, posture=(1000.0, 0.0, 0.0)), clusters([0.0]), CALIBRATION)
    np.testing.assert_allclose(found.probability[0], np.exp(logits / 2) / np.exp(logits / 2).sum(), rtol=1e-5)
    np.testing.assert_allclose(found.posture, [[1.0, 0.0, 0.0]], atol=1e-12)
    assert found.existence[0] == 1 - found.probability[0, NOTHING]


def test_headings_are_as_sure_as_their_concentration() -> None:
    sure = np.array([0.0, 1e-9, 50.0, 5000.0])
    variance = heading_variance(sure)
    np.testing.assert_allclose(variance[:2], np.pi**2 / 12)  # nothing is known
    np.testing.assert_allclose(variance[2:], 1 / (4 * sure[2:]), rtol=0.05)  # doubles are normal, of variance 1/kappa
    found = decoded(answer(turn=(50.0, 0.0)), clusters([0.0]), CALIBRATION)
    np.testing.assert_allclose(found.yaw_variance, 1.2 * variance[2], rtol=1e-6)


def test_an_answer_for_other_clusters_is_refused() -> None:
    with pytest.raises(ValueError, match=r"answer: expected \(2, 26\), got \(3, 26\)"):
        decoded(np.zeros((3, COLUMNS), np.float32), clusters([0.0, 1.0]), CALIBRATION)
    assert len(decoded(np.zeros((0, COLUMNS), np.float32), clusters([]), CALIBRATION)) == 0
