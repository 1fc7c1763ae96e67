"""The evaluation's own measures against known truth; with the recordings, that it finds what is in them."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from twin_common.config import ConfigError
from twin_sim.core.crowd_model import CrowdConfig
from twin_sim.core.pace import variation
from twin_sim.evaluation import crowd_flow, cycling, density, evaluate_sim, walking
from twin_sim.evaluation.district import pieces
from twin_sim.evaluation.results import Figure, distance, publish, quantile
from twin_sim.evaluation.tracks import Track, motion, read_scene, resampled

DATA = Path(__file__).parents[5] / "shared" / "data"


def real(name: str) -> Path:
    if not (DATA / name).is_dir():
        pytest.skip(f"no {name} in {DATA}")
    return DATA


def straight(speed: np.ndarray, period: float = 0.1) -> Track:
    along = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * period)])
    return Track(np.arange(len(speed)) * period, np.column_stack([along, 0.3 * along]) / np.hypot(1, 0.3))


def test_a_lattice_of_persons_has_the_density_of_its_cells():
    x, y = np.meshgrid(np.arange(0.25, 10, 0.5), np.arange(0.25, 10, 0.5))
    places = np.column_stack([x.ravel(), y.ravel()])
    polygons = density.cells(places, shapely.box(0, 0, 10, 10))
    assert np.allclose(shapely.area(polygons), 0.25)
    windows = np.array([shapely.box(2, 2, 4, 4), shapely.box(3.13, 3.37, 4.61, 5.2)])
    found, speed = density.measured(polygons, np.full(len(places), 1.2), windows)
    assert np.allclose(found, 4.0) and np.allclose(speed, 1.2)


def test_a_lone_person_counts_once_and_walls_bound_cells():
    area = shapely.box(0, 0, 4, 4).difference(shapely.box(1.9, 0, 2.1, 3.5))
    polygons = density.cells(np.array([[1.5, 1.0], [2.5, 1.0]]), area)
    assert polygons[0].bounds[2] <= 1.9 and polygons[1].bounds[0] >= 2.1
    found, speed = density.measured(polygons, np.array([1.0, np.nan]), np.array([shapely.box(-5, -5, 15, 15)]))
    assert found[0] * 400 == pytest.approx(2.0)
    assert np.isnan(speed[0])  # its persons fill too little of the window
    empty, none = density.measured(
        density.cells(np.zeros((0, 2)), area), np.zeros(0), np.array([shapely.box(0, 0, 1, 1)])
    )
    assert empty[0] == 0.0 and np.isnan(none[0])


def test_speed_is_weighted_by_the_area_of_cells():
    polygons = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 4, 1)])
    found, speed = density.measured(polygons, np.array([1.0, 2.0]), np.array([shapely.box(0, 0, 4, 1)]))
    assert found[0] == pytest.approx(0.5) and speed[0] == pytest.approx(1.75)


def test_motion_finds_speed_and_acceleration_along_the_way():
    accelerating = motion(straight(np.linspace(0.5, 2.5, 41)))
    assert np.allclose(accelerating.speed[3:-3], np.linspace(0.5, 2.5, 41)[3:-3], atol=0.01)
    assert np.allclose(accelerating.acceleration[3:-3], 0.5, atol=0.01)
    angle = np.arange(0, 6, 0.1) * 0.5
    circle = motion(resampled(Track(np.arange(0, 6, 0.1), 2 * np.column_stack([np.cos(angle), np.sin(angle)])), 0.2))
    assert np.allclose(circle.speed, 1.0, atol=0.02) and np.abs(circle.acceleration[2:-2]).max() < 0.02
    assert motion(straight(np.ones(4))) is None


def test_pieces_have_their_length_and_drop_the_rest():
    cut = pieces([straight(np.ones(253))], 10.0)
    assert [len(piece.times) for piece in cut] == [100, 100]


def test_setting_off_and_stopping_are_found_with_their_accelerations():
    profile = np.concatenate(
        [np.zeros(30), np.arange(0, 4, 0.08), np.full(50, 4.0), np.arange(4, 0, -0.05), np.zeros(30)]
    )
    rise = cycling.ramps([straight(profile)])
    fall = cycling.ramps([straight(profile)], backwards=True)
    assert rise.mean == pytest.approx([0.8], abs=0.03) and fall.mean == pytest.approx([0.5], abs=0.03)
    assert rise.later[0] == pytest.approx(0.5 + 0.8 * 4, abs=0.15)
    never = np.concatenate([np.zeros(30), np.arange(0, 2.0, 0.08), np.full(100, 2.0)])
    assert len(cycling.ramps([straight(never)]).mean) == 0


def test_verdicts_are_failed_until_shown_otherwise(tmp_path):
    good = Figure("a", "x", 1.1, 1.0, "m", 0.2)
    bad = Figure("a", "y", 1.3, 1.0, "m", 0.2)
    absolute = Figure("a", "z", 0.1, 0.0, "m", 0.2, relative=False)
    silent = quantile("a", "w", np.zeros(0), np.ones(3), 0.5, "m", 0.2)
    assert [f.passed for f in (good, bad, absolute, silent)] == [True, False, True, False]
    assert not silent.measured
    publish([good, bad, absolute, silent], tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert (metrics["passed"], metrics["measured"], metrics["of"]) == (2, 3, 4)
    assert metrics["figures"][3]["ours"] is None


def test_the_distance_of_shifted_samples_is_known():
    sample = np.linspace(0, 1, 1001)
    assert distance("a", "x", sample, sample + 0.25, 0.2).ours == pytest.approx(0.25, abs=0.002)


def test_walkers_vary_their_pace_as_measured():
    appearance = np.arange(400, dtype=np.uint32) * 7919
    times = np.arange(0, 60, 0.1)
    more = np.array([variation(appearance, np.full(400, 1.4), now) for now in times])
    assert more.std(axis=0).mean() == pytest.approx(0.085, abs=0.01)
    assert abs(more.mean()) < 0.01
    assert np.abs(variation(appearance, np.zeros(400), 3.0)).max() == 0.0


def test_without_the_recordings_there_is_one_clear_line(tmp_path):
    (tmp_path / "eth_ucy").mkdir()
    with pytest.raises(ConfigError, match=r"no kitti_tracking, crowd, vru in it; expected .* recordings$") as caught:
        evaluate_sim(tmp_path, tmp_path / "out", tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "scene.txt").write_text("1 2 3\n")
    with pytest.raises(ConfigError, match="3 columns; expected 4"):
        read_scene(tmp_path / "scene.txt")


@pytest.mark.realdata
def test_recorded_walkers_are_as_fast_as_published():
    every = walking.recorded(real("eth_ucy"), ("crowds_zara01", "crowds_zara03"))
    assert len(every) > 200
    assert 1.0 < np.median([item.speed.mean() for item in every]) < 1.4
    fast = walking.recorded(DATA, ("biwi_eth",))  # would be 2.4 m/s with the rows 0.4 s apart
    assert 1.2 < np.median([item.speed.mean() for item in fast]) < 1.6


@pytest.mark.realdata
def test_recorded_cyclists_set_off_and_stop():
    rise = cycling.ramps(cycling.recorded(real("vru"), "starting"))
    fall = cycling.ramps(cycling.recorded(DATA, "stopping"), backwards=True)
    assert len(rise.mean) > 50 and 0.6 < np.median(rise.mean) < 0.9
    assert len(fall.mean) > 25 and 0.4 < np.median(fall.mean) < 0.7


@pytest.mark.realdata
def test_our_crowd_goes_through_the_door_as_the_recorded_one_does():
    door = crowd_flow.recorded(real("crowd"), crowd_flow.BOTTLENECK)
    hall = crowd_flow.recorded(DATA, crowd_flow.CORRIDOR)
    speeds = crowd_flow.free_speeds(hall)
    assert len(crowd_flow.crossings(door)) == 75 and crowd_flow.flow(door) == pytest.approx(1.15, abs=0.05)
    assert np.median(speeds) == pytest.approx(1.48, abs=0.05)
    for seed in (1, 2):
        ours = crowd_flow.simulate_bottleneck(CrowdConfig(), door, speeds, seed)
        assert len(crowd_flow.crossings(ours)) == 75  # nobody is stuck
        assert crowd_flow.flow(ours) == pytest.approx(crowd_flow.flow(door), rel=0.12)
        inside = shapely.contains_xy(crowd_flow.bottleneck_ground(), ours.places[:, 0], ours.places[:, 1])
        assert inside.all()
    again = crowd_flow.simulate_bottleneck(CrowdConfig(), door, speeds, 2)
    assert np.array_equal(again.places, ours.places)


@pytest.mark.realdata
def test_our_hdl64e_puts_as_many_points_on_a_car_as_the_real_one(tmp_path):
    from twin_sim.evaluation import cars

    figures = {figure.name: figure for figure in cars.compare(real("kitti_tracking"), tmp_path, step=10)}
    near = figures["simulated / recorded, 15 to 20 m: median"]
    whole = figures["simulated / recorded, labelled unoccluded and untruncated: median"]
    assert near.passed and whole.passed
    assert figures["height: median"].passed and figures["length: median"].passed
    assert {path.name for path in tmp_path.iterdir()} >= {"points_per_car.png", "car_clusters.png", "cars.csv"}
