"""The learned detector of moving platforms: image, decoding, the shipped network on scenes with known truth."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_common.core.own_motion import OwnMotion
from twin_detection.bev_model import LOOK_NAMES, open_bev_detector
from twin_detection.config import LEARNED, MOVING, LidarDetectorConfig
from twin_detection.core.bev_decode import BOX_CHANNELS, CLASSES, BevBoxes, BevCalibration, apart, decode, once
from twin_detection.core.bev_detector import BevDetector, medians
from twin_detection.core.bev_grid import CHANNELS, SLICES, BevGrid
from twin_detection.core.bev_memory import ScanMemory
from twin_detection.core.bev_review import (
    COLUMNS,
    EARLIER,
    LOOKS,
    NOTHING,
    POINTS,
    Cloud,
    Crops,
    answers,
    corrected,
    crops,
)
from twin_detection.core.detections import Detections
from twin_detection.core.detector import LidarDetector
from twin_detection.core.points_around import points_around, points_in_boxes
from twin_detection.models import entry, open_model

CALIBRATION = BevCalibration(np.tile([0.0, 1.0], (3, 1)), np.tile([0.0, 1.0], (3, 1)))
STAMP = 10**18
HEIGHT = 1.9


def empty_answers(size: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the answers of a network that sees nothing."""
    return np.zeros((size, size)), np.zeros((len(CLASSES), size, size)), np.zeros((BOX_CHANNELS, size, size))


def put(peak: np.ndarray, heat: np.ndarray, box: np.ndarray, at: tuple[int, int], kind: int, score: float) -> None:
    """Let the network see a car-sized thing, 0.1 m and -0.2 m from the middle of a cell, heading 0.3 rad."""
    peak[at], heat[kind][at] = score, score
    size = [np.log(4.5), np.log(1.8), np.log(1.5)]
    box[(slice(None), *at)] = [0.1, -0.2, *size, np.sin(0.6), np.cos(0.6), np.log(0.04), np.log(0.01), np.log(0.02)]


def test_an_image_tells_where_something_is_and_how_high() -> None:
    grid = BevGrid(reach=10.0, cell=0.5)
    points = np.array([[3.1, -2.2, 0.0], [3.1, -2.2, 0.0], [3.2, -2.3, 0.0], [40.0, 0.0, 0.0]], np.float32)
    image = grid.image(points, np.array([0.0, 1.0, 2.0, 1.0]))
    assert image.shape == (CHANNELS, 40, 40) and image.dtype == np.float32
    row, column = 26, 15
    slices = [np.searchsorted(SLICES, height) - 1 for height in (0.0, 1.0, 2.0)]
    assert all(image[number, row, column] > 0 for number in slices)
    assert np.count_nonzero(image[: len(SLICES) - 1]) == 3
    assert image[-3, row, column] == pytest.approx(2.0 / SLICES[-1])
    assert image[-2, row, column] == pytest.approx(np.log(3) / np.log(16), abs=1e-6)
    assert image[-1, 39, 20] == pytest.approx(0.975, abs=0.001)


def test_an_empty_scan_is_an_empty_image() -> None:
    image = BevGrid(10.0, 0.5).image(np.zeros((0, 3), np.float32), np.zeros(0))
    assert not image[:-1].any()
    with pytest.raises(ValueError, match="expected"):
        BevGrid().image(np.zeros((3, 3)), np.zeros(2))


def test_boxes_are_read_as_they_were_written() -> None:
    peak, heat, box = empty_answers()
    put(peak, heat, box, (30, 10), 0, 0.8)
    found = decode(peak, heat, box, 10.0, 0.5)
    assert len(found) == 1
    assert found.centre[0] == pytest.approx([5.25 + 0.1, -4.75 - 0.2])
    assert found.size[0] == pytest.approx([4.5, 1.8, 1.5]) and found.yaw[0] == pytest.approx(0.3)
    assert found.variance[0] == pytest.approx([0.04, 0.01]) and found.yaw_variance[0] == pytest.approx(0.02)
    assert found.group[0] == 0 and found.score[0] == pytest.approx(0.8)
    with pytest.raises(ValueError, match=r"expected \(n, n\)"):
        decode(np.zeros((4, 4)), np.zeros((6, 4, 4)), np.zeros((10, 4, 4)), 1.0, 0.5)


