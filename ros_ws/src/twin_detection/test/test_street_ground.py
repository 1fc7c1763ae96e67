"""The ground around a pole: slopes, kerbs, walls that hide it, and far cells without returns."""

import numpy as np
import pytest

from twin_detection.core.lowest_returns import LowestReturns
from twin_detection.core.street_ground import StreetGround

HEIGHT, REACH = 5.0, 60.0


def street(rng: np.random.Generator, slope: float = 0.0, kerb: float = 0.0) -> np.ndarray:
    """Return what lasers see of a street along x whose far side, from y = 6 m on, is higher: rings of ground."""
    away = np.repeat(HEIGHT / np.tan(np.radians(np.arange(5.0, 45.0, 1.4))), 600)
    turn = np.tile(np.linspace(-np.pi, np.pi, 600, endpoint=False), len(away) // 600)
    x, y = away * np.cos(turn), away * np.sin(turn)
    z = -HEIGHT + slope * x + kerb * (y > 6.0)
    return np.column_stack([x, y, z + rng.normal(0, 0.02, len(x))]).astype(np.float32)


def wall(y: float, bottom: float) -> np.ndarray:
    """Return the returns of a wall along x, of which nothing below a height above the ground is seen."""
    x, z = np.meshgrid(np.arange(-50.0, 50.0, 0.3), np.arange(bottom, 8.0, 0.5))
    return np.column_stack([x.ravel(), np.full(x.size, y), z.ravel() - HEIGHT]).astype(np.float32)


@pytest.mark.parametrize("slope", [0.0, 0.03, -0.08])
def test_a_slope_is_followed_beyond_and_between_the_lasers(slope: float) -> None:
    ground = StreetGround(street(np.random.default_rng(0), slope), HEIGHT, REACH)
    x, y = np.meshgrid(np.arange(-48.0, 49.0, 3.0), np.arange(-30.0, 31.0, 3.0))
    points = np.column_stack([x.ravel(), y.ravel(), slope * x.ravel() - HEIGHT + 1.0]).astype(np.float32)
    np.testing.assert_allclose(ground.above(points), 1.0, atol=0.2)


def test_walls_of_which_only_the_upper_part_is_seen_are_no_ground() -> None:
    rng = np.random.default_rng(1)
    ground = StreetGround(np.concatenate([street(rng), wall(30.5, 1.5), wall(-45.5, 2.5)]), HEIGHT, REACH)
    beside = np.array([[10.0, 30.2, 1.0 - HEIGHT], [-20.0, -45.3, 1.0 - HEIGHT]], np.float32)
    np.testing.assert_allclose(ground.above(beside), 1.0, atol=0.2)


def test_a_sidewalk_is_as_high_as_it_is() -> None:
    ground = StreetGround(street(np.random.default_rng(2), kerb=0.15), HEIGHT, REACH)
    at = np.array([[0.0, 8.5, 1.15 - HEIGHT], [0.0, 4.5, 1.0 - HEIGHT]], np.float32)
    np.testing.assert_allclose(ground.above(at), 1.0, atol=0.08)


def test_stray_returns_from_below_are_no_ground_and_no_returns_leave_a_level_plane() -> None:
    rng = np.random.default_rng(3)
    stray = np.array([[12.0, 3.0, -HEIGHT - 2.0], [30.0, 0.0, -HEIGHT - 0.6]], np.float32)
    ground = StreetGround(np.concatenate([street(rng), stray]), HEIGHT, REACH)
    np.testing.assert_allclose(ground.above(np.array([[12.0, 3.0, -HEIGHT], [30.0, 0.0, -HEIGHT]])), 0.0, atol=0.1)
    empty = StreetGround(np.zeros((0, 3), np.float32), HEIGHT, REACH)
    np.testing.assert_allclose(empty.above(np.array([[20.0, 5.0, -HEIGHT]])), 0.0, atol=0.5)


def test_ground_that_nothing_shows_lies_where_the_plane_does() -> None:
    """A bus near the pole hides half of the street; fog ends the view at 15 m."""
    seen = street(np.random.default_rng(4))
    away = np.hypot(seen[:, 0], seen[:, 1])
    for shown in (seen[(seen[:, 0] < 3.0) | (away < 5.0)], seen[away < 15.0]):
        ground = StreetGround(shown, HEIGHT, REACH)
        far = np.array([[30.0, 0.0, -HEIGHT], [45.0, 5.0, -HEIGHT]], np.float32)
        np.testing.assert_allclose(ground.above(far), 0.0, atol=0.12)


def test_points_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"points: expected \(N, 3\), got \(4, 2\)"):
        StreetGround(np.zeros((4, 2)), HEIGHT, REACH)


def test_heights_are_above_the_lowest_return_of_each_cell() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(-12.0, 12.0, (4000, 3)).astype(np.float32)
    grid = LowestReturns(points, 10.0)
    cell = np.clip(np.floor(points[:, :2] + 10.0).astype(int), 0, 19)  # what lies beyond belongs to the edge
    lowest = np.full((20, 20), np.inf, np.float32)
    np.minimum.at(lowest, tuple(cell.T), points[:, 2])
    assert np.array_equal(grid.lowest, lowest) and grid.centres[[0, -1]].tolist() == [-9.5, 9.5]
    above = grid.above(points, lowest)
    assert above.dtype == np.float32 and np.array_equal(above, points[:, 2] - lowest[tuple(cell.T)])
    assert not len(grid.above(points[:0], lowest))
