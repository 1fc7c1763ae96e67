"""A still wall stays still for a sensor that drives and turns past it."""

import numpy as np
import pytest

from twin_detection.core.sweep_motion import OwnMotion, compensated


def test_a_still_scene_is_put_where_it_is_from_the_stamp() -> None:
    rng = np.random.default_rng(0)
    truth = rng.uniform(-30, 30, (500, 3))
    offset = rng.uniform(-0.1, 0.0, 500)
    motion = OwnMotion(np.array([12.0, -0.4, 0.1]), 0.5, 0)
    angle = motion.yaw_rate * offset
    away = truth - offset[:, None] * motion.velocity
    seen = np.column_stack([
        away[:, 0] * np.cos(angle) + away[:, 1] * np.sin(angle),
        away[:, 1] * np.cos(angle) - away[:, 0] * np.sin(angle), away[:, 2],
    ])  # fmt: skip
    assert np.abs(seen - truth).max() > 1.0
    assert np.abs(compensated(seen, offset, motion) - truth).max() < 1e-9


def test_motion_along_the_axes_of_a_turned_sensor() -> None:
    motion = OwnMotion(np.array([5.0, 0.0, 0.0]), 0.1, 0).turned(np.pi / 2)
    assert motion.velocity == pytest.approx([0.0, -5.0, 0.0], abs=1e-12) and motion.yaw_rate == 0.1


def test_old_motion_does_not_fit() -> None:
    motion = OwnMotion(np.zeros(3), 0.0, 10**9)
    assert motion.fits(1_400_000_000) and not motion.fits(1_600_000_000)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="expected"):
        compensated(np.zeros((3, 2)), np.zeros(3), OwnMotion(np.zeros(3), 0.0, 0))
