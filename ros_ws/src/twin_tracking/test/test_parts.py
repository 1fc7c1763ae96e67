"""Association, identity, existence, heading and configuration by themselves."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from twin_common.config import ConfigError, from_mapping
from twin_common.core.object_class import ObjectClass
from twin_tracking.config import TrackerConfig
from twin_tracking.core import existence, heading, identity
from twin_tracking.core.association import Associator, Pairs, assign
from twin_tracking.core.motion import Moments
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.overlap import inside_boxes


@pytest.mark.parametrize("seed", range(20))
def test_sparse_assignment_is_optimal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracks, detections = rng.integers(1, 30, 2)
    cost = np.where(rng.random((tracks, detections)) < 0.25, rng.normal(-2, 4, (tracks, detections)), 1.0)
    i, j = np.nonzero(cost < 0)
    chosen = assign(Pairs(i, j, cost[i, j]), tracks, detections)
    assert len(np.unique(chosen.track)) == len(chosen.track) == len(np.unique(chosen.detection))
    padded = np.concatenate([np.minimum(cost, 0.0), np.zeros((tracks, tracks))], axis=1)
    rows, columns = linear_sum_assignment(padded)
    assert chosen.cost.sum() == pytest.approx(padded[rows, columns].sum())


def test_gates_find_the_same_pairs_as_all_against_all() -> None:
    rng = np.random.default_rng(1)
    config = TrackerConfig()
    count, seen = 60, 80
    spread = rng.uniform(0.1, 2.0, count)
    covariance = np.zeros((count, 5, 5))
    covariance[:, range(5), range(5)] = spread[:, None] ** 2
    mean = np.column_stack([rng.uniform(0, 30, (count, 2)), rng.normal(0, 8, (count, 2)), np.zeros(count)])
    position, tau = rng.uniform(0, 30, (seen, 2)), rng.uniform(-0.1, 0, seen)
    noise = rng.uniform(0.01, 0.5, seen)[:, None, None] * np.eye(2)
    same = np.tile(np.eye(10)[ObjectClass.CAR], (max(count, seen), 1))
    pairs = Associator(config).pairs(Moments(mean, covariance), same[:count], position, noise, tau, same[:seen])
    found = set(zip(pairs.track.tolist(), pairs.detection.tolist(), strict=True))
    expected, far = set(), set()
    for i in range(count):
        for j in range(seen):
            residual = position[j] - mean[i, :2] - tau[j] * mean[i, 2:4]
            s = covariance[i, :2, :2] + tau[j] ** 2 * covariance[i, 2:4, 2:4] + noise[j]
            distance, apart = residual @ np.linalg.solve(s, residual), np.linalg.norm(residual)
            if distance > chi2.ppf(config.gate_probability, 2):
                if apart >= config.min_gate:
                    continue
                distance = chi2.ppf(config.gate_probability, 2)
            cost = distance + np.log(np.linalg.det(s)) + 2 * np.log(2 * np.pi)
            if cost < 2 * np.log(9 / (config.clutter_density + config.birth_density)):
                expected.add((i, j))
                if apart > config.max_gate:
                    far.add((i, j))
    assert expected - far <= found <= expected
    assert len(far) < len(expected) / 10


def test_a_car_does_not_take_a_pedestrians_detection() -> None:
    mean, covariance = np.zeros((1, 5)), np.tile(0.1 * np.eye(5), (1, 1, 1))
    label = np.eye(10)
    arguments = np.zeros((1, 2)), 0.01 * np.eye(2)[None], np.zeros(1)
    for detected, count in ((ObjectClass.PEDESTRIAN, 0), (ObjectClass.TRUCK, 1), (ObjectClass.UNKNOWN, 1)):
        pairs = Associator(TrackerConfig()).pairs(
            Moments(mean, covariance), label[[ObjectClass.CAR]], *arguments, label[[detected]]
        )
        assert len(pairs.track) == count, detected


def test_pseudonyms_are_unique() -> None:
    ids = identity.pseudonyms(0, 200_000, key=7)
    assert len(np.unique(ids)) == 200_000 and ids.min() > 0 and ids.max() < 2**53
    np.testing.assert_array_equal(identity.pseudonyms(100, 5, 7), ids[100:105])


def test_existence_does_not_depend_on_the_rate_of_the_misses() -> None:
    config = TrackerConfig()
    whole = np.array([0.9]), np.array([0.05])
    fine = whole
    for _ in range(10):
        fine = existence.miss(*existence.predict(*fine, 0.1, config), 0.1, config)
    for _ in range(5):
        whole = existence.miss(*existence.predict(*whole, 0.2, config), 0.2, config)
    assert abs(sum(fine)[0] - sum(whole)[0]) < 0.1


def test_existence_of_a_hidden_object_falls_slowly_and_of_a_new_one_fast() -> None:
    config = TrackerConfig()
    old, new = (np.array([0.999]), np.array([0.0])), (np.array([0.2]), np.array([0.0]))
    for _ in range(10):
        old = existence.miss(*existence.predict(*old, 0.1, config), 0.1, config)
        new = existence.miss(*existence.predict(*new, 0.1, config), 0.1, config)
    assert sum(old)[0] > 0.5 and sum(new)[0] < 0.1


@pytest.mark.parametrize("flip", [0.0, np.pi])
def test_motion_tells_front_from_back(flip: float) -> None:
    state = heading.Heading(np.array([0.1 + flip]), np.array([0.05]), np.zeros(1))
    velocity, covariance = np.array([[8.0, 0.0]]), 0.1 * np.eye(2)[None]
    for _ in range(10):
        state = heading.update_from_motion(state, velocity, covariance, np.array([6.0]), 0.1)
        state = heading.update_from_box(state, np.array([np.pi]), np.array([0.02]))
    assert abs(heading.wrap(state.yaw)[0]) < 0.05 and state.ahead[0] == pytest.approx(6.0)


def test_near_pairs_are_all_pairs_within_reach() -> None:
    rng = np.random.default_rng(2)
    for shape in ((300.0, 5.0), (5.0, 300.0), (30.0, 30.0)):
        centres, points = rng.random((50, 2)) * shape, rng.random((70, 2)) * shape
        reach = rng.uniform(0.0, 4.0, 50)
        within = (np.abs(centres[:, None] - points[None]) <= reach[:, None, None]).all(axis=2)
        found = np.zeros_like(within)
        found[near_pairs(centres, reach, points)] = True
        np.testing.assert_array_equal(found, within)


def test_points_well_inside_boxes() -> None:
    centre, size = np.array([[0.0, 0.0], [10.0, 0.0]]), np.array([[4.0, 2.0], [4.0, 2.0]])
    points = np.array([[1.0, 0.5], [0.5, 1.5], [10.5, 1.5], [30.0, 0.0]])
    point, box = inside_boxes(points, centre, np.array([0.0, np.pi / 2]), size)
    assert sorted(zip(point.tolist(), box.tolist(), strict=True)) == [(0, 0), (2, 1)]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"max_cost": 1.0}, "did you mean max_coast"),
        ({"max_coast": -1.0}, "0.1 to 30.0"),
        ({"birth_speed_sigma": [1.0, 2.0]}, "expected 10"),
        ({"low_existence": 0.9}, "above high_existence"),
    ],
)
def test_bad_parameters_are_refused(values: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        from_mapping(TrackerConfig, values, "tracker")
