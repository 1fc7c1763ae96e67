"""The motion filters against known truth: Jacobian, error, consistency."""

import numpy as np
from scipy.stats import chi2

from twin_tracking.config import TrackerConfig
from twin_tracking.core.motion import STANDING, STRAIGHT, TURNING, Motion, MotionModel
from twin_tracking.core.turning import turn

DT = 0.1


def test_turning_follows_the_circle_and_its_jacobian_is_the_derivative() -> None:
    mean = np.array([[3.0, -2.0, 8.0, 1.0, 0.5], [0, 0, 5, -3, 1e-5], [1, 1, 0.0, 0.0, -0.7], [0, 0, -2, 4, 0.0]]).T
    moved, jacobian = turn(mean, DT)
    speed = np.hypot(*mean[2:4])
    np.testing.assert_allclose(np.hypot(*moved[2:4]), speed, atol=1e-9)
    fine = mean.copy()
    for _ in range(1000):
        fine = turn(fine, DT / 1000)[0]
    np.testing.assert_allclose(moved, fine, atol=1e-6)
    for state in range(5):
        step = np.zeros((5, 1))
        step[state] = 1e-5
        slope = (turn(mean + step, DT)[0] - turn(mean - step, DT)[0]) / 2e-5
        np.testing.assert_allclose(jacobian[:, state], slope, atol=1e-5, err_msg=f"state {state}")


def filtered(
    truth: np.ndarray, sigma: float, seed: int, only: int | None = None, share: float = 1.0
) -> tuple[MotionModel, Motion]:
    """Filter noisy positions of ``truth`` (T, N, 2); all N tracks at once. ``only``: the one mode that is allowed."""
    rng = np.random.default_rng(seed)
    rates = {} if only is None else dict.fromkeys(("stop_rate", "start_rate", "turn_begin_rate", "turn_end_rate"), 1e-3)
    model = MotionModel(TrackerConfig(**rates))
    count = truth.shape[1]
    noise = np.tile(sigma**2 * np.eye(2), (count, 1, 1))
    one, zero = np.ones(count), np.zeros(count)
    measured = truth + rng.normal(0, sigma, truth.shape)
    motion = model.birth(measured[0], noise, 10 * one, zero, 3 * one, zero)
    for position in measured[1:]:
        if only is not None:
            motion.probability[:] = 1e-9
            motion.probability[only] = 1.0
        motion = model.predict(motion, 3.0 * one, share * one, DT)
        motion, _ = model.update(motion, position, noise, one, zero)
    return model, motion


def nees(model: MotionModel, motion: Motion, truth: np.ndarray) -> np.ndarray:
    """Normalised squared error of (x, y, velocity), (N,)."""
    moments = model.moments(motion)
    error = moments.mean[:, :4] - truth
    return np.einsum("ni,nij,nj->n", error, np.linalg.inv(moments.covariance[:, :4, :4]), error)


