"""GNSS under open and hidden sky, IMU noise and motion, and what the localizer makes of both."""

import numpy as np
import pytest

from twin_common.core.geodesy import Datum
from twin_sim.core.gnss import GnssConfig, GnssReceiver, Quality
from twin_sim.core.gnss_imu import GnssImu, GnssImuConfig
from twin_sim.core.imu import GRAVITY, Imu, ImuConfig, Motion, between
from twin_sim.core.sky import Skyline, constellation

DATUM = Datum(35.1525, 126.8526, 40.0)
START_NS = 1_735_689_600_000_000_000
SECOND = 1_000_000_000


def rectangle(x0: float, x1: float, y0: float, y1: float) -> np.ndarray:
    return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


OPEN = Skyline([])
CANYON = Skyline([(rectangle(6, 26, -200, 200), 30.0), (rectangle(-26, -6, -200, 200), 30.0)])
ANTENNA = np.array([0.0, 0.0, 2.0])


def direction(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    return np.array([[np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]])


def fixes(skyline: Skyline, corrections: bool, seconds: int, name: str = "car", hour: int = 0) -> list:
    receiver = GnssReceiver(GnssConfig(corrections=corrections), skyline, DATUM, 7, name)
    begin_ns = START_NS + hour * 3600 * SECOND
    return [receiver.step(begin_ns + i * SECOND // 10, ANTENNA, 0.0) for i in range(10 * seconds)]


def standing(seconds: int, config: ImuConfig) -> np.ndarray:
    motion = Motion(START_NS, np.zeros(3), np.zeros(3), 0.4)
    stamps = START_NS + np.arange(1, seconds * round(config.rate) + 1) * round(SECOND / config.rate)
    after = Motion(int(stamps[-1]), np.zeros(3), np.zeros(3), 0.4)
    readings = Imu(config, 3, "pole").step(between(motion, after, stamps), np.eye(4))
    return np.concatenate([readings.rates, readings.acceleration], axis=1)


def test_as_many_satellites_are_up_as_over_a_city_at_35_degrees():
    satellites = constellation(1)
    counts = []
    for minute in range(0, 720, 30):
        up = satellites.directions(START_NS + minute * 60 * SECOND, *np.radians([35.15, 126.85]))
        assert np.allclose(np.linalg.norm(up, axis=1), 1.0)
        counts.append(int((up[:, 2] > np.sin(np.radians(10))).sum()))
    assert min(counts) >= 10 and max(counts) <= 24  # of 48; a global constellation shows about a third


def test_a_wall_hides_what_is_below_its_edge_and_mirrors_what_is_opposite():
    wall = Skyline([(rectangle(10, 12, -50, 50), 22.0)])  # 20 m above the antenna, 10 m away: edge at 63.4 degrees
    hidden = [wall.blocked(ANTENNA, direction(0, elevation))[0] for elevation in (30, 62, 65)]
    assert hidden == [True, True, False]
    assert not wall.blocked(ANTENNA, direction(180, 10))[0]
    assert wall.detours(ANTENNA, direction(180, 45))[0] == pytest.approx(2 * 10 * np.cos(np.radians(45)))
    assert np.isinf(wall.detours(ANTENNA, direction(180, 70))[0])  # would meet the wall's plane above its edge
    assert np.isinf(wall.detours(ANTENNA, direction(0, 45))[0])
    clockwise = Skyline([(rectangle(10, 12, -50, 50)[::-1], 22.0)])
    assert clockwise.detours(ANTENNA, direction(180, 45))[0] == pytest.approx(14.142, abs=1e-3)


def test_open_sky_gives_centimetres_with_corrections_and_metres_without():
    rtk = fixes(OPEN, True, 60)
    assert rtk[0].quality == Quality.FLOAT and rtk[-1].quality == Quality.FIXED
    settled = np.array([fix.position_error for fix in rtk if fix.quality == Quality.FIXED])
    assert len(settled) > 400
    assert np.sqrt((settled[:, :2] ** 2).mean()) < 0.03
    alone = fixes(OPEN, False, 60)
    assert {fix.quality for fix in alone} == {Quality.SINGLE}
    rms = np.sqrt((np.array([fix.position_error[:2] for fix in alone]) ** 2).sum(axis=1).mean())
    assert 0.2 < rms < 4.0
    assert all(fix.reflected == 0 for fix in alone)


def test_the_reported_variance_fits_the_errors_under_open_sky():
    ratios = []
    for name in map(str, range(30)):  # receivers of one run differ in noise, not in the sky
        fix = fixes(OPEN, True, 1, name)[-1]
        assert fix.quality == Quality.FLOAT
        ratios.append(fix.position_error**2 / fix.position_variance)
    assert 0.2 < np.mean(ratios) < 2.0


def test_a_canyon_hides_satellites_and_pulls_the_fix_away_for_seconds():
    inside, outside = ([fixes(sky, False, 8, hour=hour) for hour in range(10)] for sky in (CANYON, OPEN))
    clear = [np.mean([fix.clear for run in runs for fix in run]) for runs in (inside, outside)]
    assert clear[0] < 0.4 * clear[1]
    assert np.mean([fix.reflected for run in inside for fix in run]) >= 3
    errors = [np.array([[fix.position_error for fix in run] for run in runs]) for runs in (inside, outside)]
    rms = [np.sqrt(np.nanmean(error[..., :2] ** 2)) for error in errors]
    assert rms[1] < 2.0 and 2 * rms[1] < rms[0] < 20.0
    steps = np.nanstd(np.diff(errors[0], axis=1))  # within a tenth of a second, beside the error itself
    assert steps < 0.5 * rms[0]
    assert Quality.FIXED not in {fix.quality for fix in fixes(CANYON, True, 20)}


def test_too_few_satellites_give_no_fix():
    shaft = Skyline([(rectangle(2, 4, -4, 4), 60), (rectangle(-4, -2, -4, 4), 60), (rectangle(-4, 4, 2, 4), 60),
                     (rectangle(-4, 4, -4, -2), 60)])  # fmt: skip
    receiver = GnssReceiver(GnssConfig(reflected=0.0), shaft, DATUM, 7, "car")
    fix = receiver.step(START_NS, ANTENNA, 0.0)
    assert fix.quality == Quality.NONE and np.isnan(fix.position_error).all() and fix.clear < 5


def test_receivers_of_a_run_share_the_sky_and_a_run_repeats():
    first, again = fixes(CANYON, False, 5), fixes(CANYON, False, 5)
    assert all(np.array_equal(a.position_error, b.position_error) for a, b in zip(first, again, strict=True))
    other = fixes(CANYON, False, 5, "bus")
    assert [fix.clear for fix in other] == [fix.clear for fix in first]
    assert not np.allclose(other[0].position_error, first[0].position_error)


def test_a_still_imu_measures_gravity_with_bias_and_the_density_of_its_noise():
    config = ImuConfig()
    samples = standing(200, config)
    assert np.allclose(samples.mean(axis=0), [0, 0, 0, 0, 0, GRAVITY], atol=0.12)
    assert np.abs(samples.mean(axis=0)[:3]).max() > 1e-4
    for column, density in ((0, config.gyro_noise), (4, config.accelerometer_noise)):
        differences = np.diff(samples[:, column]) / np.sqrt(2)  # of neighbours: free of bias and its drift
        assert differences.std() == pytest.approx(density * np.sqrt(config.rate), rel=0.03)


def test_the_bias_wanders_by_its_instability():
    quiet = {"gyro_noise": 0.0, "gyro_bias": 0.0, "rate": 10.0, "instability_time": 20.0}
    samples = standing(4000, ImuConfig(**quiet, gyro_instability=0.01))[:, :3]
    assert samples.std() == pytest.approx(0.01, rel=0.15)
    lag = 200  # one time constant
    for axis in samples.T:
        assert (axis[lag:] * axis[:-lag]).mean() / (axis**2).mean() == pytest.approx(np.exp(-1), abs=0.2)


def test_driving_a_circle_gives_yaw_rate_and_centripetal_force_at_the_mount():
    speed, radius = 8.0, 20.0
    rate = speed / radius

    def at(seconds: float) -> Motion:
        angle = rate * seconds
        place = radius * np.array([np.sin(angle), 1 - np.cos(angle), 0.0])
        velocity = speed * np.array([np.cos(angle), np.sin(angle), 0.0])
        return Motion(START_NS + round(seconds * 1e9), place, velocity, angle, rate)

    exact = ImuConfig(
        gyro_noise=0.0, gyro_bias=0.0, gyro_instability=0.0, gyro_scale=0.0, accelerometer_noise=0.0,
        accelerometer_bias=0.0, accelerometer_instability=0.0, accelerometer_scale=0.0, tilt_sigma_deg=0.0,
        yaw_sigma_deg=0.0,
    )  # fmt: skip
    mount = np.array([[0.0, -1.0, 0.0, 1.5], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.0, 1.0]])
    unit = GnssImu(GnssImuConfig(imu=exact), mount, OPEN, DATUM, 1, "car")
    readings = unit.step(at(3.0), at(3.1))
    assert len(readings.inertial.stamps_ns) == 10 and len(readings.positions) == 1
    assert np.allclose(readings.inertial.rates, [0, 0, rate], atol=1e-3)
    # the unit's x axis points to the left of the car; ahead of the axle it also feels a pull backwards
    assert np.allclose(readings.inertial.acceleration, [speed * rate, rate**2 * 1.5, GRAVITY], atol=0.02)
    yaw = 2 * np.arctan2(readings.inertial.orientation[-1, 2], readings.inertial.orientation[-1, 3])
    assert yaw == pytest.approx(rate * 3.1 + np.pi / 2, abs=1e-6)


def test_frames_of_any_length_give_the_same_epochs():
    def at(seconds: float) -> Motion:
        return Motion(START_NS + round(seconds * 1e9), np.array([seconds, 0, 0]), np.array([1.0, 0, 0]), 0.0)

    unit = GnssImu(GnssImuConfig(), np.eye(4), OPEN, DATUM, 1, "car")
    parts = [unit.step(at(a), at(b)) for a, b in ((0.0, 0.13), (0.13, 0.2), (0.2, 0.51))]
    stamps = np.concatenate([part.inertial.stamps_ns for part in parts]) - START_NS
    assert np.array_equal(stamps, np.arange(1, 52) * 10_000_000)
    assert [p.stamp_ns - START_NS for part in parts for p in part.positions] == [i * 100_000_000 for i in range(1, 6)]


def test_the_localizer_follows_a_car_with_these_readings():
    from scipy.spatial.transform import Rotation

    from twin_localization.config import LocalizerConfig
    from twin_localization.core import localizer

    mount = np.eye(4)
    mount[:3, 3] = (0.2, 0.0, 1.6)
    unit = GnssImu(GnssImuConfig(), mount, OPEN, DATUM, 5, "car")
    follower = localizer.GnssLocalizer(LocalizerConfig(), mount)
    off = []
    for step in range(300):
        motions = [
            Motion(START_NS + i * SECOND // 10, np.array([0.8 * i, 0, 0]), np.array([8.0, 0, 0]), 0.0)
            for i in (step, step + 1)
        ]
        readings = unit.step(*motions)
        fix, inertial = readings.positions[-1], readings.inertial
        place = DATUM.to_map(fix.latitude_deg, fix.longitude_deg, fix.altitude)
        pose = follower.step(
            localizer.Fix(fix.stamp_ns, place, np.sqrt(fix.variances)),
            localizer.Inertial(
                int(inertial.stamps_ns[-1]), Rotation.from_quat(inertial.orientation[-1]),
                float(np.sqrt(inertial.orientation_variance[2])), inertial.rates[-1],
            ),
            localizer.Velocity(fix.stamp_ns, fix.velocity, np.sqrt(fix.velocity_variances)),
        )  # fmt: skip
        off.append(np.linalg.norm(pose.map_from_base[:2, 3] - motions[1].position[:2]))
    assert np.median(off[150:]) < 0.05  # fixed ambiguities
    assert follower.outliers <= 1  # at most the step from floating to fixed ambiguities
