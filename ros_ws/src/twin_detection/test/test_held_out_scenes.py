"""The scenes that the detectors are judged on."""

from pathlib import Path

import pytest

from twin_detection.evaluation.fusion_sources import CAMERA_SCENES, VEHICLE_SCENES
from twin_detection.evaluation.scenes import FIRST_HELD_OUT_SEED, HELD_OUT, LEARNING, POLES, RIDERS, VEHICLES
from twin_sim.scenario import load_scenario

SCENARIOS = Path(__file__).parents[4] / "config/scenarios"


def test_no_run_is_judged_twice() -> None:
    every = [LEARNING, *HELD_OUT, *POLES, *VEHICLES, *CAMERA_SCENES, *VEHICLE_SCENES]
    runs = [(spec.scenario, spec.seed) for spec in every]
    assert len(set(runs)) == len(runs)
    assert min(spec.seed for spec in every) >= FIRST_HELD_OUT_SEED
    assert {spec.weather for spec in POLES} == {"day", "night", "rain", "fog"}


@pytest.mark.parametrize("scenario", ["rush_hour", "vehicle_pass"])
def test_half_of_the_vehicles_have_two_wheels_where_riders_are_judged(scenario: str) -> None:
    population = load_scenario(SCENARIOS / f"{scenario}.yaml", dict(RIDERS)).config.population
    shares = population.shares()
    riders = population.motorcycles + population.scooters + population.bicycles
    assert 0.45 < riders / sum(shares.values()) < 0.55
    assert any(spec.scenario == scenario and spec.changes == RIDERS for spec in HELD_OUT)