def white_acceleration(count: int, steps: int, density: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, N, 2) of objects whose acceleration is white noise, and their last state (N, 4)."""
    rng = np.random.default_rng(seed)
    q = density * np.array([[DT**3 / 3, DT**2 / 2], [DT**2 / 2, DT]])
    root = np.linalg.cholesky(q)
    state = np.zeros((2, count, 2))
    state[1] = rng.normal(0, 7, (count, 2))
    path = [state[0].copy()]
    for _ in range(steps - 1):
        noise = np.einsum("ab,bnc->anc", root, rng.normal(size=(2, count, 2)))
        state = np.stack([state[0] + DT * state[1], state[1]]) + noise
        path.append(state[0].copy())
    return np.array(path), np.concatenate([state[0], state[1]], axis=1)


def test_straight_mode_is_consistent_where_its_model_holds() -> None:
    runs = 400
    path, last = white_acceleration(runs, 40, density=3.0, seed=1)
    model, motion = filtered(path, 0.2, seed=2, only=STRAIGHT)
    low, high = chi2.ppf((0.025, 0.975), 4 * runs) / runs
    assert low < nees(model, motion, last).mean() < high


def test_mixture_is_not_overconfident_and_at_most_twice_too_careful() -> None:
    runs = 400
    path, last = white_acceleration(runs, 40, density=3.0, seed=3)
    model, motion = filtered(path, 0.2, seed=4)
    high = chi2.ppf(0.975, 4 * runs) / runs
    assert 2.0 < nees(model, motion, last).mean() < 1.1 * high


def constant_turn(count: int, steps: int, speed: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    heading = np.linspace(-np.pi, np.pi, count) + rate * DT * np.arange(steps)[:, None]
    path = speed / rate * np.stack([np.sin(heading), -np.cos(heading)], axis=2)
    last = np.column_stack([path[-1], speed * np.cos(heading[-1]), speed * np.sin(heading[-1])])
    return path, last


def test_turning_mode_is_found_and_measures_the_turn_rate() -> None:
    path, last = constant_turn(200, 40, speed=8.0, rate=0.6)
    model, motion = filtered(path, 0.15, seed=5, share=0.2)
    moments = model.moments(motion)
    assert (motion.probability.argmax(axis=0) == TURNING).mean() > 0.9
    assert abs(moments.mean[:, 4].mean() - 0.6) < 0.05
    assert np.sqrt(((moments.mean[:, :2] - last[:, :2]) ** 2).sum(axis=1).mean()) < 0.2
    assert np.sqrt(((moments.mean[:, 2:4] - last[:, 2:]) ** 2).sum(axis=1).mean()) < 1.0


def test_position_and_speed_errors_are_below_those_of_the_measurements() -> None:
    start, velocity = np.zeros((300, 2)), np.tile([10.0, 3.0], (300, 1))
    path = start + velocity * (DT * np.arange(40))[:, None, None]
    model, motion = filtered(path, 0.3, seed=6, share=0.2)
    moments = model.moments(motion)
    position_rmse = np.sqrt(((moments.mean[:, :2] - path[-1]) ** 2).sum(axis=1).mean())
    speed_rmse = np.sqrt(((moments.mean[:, 2:4] - velocity) ** 2).sum(axis=1).mean())
    assert position_rmse < 0.75 * 0.3 * np.sqrt(2)
    assert speed_rmse < 0.15 * 0.3 * 2 / DT, "0.3 * 2 / DT: the difference of two measurements"


def test_standing_objects_stand() -> None:
    path = np.zeros((40, 300, 2))
    model, motion = filtered(path, 0.2, seed=7)
    moments = model.moments(motion)
    assert (motion.probability.argmax(axis=0) == STANDING).mean() > 0.95
    assert np.sqrt((moments.mean[:, 2:4] ** 2).sum(axis=1).mean()) < 0.15
    assert np.sqrt((moments.mean[:, :2] ** 2).sum(axis=1).mean()) < 0.12


def test_two_half_steps_are_nearly_one_step() -> None:
    path, _ = constant_turn(20, 20, speed=8.0, rate=0.4)
    model, motion = filtered(path, 0.2, seed=8)
    density, share = np.full(20, 3.0), np.full(20, 0.2)
    whole = model.moments(model.predict(motion, density, share, 0.2))
    halves = model.moments(model.predict(model.predict(motion, density, share, 0.1), density, share, 0.1))
    np.testing.assert_allclose(whole.mean[:, :4], halves.mean[:, :4], atol=0.05)
    np.testing.assert_allclose(whole.covariance[:, :2, :2], halves.covariance[:, :2, :2], atol=0.03)


def test_an_earlier_measurement_counts_at_its_own_time() -> None:
    path = np.array([10.0, 0.0]) * (DT * np.arange(30))[:, None, None] + np.zeros((1, 100, 2))
    model, motion = filtered(path, 0.2, seed=9)
    count, tau = 100, np.full(100, -0.05)
    noise = np.tile(0.01**2 * np.eye(2), (count, 1, 1))
    at_its_time = path[-1] + 0.05 * -np.array([10.0, 0.0])
    motion, _ = model.update(motion, at_its_time, noise, np.ones(count), tau)
    assert np.abs(model.moments(motion).mean[:, :2] - path[-1]).max() < 0.08
