import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin_viz.core import ground

SQUARE = np.array([(0, 0), (4, 0), (4, 4), (0, 4)], float)
ELL = np.array([(0, 0), (6, 0), (6, 2), (2, 2), (2, 6), (0, 6)], float)


def area(corners: np.ndarray) -> float:
    x, y = corners.T
    return abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y))) / 2


def covered(corners: np.ndarray) -> float:
    a, b, c = np.moveaxis(corners[ground.triangulate(corners)], 1, 0)
    parts = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (parts >= -1e-9).all(), "clockwise triangle"
    return float(parts.sum())


@pytest.mark.parametrize("corners", [SQUARE, SQUARE[::-1], ELL, ELL[::-1], SQUARE[:3]])
def test_triangles_cover_the_polygon(corners: np.ndarray) -> None:
    assert len(ground.triangulate(corners)) == len(corners) - 2
    assert covered(corners) == pytest.approx(area(corners))


@given(st.lists(st.floats(1.0, 10.0), min_size=5, max_size=24))
def test_triangles_cover_any_star(radii: list[float]) -> None:
    angle = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    corners = np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.array(radii)[:, None]
    assert covered(corners) == pytest.approx(area(corners))


def test_corners_on_a_line_are_no_trouble() -> None:
    corners = np.array([(0, 0), (1, 0), (2, 0), (2, 2), (1, 2), (0, 2)], float)
    assert covered(corners) == pytest.approx(4.0)


@pytest.mark.parametrize("shape", [(2, 2), (4, 3), (4,)])
def test_wrong_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"corners: expected \(N, 2\)"):
        ground.triangulate(np.zeros(shape))


def test_a_building_has_walls_and_a_roof() -> None:
    entity = ground.build_ground((ground.Area("house", "building", SQUARE),), 6.0)
    (block,) = entity.primitives
    assert block.points.shape == (4 * 2 + 2, 3, 3)
    assert block.points[..., 2].min() == 0.0
    assert block.points[..., 2].max() == 6.0
    a, b, c = np.moveaxis(block.points, 1, 0)
    surface = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    assert surface == pytest.approx(4 * 4 * 6 + 16)


def test_a_building_is_as_high_as_its_zone_says() -> None:
    tall, unknown = ground.Area("tower", "building", SQUARE, 61.4), ground.Area("shed", "building", SQUARE + 10)
    (blocks,) = ground.build_ground((tall, unknown), 6.0).primitives
    near = blocks.points[blocks.points[..., 0].max(axis=1) < 5]
    far = blocks.points[blocks.points[..., 0].min(axis=1) > 5]
    assert near[..., 2].max() == pytest.approx(61.4)
    assert far[..., 2].max() == 6.0


def test_posts_show_the_state_of_their_platform() -> None:
    posts = tuple(ground.Post(f"pole_{i}", (float(i), 0.0, 0.0), 4.0, i) for i in range(4))
    cylinders, labels = ground.build_posts(posts).primitives
    assert labels.text == ("pole_0", "pole_1  degraded", "pole_2  lost", "pole_3")
    assert len({tuple(color) for color in cylinders.color}) == 4
    np.testing.assert_allclose(labels.position[:, 2], 5.2)


def test_no_zones_and_no_poles_are_empty_entities() -> None:
    assert ground.build_ground((), 6.0).primitives == ()
    cylinders, labels = ground.build_posts(()).primitives
    assert len(cylinders.base) == len(labels.text) == 0
