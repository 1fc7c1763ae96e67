import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_common.core import geometry
from twin_common.core.geodesy import Datum
from twin_common.core.transform_buffer import TransformBuffer, TransformError

angle = st.floats(-3.1, 3.1)
metres = st.floats(-500, 500)


@given(metres, metres, metres, angle, st.floats(-1.5, 1.5), angle)
def test_a_transform_and_its_inverse_cancel(
    x: float, y: float, z: float, roll: float, pitch: float, yaw: float
) -> None:
    pose = geometry.transform_from_rpy((x, y, z), roll, pitch, yaw)
    points = np.random.default_rng(0).normal(size=(5, 3))
    back = geometry.apply(geometry.inverse(pose), geometry.apply(pose, points))
    np.testing.assert_allclose(back, points, atol=1e-9)


def test_yaw_turns_x_towards_y() -> None:
    pose = geometry.transform_from_rpy((10.0, 0.0, 0.0), 0.0, 0.0, np.pi / 2)
    np.testing.assert_allclose(geometry.apply(pose, np.array([[1.0, 0.0, 0.0]])), [[10.0, 1.0, 0.0]], atol=1e-12)
    assert geometry.yaw_of(pose) == pytest.approx(np.pi / 2)


@given(st.floats(-50, 50))
def test_wrap_gives_the_same_direction_within_a_turn(value: float) -> None:
    wrapped = float(geometry.wrap(value))
    assert -np.pi < wrapped <= np.pi
    assert np.cos(wrapped) == pytest.approx(np.cos(value), abs=1e-9)
    assert np.sin(wrapped) == pytest.approx(np.sin(value), abs=1e-9)


def test_interpolation_turns_evenly_and_extrapolates() -> None:
    start = geometry.transform_from_rpy((0, 0, 0), 0, 0, 0)
    end = geometry.transform_from_rpy((2, 0, 0), 0, 0, 1.0)
    for fraction in (0.25, 0.5, 1.5):
        pose = geometry.interpolate(start, end, fraction)
        assert geometry.yaw_of(pose) == pytest.approx(fraction)
        assert pose[0, 3] == pytest.approx(2 * fraction)


def test_inside_polygon_agrees_with_a_concave_shape() -> None:
    corner = np.array([[0, 0], [4, 0], [4, 1], [1, 1], [1, 4], [0, 4]], float)
    points = np.array([[0.5, 3], [3, 0.5], [3, 3], [-1, 0.5], [0.5, 0.5]])
    assert geometry.inside_polygon(points, corner).tolist() == [True, True, False, False, True]


def test_box_corners_are_counter_clockwise() -> None:
    corners = geometry.box_corners(*(np.array([v]) for v in (1.0, 2.0, 4.0, 2.0, np.pi / 2)))[0]
    np.testing.assert_allclose(corners, [[0, 4], [0, 0], [2, 0], [2, 4]], atol=1e-12)


@pytest.mark.parametrize("shape", [(3,), (2, 4), (0, 2)])
def test_points_of_a_wrong_shape_are_refused_with_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"expected \(N, 3\), got"):
        geometry.apply(np.eye(4), np.zeros(shape))


def test_wgs84_goes_there_and_back_and_a_degree_has_its_length() -> None:
    datum = Datum(35.1525, 126.851, 30.0)
    east, north, up = datum.to_map(np.array(35.1525 + 0.001), np.array(126.851), np.array(30.0))
    assert (float(east), float(north)) == (pytest.approx(0, abs=1e-6), pytest.approx(110.95, abs=0.05))
    assert float(up) == pytest.approx(-0.001, abs=0.001)
    there = datum.to_wgs84(np.array(300.0), np.array(-200.0), np.array(5.0))
    np.testing.assert_allclose(datum.to_map(*there), [300, -200, 5], atol=1e-6)
    with pytest.raises(ValueError, match=r"latitude 95"):
        Datum(95, 0, 0)


def moving_buffer() -> TransformBuffer:
    buffer = TransformBuffer()
    buffer.insert("car/base_link", "car/lidar", geometry.transform((0, 0, 2)), 0, static=True)
    for second in (2, 1, 3):  # out of order
        pose = geometry.transform_from_rpy((10.0 * second, 0, 0), 0, 0, 0.1 * second)
        buffer.insert("map", "car/base_link", pose, second * 10**9, static=False)
    return buffer


def test_lookup_interpolates_between_stamps_along_a_chain() -> None:
    pose = moving_buffer().lookup("map", "car/lidar", 1_500_000_000)
    np.testing.assert_allclose(pose[:3, 3], [15, 0, 2], atol=1e-9)
    assert geometry.yaw_of(pose) == pytest.approx(0.15)
    back = moving_buffer().lookup("car/lidar", "map", 1_500_000_000)
    np.testing.assert_allclose(back @ pose, np.eye(4), atol=1e-9)


def test_lookup_extrapolates_a_little_and_refuses_more() -> None:
    buffer = moving_buffer()
    assert buffer.lookup("map", "car/lidar", 3_100_000_000)[0, 3] == pytest.approx(31)
    for stamp_ns in (3_500_000_000, 900_000_000):
        with pytest.raises(TransformError, match="outside"):
            buffer.lookup("map", "car/lidar", stamp_ns)


def test_unconnected_frames_are_named() -> None:
    with pytest.raises(TransformError, match="bus/lidar: not connected"):
        moving_buffer().lookup("map", "bus/lidar", 2_000_000_000)


def test_old_transforms_are_forgotten() -> None:
    buffer = TransformBuffer(keep=1.0)
    for step in range(100):
        buffer.insert("map", "car", geometry.transform((step, 0, 0)), step * 100_000_000, static=False)
    assert buffer.lookup("map", "car", 9_000_000_000)[0, 3] == pytest.approx(90)
    with pytest.raises(TransformError):
        buffer.lookup("map", "car", 1_000_000_000)
