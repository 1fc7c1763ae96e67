import numpy as np
import pytest

from twin_replay.core.compare import Tolerance, Tolerances, differences
from twin_replay.replay import ExpectationConfig, ToleranceConfig

ROW = np.dtype([("id", "<u8"), ("x", "<f8"), ("covariance", "<f4", (2,)), ("padding", "u1")])


def rows(count=3):
    table = np.zeros(count, ROW)
    table["id"] = np.arange(count)
    return table


def found(reference, current, tolerances=None):
    return [str(item) for item in differences(reference, current, "/t", tolerances or Tolerances())]


def test_equal_values_with_nan_have_no_difference():
    message = {"a": 1, "b": float("nan"), "c": ["x", {"d": 2.0}], "e": np.array([1.0, np.nan]), "f": rows()}
    assert found(message, message) == []


@pytest.mark.parametrize(
    ("reference", "current", "expected"),
    [
        ({"a": 1}, {"a": 2}, "a: reference 1, now 2"),
        ({"a": "x"}, {"a": "y"}, "a: reference 'x', now 'y'"),
        ({"a": True}, {"a": False}, "a: reference True, now False"),
        ({"a": 1.0}, {"a": 1.1}, "a: reference 1.0, now 1.1 (tolerance 1e-06)"),
        ({"a": 1.0}, {"a": float("nan")}, "a: reference 1.0, now nan (tolerance 1e-06)"),
        ({"a": float("inf")}, {"a": -float("inf")}, "a: reference inf, now -inf (tolerance 1e-06)"),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "a.b[1]: reference 2, now 3"),
        ({"a": [1, 2]}, {"a": [1]}, "a.length: reference 2, now 1"),
        ({"a": np.array([1, 2])}, {"a": np.array([1, 5])}, "a[1]: reference 2, now 5"),
    ],
)
def test_each_kind_of_value(reference, current, expected):
    assert found(reference, current) == [expected]


def test_records_name_row_and_column():
    current = rows()
    current["x"][1] = 0.5
    current["covariance"][2, 1] = 4.0
    current["padding"] = 7
    assert found({"tracks": rows()}, {"tracks": current}) == [
        "tracks[1].x: reference 0.0, now 0.5 (tolerance 1e-06)",
        "tracks[2].covariance[1]: reference 0.0, now 4.0 (tolerance 1e-06)",
    ]


def test_the_last_matching_pattern_counts():
    tolerances = Tolerances(
        Tolerance(absolute=0.0),
        (("*:tracks.*", Tolerance(absolute=1.0)), ("/t:tracks.x", Tolerance(absolute=0.1))),
    )
    current = rows()
    current["x"] += 0.5
    current["covariance"] += 0.5
    assert len(found({"tracks": rows()}, {"tracks": current}, tolerances)) == 3
    assert found({"y": 1.0}, {"y": 1.0 + 1e-15}, tolerances) != []


def test_relative_and_ignored():
    assert found({"a": 100.0}, {"a": 100.9}, Tolerances(Tolerance(0.0, 0.01))) == []
    assert len(found({"a": 100.0}, {"a": 101.1}, Tolerances(Tolerance(0.0, 0.01)))) == 1
    ignored = Tolerances(fields=(("*:a*", Tolerance(ignore=True)),))
    assert found({"a": "x", "a.b": [1]}, {"a": "y", "a.b": []}, ignored) == []


def test_no_tolerance_reaches_from_one_infinity_to_the_other():
    infinite = float("inf")
    assert len(found({"a": infinite}, {"a": -infinite}, Tolerances(Tolerance(1.0, 0.5)))) == 1
    assert len(found({"a": infinite}, {"a": 1.0}, Tolerances(Tolerance(1.0, 0.5)))) == 1


def usual(field, reference, current, **named):
    """Return how many differences there are by default; ``named``: patterns of a bag's ``tolerances.yaml``."""
    return len(found({field: reference}, {field: current}, ExpectationConfig(fields=named).tolerances()))


@pytest.mark.parametrize(
    ("field", "reference", "within", "beyond"),
    [
        ("x", 224.0, 224.00009, 224.00011),
        ("existence", 0.3, 0.30009, 0.30011),
        ("covariance_xy", 180.0, 180.018, 180.019),
        ("yaw", np.pi - 1e-5, -np.pi + 8e-5, -np.pi + 1e-4),
        ("latitude", 35.15, 35.1500000009, 35.1500000011),
        ("longitude", 126.85, 126.8500000009, 126.8500000011),
        ("last_seen_ns", 10**18, 10**18 - 1000, 10**18 - 1001),
    ],
)
def test_another_order_of_sums_is_no_difference_but_a_little_more_is_one(field, reference, within, beyond):
    assert usual(field, reference, within) == 0
    assert usual(field, reference, beyond) == 1


def test_what_a_bag_says_of_a_field_comes_before_what_is_usual():
    assert usual("last_seen_ns", 10**18, 10**18 + 1, **{"*_seen_ns": ToleranceConfig()}) == 1
    assert usual("yaw", np.pi, -np.pi, **{"*:yaw": ToleranceConfig()}) == 1
    assert usual("covariance_xy", 1.0, 1.2, **{"*:covariance_xy": ToleranceConfig(absolute=0.3)}) == 0


def test_stamps_and_ids_are_exact_beside_times_that_are_reckoned():
    row = np.zeros(2, [("last_seen_ns", "<u8"), ("stamp_ns", "<u8"), ("known", "?")])
    later = row.copy()
    later["last_seen_ns"] = 1000, 1001
    tolerances = ExpectationConfig().tolerances()
    expected = ["tracks[1].last_seen_ns: reference 0, now 1001 (tolerance 1000)"]
    assert found({"tracks": row}, {"tracks": later}, tolerances) == expected
    assert len(found({"tracks": later}, {"tracks": row}, tolerances)) == 1
    later["stamp_ns"], later["known"] = 1, True
    assert len(found({"tracks": row}, {"tracks": later}, tolerances)) == 5
    assert usual("stamp_ns", 10**18, 10**18 + 1) == 1
    assert usual("first_seen_ns", False, True) == 1


def test_integers_are_exact_whatever_the_tolerance():
    assert len(found({"a": 2**62}, {"a": 2**62 + 1}, Tolerances(Tolerance(10.0)))) == 1
