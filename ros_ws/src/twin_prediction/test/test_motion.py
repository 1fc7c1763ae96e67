import numpy as np
import pytest
from scipy.stats import chi2

from twin_common.config import ConfigError
from twin_prediction.config import PredictionConfig
from twin_prediction.core import motion, scores
from twin_prediction.core.prediction import mode_probabilities, predict
from twin_prediction.core.states import CONSTANT_TURN, CONSTANT_VELOCITY, STEP, STEPS, STOP, TrackStates

CAR, BICYCLE, PEDESTRIAN = 1, 6, 7
TIMES = STEP * np.arange(1, STEPS + 1)
CONFIG = PredictionConfig()


def tracks(
    count=1, *, velocity=(8.0, 0.0), kind=CAR, covariance=None, yaw_rate=0.0, yaw_rate_sigma=0.05, acceleration=0.0
):
    velocity = np.broadcast_to(np.asarray(velocity, float), (count, 2)).copy()
    covariance = np.diag([0.04, 0.04, 0.09, 0.09]) if covariance is None else covariance
    return TrackStates(
        np.arange(count, dtype=np.uint64), np.zeros((count, 2)), velocity, np.tile(covariance, (count, 1, 1)),
        np.arctan2(velocity[:, 1], velocity[:, 0]), np.full(count, float(yaw_rate)), np.full(count, yaw_rate_sigma**2),
        np.full(count, float(acceleration)), np.full(count, kind),
    )  # fmt: skip


def test_constant_velocity_is_straight():
    position, _, yaw = motion.constant_velocity(tracks(velocity=(3.0, 4.0)), TIMES, CONFIG)
    np.testing.assert_allclose(position[0], TIMES[:, None] * [3.0, 4.0])
    np.testing.assert_allclose(yaw, np.arctan2(4, 3))


def test_turn_without_decay_is_a_circle():
    config = PredictionConfig(turn_decay=100.0, max_lateral_acceleration=20.0)
    position, _, yaw = motion.decaying_turn(tracks(velocity=(5.0, 0.0), yaw_rate=0.5), TIMES, config)
    radius = 5.0 / 0.5
    # within the slight decay over 4.8 s
    np.testing.assert_allclose(position[0, 3], radius * np.array([np.sin(0.8), 1 - np.cos(0.8)]), atol=0.05)
    assert yaw[0, 3] == pytest.approx(0.8, abs=0.01)


def test_turn_matches_fine_integration():
    config = PredictionConfig(turn_decay=2.0)
    position, _, yaw = motion.decaying_turn(tracks(velocity=(0.0, 6.0), yaw_rate=-0.4), TIMES, config)
    dt, heading, rate, point = 1e-3, np.pi / 2, -0.4, np.zeros(2)
    for _ in range(4800):
        middle = heading + 0.5 * rate * dt
        point = point + 6.0 * dt * np.array([np.cos(middle), np.sin(middle)])
        heading, rate = heading + rate * dt, rate * np.exp(-dt / 2.0)
    np.testing.assert_allclose(position[0, -1], point, atol=0.01)
    assert yaw[0, -1] == pytest.approx(heading, abs=1e-3)


def test_turn_rate_is_bounded_by_lateral_acceleration():
    fast = tracks(velocity=(20.0, 0.0), yaw_rate=2.0)
    assert motion.bounded_turn_rate(fast, CONFIG)[0] == pytest.approx(4.0 / 20.0)


def test_braking_ends_at_rest():
    position, _, _ = motion.brake_to_rest(tracks(velocity=(6.0, 0.0), acceleration=-3.0), TIMES, CONFIG)
    assert position[0, -1, 0] == pytest.approx(6.0**2 / (2 * 3.0))
    assert position[0, 5, 0] == pytest.approx(position[0, -1, 0])


@pytest.mark.parametrize(("kind", "speed"), [(PEDESTRIAN, 1.3), (CAR, 9.0), (BICYCLE, 5.0)])
def test_straight_covariance_is_calibrated_for_known_noise(kind, speed):
    """White acceleration of the class's density, and an initial error of the track's covariance."""
    rng, count = np.random.default_rng(1), 4000
    covariance = np.diag([0.04, 0.04, 0.09, 0.09])
    covariance[0, 2] = covariance[2, 0] = 0.03
    believed = tracks(count, velocity=(speed, 0.0), kind=kind, covariance=covariance)
    error = rng.multivariate_normal(np.zeros(4), covariance, count)
    point, velocity = error[:, :2].copy(), believed.velocity + error[:, 2:]
    density, dt, actual = np.array([CONFIG.noise_along[kind], CONFIG.noise_across[kind]]), 0.05, []
    for k in range(1, 8 * STEPS + 1):
        push = rng.normal(size=(count, 2)) * np.sqrt(density * dt)
        point, velocity = point + (velocity + 0.5 * push) * dt, velocity + push
        if k % 8 == 0:
            actual.append(point)
    position, predicted, _ = motion.constant_velocity(believed, TIMES, CONFIG)
    actual = np.stack(actual, axis=1)
    for probability, low, high in ((0.393, 0.36, 0.43), (0.865, 0.83, 0.89), (0.95, 0.93, 0.97)):
        inside = scores.squared_mahalanobis(position, predicted, actual) <= chi2.ppf(probability, 2)
        assert ((inside.mean(axis=0) > low) & (inside.mean(axis=0) < high)).all(), (probability, inside.mean(axis=0))


