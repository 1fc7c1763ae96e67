"""The localizer against known motion."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from twin_common.core import geometry
from twin_localization.config import FilterConfig
from twin_localization.core.localizer import Fix, GnssLocalizer, Inertial, MapPose, Velocity

PERIOD_NS = 100_000_000
MOUNT = geometry.transform_from_rpy((-0.8, 0.3, 1.2), 0.02, -0.03, 0.1)


class Drive:
    """A figure of known motion: accelerating, turning, rolling a little."""

    def __init__(self, yaw_rate: float = 0.3, speed: float = 8.0) -> None:
        self.yaw_rate, self.speed = yaw_rate, speed

    def base(self, t: float) -> np.ndarray:
        radius = self.speed / self.yaw_rate
        yaw = self.yaw_rate * t
        rotation = Rotation.from_euler("ZYX", (yaw, 0.02 * np.sin(t), 0.03 * np.cos(t)))
        return geometry.transform((radius * np.sin(yaw), radius * (1 - np.cos(yaw)), 0.1 * t), rotation)

    def velocity(self, t: float) -> np.ndarray:
        yaw = self.yaw_rate * t
        return np.array([self.speed * np.cos(yaw), self.speed * np.sin(yaw), 0.1])

    def antenna_velocity(self, t: float) -> np.ndarray:
        step = 1e-5
        ahead, behind = (self.base(t + s) @ MOUNT for s in (step, -step))
        return (ahead - behind)[:3, 3] / (2 * step)

    def rates(self, t: float) -> np.ndarray:
        step = 1e-5
        behind, ahead = (Rotation.from_matrix((self.base(t + s) @ MOUNT)[:3, :3]) for s in (-step, step))
        return (behind.inv() * ahead).as_rotvec() / (2 * step)


def samples(drive: Drive, k: int, rng: np.random.Generator | None, sigma: float = 0.02):
    t, stamp_ns = k * PERIOD_NS / 1e9, k * PERIOD_NS
    unit = drive.base(t) @ MOUNT
    noise = (lambda scale: rng.normal(scale=scale, size=3)) if rng is not None else (lambda scale: np.zeros(3))
    orientation = Rotation.from_matrix(unit[:3, :3]) * Rotation.from_rotvec(noise(0.003))
    return (
        Fix(stamp_ns, unit[:3, 3] + noise(sigma), np.full(3, max(sigma, 0.01))),
        Inertial(stamp_ns, orientation, 0.003, drive.rates(t) + noise(0.005)),
        Velocity(stamp_ns, drive.antenna_velocity(t) + noise(0.05), np.full(3, 0.05)),
    )


def errors(pose, drive: Drive, t: float) -> tuple[float, float]:
    base = drive.base(t)
    turn = Rotation.from_matrix(base[:3, :3].T @ pose.map_from_base[:3, :3]).magnitude()
    return float(np.linalg.norm(pose.map_from_base[:3, 3] - base[:3, 3])), float(turn)


def test_exact_input_gives_the_exact_pose() -> None:
    drive = Drive()
    localizer = GnssLocalizer(FilterConfig(), MOUNT)
    for k in range(100):
        pose = localizer.step(*samples(drive, k, None))
        distance, turn = errors(pose, drive, k * 0.1)
        assert distance < 0.03 and turn < 0.003, k
        if k > 10:
            np.testing.assert_allclose(pose.velocity, drive.velocity(k * 0.1), atol=0.2)
    assert pose.yaw_rate == pytest.approx(0.3, abs=0.02)


def test_noise_is_smoothed_and_the_covariance_is_honest() -> None:
    drive, rng = Drive(), np.random.default_rng(3)
    localizer = GnssLocalizer(FilterConfig(white_share=1.0), MOUNT)
    raw, filtered, normalised = [], [], []
    for k in range(400):
        fix, inertial, velocity = samples(drive, k, rng, sigma=0.3)
        pose = localizer.step(fix, inertial, velocity)
        if k < 20:
            continue
        truth = drive.base(k * 0.1)[:3, 3]
        error = pose.map_from_base[:3, 3] - truth
        raw.append(np.linalg.norm(fix.position - (drive.base(k * 0.1) @ MOUNT)[:3, 3]))
        filtered.append(np.linalg.norm(error))
        normalised.append(error @ np.linalg.solve(pose.covariance[:3, :3], error) / 3)
    assert np.sqrt(np.mean(np.square(filtered))) < 0.6 * np.sqrt(np.mean(np.square(raw)))
    assert 0.3 < np.mean(normalised) < 1.7


def test_course_over_ground_replaces_a_missing_orientation() -> None:
    drive, rng = Drive(yaw_rate=0.1), np.random.default_rng(4)
    localizer = GnssLocalizer(FilterConfig(), np.eye(4))
    for k in range(60):
        t = k * 0.1
        base = drive.base(t)
        velocity = Velocity(k * PERIOD_NS, drive.velocity(t) + rng.normal(scale=0.05, size=3), np.full(3, 0.05))
        pose = localizer.step(Fix(k * PERIOD_NS, base[:3, 3], np.full(3, 0.02)), None, velocity)
        if k > 5:
            assert abs(geometry.wrap(geometry.yaw_of(pose.map_from_base) - geometry.yaw_of(base))) < 0.03
    assert np.linalg.norm(pose.map_from_base[:3, 3] - base[:3, 3]) < 0.1


def test_positions_alone_give_the_heading_once_it_moves() -> None:
    localizer = GnssLocalizer(FilterConfig(), np.eye(4))
    for k in range(20):
        pose = localizer.step(Fix(k * PERIOD_NS, np.zeros(3), np.full(3, 0.02)), None, None)
        assert pose is None, "a heading cannot be known at rest"
    for k in range(20, 60):
        along = np.array([0.0, -0.5 * (k - 19), 0.0])
        pose = localizer.step(Fix(k * PERIOD_NS, along, np.full(3, 0.02)), None, None)
    assert geometry.yaw_of(pose.map_from_base) == pytest.approx(-np.pi / 2, abs=0.03)


def test_the_heading_is_kept_while_standing() -> None:
    localizer = GnssLocalizer(FilterConfig(), np.eye(4))
    rng = np.random.default_rng(0)
    for k in range(300):
        x = min(k, 50) * 0.8
        fix = Fix(k * PERIOD_NS, np.array([0.0, x, 0.0]), np.full(3, 0.02))
        speed = 8.0 if k <= 50 else 0.0
        velocity = Velocity(k * PERIOD_NS, np.array([0, speed, 0]) + rng.normal(scale=0.02, size=3), np.full(3, 0.05))
        pose = localizer.step(fix, None, velocity)
    assert pose is not None
    assert geometry.yaw_of(pose.map_from_base) == pytest.approx(np.pi / 2, abs=0.05)


def test_lost_fix_is_bridged_with_growing_covariance_then_ends() -> None:
    drive = Drive()
    localizer = GnssLocalizer(FilterConfig(max_coast=1.0), MOUNT)
    for k in range(50):
        pose = localizer.step(*samples(drive, k, None))
    spread = [pose.covariance[0, 0]]
    for k in range(50, 59):
        fix, inertial, velocity = samples(drive, k, None)
        pose = localizer.step(Fix(fix.stamp_ns, None, fix.sigma), inertial, velocity)
        spread.append(pose.covariance[0, 0])
        assert errors(pose, drive, k * 0.1)[0] < 0.2
    assert np.all(np.diff(spread) > 0)
    for k in range(60, 70):
        fix, inertial, velocity = samples(drive, k, None)
        assert localizer.step(Fix(fix.stamp_ns, None, fix.sigma), inertial, velocity) is None
    pose = localizer.step(*samples(drive, 70, None))
    assert errors(pose, drive, 7.0)[0] < 0.05, "it starts again at the first fix"


def test_an_outlier_is_refused_and_a_lasting_jump_is_followed() -> None:
    drive = Drive()
    localizer = GnssLocalizer(FilterConfig(max_outliers=5), MOUNT)
    for k in range(30):
        localizer.step(*samples(drive, k, None))
    fix, inertial, velocity = samples(drive, 30, None)
    pose = localizer.step(Fix(fix.stamp_ns, fix.position + 20.0, fix.sigma), inertial, velocity)
    assert localizer.outliers == 1 and errors(pose, drive, 3.0)[0] < 0.1
    for k in range(31, 40):
        fix, inertial, velocity = samples(drive, k, None)
        pose = localizer.step(Fix(fix.stamp_ns, fix.position + 20.0, fix.sigma), inertial, velocity)
    assert np.linalg.norm(pose.map_from_base[:3, 3] - drive.base(3.9)[:3, 3] - 20.0) < 0.3


def test_a_prediction_does_not_change_the_state() -> None:
    drive = Drive()
    localizer = GnssLocalizer(FilterConfig(), MOUNT)
    for k in range(20):
        localizer.step(*samples(drive, k, None))
    ahead = localizer.predict(19 * PERIOD_NS + 300_000_000)
    assert errors(ahead, drive, 2.2)[0] < 0.2
    assert localizer.stamp_ns == 19 * PERIOD_NS
    assert localizer.predict(19 * PERIOD_NS + 5_000_000_000) is None


def shadowed(drive: Drive, k: int, rng: np.random.Generator):
    """Samples whose fixes are metres off and whose headings two degrees, both slowly, as the sensors say."""
    fix, inertial, velocity = samples(drive, k, rng)
    off = np.array([3.0 + np.sin(0.05 * k), -2.0, 4.0])
    turned = Rotation.from_rotvec((0.0, 0.0, 0.035)) * inertial.map_from_imu
    return (
        Fix(fix.stamp_ns, fix.position + off, np.full(3, 3.0)),
        Inertial(inertial.stamp_ns, turned, 0.02, inertial.rates),
        velocity,
    )


def on_the_map(drive: Drive, k: int, rng: np.random.Generator, shift: float = 0.0) -> MapPose:
    base = drive.base(k * 0.1)
    noise = rng.normal(size=4) * [0.08, 0.08, 0.02, 0.003]
    place = np.array([*base[:3, 3], geometry.yaw_of(base)]) + noise + [shift, 0.0, 0.0, 0.0]
    return MapPose(k * PERIOD_NS, place, np.diag([0.08, 0.08, 0.02, 0.003]) ** 2)


def test_the_map_takes_away_what_receiver_and_heading_are_off() -> None:
    drive, rng = Drive(), np.random.default_rng(7)
    localizer = GnssLocalizer(FilterConfig(), MOUNT)
    distances, turns, normalised = [], [], []
    for k in range(200):
        pose = localizer.step(*shadowed(drive, k, rng))
        if k >= 4 and k % 5 == 4:  # a scan of 0.2 s ago
            assert localizer.locate(on_the_map(drive, k - 2, rng))
        if k > 20:
            distance, turn = errors(pose, drive, k * 0.1)
            error = pose.map_from_base[:2, 3] - drive.base(k * 0.1)[:2, 3]
            distances.append(distance)
            turns.append(turn)
            normalised.append(error @ np.linalg.solve(pose.covariance[:2, :2], error) / 2)
    assert max(distances) < 0.4 and np.mean(distances) < 0.15
    assert np.mean(turns) < 0.006
    assert 0.2 < np.mean(normalised) < 2.5
    assert localizer.outliers == 0


def test_without_the_map_the_error_is_told() -> None:
    drive, rng = Drive(), np.random.default_rng(7)
    localizer = GnssLocalizer(FilterConfig(), MOUNT)
    for k in range(100):
        pose = localizer.step(*shadowed(drive, k, rng))
    assert errors(pose, drive, 9.9)[0] > 3.0
    assert np.sqrt(pose.covariance[0, 0]) == pytest.approx(3.0, abs=0.3)


def test_a_pose_off_the_map_is_refused_and_a_wrong_beginning_is_left() -> None:
    drive, rng = Drive(), np.random.default_rng(8)
    localizer = GnssLocalizer(FilterConfig(max_outliers=4), MOUNT)
    wrong = 9.0
    for k in range(120):
        pose = localizer.step(*shadowed(drive, k, rng))
        if k % 5 == 4:
            taken = localizer.locate(on_the_map(drive, k, rng, shift=wrong if k < 40 else 0.0))
            assert taken or k < 70
        if k == 38:
            assert errors(pose, drive, k * 0.1)[0] > 5.0, "another bay of the street"
    assert errors(pose, drive, 11.9)[0] < 0.4
    assert not localizer.locate(on_the_map(drive, 119, rng, shift=6.0))
    assert not localizer.locate(MapPose(-5 * PERIOD_NS, np.zeros(4), np.eye(4))), "before all that is remembered"


def test_the_map_carries_on_while_the_receiver_is_silent() -> None:
    drive, rng = Drive(speed=4.0, yaw_rate=0.05), np.random.default_rng(9)
    localizer = GnssLocalizer(FilterConfig(), MOUNT)
    for k in range(30):
        localizer.step(*samples(drive, k, rng))
    for k in range(34, 100, 5):  # no fix for seven seconds
        assert localizer.locate(on_the_map(drive, k, rng), samples(drive, k, rng)[1]), k
        pose = localizer.predict(k * PERIOD_NS + PERIOD_NS)
        assert errors(pose, drive, k * 0.1 + 0.1)[0] < 0.6
    assert localizer.predict(99 * PERIOD_NS + 3_000_000_000) is None


def test_who_is_surer_than_the_map_allows_is_told() -> None:
    drive, rng = Drive(), np.random.default_rng(8)
    localizer = GnssLocalizer(FilterConfig(), MOUNT)
    for k in range(60):
        fix, inertial, velocity = samples(drive, k, rng)
        localizer.step(Fix(fix.stamp_ns, fix.position + 3.0, fix.sigma), inertial, velocity)
        if k % 5 == 4:
            assert not localizer.locate(on_the_map(drive, k, rng))
    assert localizer.off_map == pytest.approx(3.0 * np.sqrt(2), abs=0.4)


def test_a_mount_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(4, 4\), got \(3, 3\)"):
        GnssLocalizer(FilterConfig(), np.eye(3))
