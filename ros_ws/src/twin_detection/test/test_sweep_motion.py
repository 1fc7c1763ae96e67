"""A still wall stays still for a sensor that drives and turns past it."""

import numpy as np
import pytest

from twin_common.core.own_motion import OwnMotion, compensated
from twin_detection.core.detections import Detections
from twin_detection.core.sweep_motion import as_measured


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


def test_objects_are_given_where_they_were_seen() -> None:
    """What is found in the compensated scene goes back to the sensor's frame at the object's own time."""
    seen, late = np.array([[10.0, 4.0, -0.5], [-6.0, 2.0, 0.0]]), np.array([-0.06, -0.01])
    motion = OwnMotion(np.array([12.0, -0.4, 0.1]), 0.5, 0)
    found = Detections(
        centre=compensated(seen, late, motion), size=np.ones((2, 3)), yaw=np.array([0.3, 1.0]) + motion.yaw_rate * late,
        covariance=np.tile(np.diag([0.04, 0.01, 0.02]), (2, 1, 1)), yaw_variance=np.ones(2),
        class_probability=np.eye(10)[[1, 1]], existence=np.ones(2), point_count=np.ones(2, np.int64), time_offset=late,
    )  # fmt: skip
    back = as_measured(found, motion)
    assert np.abs(back.centre - seen).max() < 1e-9 and back.yaw == pytest.approx([0.3, 1.0])
    assert np.trace(back.covariance[0]) == pytest.approx(0.07)


def test_motion_along_the_axes_of_a_turned_sensor() -> None:
    motion = OwnMotion(np.array([5.0, 0.0, 0.0]), 0.1, 0).turned(np.pi / 2)
    assert motion.velocity == pytest.approx([0.0, -5.0, 0.0], abs=1e-12) and motion.yaw_rate == 0.1


def test_a_sensor_before_the_turning_axle_is_carried_sideways() -> None:
    rng = np.random.default_rng(1)
    truth, offset, mount = rng.uniform(-30, 30, (200, 2)), rng.uniform(-0.1, 0.0, 200), np.array([3.0, -0.5])
    speed, yaw_rate, steps = 8.0, 0.6, 200
    pose = np.tile([0.0, 0.0, 0.0], (len(offset), 1))  # x, y and yaw of base_link, driven backwards in small steps
    for _ in range(steps):
        pose += (offset / steps)[:, None] * np.column_stack([
            speed * np.cos(pose[:, 2]), speed * np.sin(pose[:, 2]), np.full(len(offset), yaw_rate)
        ])  # fmt: skip
    turn = np.moveaxis(
        np.array([[np.cos(pose[:, 2]), -np.sin(pose[:, 2])], [np.sin(pose[:, 2]), np.cos(pose[:, 2])]]), 2, 0
    )
    seen = np.einsum("nji,nj->ni", turn, truth - pose[:, :2]) - mount
    motion = OwnMotion(np.array([speed, 0.0, 0.0]), yaw_rate, 0)
    flat = np.column_stack([seen, np.zeros(len(seen))])

    def error(known: OwnMotion) -> float:
        return float(np.abs(compensated(flat, offset, known)[:, :2] - (truth - mount)).max())

    assert error(motion) > 0.1
    assert error(motion.at(*mount)) < 0.04  # the way is taken as straight over the scan


def test_old_motion_does_not_fit() -> None:
    motion = OwnMotion(np.zeros(3), 0.0, 10**9)
    assert motion.fits(1_400_000_000) and not motion.fits(1_600_000_000)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="expected"):
        compensated(np.zeros((3, 2)), np.zeros(3), OwnMotion(np.zeros(3), 0.0, 0))


def test_motion_that_is_no_number_or_old_fits_no_scan() -> None:
    assert OwnMotion(np.zeros(3), 0.0, 0).fits(400_000_000)
    assert not OwnMotion(np.zeros(3), 0.0, 0).fits(600_000_000)
    assert not OwnMotion(np.array([np.nan, 0.0, 0.0]), 0.0, 0).fits(0)
    assert not OwnMotion(np.zeros(3), np.nan, 0).fits(0)
