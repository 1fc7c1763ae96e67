"""What traffic and people do about scripted actors, and what scenarios can do with the population."""

from pathlib import Path

import numpy as np
import pytest
import shapely

from twin_common.config import ConfigError
from twin_common.core.object_class import ObjectClass
from twin_sim.core.demand import PopulationConfig
from twin_sim.core.frame import Activity, Weather, no_actors
from twin_sim.core.population import Population
from twin_sim.world import load_world

SANGMU = Path(__file__).parents[4] / "config" / "districts" / "sangmu"
EMPTY = PopulationConfig(vehicles_per_hour=0, pedestrians_per_hour=0, crowd_density=0, warmup=0.0)
AVENUE = ("avenue_w_street1", "avenue_street1_street2", "avenue_street2_street3", "avenue_street3_street4")


@pytest.fixture(scope="module")
def world():
    return load_world(SANGMU)


class Stage:
    """A population with nobody but those whom a test adds."""

    def __init__(self, world, settings=EMPTY):
        self.population = Population(world, settings, Weather(), 2)
        self.tick = 0
        self.scripted = no_actors()

    def run(self, seconds):
        for _ in range(round(seconds * 10)):
            self.rows = self.population.step(self.tick * 100_000_000, self.scripted)
            self.tick += 1
            yield self.rows

    def after(self, seconds):
        for _ in self.run(seconds):
            pass
        return self.rows

    def of(self, actor_id):
        return self.rows[self.rows["actor_id"] == actor_id]


@pytest.fixture
def stage(world):
    made = Stage(world)
    yield made
    made.population.close()


def actor(
    number, x, y, size, classification=ObjectClass.PEDESTRIAN, activity=Activity.LYING, yaw=0.0, velocity=(0.0, 0.0)
):
    row = no_actors(1)
    row["actor_id"], row["x"], row["y"], row["yaw"] = number, x, y, yaw
    row["length"], row["width"], row["height"] = size
    row["classification"], row["activity"] = classification, activity
    row["velocity_x"], row["velocity_y"] = velocity
    return row


def outline(row):
    half = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * (row["length"] / 2, row["width"] / 2)
    cos, sin = np.cos(row["yaw"]), np.sin(row["yaw"])
    return shapely.Polygon(half @ np.array([[cos, sin], [-sin, cos]]) + (row["x"], row["y"]))


def lying_across(x, lanes):
    return np.concatenate([actor(i + 1, x, y, (0.5, 1.7, 0.3)) for i, y in enumerate(lanes)])


def speed(row):
    return float(np.hypot(row["velocity_x"], row["velocity_y"]))


def test_vehicle_stops_before_people_who_lie_on_all_lanes_and_goes_on_when_they_are_gone(stage):
    car = stage.population.spawn_vehicle("saloon", AVENUE)
    stage.scripted = lying_across(-250.0, (-8.13, -4.88, -1.63))
    people = [outline(row) for row in stage.scripted]
    for _ in stage.run(25.0):
        for row in stage.of(car):
            assert outline(row).distance(shapely.union_all(people)) > 0.5
            assert abs(row["acceleration"]) < 8.5
    row = stage.of(car)[0]
    assert speed(row) < 0.05 and row["activity"] == Activity.STOPPED
    assert 0.5 < -250.25 - (row["x"] + row["length"] / 2) < 14.0
    stage.scripted = no_actors()
    stage.after(8.0)
    assert stage.of(car)["x"][0] > -248.0


@pytest.mark.parametrize("kind", ["saloon", "bus"])
def test_vehicle_steers_round_a_car_that_stands_on_its_lane(stage, kind):
    car = stage.population.spawn_vehicle(kind, AVENUE, lane=3)
    stage.scripted = actor(1, -245.0, -4.88, (4.7, 1.85, 1.5), ObjectClass.CAR, Activity.STOPPED)
    standing = outline(stage.scripted[0])
    for _ in stage.run(40.0):
        for row in stage.of(car):
            assert outline(row).distance(standing) > 0.15
    assert len(stage.of(car)) == 0 or stage.of(car)["x"][0] > -235.0


def test_vehicle_brakes_for_somebody_who_walks_into_its_way(stage):
    car = stage.population.spawn_vehicle("saloon", AVENUE, lane=3)
    stage.after(3.0)
    start = float(stage.of(car)["x"][0])
    for tick in range(80):
        y = -13.0 + 1.4 * tick * 0.1
        stage.scripted = actor(
            1, start + 45.0, y, (0.5, 0.5, 1.7), activity=Activity.WALKING, yaw=1.57, velocity=(0, 1.4)
        )
        stage.after(0.1)
        row = stage.of(car)[0]
        assert outline(row).distance(outline(stage.scripted[0])) > 0.3
    assert tick == 79


