"""Clocks that are off, links that lose and delay, sensors and platforms that die: rates, times and refusals."""

import numpy as np
import pytest

from twin_common.config import ConfigError, from_mapping
from twin_sim.core.faults import Faults, FaultsConfig

START_NS = 1_735_689_600_000_000_000
SECOND = 1_000_000_000
PLATFORMS = ("pole_01", "pole_02", "car_01")


def faults(seed: int = 1, **entries: object) -> Faults:
    return Faults(from_mapping(FaultsConfig, entries, "scenario.yaml.faults"), seed, START_NS, PLATFORMS)


def test_a_clock_runs_ahead_from_its_offset():
    some = faults(clocks=[{"platform": "pole_01", "offset": 0.25, "drift": 40.0}])
    assert some.stamp("pole_01", START_NS) == START_NS + SECOND // 4
    assert some.stamp("pole_01", START_NS + 100 * SECOND) == START_NS + 100 * SECOND + SECOND // 4 + 4_000_000
    assert some.stamp("pole_02", START_NS) == START_NS


def test_a_clock_jitters_around_the_truth_the_same_way_each_time():
    some = faults(clocks=[{"platform": "*", "jitter": 0.001}])
    errors = np.array([some.stamp("pole_01", START_NS + i) - START_NS - i for i in range(2000)])
    assert abs(errors.mean()) < 1e5 and errors.std() == pytest.approx(1e6, rel=0.06)
    assert some.stamp("pole_01", START_NS + 5) - START_NS - 5 == errors[5]


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 1.0), (0.2, 8.0), (0.6, 20.0)])
def test_packets_are_lost_at_the_given_rate_in_bursts_of_the_given_length(loss: float, burst: float):
    some = faults(links=[{"platform": "pole_01", "sensor": "lidar", "loss": loss, "burst": burst}])
    lost = ~some.keep("pole_01", "lidar", np.arange(300_000))
    assert lost.mean() == pytest.approx(loss, rel=0.06)
    edges = np.diff(lost.astype(int))
    assert lost.sum() / (edges == 1).sum() == pytest.approx(burst, rel=0.08)
    assert some.keep("pole_01", "camera", np.arange(100)).all() and some.keep("pole_02", "lidar", np.arange(100)).all()


def test_it_does_not_matter_who_asks_when():
    entries = {"links": [{"platform": "*", "loss": 0.3, "burst": 4.0, "late": 0.2, "delay": 0.01}]}
    whole, parts = faults(**entries), faults(**entries)
    numbers = np.arange(5000)
    backwards = [parts.keep("car_01", "imu", numbers[i : i + 7]) for i in range(4998, -1, -7)][::-1]
    assert np.array_equal(whole.keep("car_01", "imu", numbers), np.concatenate(backwards))
    assert np.array_equal(
        whole.delays("car_01", "imu", numbers)[1000:1010], parts.delays("car_01", "imu", np.arange(1000, 1010))
    )
    other = faults(seed=2, **entries)
    assert not np.array_equal(whole.keep("car_01", "imu", numbers), other.keep("car_01", "imu", numbers))
    assert not np.array_equal(whole.keep("car_01", "imu", numbers), whole.keep("car_01", "lidar", numbers))


def test_late_packets_have_the_given_share_and_mean():
    some = faults(links=[{"platform": "*", "delay": 0.02, "late": 0.1, "lateness": 0.3}])
    delays = some.delays("pole_02", "lidar", np.arange(100_000)) / 1e9
    assert delays.min() == pytest.approx(0.02)
    assert (delays > 0.0200001).mean() == pytest.approx(0.1, rel=0.05)
    assert delays[delays > 0.0200001].mean() == pytest.approx(0.32, rel=0.05)


def test_a_sensor_dies_and_comes_back_and_a_platform_is_lost_for_good():
    some = faults(
        outages=[{"platform": "pole_01", "sensor": "lidar", "start": 10, "duration": 5}],
        losses=[{"platform": "pole_02", "start": 20}],
    )
    at = [START_NS + round(s * SECOND) for s in (9.99, 10.0, 14.99, 15.0)]
    assert [some.alive("pole_01", "lidar", t) for t in at] == [True, False, False, True]
    assert all(some.alive("pole_01", "camera", t) for t in at)
    assert some.lost(START_NS + 19 * SECOND) == frozenset()
    assert some.lost(START_NS + 2000 * SECOND) == {"pole_02"}
    assert not some.alive("pole_02", "imu", START_NS + 21 * SECOND)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"clocks": [{"platform": "pole_9"}]}, ("faults.clocks", "pole_9", "pole_01, pole_02, car_01")),
        ({"losses": [{"platform": "*", "start": 1}]}, ("faults.losses", "*")),
        ({"outages": [{"platform": "pole_01", "sensor": "radar", "start": 1}]}, ("outages[0]", "radar", "lidar")),
        ({"links": [{"platform": "pole_01", "loss": 0.9}]}, ("links[0]", "0.9", "expected at most 0.5")),
        ({"links": [{"platform": "pole_01", "lost": 0.9}]}, ("links[0]", "lost", "did you mean loss")),
    ],
)
def test_a_wrong_fault_gets_one_clear_line(entries: dict, words: tuple):
    with pytest.raises(ConfigError) as caught:
        faults(**entries)
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)
