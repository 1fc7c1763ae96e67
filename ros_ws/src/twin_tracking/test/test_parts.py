"""Association, identity, existence, heading and configuration by themselves."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from scipy.stats import chi2

from twin_common.config import ConfigError, from_mapping
from twin_common.core.geometry import wrap
from twin_common.core.object_class import ObjectClass
from twin_tracking.config import TrackerConfig
from twin_tracking.core import existence, heading, identity
from twin_tracking.core.association import Associator, Pairs, assign
from twin_tracking.core.detections import DETECTION
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.overlap import inside_boxes
from twin_tracking.core.state import TRACK


@pytest.mark.parametrize("seed", range(20))
def test_sparse_assignment_is_optimal(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tracks, detections = rng.integers(1, 30, 2)
    cost = np.where(rng.random((tracks, detections)) < 0.25, rng.normal(-2, 4, (tracks, detections)), 1.0)
    i, j = np.nonzero(cost < 0)
    partner = assign(Pairs(i, j, cost[i, j]), tracks, detections)
    placed = np.flatnonzero(partner >= 0)
    assert len(np.unique(partner[placed])) == len(placed)
    padded = np.concatenate([np.minimum(cost, 0.0), np.zeros((tracks, tracks))], axis=1)
    rows, columns = linear_sum_assignment(padded)
    assert cost[placed, partner[placed]].sum() == pytest.approx(padded[rows, columns].sum())


def records(
    mean: np.ndarray, covariance: np.ndarray, position: np.ndarray, noise: np.ndarray, time_offset: np.ndarray,
    labels: tuple[int, int] = (ObjectClass.CAR, ObjectClass.CAR),
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    tracks, detections = np.zeros(len(mean), TRACK), np.zeros(len(position), DETECTION)
    tracks["estimate"], tracks["spread"] = mean, covariance
    detections["position"][:, :2], detections["noise"], detections["time_offset"] = position, noise, time_offset
    tracks["class_probability"][:, labels[0]] = detections["class_probability"][:, labels[1]] = 1.0
    return tracks, detections


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
    pairs = Associator(config).pairs(*records(mean, covariance, position, noise, tau))
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
    mean, covariance = np.zeros((1, 5)), 0.1 * np.eye(5)[None]
    for detected, count in ((ObjectClass.PEDESTRIAN, 0), (ObjectClass.TRUCK, 1), (ObjectClass.UNKNOWN, 1)):
        labels = (ObjectClass.CAR, detected)
        tracks, detections = records(mean, covariance, np.zeros((1, 2)), 0.01 * np.eye(2)[None], np.zeros(1), labels)
        assert len(Associator(TrackerConfig()).pairs(tracks, detections).track) == count, detected


def test_pseudonyms_are_unique() -> None:
    ids = identity.pseudonyms(0, 200_000, key=7)
    assert len(np.unique(ids)) == 200_000 and ids.min() > 0 and ids.max() < 2**53
    np.testing.assert_array_equal(identity.pseudonyms(100, 5, 7), ids[100:105])


def missed(tracks: np.ndarray, dt: float) -> None:
    """Let ``dt`` seconds pass without a detection."""
    config = TrackerConfig()
    rates, none = existence.rates_of(config), np.full(len(tracks), -1)
    found = np.full(len(tracks), config.detection_probability)
    existence.predict(tracks, dt, rates)
    existence.update(tracks, np.zeros(0, DETECTION), none, np.zeros(len(tracks)), found, dt, 0, rates)


def there(visible: float, hidden: float) -> np.ndarray:
    tracks = np.zeros(1, TRACK)
    tracks["visible"], tracks["hidden"] = visible, hidden
    return tracks


def test_existence_does_not_depend_on_the_rate_of_the_misses() -> None:
    whole, fine = there(0.9, 0.05), there(0.9, 0.05)
    for _ in range(10):
        missed(fine, 0.1)
    for _ in range(5):
        missed(whole, 0.2)
    assert abs(fine["visible"] + fine["hidden"] - whole["visible"] - whole["hidden"])[0] < 0.1


def test_existence_of_a_hidden_object_falls_slowly_and_of_a_new_one_fast() -> None:
    old, new = there(0.999, 0.0), there(0.2, 0.0)
    for _ in range(10):
        missed(old, 0.1)
        missed(new, 0.1)
    assert (old["visible"] + old["hidden"])[0] > 0.5 and (new["visible"] + new["hidden"])[0] < 0.1


@pytest.mark.parametrize("flip", [0.0, np.pi])
def test_motion_tells_front_from_back(flip: float) -> None:
    config = TrackerConfig(box_yaw_sigma=(0.01,) * 10)
    turning, tracks, seen = heading.turning_of(config), np.zeros(1, TRACK), np.zeros(1, DETECTION)
    tracks["yaw"], tracks["yaw_variance"], tracks["class_probability"][:, ObjectClass.CAR] = 0.1 + flip, 0.05, 1.0
    tracks["estimate"][:, 2], tracks["spread"][0, 2:4, 2:4] = 8.0, 0.1 * np.eye(2)
    seen["yaw"], seen["yaw_variance"] = np.pi, 0.02
    for _ in range(10):
        heading.follow_motion(tracks, 0.1, turning)
        heading.update(tracks, seen, np.zeros(1, np.int64), turning)
    assert abs(wrap(tracks["yaw"])[0]) < 0.05 and tracks["ahead"][0] == pytest.approx(6.0)


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


def test_the_ids_of_two_days_cannot_be_linked() -> None:
    """Each UTC day has another key; the same counters give other ids, and neither key tells the other."""
    day_ns = 86_400_000_000_000
    midnight = 20_000 * day_ns
    keys = [identity.key_of_day(7, stamp_ns) for stamp_ns in (midnight - 1, midnight, midnight + day_ns - 1)]
    assert keys[0] != keys[1] == keys[2]
    first, second = (identity.pseudonyms(0, 10_000, key) for key in keys[:2])
    assert not np.isin(first, second).any()
    differences = first.astype(np.int64) - second.astype(np.int64)
    assert len(np.unique(differences)) > 9_900, "no shift turns one day's ids into the other's"
    assert identity.key_of_day(8, midnight) != keys[1]


def test_ids_that_are_put_right_stay_different() -> None:
    ids = np.array([1, 2, 3, 4], np.uint64)
    rows = np.array([1, 2])
    assert identity.renamed(ids, rows, np.array([8, 9], np.uint64)).tolist() == [1, 8, 9, 4]
    assert identity.renamed(ids, rows, np.array([3, 2], np.uint64)).tolist() == [1, 3, 2, 4], "they change places"
    assert identity.renamed(ids, rows, np.array([4, 9], np.uint64)).tolist() == [1, 2, 9, 4], "4 is somebody else"
    assert identity.renamed(ids, rows, np.array([4, 2], np.uint64)).tolist() == [1, 2, 3, 4], "2 is taken after all"
