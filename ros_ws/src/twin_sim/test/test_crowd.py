"""Crowd areas alone: packing in an alley, walls, gates, and what weather does to behaviour."""

import numpy as np
import pytest
import shapely
from scipy.spatial import cKDTree

from twin_common.config import ConfigError
from twin_sim.core.crowd import Crowd
from twin_sim.core.crowd_area import CrowdArea
from twin_sim.core.crowd_model import CrowdConfig
from twin_sim.core.fleet import BehaviourConfig, conduct, draw_person
from twin_sim.core.frame import Weather
from twin_sim.world import CrowdAreaConfig, GateConfig

WIDTH, LENGTH, STEP = 4.0, 24.0, 0.5
SOUTH = GateConfig("south", (0.0, 0.0), (WIDTH, 0.0))
NORTH = GateConfig("north", (0.0, LENGTH), (WIDTH, LENGTH))
OUTLINE = ((0.0, 0.0), (WIDTH, 0.0), (WIDTH, LENGTH), (0.0, LENGTH))
POST = ((0.0, 5.0), (0.6, 5.0), (0.6, 6.0), (0.0, 6.0))
ALLEY = CrowdAreaConfig("alley", OUTLINE, (POST,), (SOUTH, NORTH))


def area():
    return CrowdArea(ALLEY, CrowdConfig(), np.random.default_rng(1))


def test_crush_builds_up_between_two_streams_and_nobody_gets_through_walls():
    alley, rng, number = area(), np.random.default_rng(2), 0
    densities = []
    for step in range(120):
        for gate in (0, 1):
            for _ in range(2):
                number += alley.add(
                    number, alley.draw_in_gate(gate), float(rng.normal(1.3, 0.2)), (2.0, 12.0), step * STEP
                )
        alley.step(step * STEP, STEP)
        places = np.column_stack([alley.people["x"], alley.people["y"]])
        assert shapely.contains_xy(alley.ground, places[:, 0], places[:, 1]).all()
        densities.append((np.abs(places[:, 1] - 12.0) < 1.5).sum() / (3.0 * WIDTH))
    assert max(densities[:20]) < 2.0
    assert 6.0 < densities[-1] < 9.5
    assert cKDTree(places).query(places, 2)[0][:, 1].min() > 0.2
    first = [next(i for i, density in enumerate(densities) if density >= level) for level in (2.0, 4.0, 6.0)]
    assert first[0] < first[1] < first[2]


def test_free_walker_walks_at_the_free_speed_and_leaves_by_the_gate():
    alley = area()
    assert alley.add(7, (2.0, 1.0), 1.4, 1, 0.0)
    speeds, left = [], []
    for step in range(60):
        left += alley.step(step * STEP, STEP)
        if left:
            break
        speeds.append(float(alley.people["speed"][0]))
    assert left == [(7, 1)]
    assert np.median(speeds) == pytest.approx(1.4, abs=0.05)
    assert step * STEP == pytest.approx((LENGTH - 1.0) / 1.4, abs=2.0)


def test_crowd_slows_with_density():
    def pace(count):
        alley = area()
        rng = np.random.default_rng(3)
        placed = 0
        while placed < count:
            placed += alley.add(placed, (float(rng.uniform(0.4, 3.6)), float(rng.uniform(0.4, 20.0))), 1.34, 1, 0.0)
        speeds = []
        for step in range(8):
            alley.step(step * STEP, STEP)
            speeds.append(alley.people["speed"].mean())
        return np.mean(speeds[2:])

    free, half, full = pace(5), pace(100), pace(230)
    assert free > 1.2 and 0.3 < half < free and full < half


def test_people_walk_round_a_body_and_stay_where_there_is_no_room():
    alley = area()
    assert alley.add_body(99, (2.0, 10.0))
    assert not alley.add(1, (2.05, 10.0), 1.3, 1, 0.0)
    assert alley.add(1, (2.0, 2.0), 1.3, 1, 0.0)
    nearest = np.inf
    for step in range(16):
        alley.step(step * STEP, STEP)
        one, body = alley.people[alley.people["actor_id"] == 1][0], alley.people[alley.people["actor_id"] == 99][0]
        assert (body["x"], body["y"]) == pytest.approx((2.0, 10.0), abs=0.05)
        nearest = min(nearest, float(np.hypot(one["x"] - 2.0, one["y"] - 10.0)))
    assert nearest > 0.2 and one["y"] > 12.0
    assert alley.remove(99) is not None and alley.remove(99) is None


def test_model_recovers_when_somebody_is_pressed_out():
    alley = area()
    rng = np.random.default_rng(4)
    count = sum(alley.add(i, (float(rng.uniform(0.4, 3.6)), float(rng.uniform(8, 14))), 1.3, 1, 0.0) for i in range(60))
    alley.people["x"][0] = -0.2
    alley._rebuild()
    for step in range(60):
        alley.step(step * STEP, STEP)
    assert count > 30 and len(alley.people) == 0


def test_unusable_areas_and_streams_are_refused():
    bow_tie = CrowdAreaConfig("bow", ((0.0, 0.0), (4.0, 4.0), (4.0, 0.0), (0.0, 4.0)))
    cut = CrowdAreaConfig("cut", ALLEY.polygon, (((-1.0, 10.0), (5.0, 10.0), (5.0, 11.0), (-1.0, 11.0)),))
    with pytest.raises(ConfigError, match="expected a simple one"):
        Crowd([bow_tie], CrowdConfig(), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="expected one connected ground"):
        Crowd([cut], CrowdConfig(), np.random.default_rng(0))
    crowd = Crowd([ALLEY], CrowdConfig(), np.random.default_rng(0))
    crowd.set_inflow("alley", 2.0, "north", ("south",))
    assert [(item.rate, item.gate, item.goal) for item in crowd.inflows[0]] == [(2.0, 0, 1)]
    crowd.set_inflow("alley", 0.0)
    assert crowd.inflows[0] == []


def test_weather_changes_how_people_drive_and_walk():
    config = BehaviourConfig()
    fine = conduct(config, Weather())
    assert (fine.speed, fine.headway, fine.walking, fine.walkers, fine.cycles) == (1.0, 1.0, 1.0, 1.0, 1.0)
    rain = conduct(config, Weather(rain=16.0))
    assert rain.speed == pytest.approx(0.92) and rain.headway > 1.1 and rain.walking > 1.0 and rain.cycles < 0.5
    fog = conduct(config, Weather(visibility=50.0))
    stopping = fog.sight_speed * config.sight_reaction + fog.sight_speed**2 / (2 * config.sight_braking)
    assert stopping == pytest.approx(50.0, abs=0.1)
    hot = conduct(config, Weather(temperature=38.0))
    assert hot.walking == pytest.approx(0.92) and hot.walkers < 0.8
    assert conduct(config, Weather(sun_elevation=-0.3)).headway > 1.0


def test_persons_are_drawn_as_measured():
    rng = np.random.default_rng(5)
    people = [draw_person(rng, BehaviourConfig()) for _ in range(3000)]
    adult = np.array([person.stature for person in people if person.stature > 1.45])
    assert adult.mean() == pytest.approx(1.66, abs=0.015)
    assert np.mean([person.speed for person in people]) == pytest.approx(BehaviourConfig().walking_speed, abs=0.03)