@pytest.mark.parametrize(("kind", "beside", "number"), [(6, 0.5, 2), (4, 0.5, 2), (6, 0.4, 1), (0, 0.5, 1)])
def test_a_cell_beside_a_peak_proposes_somebody_else_where_it_is(kind: int, beside: float, number: int) -> None:
    """Boxes of both cells lie between two people; a cell that is not half as sure belongs to the peak."""
    peak, heat, box = empty_answers()
    put(peak, heat, box, (20, 20), kind, 0.9)
    put(peak, heat, box, (20, 21), kind, beside)
    peak[20, 21] = 0.0
    box[1, 20, 20], box[1, 20, 21] = 0.25, -0.25
    found = decode(peak, heat, box, 10.0, 0.5)
    assert len(found) == number
    assert found.centre[0] == pytest.approx([0.35, 0.5])
    if number == 2:
        assert found.centre[1] == pytest.approx([0.25, 0.75])


def boxes(centre: list[tuple[float, float]], kinds: list[int], score: list[float]) -> BevBoxes:
    """Return boxes of some classes that head along x."""
    sizes = np.array([[4.5, 1.8, 1.5] if kind < 3 else [1.2, 0.6, 1.7] for kind in kinds]).reshape(-1, 3)
    number = len(kinds)
    return BevBoxes(
        np.array(centre, float).reshape(-1, 2), sizes, np.zeros(number), np.array(score), np.eye(7)[kinds],
        np.full((number, 2), 0.01), np.full(number, 0.01),
    )  # fmt: skip


def test_one_thing_is_found_once_but_a_person_beside_a_car_stays() -> None:
    found = boxes([(0, 0), (1, 0), (0, 0.9), (5, 5), (5.2, 5.1), (5.6, 5.0)], [0, 1, 6, 4, 6, 6], [0.9] * 6)
    assert once(found).tolist() == [True, False, True, True, False, True]


def test_of_many_boxes_those_are_left_that_no_better_one_covers() -> None:
    rng = np.random.default_rng(7)
    number = 200
    many = boxes(list(rng.uniform(-8, 8, (number, 2))), list(rng.integers(0, 7, number)), [0.5] * number)
    many = dataclasses.replace(many, yaw=rng.uniform(-3, 3, number))
    gap = many.centre[None] - many.centre[:, None]
    away, same = np.hypot(*gap.transpose(2, 0, 1)), many.group[:, None] == many.group[None]
    turn = np.array([[np.cos(many.yaw), -np.sin(many.yaw)], [np.sin(many.yaw), np.cos(many.yaw)]]).transpose(2, 0, 1)
    within = (np.abs(gap @ turn) < many.size[:, None, :2] / 2).all(axis=2) & same
    riders = (away < 0.35) & (many.group > 0)[:, None] & (many.group > 0)[None]
    close = same & (away < np.array([0.5, 0.25, 0.25])[many.group][:, None])
    for found, covers in ((once(many), within | riders), (apart(many), close)):
        left = np.ones(number, bool)
        for better in range(number):
            left[better + 1 :] &= ~(covers[better, better + 1 :] & left[better])
        assert np.array_equal(found, left) and 20 < np.count_nonzero(left) < number


def test_points_around_a_box_are_given_along_the_view() -> None:
    around = np.array([[0.0, 10.4], [0.3, 10.0], [0.0, 13.0], [-1.0, 10.0]])
    heights = np.array([0.15, 1.0, 1.0, 0.01])
    now = Cloud(np.column_stack([around, heights]).astype(np.float32), heights)
    before = Cloud(now.points[:0], heights[:0])
    seen = crops(now, before, 0.0, boxes([(0.0, 10.0)], [6], [0.5]), LOOKS[1])
    assert np.allclose(np.unique(seen.points[0].round(3), axis=0), [[0.0, -0.3, 1.0], [0.4, 0.0, 0.15]])
    assert not seen.earlier.any()
    assert seen.scalars[0, :3] == pytest.approx([np.log(10), np.log(3), 0.0], abs=1e-5)