def test_turn_covariance_is_calibrated_for_known_turn_rate_error():
    rng, count = np.random.default_rng(2), 3000
    believed = tracks(count, velocity=(6.0, 0.0), kind=BICYCLE, yaw_rate=0.3, yaw_rate_sigma=0.06)
    error = rng.multivariate_normal(np.zeros(4), np.diag([0.04, 0.04, 0.09, 0.09]), count)
    point, velocity = error[:, :2].copy(), believed.velocity + error[:, 2:]
    rate, density, dt, actual = 0.3 + rng.normal(0, 0.06, count), (0.4, 0.15), 0.05, []
    speed, heading = np.linalg.norm(velocity, axis=1), np.arctan2(velocity[:, 1], velocity[:, 0])
    for k in range(1, 8 * STEPS + 1):
        heading = heading + rate * dt + rng.normal(size=count) * np.sqrt(density[1] * dt) / 6.0
        speed = speed + rng.normal(size=count) * np.sqrt(density[0] * dt)
        point = point + speed[:, None] * dt * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        rate = rate * np.exp(-dt / CONFIG.turn_decay)
        if k % 8 == 0:
            actual.append(point)
    position, predicted, _ = motion.decaying_turn(believed, TIMES, CONFIG)
    covered = scores.coverage(position, predicted, np.stack(actual, axis=1), 0.95)
    assert 0.90 < covered < 0.98


def test_covariances_are_symmetric_and_grow():
    rng = np.random.default_rng(3)
    some = tracks(50, velocity=rng.normal(0, 5, (50, 2)), yaw_rate=0.4, acceleration=-2.0)
    for model in (motion.constant_velocity, motion.decaying_turn, motion.brake_to_rest):
        _, covariance, _ = model(some, TIMES, CONFIG)
        np.testing.assert_allclose(covariance, np.swapaxes(covariance, -1, -2), atol=1e-9)
        assert (np.linalg.eigvalsh(covariance) > 0).all()
        assert (np.diff(np.linalg.det(covariance), axis=1) > -1e-9).all()


def test_modes_follow_the_evidence():
    straight = mode_probabilities(tracks(yaw_rate=0.02), CONFIG)[0]
    turning = mode_probabilities(tracks(yaw_rate=0.3), CONFIG)[0]
    unsure = mode_probabilities(tracks(yaw_rate=0.3, yaw_rate_sigma=0.5), CONFIG)[0]
    braking = mode_probabilities(tracks(acceleration=-3.0), CONFIG)[0]
    walking = mode_probabilities(tracks(velocity=(1.3, 0), kind=PEDESTRIAN, yaw_rate=0.5), CONFIG)[0]
    assert straight[CONSTANT_VELOCITY] > 0.9 and turning[CONSTANT_TURN] > 0.9 and braking[STOP] > 0.8
    assert 0.1 < unsure[CONSTANT_TURN] < 0.4
    assert walking[CONSTANT_VELOCITY] == 1.0


def test_modes_sum_to_one_per_track():
    rng = np.random.default_rng(4)
    count = 300
    some = TrackStates(
        np.arange(count, dtype=np.uint64) + 7, rng.normal(0, 50, (count, 2)), rng.normal(0, 6, (count, 2)),
        np.tile(np.diag([0.1, 0.1, 0.2, 0.2]), (count, 1, 1)), rng.uniform(-3, 3, count), rng.normal(0, 0.3, count),
        rng.uniform(0.001, 0.3, count), rng.normal(0, 1.5, count), rng.integers(0, 10, count),
    )  # fmt: skip
    paths = predict(some, CONFIG)
    total = np.zeros(count)
    np.add.at(total, paths.track_id.astype(int) - 7, paths.probability)
    np.testing.assert_allclose(total, 1.0)
    assert (np.diff(paths.track_id.astype(int)) >= 0).all()
    assert np.isfinite(paths.position).all() and (np.abs(paths.yaw) <= np.pi).all()


def test_parked_car_does_not_slide_sideways():
    _, covariance, _ = motion.constant_velocity(tracks(velocity=(0.0, 0.0), covariance=np.eye(4) * 1e-4), TIMES, CONFIG)
    assert np.sqrt(covariance[0, -1, 1, 1]) < 0.1 < np.sqrt(covariance[0, -1, 0, 0])


def test_wrong_shapes_and_values_are_refused():
    good = tracks()
    with pytest.raises(ValueError, match=r"covariance: expected \(1, 4, 4\), got \(1, 2, 2\)"):
        TrackStates(
            *(np.zeros((1, 2, 2)) if n == "covariance" else getattr(good, n) for n in good.__dataclass_fields__)
        )
    with pytest.raises(ConfigError, match=r"noise_along: 2 values; expected 10"):
        PredictionConfig(noise_along=(1.0, 2.0))
    with pytest.raises(ConfigError, match=r"brake_low: 2.0; expected less than brake_high 1.5"):
        PredictionConfig(brake_low=2.0)
