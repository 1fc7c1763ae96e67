"""Which returns a detector looks at."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from twin_detection.config import MOVING, LidarDetectorConfig
from twin_detection.core.detector import body_of
from twin_detection.core.reach import Body, within


def kept(points: np.ndarray, nearest: float, farthest: float, body: Body) -> np.ndarray:
    ring, late = np.arange(len(points), dtype=np.uint16), np.linspace(-0.1, 0.0, len(points))
    index, found, lasers, distance, times = within(points, ring, late, nearest, farthest, body)
    assert np.array_equal(found, points[index])
    assert np.array_equal(lasers, ring[index])
    assert np.allclose(distance, np.linalg.norm(points[index], axis=1))
    assert np.allclose(times, late[index])
    return index


def test_returns_of_the_platform_beyond_the_reach_and_of_nothing_are_left_out() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-8, 8, (5000, 3)).astype(np.float32)
    points[rng.random(len(points)) < 0.02] = np.nan
    points[::500] = np.inf
    turn = Rotation.from_euler("xyz", [0.2, -0.1, 0.6]).as_matrix()
    body = Body(4.6, 1.9, (0.5, -0.2), turn[:2])
    with np.errstate(invalid="ignore"):
        place = (points @ turn.T)[:, :2] + (0.5, -0.2)
    distance = np.linalg.norm(points, axis=1)
    wanted = (distance > 0.5) & (distance < 9.0) & ~((abs(place[:, 0]) < 2.3) & (abs(place[:, 1]) < 0.95))
    assert 0 < np.count_nonzero(wanted) < len(points)
    assert np.array_equal(kept(points, 0.5, 9.0, body), np.flatnonzero(wanted))


@pytest.mark.parametrize(
    ("values", "own", "other"),
    [
        ({}, (2.4, 1.0, -0.9), (2.4, 1.7, -0.9)),  # over the bonnet; a rider beside it
        ({}, (-2.4, 0.0, -0.9), (-2.6, 0.0, -0.9)),
        ({"mount_x": 1.5}, (-3.9, 0.0, -0.9), (1.1, 0.0, -0.9)),  # a sensor at the front edge of the roof
        ({"body_x": 1.4}, (3.8, 0.0, -0.9), (-1.2, 0.0, -0.9)),  # base_link is at the rear axle
        ({"mount_y": -0.3, "body_y": -0.3}, (0.0, 1.5, -0.9), (0.0, 1.7, -0.9)),
        ({"yaw_deg": 90.0}, (1.5, 2.4, -0.9), (2.4, 1.5, -0.9)),
        ({"roll_deg": 90.0}, (0.0, 0.9, 1.5), (0.0, 0.9, 1.7)),  # lying on its side: its z is the platform's right
        ({"body_length": 0.9, "body_width": 0.6}, (0.4, 0.2, -0.5), (0.5, 0.0, -0.5)),  # a small robot
    ],
)
def test_the_body_of_a_platform_is_where_its_settings_say(
    values: dict[str, float], own: tuple[float, ...], other: tuple[float, ...]
) -> None:
    body = body_of(LidarDetectorConfig(mode=MOVING, **values))  # type: ignore[arg-type]
    assert kept(np.array([own, other], np.float32), 0.0, 60.0, body).tolist() == [1]
