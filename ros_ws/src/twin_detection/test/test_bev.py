"""The learned detector of moving platforms: image, decoding, the shipped network on scenes with known truth."""

from pathlib import Path

import numpy as np
import pytest

from twin_common.config import ConfigError
from twin_detection.bev_model import open_bev_detector
from twin_detection.config import LEARNED, MOVING, LidarDetectorConfig
from twin_detection.core.bev_decode import BOX_CHANNELS, CLASSES, BevCalibration, decode
from twin_detection.core.bev_detector import BevDetector
from twin_detection.core.bev_grid import CHANNELS, SLICES, BevGrid
from twin_detection.core.detector import LidarDetector

CALIBRATION = BevCalibration(np.tile([0.0, 1.0], (3, 1)), np.tile([0.0, 1.0], (3, 1)))
HEIGHT = 1.9


def answers(size: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    peak, heat, box = answers()
    put(peak, heat, box, (30, 10), 0, 0.8)
    found = decode(peak, heat, box, 10.0, 0.5, CALIBRATION)
    assert len(found) == 1
    assert found.centre[0] == pytest.approx([5.25 + 0.1, -4.75 - 0.2])
    assert found.size[0] == pytest.approx([4.5, 1.8, 1.5]) and found.yaw[0] == pytest.approx(0.3)
    assert found.variance[0] == pytest.approx([0.04, 0.01]) and found.yaw_variance[0] == pytest.approx(0.02)
    assert found.class_score[0, 0] == 1.0 and found.score[0] == pytest.approx(0.8)


def test_one_thing_is_found_once_but_a_person_beside_a_car_stays() -> None:
    peak, heat, box = answers()
    put(peak, heat, box, (20, 20), 0, 0.9)
    put(peak, heat, box, (22, 20), 1, 0.5)
    put(peak, heat, box, (20, 22), 6, 0.4)
    found = decode(peak, heat, box, 10.0, 0.5, CALIBRATION)
    assert found.score.tolist() == pytest.approx([0.9, 0.4])


def test_calibration_maps_scores_by_group_and_is_checked() -> None:
    values = {"score": [[0, 1]] * 3, "existence": [[0, 0.5], [0, 1], [0.2, 0.4]], "position_scale": 1, "yaw_scale": 1,
              "sharpness": 1, "class_weight": [1] * 7}  # fmt: skip
    calibration = BevCalibration.read(values)
    assert calibration.to_existence(np.full(3, 0.5), np.arange(3)) == pytest.approx([0.25, 0.5, 0.3])
    with pytest.raises(ValueError, match="yaw_scale"):
        BevCalibration.read({key: value for key, value in values.items() if key != "yaw_scale"})
    with pytest.raises(ValueError, match=r"expected both \(3, K\)"):
        BevCalibration.read(values | {"score": [[0, 1]]})
    with pytest.raises(ValueError, match=r"expected \(n, n\)"):
        decode(np.zeros((4, 4)), np.zeros((6, 4, 4)), np.zeros((10, 4, 4)), 1.0, 0.5, calibration)


@pytest.fixture(scope="module")
def detector() -> BevDetector:
    return open_bev_detector(LidarDetectorConfig(mode=MOVING, method=LEARNED, sensor_height=HEIGHT))


@pytest.fixture(scope="module")
def street() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return points and times of an OS1-128 between four cars, and the cars, (4, 5): x, y, length, width, yaw."""
    from twin_common.core.geometry import transform_from_rpy
    from twin_common.core.object_class import ObjectClass
    from twin_sim.core.bodies import Bodies
    from twin_sim.core.body_atlas import BodyAtlas
    from twin_sim.core.frame import ACTOR, Frame, Shape
    from twin_sim.core.lidar import VehicleLidar
    from twin_sim.core.lidar_models import lidar_model
    from twin_sim.core.meshes import box, joined
    from twin_sim.core.still_scene import StillScene

    cars = np.array([[12.0, 3.0, 4.7, 1.85, 0.1], [20.0, -4.0, 4.4, 1.8, 3.0], [-15.0, 6.0, 4.9, 1.9, 1.2],
                     [-9.0, -5.0, 4.1, 1.75, -0.3]])  # fmt: skip
    actors = np.zeros(5, ACTOR)
    actors["actor_id"], actors["classification"], actors["shape"] = np.arange(1, 6), ObjectClass.CAR, Shape.SUV
    for number, name in enumerate(("x", "y", "length", "width", "yaw")):
        actors[name][1:] = cars[:, number]
    actors["height"] = 1.6
    ground = box(160.0, 160.0, 1.0, "asphalt").placed(z=-1.0)
    wall = box(80.0, 1.0, 8.0, "brick").placed(y=16.0)
    lidar = VehicleLidar(
        lidar_model("OS1-128"), StillScene(joined([ground, wall])), BodyAtlas(Bodies()),
        transform_from_rpy((0.0, 0.0, HEIGHT), 0.0, 0.0, 0.0), seed=0, stream=0,
    )  # fmt: skip
    cloud = lidar.cloud(lidar.sweep(Frame(10**18, actors, np.zeros(0)), 1))
    return np.stack([cloud[name] for name in "xyz"], axis=1), cloud["time_offset_ns"] * 1e-9, cars


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
