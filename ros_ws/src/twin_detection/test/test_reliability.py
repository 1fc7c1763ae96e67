"""Curves of how often scores are right: read, written and applied."""

import numpy as np
import pytest

from twin_detection.core.reliability import GROUPS, STEPS, Reliability


def test_without_curves_scores_stay_as_they_are() -> None:
    plain, rng = Reliability(), np.random.default_rng(0)
    classes = rng.dirichlet(np.ones(10), 50)
    label = classes.argmax(axis=1)
    existence = rng.random(50)
    np.testing.assert_allclose(plain.existence_of(existence, label), existence)
    np.testing.assert_allclose(plain.classes_of(classes), classes, atol=1e-9)
    assert (plain.spread_of(label) == 1.0).all()


def test_the_most_probable_class_stays_that_and_probabilities_sum_to_one() -> None:
    rng = np.random.default_rng(1)
    doubtful = Reliability(certainty=np.tile(0.3 * STEPS, (len(GROUPS), 1)))
    classes = np.concatenate([rng.dirichlet(np.full(10, 0.3), 200), np.eye(10)])
    found = doubtful.classes_of(classes)
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    top = np.arange(len(found)), classes.argmax(axis=1)
    assert (found[top] >= found.max(axis=1) - 1e-12).all()
    assert (found[top] <= classes[top] + 1e-12)[:200].all()
    assert doubtful.classes_of(np.zeros((0, 10))).shape == (0, 10)


def test_the_most_probable_class_stays_that_in_a_message() -> None:
    """Where a curve would put it behind the second, it stays before it by more than a float32 rounds."""
    rng = np.random.default_rng(3)
    classes = rng.dirichlet(np.full(10, 0.4), 2000)
    classes = classes[np.diff(np.sort(classes, axis=1)[:, -2:], axis=1)[:, 0] > 0.02]
    doubtful = Reliability(certainty=np.full((4, 11), 0.2))
    found = doubtful.classes_of(classes)
    np.testing.assert_array_equal(found.astype(np.float32).argmax(axis=1), classes.argmax(axis=1))
    assert (np.diff(np.sort(found, axis=1)[:, -2:], axis=1) > 0.005).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0)


def test_a_group_has_its_own_curve_and_what_has_none_is_as_the_network_says() -> None:
    existence = np.tile(STEPS, (len(GROUPS), 1))
    existence[list(GROUPS).index("two-wheelers")] = STEPS**2
    made = Reliability(existence=existence, spread=np.array([1.0, 2.0, 3.0, 4.0]))
    label = np.array([1, 2, 5, 7, 8, 0])
    np.testing.assert_allclose(made.existence_of(np.full(6, 0.5), label), [0.5, 0.5, 0.25, 0.5, 0.5, 0.5])
    assert made.spread_of(label).tolist() == [1.0, 2.0, 3.0, 4.0, 1.0, 1.0]


def test_a_description_is_read_as_it_was_written_and_a_wrong_one_refused() -> None:
    made = Reliability(spread=np.array([1.0, 1.5, 1.0, 0.8]))
    values = made.written()
    assert Reliability.read(values).spread.tolist() == made.spread.tolist()
    with pytest.raises(ValueError, match="expected existence, certainty, spread of each of car"):
        Reliability.read({key: value for key, value in values.items() if key != "car"})
    short = {key: value | {"existence": [0.0, 1.0], "certainty": [0.0, 1.0]} for key, value in values.items()}
    with pytest.raises(ValueError, match="expected 11 values"):
        Reliability.read(short)