def looked_at(count: int) -> Crops:
    """Return what is around places at random in a cloud that is dense here and empty there."""
    rng = np.random.default_rng(count)
    points = np.concatenate([rng.normal((10.0, 0.0), 0.5, (400, 2)), rng.uniform(-20, 20, (2500, 2))])
    cloud = Cloud(np.column_stack([points, np.ones(len(points))]).astype(np.float32), np.ones(len(points)))
    places = [(10.0, 0.0), (60.0, 60.0), *rng.uniform(-20, 20, (48, 2)).tolist()][:count]
    return crops(cloud, cloud, 0.3, boxes(places, [6] * count, [0.5] * count), LOOKS[1])


def test_crops_say_how_many_points_are_not_repeated() -> None:
    seen = looked_at(50)
    assert seen.count[:2].tolist() == [[POINTS, EARLIER], [1, 1]]
    for points, count in zip(seen.points, seen.count[:, 0], strict=True):
        assert len(np.unique(points, axis=0)) == count
        assert np.array_equal(points[count:], points[: len(points) - count])


@pytest.mark.parametrize("model", LOOK_NAMES)
@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_boxes_shown_in_parts_without_repeated_points_are_answered_as_before(model: str, count: int) -> None:
    seen, reader = looked_at(count), open_model(model)
    told = answers(reader, seen)
    assert told.shape == (count, COLUMNS)
    if count:
        whole = reader.run(["answer"], {name: getattr(seen, name) for name in ("points", "earlier", "scalars")})[0]
        assert np.allclose(told, whole, atol=1e-4)
    shown = [(part.points, part.earlier) for _, part in seen.sorted_parts(3)]
    most = [part.count.max(axis=0).tolist() for _, part in seen.sorted_parts(3)]
    assert [[one.shape[1] for one in pair] for pair in shown] == most
    assert count < 50 or most[0][0] < POINTS // 2 < most[-1][0]


