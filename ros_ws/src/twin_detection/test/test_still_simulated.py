"""A pole of the simulated district: who lies there is never lost, and rain, fog and leaves are nobody."""

from pathlib import Path

import numpy as np
import pytest

from twin_common.core.object_class import ObjectClass
from twin_detection.core.classes import VEHICLES
from twin_detection.evaluation.long import POSES, TOWARDS, WEATHERS, Posed, Watch, lying_still, people, watch
from twin_detection.evaluation.virtual import Theatre, theatre_of
from twin_sim.core.frame import ACTOR, Activity, Shape, no_actors
from twin_sim.scenario import load_scenario
from twin_sim.world import World

SCENARIO = Path(__file__).parents[4] / "config/scenarios/normal_day.yaml"


@pytest.fixture(scope="module")
def district() -> tuple[Theatre, World]:
    """Return what all poles share."""
    world = load_scenario(SCENARIO).world
    return theatre_of(world), world


@pytest.mark.parametrize("posed", POSES)
def test_who_lies_still_is_found_when_things_would_have_been_absorbed_long_ago(
    district: tuple[Theatre, World], posed: Posed
) -> None:
    """Turned to the pole a person is seen by one laser only, at ranges that differ little from the ground's."""
    pole = watch(*district, WEATHERS["dry"])
    assert pole.detector.still is not None
    minutes = 3 * pole.detector.still.config.absorb_after / 60
    shares = lying_still(pole, minutes, every=5.0, posed=posed)  # a scan counts for a second at most
    for away in (10.0, 15.0, 20.0, 25.0):
        assert shares[away]["found"] >= 0.99, f"{away} m"


def test_who_has_got_up_and_gone_leaves_nobody_behind(district: tuple[Theatre, World]) -> None:
    pole = watch(*district, WEATHERS["dry"])
    lying_still(pole, 2.0)
    for number in range(100):
        assert not len(pole.found(no_actors(), 123.0 + 0.1 * number))


def test_a_person_who_lies_is_told_to_lie_and_one_who_stands_is_not(district: tuple[Theatre, World]) -> None:
    pole = watch(*district, WEATHERS["dry"])
    for activity, posture in ((Activity.LYING, 3), (Activity.STANDING, 1)):
        found = pole.found(people(pole, (15.0, 20.0), activity), 1.0 + posture)
        assert sorted(found.posture) == [posture, posture]


def crowd(pole: Watch, nearest: float, rng: np.random.Generator) -> np.ndarray:
    """Return 54 people who stand 0.7 m from each other, (N,) ACTOR."""
    away = tuple(nearest + np.arange(9) * 0.7)
    rows = np.concatenate([people(pole, away, Activity.STANDING) for _ in range(6)])
    rows["actor_id"] = 7_000_000 + np.arange(len(rows))
    aside = np.repeat(np.arange(6) * 0.7, len(away)) + rng.normal(0.0, 0.1, len(rows))
    rows["x"] -= np.sin(TOWARDS) * aside
    rows["y"] += np.cos(TOWARDS) * aside
    rows["yaw"], rows["appearance"] = rng.uniform(-np.pi, np.pi, len(rows)), rng.integers(2**32, size=len(rows))
    return rows


def test_a_packed_crowd_is_people_and_no_vehicle(district: tuple[Theatre, World]) -> None:
    """In 40 scans of four crowds no more than four pieces of them are called vehicles."""
    vehicles, persons = 0, {26.0: 0.0, 14.0: 0.0}
    for seed, nearest in ((5, 26.0), (6, 14.0), (7, 26.0), (8, 14.0)):
        pole = watch(*district, WEATHERS["dry"])
        rows = crowd(pole, nearest, np.random.default_rng(seed))
        for number in range(10):
            found = pole.found(rows, 1.0 + 0.1 * number)
            vehicles += np.isin(found.label, VEHICLES).sum()
            persons[nearest] += (found.label == ObjectClass.PEDESTRIAN).sum() / (20 * len(rows))
    assert vehicles <= 4 and persons[26.0] > 0.3 and persons[14.0] > 0.7


@pytest.mark.parametrize("weather", ["rain, 8 mm/h", "rain, 30 mm/h", "fog, 90 m"])
def test_an_empty_street_has_no_objects_in_bad_weather(district: tuple[Theatre, World], weather: str) -> None:
    pole: Watch = watch(*district, WEATHERS[weather])
    assert sum(len(pole.found(no_actors(), 0.1 * number)) for number in range(100)) == 0


def test_leaves_in_the_wind_become_background(district: tuple[Theatre, World]) -> None:
    rng = np.random.default_rng(3)
    pole = watch(*district, WEATHERS["dry"])
    place = pole.lidar.place
    reported = []
    for number in range(200):
        twigs = np.zeros(40, ACTOR)
        twigs["actor_id"] = 8_000_000 + np.arange(len(twigs))
        twigs["x"] = place.x - 9.0 + rng.uniform(-1.2, 1.2, len(twigs))
        twigs["y"] = place.y - 4.0 + rng.uniform(-1.2, 1.2, len(twigs))
        twigs["z"] = rng.uniform(2.0, 3.8, len(twigs))
        twigs["length"] = twigs["width"] = twigs["height"] = 0.2
        twigs["classification"], twigs["shape"] = ObjectClass.DEBRIS, Shape.RUBBLE
        twigs["activity"] = Activity.FLYING
        reported.append(len(pole.found(twigs, 0.1 * number)))
    assert np.mean(reported[-60:]) < 0.1
