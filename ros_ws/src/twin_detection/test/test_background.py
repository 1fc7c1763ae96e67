"""A still LiDAR: what is learned, what stands out, what is never absorbed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from still_scenes import HOUSE, PARKED, POLE, car, detector, learned, step

from twin_common.config import ConfigError
from twin_detection.background_store import BackgroundKeeper, background_path, load_background, save_background
from twin_detection.config import LidarDetectorConfig
from twin_detection.core.background import Background, BackgroundSettings
from twin_detection.core.beam_grid import BeamGrid, grid_of
from twin_detection.core.classes import CAR, TRUCK
from twin_detection.core.isolated import supported
from twin_detection.synthetic import PERIOD_NS, Box, scan


def test_nothing_is_reported_while_learning_and_nothing_of_the_background_after() -> None:
    rng = np.random.default_rng(1)
    made = detector()
    for index in range(30):
        found, mask = step(made, [HOUSE, PARKED], index, rng)
        assert len(found) == 0
        assert np.count_nonzero(mask) == 0


def test_a_moving_car_is_found_at_its_place() -> None:
    rng = np.random.default_rng(2)
    made = learned([HOUSE, PARKED], rng)
    for index in range(12, 40):
        x = -20.0 + (index - 12) * 1.2
        found, mask = step(made, [HOUSE, PARKED, car(x)], index, rng)
        assert len(found) == 1
        assert np.hypot(found.centre[0, 0] - x, found.centre[0, 1] - 6.0) < 0.4
        assert abs(np.sin(found.yaw[0])) < 0.15
        np.testing.assert_allclose(found.size[0], [4.4, 1.8, 1.5], atol=0.8)  # it is a box, as no car is
        assert abs(found.centre[0, 2] - (1.5 / 2 - POLE.height)) < 0.3
        assert found.label[0] in (CAR, TRUCK)
        assert found.existence[0] > 0.8
        assert np.count_nonzero(mask) == found.point_count[0]


def test_a_pedestrian_is_found() -> None:
    rng = np.random.default_rng(3)
    made = learned([HOUSE], rng)
    for index in range(12, 24):
        found, _ = step(made, [HOUSE, Box(6.0 + 0.15 * index, -7.0, 0.4, 0.4, 1.72)], index, rng)
        assert len(found) == 1
        assert np.hypot(found.centre[0, 0] - 6.0 - 0.15 * index, found.centre[0, 1] + 7.0) < 0.2
        assert found.label[0] not in (CAR, TRUCK)


def test_what_is_nearer_to_a_pole_than_its_least_range_is_its_own() -> None:
    rng = np.random.default_rng(3)
    made = learned([HOUSE], rng)
    for index in range(12, 18):
        found, mask = step(made, [HOUSE, Box(1.4, 0.0, 0.4, 0.4, POLE.height + 0.5)], index, rng)  # a flag at its mast
        assert len(found) == 0
        assert np.count_nonzero(mask) == 0


def test_a_car_that_stops_is_still_found_minutes_later() -> None:
    rng = np.random.default_rng(4)
    made = learned([HOUSE], rng)
    for second in range(300):
        found, _ = step(made, [HOUSE, car(5.0)], 12, rng, later_ns=second * 1_000_000_000)
        assert len(found) == 1, f"lost after {second} s"


def test_a_place_that_is_left_is_relearned_at_once() -> None:
    rng = np.random.default_rng(5)
    made = learned([HOUSE, PARKED], rng)
    for index in range(12, 20):
        step(made, [HOUSE], index, rng)
    found, _ = step(made, [HOUSE, PARKED], 20, rng)
    assert len(found) == 1
    assert np.hypot(found.centre[0, 0] + 8.0, found.centre[0, 1] + 6.0) < 0.25


def test_two_people_abreast_are_two_and_a_bus_is_one() -> None:
    rng = np.random.default_rng(6)
    made = learned([HOUSE], rng)
    people = [Box(9.0, -0.5, 0.45, 0.45, 1.7), Box(9.0, 0.5, 0.45, 0.45, 1.7)]
    found, _ = step(made, [HOUSE, *people], 12, rng)
    np.testing.assert_allclose(sorted(found.centre[:, 1]), [-0.5, 0.5], atol=0.2)
    bus = Box(14.0, -16.0, 12.0, 2.5, 3.1, 0.1)
    found, _ = step(made, [HOUSE, bus], 13, rng)
    assert len(found) == 1
    assert found.size[0, 0] > 9.0


SHAPE = (3, 40)
CELL = np.array([60])


def wall(distance: float = 10.0, **settings: float) -> Background:
    """Return the background of a wall."""
    model = Background(SHAPE, BackgroundSettings(**settings))  # type: ignore[arg-type]
    for _ in range(10):
        model.learn(np.full(SHAPE, distance, np.float32))
    model.finish_learning()
    return model


def watch(
    model: Background, distance: float, seconds: float, road_user: float | None = None, every: float = 0.1
) -> bool:
    """Let one direction return from a distance for some time; return whether it is foreground in the end."""
    for _ in range(round(seconds / every)):
        front = model.foreground(CELL, np.array([distance]))
        image = np.full(SHAPE, 10.0, np.float32)
        image.reshape(-1)[CELL] = distance
        shown = np.zeros(SHAPE, bool)
        shown.reshape(-1)[CELL] = front
        model.update(image, shown, every)
        if road_user is not None:
            model.judge(CELL[front], np.full(front.sum(), road_user, np.float32), every)
    return bool(model.foreground(CELL, np.array([distance]))[0])


def test_slow_change_is_followed() -> None:
    model = wall(memory=5.0)
    for index in range(200):  # drifts by 1 m in 20 s, more than the margin
        assert not watch(model, 10.0 + 0.005 * index, 0.1)


def test_a_road_user_is_never_absorbed_and_a_thing_is() -> None:
    model = wall(absorb_after=60.0)
    assert watch(model, 5.0, 3600.0, road_user=0.9, every=1.0)
    assert watch(model, 6.0, 55.0, road_user=0.0, every=1.0)
    assert not watch(model, 6.0, 70.0, road_user=0.0, every=1.0)


def test_a_road_user_that_is_recognised_in_one_scan_of_five_is_not_absorbed() -> None:
    model = wall(absorb_after=60.0)
    for number in range(400):
        assert watch(model, 5.0, 1.0, road_user=0.8 * (number % 5 == 0), every=1.0)


def test_leaves_that_flicker_where_a_road_user_once_stood_are_absorbed_again() -> None:
    """The judgement fades within the hour, while nobody who stays loses it: see the test of an hour above."""
    model = wall()
    assert watch(model, 5.0, 60.0, road_user=0.9, every=1.0)
    rng = np.random.default_rng(3)
    for _ in range(3000):
        leaf = float(rng.choice([5.0, 5.6, 10.0]))
        watch(model, leaf, 1.0, road_user=0.03, every=1.0)
    assert not watch(model, 5.3, 0.1)


def test_the_flickering_edge_of_a_road_user_is_not_absorbed_and_takes_nothing_with_it() -> None:
    model, rng = wall(absorb_after=60.0), np.random.default_rng(4)
    both = CELL[0] + np.arange(2)
    for _ in range(600):
        image = np.full(SHAPE, 10.0, np.float32)
        image.reshape(-1)[both] = 5.0, rng.choice([5.0, 10.0])
        front = both[model.foreground(both, image.reshape(-1)[both])]
        shown = np.zeros(SHAPE, bool)
        shown.reshape(-1)[front] = True
        model.update(image, shown, 1.0)
        model.judge(front, np.where(front == both[0], 0.6, 0.02).astype(np.float32), 1.0)
    assert model.foreground(both, np.array([5.0, 5.0])).all()


@pytest.mark.parametrize("noise", [0.03, 0.1])
def test_a_surface_beside_a_road_user_neither_follows_him_nor_strays(noise: float) -> None:
    """Who lies close before the ground is left out for a moment now and then; that must not draw the ground to him."""
    rng, model = np.random.default_rng(5), wall()
    for _ in range(300):
        image = rng.normal(10.0, noise, SHAPE).astype(np.float32)
        model.update(image, np.zeros(SHAPE, bool), 0.1)
    lies = CELL[0] + np.arange(3)
    for number in range(3000):
        image = rng.normal(10.0, noise, SHAPE).astype(np.float32)
        image.reshape(-1)[lies] = 10.0 - rng.normal([0.5, 0.19, 0.19], 0.02)
        front = lies[model.foreground(lies, image.reshape(-1)[lies])]
        shown = np.zeros(SHAPE, bool)
        shown.reshape(-1)[front] = True
        model.update(image, shown, 0.1)
        model.judge(front, np.full(len(front), 0.9, np.float32), 0.1)
        if number >= 2900:
            assert model.foreground(lies, np.array([9.5, 9.5, 9.5])).all()
    ground = np.setdiff1d(np.arange(image.size), lies)
    drawn = rng.normal(10.0, noise, len(ground)).astype(np.float32)
    assert np.abs(model.state.far - 10.0).max() < 0.1
    assert model.foreground(ground, drawn).mean() < 0.02


def test_somebody_who_comes_where_a_thing_was_absorbed_and_taken_away_is_seen() -> None:
    model = wall(absorb_after=60.0)
    assert not watch(model, 6.0, 120.0, road_user=0.0, every=1.0)
    watch(model, 10.0, 4.0)
    assert watch(model, 6.0, 0.1)


def test_what_has_left_uncovers_what_is_behind_at_once() -> None:
    model = wall(distance=6.0)
    image = np.full(SHAPE, 10.0, np.float32)
    for _ in range(5):
        model.update(image, np.zeros(SHAPE, bool), 0.1)
    assert model.foreground(CELL, np.array([6.0]))[0]


def test_returns_by_a_mirror_now_and_then_uncover_nothing() -> None:
    model = wall()
    for number in range(600):
        image = np.zeros(SHAPE, np.float32)
        image.reshape(-1)[CELL] = 30.0 if number % 50 == 0 else 0.0
        model.update(image, np.zeros(SHAPE, bool), 0.1)
    assert model.foreground(CELL, np.array([9.0]))[0] and model.state.far.reshape(-1)[CELL[0]] == 10.0


def test_leaves_that_flicker_are_background_and_what_stands_between_them_and_the_wall_is_not() -> None:
    rng = np.random.default_rng(0)
    model = Background(SHAPE, BackgroundSettings())
    for _ in range(30):
        leaves = rng.random(SHAPE) < 0.5
        model.learn(np.where(leaves, rng.uniform(5.0, 6.0, SHAPE), 10.0).astype(np.float32))
    model.finish_learning()
    assert not model.foreground(CELL, np.array([5.5]))[0]
    assert not model.foreground(CELL, np.array([10.0]))[0]
    assert model.foreground(CELL, np.array([8.0]))[0]
    assert model.foreground(CELL, np.array([3.0]))[0]


def test_who_passed_during_the_warm_up_is_no_background() -> None:
    model = Background(SHAPE, BackgroundSettings())
    for index in range(10):
        model.learn(np.full(SHAPE, 5.0 if index in (4, 5) else 10.0, np.float32))
    model.finish_learning()
    assert model.foreground(CELL, np.array([5.0]))[0]


def test_drops_are_alone_and_surfaces_are_not() -> None:
    rng = np.random.default_rng(1)
    shape = (64, 1024)
    drops = rng.choice(shape[0] * shape[1], 2600, replace=False)
    body = (np.arange(20, 40)[:, None] * 1024 + np.arange(100, 106)[None]).reshape(-1)
    cell = np.union1d(drops, body)
    surface = np.isin(cell, body)
    distance = np.where(surface, 9.0 + rng.normal(0, 0.02, len(cell)), rng.uniform(2.5, 10.0, len(cell)))
    kept = supported(cell, distance, 20.0 - distance, shape)
    assert kept[surface].all()
    assert kept[~surface].mean() < 0.01


def test_a_drop_before_a_wall_takes_no_support_from_it() -> None:
    """Two returns of one beam: the drop is alone, and what lies behind it is a surface all the same."""
    cell, distance = np.array([12, 10, 11, 12, 14]), np.array([5.0, 10.0, 10.0, 10.0, 10.0])
    assert supported(cell, distance, np.full(5, 5.0), (1, 60)).tolist() == [False, True, True, True, True]


@pytest.mark.parametrize("phase", [0.0, 5000.0, -3000.0, 5e8])
def test_directions_stay_in_the_image_whatever_was_stored(phase: float) -> None:
    xyz = np.array([[1, 0, 0], [-1, -0.1, 0], [-1, 0, 0], [np.nan, 0, 0]], np.float32)
    for columns in (1, 90, 1024):
        cell = BeamGrid(columns, np.full(2, phase, np.float32)).cells(xyz, np.ones(4, np.uint16))
        assert ((columns <= cell) & (cell < 2 * columns)).all()


def test_a_laser_that_was_never_learned_is_refused() -> None:
    xyz = np.array([[10.0, 0.1, 0.0], [10.0, 0.2, 0.0]])
    grid = grid_of(xyz, np.zeros(2, int))
    with pytest.raises(ValueError, match="ring: 7; the background was learned with 1 rings"):
        grid.cells(xyz, np.array([0, 7]))


def test_a_laser_that_sees_something_for_the_first_time_costs_no_scan() -> None:
    """Above all that stands there, lasers see nothing while the background is learned, then a drop or a crane."""
    rng = np.random.default_rng(10)
    made = learned([HOUSE], rng)
    assert made.still is not None and made.still.grid is not None
    before = len(made.still.grid.phase)
    crane = Box(8.0, -12.0, 1.0, 1.0, 12.0)
    for index in range(12, 16):
        found, _ = step(made, [HOUSE, crane, car(5.0)], index, rng)
        assert np.hypot(found.centre[:, 0] - 5.0, found.centre[:, 1] - 6.0).min() < 0.4
    assert before < len(made.still.grid.phase)
    found, _ = step(made, [HOUSE], 16, rng)
    assert len(found) == 0


def test_a_laser_that_is_silent_at_first_costs_nothing_of_what_was_learned() -> None:
    rng = np.random.default_rng(13)
    made = detector()
    for index in range(12):
        points = scan(POLE, [HOUSE, PARKED], rng).points
        highest = points["ring"] == points["ring"].max()
        points = points[~highest] if index < 8 else points
        xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
        made.step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, index * PERIOD_NS)
    assert not made.learning
    for index in range(12, 16):
        found, _ = step(made, [HOUSE, PARKED], index, rng)
        assert len(found) == 0
    found, _ = step(made, [HOUSE, PARKED, car(5.0)], 16, rng)
    assert len(found) == 1


def test_lasers_that_no_lidar_has_are_refused_before_memory_is_taken() -> None:
    with pytest.raises(ValueError, match="ring: 60000; expected less than 512"):
        grid_of(np.ones((2, 3)), np.array([0, 60000], np.uint16))


@pytest.mark.parametrize("columns", [512, 1024, 2048])
def test_the_grid_has_the_columns_of_the_sensor_and_one_return_in_each(columns: int) -> None:
    rng = np.random.default_rng(2)
    azimuth = np.arange(columns) / columns * 2 * np.pi - np.pi
    ring = np.repeat(np.arange(8), columns)
    angle = np.tile(azimuth, 8) + np.radians([0.3, -0.7, 1.1, 0.0, 0.2, 3.1, -3.0, 0.05])[ring]
    kept = rng.random(len(ring)) < 0.8
    xyz = np.column_stack([10 * np.cos(angle), 10 * np.sin(angle), np.zeros(len(angle))])[kept].astype(np.float32)
    grid = grid_of(xyz, ring[kept])
    assert grid.columns == columns
    cells = grid.cells(xyz, ring[kept])
    assert len(np.unique(cells)) == len(cells)


@pytest.fixture
def stored(tmp_path: Path) -> tuple[Path, LidarDetectorConfig]:
    """Return a stored background of a parked car and a house, and its configuration."""
    made = learned([HOUSE, PARKED], np.random.default_rng(7)).still
    assert made is not None and made.grid is not None and made.background is not None
    config = replace(made.config, platform="pole_01", state_folder=str(tmp_path))
    path = background_path(str(tmp_path), "pole_01")
    save_background(path, made.grid, made.background, made.beams.gaps, config)
    return path, config


def test_a_stored_background_is_used_at_once(stored: tuple[Path, LidarDetectorConfig]) -> None:
    _, config = stored
    made, rng = detector(), np.random.default_rng(8)
    assert BackgroundKeeper(config).restore(made.still) is None
    found, _ = step(made, [HOUSE, PARKED, car(5.0)], 0, rng)
    assert not made.learning and len(found) == 1
    assert np.hypot(found.centre[0, 0] - 5.0, found.centre[0, 1] - 6.0) < 0.4


def test_a_background_of_another_place_is_learned_anew(stored: tuple[Path, LidarDetectorConfig]) -> None:
    _, config = stored
    made, rng = detector(), np.random.default_rng(9)
    BackgroundKeeper(config).restore(made.still)
    elsewhere = [Box(0.0, y, 60.0, 0.5, 6.0) for y in (-7.0, 6.0)]
    for index in range(51):
        found, _ = step(made, elsewhere, index, rng)
        assert made.learning and len(found) == 0
        assert made.still is not None and "the stored one explains" in str(made.still.problem)
        assert ("learned anew" in str(made.still.problem)) == (index == 50)
    for index in range(51, 62):
        step(made, elsewhere, index, rng)
    assert not made.learning and made.still is not None and made.still.problem is None


def test_a_stored_background_outlives_scans_of_fog_at_the_start(stored: tuple[Path, LidarDetectorConfig]) -> None:
    _, config = stored
    made, rng = detector(), np.random.default_rng(12)
    BackgroundKeeper(config).restore(made.still)
    fog = [Box(2.8 * np.cos(turn), 2.8 * np.sin(turn), 1.2, 1.2, 5.5) for turn in np.linspace(0, 2 * np.pi, 24)]
    for index in range(10):
        found, _ = step(made, fog, index, rng)
        assert made.learning and len(found) == 0
    found, _ = step(made, [HOUSE, PARKED, car(5.0)], 10, rng)
    assert not made.learning and len(found) == 1
    assert made.still is not None and made.still.problem is None


def test_a_stored_background_outlives_a_start_in_lasting_fog(stored: tuple[Path, LidarDetectorConfig]) -> None:
    path, config = stored
    before = path.read_bytes()
    made, rng, keeper = detector(), np.random.default_rng(13), BackgroundKeeper(config)
    keeper.restore(made.still)
    wall = [Box(2.3 * np.cos(turn), 2.3 * np.sin(turn), 1.2, 1.2, 5.5) for turn in np.linspace(0, 2 * np.pi, 24)]
    for index in range(70):
        step(made, wall, index, rng)
    assert made.still is not None and not made.learning
    assert made.still.problem == "background: learned anew in worse sight; the stored one is kept"
    assert keeper.keep(made.still, 70 * PERIOD_NS, now=True) is None
    assert path.read_bytes() == before
    for index in range(70, 180):
        found, _ = step(made, [HOUSE, PARKED, car(5.0)], index, rng)
    assert made.still.problem is None and len(found) == 1
    assert keeper.keep(made.still, 180 * PERIOD_NS, now=True) is None
    assert path.read_bytes() != before


def test_drops_alone_prove_nothing_against_a_stored_background(stored: tuple[Path, LidarDetectorConfig]) -> None:
    _, config = stored
    made, rng = detector(), np.random.default_rng(14)
    BackgroundKeeper(config).restore(made.still)
    points = scan(POLE, [HOUSE, PARKED], rng).points
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    wet = rng.random(len(xyz)) < 0.6
    share = rng.uniform(0.3, 0.95, len(xyz)).astype(np.float32)
    xyz[wet] *= share[wet, None]
    made.step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, 0)
    assert not made.learning


def test_a_stored_background_outlives_drops_seen_by_lasers_that_had_seen_the_sky_alone(
    stored: tuple[Path, LidarDetectorConfig],
) -> None:
    _, config = stored
    made, rng = detector(), np.random.default_rng(15)
    BackgroundKeeper(config).restore(made.still)
    assert made.still is not None and made.still.grid is not None
    assert len(made.still.grid.phase) < POLE.rings
    points = scan(POLE, [HOUSE, PARKED, car(5.0)], rng).points
    drops = points[:2].copy()
    drops["x"], drops["y"], drops["z"], drops["ring"] = (4.0, -5.0), 0.0, 4.5, POLE.rings - 1
    points = np.concatenate([points, drops])
    xyz = np.stack([points["x"], points["y"], points["z"]], axis=1)
    found, _ = made.step(xyz, points["ring"], points["time_offset_ns"] * 1e-9, 0)
    assert not made.learning and made.still.problem is None and len(found) == 1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("text", "not a stored background"),
        ("cut", "not a stored background"),
        ("array", "not a stored background"),
        ("kind", "thing: float64 of 2 dimensions: damaged"),
        ("number", "low, high: damaged"),
        ("platform", "background of platform 'pole_01'; expected 'pole_02'"),
        ("mount", "background of sensor_height 5.0; expected 4.0"),
    ],
)
def test_a_wrong_or_damaged_file_is_refused_in_one_line(
    stored: tuple[Path, LidarDetectorConfig], name: str, expected: str
) -> None:
    path, config = stored
    if name == "text":
        path.write_text("no background")
    elif name == "cut":
        path.write_bytes(path.read_bytes()[:400])
    elif name == "array":
        with path.open("wb") as file:
            np.save(file, np.zeros(3))
    elif name in ("kind", "number"):
        with np.load(path) as stored_values:
            values = dict(stored_values)
        values |= {"thing": values["thing"] * 1.0} if name == "kind" else {"low": values["low"] * np.nan}
        np.savez(path, **values)
    elif name == "platform":
        config = replace(config, platform="pole_02")
    else:
        config = replace(config, sensor_height=4.0)
    with pytest.raises(ConfigError, match=expected) as caught:
        load_background(path, config)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_background_is_written_beside_the_scans_as_it_was(stored: tuple[Path, LidarDetectorConfig]) -> None:
    path, config = stored
    made = learned([HOUSE, PARKED], np.random.default_rng(14)).still
    assert made is not None and made.background is not None
    keeper = BackgroundKeeper(replace(config, store_every=10.0))
    path.unlink()
    assert keeper.keep(made, 0) is None and keeper.keep(made, 9_000_000_000) is None
    keeper.finish()
    assert not path.exists()
    before = made.background.state.far.copy()
    assert keeper.keep(made, 10_000_000_000) is None
    made.background.state.far[:] = 1.0
    keeper.finish()
    np.testing.assert_array_equal(load_background(path, config)[1].state.far, before)


def test_a_folder_that_cannot_be_is_one_line(stored: tuple[Path, LidarDetectorConfig]) -> None:
    path, config = stored
    made = learned([HOUSE], np.random.default_rng(11)).still
    keeper = BackgroundKeeper(replace(config, state_folder=str(path)))
    assert keeper.restore(made) is None
    assert "expected a file that can be written" in str(keeper.keep(made, 0, now=True))