def test_walker_stops_before_a_vehicle_that_comes_and_goes_on(stage):
    walker = stage.population.spawn_walker((30.0, 13.5), (75.0, 13.5))
    stage.after(6.0)
    row = stage.of(walker)[0]
    ahead = np.sign(row["velocity_x"])
    for tick in range(30):  # a car crosses the sidewalk two metres ahead
        y = float(row["y"]) - 12.0 + 6.0 * tick * 0.1
        stage.scripted = actor(
            1, float(row["x"]) + ahead * 3.5, y, (4.6, 1.8, 1.5), ObjectClass.CAR, Activity.DRIVING, 1.57, (0.0, 6.0)
        )
        stage.after(0.1)
        assert not outline(stage.scripted[0]).contains(
            shapely.Point(*(stage.of(walker)[axis][0] for axis in ("x", "y")))
        )
    stage.scripted = no_actors()
    before = float(stage.of(walker)["x"][0])
    stage.after(5.0)
    assert len(stage.of(walker)) == 0 or abs(stage.of(walker)["x"][0] - before) > 3.0


def test_walker_steps_round_a_person_who_lies_on_the_sidewalk(stage):
    walker = stage.population.spawn_walker((30.0, 13.5), (90.0, 13.5))
    stage.after(5.0)
    row = stage.of(walker)[0]
    ahead = np.sign(row["velocity_x"])
    stage.scripted = actor(1, float(row["x"]) + 8.0 * ahead, float(row["y"]) + 0.05, (0.5, 1.7, 0.3))
    last, nearest = None, np.inf
    for _ in stage.run(12.0):
        here = np.array([stage.of(walker)["x"][0], stage.of(walker)["y"][0]])
        nearest = min(nearest, float(np.hypot(here[0] - stage.scripted["x"][0], here[1] - stage.scripted["y"][0])))
        assert last is None or np.hypot(*(here - last)) < 0.3
        last = here
    assert nearest > 0.6
    assert (last[0] - stage.scripted["x"][0]) * ahead > 2.0


def test_red_light_runner_drives_on_where_others_wait(stage):
    whole = (*AVENUE, "avenue_street4_street5", "avenue_street5_e")
    orderly = [stage.population.spawn_vehicle("saloon", whole, depart=depart) for depart in (24.0, 40.0)]
    runner = stage.population.spawn_vehicle("suv", whole, depart=32.0)
    waited, runs = dict.fromkeys((*orderly, runner), 0.0), False
    for rows in stage.run(150.0):
        for row in rows[np.isin(rows["actor_id"], list(waited))]:
            waited[int(row["actor_id"])] += 0.1 * (speed(row) < 0.1)
        if not runs and runner in rows["actor_id"]:
            stage.population.set_red_light_runner(runner)
            runs = True
    assert waited[runner] < 1.0 and min(waited[actor_id] for actor_id in orderly) > 20.0


def test_script_takes_actors_over_and_gives_them_back_where_they_are(world):
    settings = PopulationConfig(vehicles_per_hour=900, pedestrians_per_hour=900, warmup=20.0)
    stage = Stage(world, settings)
    try:
        stage.after(1.0)
        in_plaza = int(stage.population.crowd.areas[0].people["actor_id"][0])
        chosen = [stage.population.find(item, (0.0, 0.0)) for item in (ObjectClass.CAR, ObjectClass.PEDESTRIAN)]
        for actor_id in {*chosen, in_plaza}:
            row = stage.population.take_over(actor_id)
            assert row["actor_id"][0] == actor_id and row.shape == (1,)
            stage.scripted = row
            stage.after(2.0)
            assert actor_id not in stage.rows["actor_id"]
            assert stage.population.release(row)
            stage.scripted = no_actors()
            last = np.array([row["x"][0], row["y"][0]])
            for _ in stage.run(5.0):
                now = stage.of(actor_id)
                assert len(now) == 1
                here = np.array([now["x"][0], now["y"][0]])
                assert np.hypot(*(here - last)) < 2.0
                last = here
    finally:
        stage.population.close()


def test_vehicle_appears_where_when_and_as_it_is_asked_to(stage):
    taxi = stage.population.spawn_vehicle("taxi", AVENUE, depart=2.0, appearance=77)
    assert taxi not in stage.after(1.5)["actor_id"]
    stage.after(2.5)
    row = stage.of(taxi)[0]
    assert row["appearance"] == 77 and row["length"] == pytest.approx(4.86) and row["x"] < -240.0
    assert row["z"] == 0.0 and abs(row["yaw"]) < 0.05


def test_unusable_requests_get_one_clear_line(stage, world):
    population = stage.population
    for call, part in (
        (lambda: population.spawn_vehicle("tank", AVENUE), "tank: no such kind of vehicle"),
        (lambda: population.spawn_vehicle("taxi", ["nowhere"]), "nowhere: no such edge"),
        (lambda: population.spawn_vehicle("taxi", []), "no edges"),
        (lambda: population.crowd.set_inflow("roof", 1.0), "roof: no such crowd area"),
        (lambda: population.crowd.set_inflow("alley", 1.0, gates=("window",)), "window: no such gate of alley"),
        (lambda: population.crowd.set_inflow("alley", -1.0), "expected at least 0"),
        (lambda: Population(world, EMPTY, Weather(), 1), "already running in this process"),
    ):
        with pytest.raises(ConfigError) as caught:
            call()
        assert part in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="s after the last"):
        stage.after(0.1)
        population.step(10**12)