@pytest.mark.parametrize("radius", [0.4, 1.5, 4.0])
def test_points_around_places_are_those_that_a_search_of_all_finds(radius: float) -> None:
    rng = np.random.default_rng(2)
    points, height = rng.normal(0.0, 6.0, (3000, 2)).astype(np.float32), rng.uniform(0, 2, 3000).astype(np.float32)
    places, bearing = rng.normal(0.0, 8.0, (40, 2)), rng.uniform(-3, 3, 40)
    found, count = points_around(points, height, (0.1, 1.9), places, bearing, radius, 24)
    points, height = points[(height > 0.1) & (height < 1.9)], height[(height > 0.1) & (height < 1.9)]
    counts, step = [], np.arange(24)
    cell = np.floor(points)
    ordered = np.lexsort((cell[:, 1], cell[:, 0]))
    for place, angle, own in zip(places, bearing, found, strict=True):
        gap = points[ordered].astype(float) - place
        near = np.flatnonzero((gap**2).sum(axis=1) < radius**2)
        counts.append(len(near))
        if not len(near):
            assert not own.any()
            continue
        taken = near[step * len(near) // 24 if len(near) > 24 else step % len(near)]
        along = gap[taken] @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        np.testing.assert_allclose(own, np.column_stack([along, height[ordered[taken]]]), atol=1e-5)
    assert count.tolist() == counts and max(counts) > 24 * (radius > 1) and min(counts) == 0


def test_points_in_boxes_are_those_that_a_search_of_all_finds() -> None:
    rng = np.random.default_rng(5)
    points, height = rng.normal(0.0, 6.0, (5000, 3)).astype(np.float32), rng.uniform(0, 2, 5000).astype(np.float32)
    centre, yaw = rng.normal(0.0, 8.0, (30, 2)), rng.uniform(-3, 3, 30)
    half, top = rng.uniform(0.1, 6.0, (30, 2)), rng.uniform(0.3, 2.0, 30)
    flat, end = points_in_boxes(points, height, 0.2, centre, half, top, yaw)
    found = np.split(flat, end)[:-1]
    for inside, middle, extent, highest, angle in zip(found, centre, half, top, yaw, strict=True):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        within = (np.abs((points[:, :2] - middle) @ turn) < extent).all(axis=1)
        assert np.sort(inside).tolist() == np.flatnonzero(within & (height > 0.2) & (height < highest)).tolist()
    assert len(end) == 30 and min(map(len, found)) == 0 and max(map(len, found)) > 100
    assert not any(map(len, points_in_boxes(points, height, 0.2, centre[:0], half[:0], top[:0], yaw[:0])))
    with pytest.raises(ValueError, match="expected"):
        points_in_boxes(points, height[1:], 0.2, centre, half, top, yaw)


def test_medians_of_parts_are_those_of_each() -> None:
    values, end = np.random.default_rng(6).normal(0, 1, 500).astype(np.float32), np.array([0, 7, 8, 8, 108, 500])
    parts = np.split(values, end)[:-1]
    assert medians(values, end).tolist() == [float(np.median(part)) if len(part) else 0.0 for part in parts]


def test_a_second_look_moves_and_renames() -> None:
    answer = np.zeros((1, COLUMNS))
    answer[0, 4], answer[0, NOTHING] = 9.0, 3.0
    answer[0, NOTHING + 1 :] = [0.2, 0.1, np.log(1.2), np.log(0.6), np.log(1.7), 0.0, -1.0, -4.0, -5.0, -6.0]
    found = corrected(boxes([(0.0, 10.0)], [6], [0.5]), answer, CALIBRATION, 1)
    assert found.centre[0] == pytest.approx([-0.1, 10.2]) and found.class_score[0].argmax() == 4
    assert abs(np.sin(found.yaw[0])) == pytest.approx(0.0, abs=1e-6) and found.score[0] > 0.99
    with pytest.raises(ValueError, match="answer: expected"):
        corrected(boxes([(0.0, 10.0)], [6], [0.5]), answer[:, 1:], CALIBRATION, 1)


def test_what_stands_still_is_in_the_earlier_scan_where_it_is_now() -> None:
    memory, still = ScanMemory(), np.array([[10.0, 2.0, 0.0], [-5.0, 7.0, 1.0], [3.0, -8.0, 0.5]])
    rate, speed, step = 0.5, 8.0, 0.1
    motion = OwnMotion(np.array([speed, 0.0, 0.0]), rate, STAMP)
    for number in range(6):
        heading = rate * step * number
        place = speed / rate * np.array([np.sin(heading), 1 - np.cos(heading)])
        turn = np.array([[np.cos(heading), np.sin(heading)], [-np.sin(heading), np.cos(heading)]])
        seen = np.column_stack([(still[:, :2] - place) @ turn.T, still[:, 2]])
        earlier, elapsed = memory.earlier(seen, motion, STAMP + number * 100_000_000)
        if number >= 3:
            assert elapsed == pytest.approx(0.3) and np.abs(earlier - seen).max() < 0.01
        elif number < 2:
            assert elapsed == 0.0 and len(earlier) == 0
    assert memory.earlier(seen, None, STAMP + 600_000_000)[1] == 0.0
    assert memory.earlier(seen, motion, STAMP + 900_000_000)[1] == 0.0


@pytest.mark.parametrize("existence", [0.0, 0.01, 0.15, 0.45, 0.9])
def test_below_the_least_score_nobody_is_so_probable(existence: float) -> None:
    calibration = BevCalibration.read(entry("bev").extra)
    least = calibration.least_score(existence)
    score = np.linspace(0.0, 1.0, 20_001)
    probable = np.max([calibration.to_existence(score, np.full(len(score), group)) for group in range(3)], axis=0)
    assert probable[score < least - 1e-9].max(initial=0.0) <= existence
    assert probable[score > least + 1e-4].min() > existence


def test_calibration_maps_scores_by_group_and_is_checked() -> None:
    values = {"score": [[0, 1]] * 3, "existence": [[0, 0.5], [0, 1], [0.2, 0.4]], "sharpness": [1, 1],
              "bias": [[0] * 8] * 2, "position_scale": [1, 1], "yaw_scale": [1, 1]}  # fmt: skip
    calibration = BevCalibration.read(values)
    assert calibration.to_existence(np.full(3, 0.5), np.arange(3)) == pytest.approx([0.25, 0.5, 0.3])
    with pytest.raises(ValueError, match="yaw_scale"):
        BevCalibration.read({key: value for key, value in values.items() if key != "yaw_scale"})
    with pytest.raises(ValueError, match=r"expected both \(3, K\)"):
        BevCalibration.read(values | {"score": [[0, 1]]})
    with pytest.raises(ValueError, match=r"bias \(2, 7\)"):
        BevCalibration.read(values | {"bias": [[0] * 7] * 2})


@pytest.fixture(scope="module")
def detector() -> BevDetector:
    return open_bev_detector(LidarDetectorConfig(mode=MOVING, method=LEARNED, sensor_height=HEIGHT))


def seen(actors: np.ndarray, sensor: str, seconds: tuple[float, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return points and times of scans of actors (the first carries the sensor) before a wall, as they move."""
    from twin_common.core.geometry import transform_from_rpy
    from twin_sim.core.bodies import Bodies
    from twin_sim.core.body_atlas import BodyAtlas
    from twin_sim.core.frame import Frame
    from twin_sim.core.lidar import VehicleLidar
    from twin_sim.core.lidar_models import lidar_model
    from twin_sim.core.meshes import box, joined
    from twin_sim.core.still_scene import StillScene

    ground = box(160.0, 160.0, 1.0, "asphalt").placed(z=-1.0)
    wall = box(80.0, 1.0, 8.0, "brick").placed(y=16.0)
    lidar = VehicleLidar(
        lidar_model(sensor), StillScene(joined([ground, wall])), BodyAtlas(Bodies()),
        transform_from_rpy((0.0, 0.0, HEIGHT), 0.0, 0.0, 0.0), seed=0, stream=0,
    )  # fmt: skip
    scans = []
    for late in seconds:
        moved = actors.copy()
        moved["x"] += moved["velocity_x"] * late
        moved["y"] += moved["velocity_y"] * late
        cloud = lidar.cloud(lidar.sweep(Frame(STAMP + round(late * 1e9), moved, np.zeros(0)), 1))
        scans.append((np.stack([cloud[name] for name in "xyz"], axis=1), cloud["time_offset_ns"] * 1e-9))
    return scans


@pytest.fixture(scope="module")
def street() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points and times of an OS1-128 between four cars, and the cars, (4, 5): x, y, length, width, yaw."""
    from twin_common.core.object_class import ObjectClass
    from twin_sim.core.frame import ACTOR, Shape

    cars = np.array([[12.0, 3.0, 4.7, 1.85, 0.1], [20.0, -4.0, 4.4, 1.8, 3.0], [-15.0, 6.0, 4.9, 1.9, 1.2],
                     [-9.0, -5.0, 4.1, 1.75, -0.3]])  # fmt: skip
    actors = np.zeros(5, ACTOR)
    actors["actor_id"], actors["classification"], actors["shape"] = np.arange(1, 6), ObjectClass.CAR, Shape.SUV
    for number, name in enumerate(("x", "y", "length", "width", "yaw")):
        actors[name][1:] = cars[:, number]
    actors["height"] = 1.6
    ((points, late),) = seen(actors, "OS1-128", (0.0,))
    return points, late, cars


def test_who_rides_is_told_from_who_walks(detector: BevDetector) -> None:
    from twin_common.core.object_class import ObjectClass
    from twin_sim.core.frame import ACTOR, Activity

    places = [
        (9.0, 3.0, 0.2),
        (14.0, -4.0, 3.0),
        (-11.0, 5.0, 0.0),
        (8.0, -3.0, 1.0),
        (-9.0, -4.0, 2.5),
        (12.0, 6.0, 3),
    ]
    actors = np.zeros(7, ACTOR)
    actors["actor_id"] = np.arange(1, 8)
    actors["classification"][0] = ObjectClass.CAR
    rides = np.array([True, True, True, False, False, False])
    for row, (x, y, yaw), riding in zip(actors[1:], places, rides, strict=True):
        speed = 4.5 if riding else 1.3
        row["classification"] = ObjectClass.SCOOTER if riding else ObjectClass.PEDESTRIAN
        row["activity"] = Activity.RIDING if riding else Activity.WALKING
        row["length"], row["width"], row["height"] = (1.15, 0.6, 1.75) if riding else (0.6, 0.5, 1.75)
        row["x"], row["y"], row["yaw"], row["stature"] = x, y, yaw, 1.75
        row["velocity_x"], row["velocity_y"] = speed * np.cos(yaw), speed * np.sin(yaw)
    found = None
    for number, (points, late) in enumerate(seen(actors, "OS1-64", (-0.3, -0.2, -0.1, 0.0))):
        stamp_ns = STAMP + (number - 3) * 100_000_000
        found, _ = detector.step(points, late, OwnMotion(np.zeros(3), 0.0, stamp_ns), stamp_ns)
    assert found is not None
    there = np.stack([actors["x"][1:], actors["y"][1:]], axis=1)
    gap = np.hypot(*(there[:, None] - found.centre[None, :, :2]).transpose(2, 0, 1))
    assert (gap.min(axis=1) < 0.5).all()
    kinds = found.label[gap.argmin(axis=1)]
    assert (kinds == np.where(rides, ObjectClass.SCOOTER, ObjectClass.PEDESTRIAN)).all()


def test_the_cars_of_a_known_street_are_found(
    detector: BevDetector, street: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    points, late, cars = street
    found, members = detector.step(points, late)
    likely = found.select((found.existence > 0.5) & (found.label == 1))
    gap = np.hypot(*(cars[:, None, :2] - likely.centre[None, :, :2]).transpose(2, 0, 1))
    assert (gap.min(axis=1) < 0.3).all()
    nearest = likely.select(gap.argmin(axis=1))
    turn = (nearest.yaw - cars[:, 4] + np.pi / 2) % np.pi - np.pi / 2
    assert np.abs(turn).max() < np.radians(8) and np.abs(nearest.size[:, 0] - cars[:, 2]).max() < 0.9
    assert np.abs(nearest.centre[:, 2] + nearest.size[:, 2] / 2 - (1.6 - HEIGHT)).max() < 0.3
    assert (nearest.point_count > 20).all() and (nearest.time_offset < 0).all() and members.any()
    assert (np.linalg.eigvalsh(nearest.covariance) > 0).all()


def test_who_cannot_be_reported_is_not_looked_at_twice(street: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    class Counting:
        def __init__(self, name: str) -> None:
            self.session, self.shown = open_model(name), 0

        def run(self, names: list[str] | None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            self.shown += len(feed["points"])
            return list(self.session.run(names, feed))

    points, late, _ = street
    calibration = BevCalibration.read(entry("bev").extra)

    def found(min_existence: float) -> tuple[Detections, int]:
        readers = [Counting(name) for name in LOOK_NAMES]
        made = BevDetector(open_model("bev"), readers, calibration, 1.9, min_existence)
        return made.step(points, late)[0], readers[0].shown

    every, all_shown = found(0.0)
    some, shown = found(0.3)
    assert shown < 0.8 * all_shown
    every = every.select(every.existence >= 0.3)
    assert len(some) == len(every) >= 4
    np.testing.assert_allclose(some.centre, every.centre, atol=1e-4)
    np.testing.assert_allclose(some.existence, every.existence, atol=1e-4)


def test_a_tilted_sensor_finds_them_in_its_own_frame(street: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    points, late, cars = street
    config = LidarDetectorConfig(mode=MOVING, method=LEARNED, sensor_height=HEIGHT, pitch_deg=6.0)
    pitch = np.radians(6.0)
    sensor_from_level = np.array([[np.cos(pitch), 0, -np.sin(pitch)], [0, 1, 0], [np.sin(pitch), 0, np.cos(pitch)]])
    tilted = (points @ sensor_from_level.T).astype(np.float32)
    detector = LidarDetector(config, bev=open_bev_detector(config))
    found, _ = detector.step(tilted, np.zeros(len(points), np.uint16), late.astype(np.float32), 0)
    level = found.centre @ sensor_from_level
    gap = np.hypot(*(cars[:, None, :2] - level[None, :, :2]).transpose(2, 0, 1))
    assert (gap.min(axis=1) < 0.3).all()


def test_points_that_come_twice_count_once(
    detector: BevDetector, street: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    points, late, _ = street
    once, mine = detector.step(points, late)
    twice, theirs = detector.step(np.repeat(points, 2, axis=0), np.repeat(late, 2))
    assert np.array_equal(once.centre, twice.centre) and np.array_equal(once.existence, twice.existence)
    assert np.array_equal(np.repeat(mine, 2), theirs)


def test_nothing_is_found_in_no_points(detector: BevDetector) -> None:
    found, members = detector.step(np.zeros((0, 3), np.float32), np.zeros(0))
    assert len(found) == 0 and members.shape == (0,)
    with pytest.raises(ValueError, match="expected"):
        detector.step(np.zeros((4, 2), np.float32), np.zeros(4))


def test_another_file_than_the_shipped_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bev.onnx"
    file.write_bytes(b"no model")
    with pytest.raises(ConfigError, match="SHA-256"):
        open_bev_detector(LidarDetectorConfig(mode=MOVING), file)
