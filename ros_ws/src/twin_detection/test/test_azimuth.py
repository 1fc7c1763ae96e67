"""The direction of a return, against the arc tangent of the C library."""

import numpy as np

from twin_detection.core.azimuth import azimuth


def test_directions_are_those_of_the_arc_tangent() -> None:
    rng = np.random.default_rng(0)
    turn, away = np.linspace(-np.pi, np.pi, 200_001), 10.0 ** rng.uniform(-3, 3, 200_001)
    points = np.column_stack([away * np.cos(turn), away * np.sin(turn), away]).astype(np.float32)
    exact = np.arctan2(points[:, 1].astype(float), points[:, 0].astype(float))
    off = np.abs(azimuth(points) - exact)
    assert np.minimum(off, 2 * np.pi - off).max() < 5e-7  # a tenth of a millimetre at 200 m


def test_directions_along_the_axes_and_of_the_origin() -> None:
    places = np.array([[1, 0], [0, 2], [-3, 0], [0, -4], [0, 0], [5, 5], [-5, 5]], np.float32)
    expected = np.pi * np.array([0, 0.5, 1, -0.5, 0, 0.25, 0.75])
    np.testing.assert_allclose(azimuth(places), expected, atol=3e-7)
    assert azimuth(places[:0]).shape == (0,)
