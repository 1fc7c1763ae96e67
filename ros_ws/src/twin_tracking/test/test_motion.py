"""The motion filters against known truth: Jacobian, error, consistency."""

import numpy as np
import pytest
from scipy.stats import chi2

from twin_tracking.config import TrackerConfig
from twin_tracking.core.classes import CAR
from twin_tracking.core.detections import DETECTION
from twin_tracking.core.motion import MotionModel, turn
from twin_tracking.core.state import STANDING, STRAIGHT, TRACK, TURNING

DT = 0.1


def turned(state: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    moved, jacobian = state.copy(), np.zeros((5, 5))
    turn(moved, dt, jacobian)
    return moved, jacobian


@pytest.mark.parametrize(
    "state", [(3.0, -2.0, 8.0, 1.0, 0.5), (0, 0, 5, -3, 1e-5), (1, 1, 0.0, 0.0, -0.7), (0, 0, -2, 4, 0.0)]
)
def test_turning_follows_the_circle_and_its_jacobian_is_the_derivative(state: tuple[float, ...]) -> None:
    mean = np.array(state, float)
    moved, jacobian = turned(mean, DT)
    np.testing.assert_allclose(np.hypot(*moved[2:4]), np.hypot(*mean[2:4]), atol=1e-9)
    fine = mean
    for _ in range(1000):
        fine = turned(fine, DT / 1000)[0]
    np.testing.assert_allclose(moved, fine, atol=1e-6)
    for axis in range(5):
        step = np.zeros(5)
        step[axis] = 1e-5
        slope = (turned(mean + step, DT)[0] - turned(mean - step, DT)[0]) / 2e-5
        np.testing.assert_allclose(jacobian[:, axis], slope, atol=1e-5, err_msg=f"state {axis}")


def measured(position: np.ndarray, sigma: float, time_offset: float = 0.0) -> np.ndarray:
    """Detections at ``position`` (N, 2)."""
    seen = np.zeros(len(position), DETECTION)
    seen["position"][:, :2], seen["noise"] = position, sigma**2 * np.eye(2)
    seen["velocity"], seen["time_offset"] = np.nan, time_offset
    return seen


def model_of(density: float = 3.0, share: float = 1.0, **settings: float) -> MotionModel:
    same = {"acceleration_density": (density,) * 10, "sideways_share": (share,) * 10, "birth_speed_sigma": (10.0,) * 10}
    return MotionModel(TrackerConfig(**same, **settings))


def filtered(
    truth: np.ndarray, sigma: float, seed: int, only: int | None = None, share: float = 1.0
) -> tuple[MotionModel, np.ndarray]:
    """Filter noisy positions of ``truth`` (T, N, 2); all N tracks at once. ``only``: the one mode that is allowed."""
    rng = np.random.default_rng(seed)
    rates = {} if only is None else dict.fromkeys(("stop_rate", "start_rate", "turn_begin_rate", "turn_end_rate"), 1e-3)
    model = model_of(share=share, **rates)
    count = truth.shape[1]
    positions = truth + rng.normal(0, sigma, truth.shape)
    tracks, each = np.zeros(count, TRACK), np.arange(count)
    tracks["class_probability"][:, CAR], tracks["yaw_variance"] = 1.0, 3.0
    model.birth(tracks, measured(positions[0], sigma), each)
    for position in positions[1:]:
        if only is not None:
            tracks["mode"] = 1e-9
            tracks["mode"][:, only] = 1.0
        model.predict(tracks, DT)
        model.update(tracks, measured(position, sigma), each)
    return model, tracks


def nees(tracks: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Normalised squared error of (x, y, velocity), (N,)."""
    error = tracks["estimate"][:, :4] - truth
    return np.einsum("ni,nij,nj->n", error, np.linalg.inv(tracks["spread"][:, :4, :4]), error)


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
    _, tracks = filtered(path, 0.2, seed=2, only=STRAIGHT)
    low, high = chi2.ppf((0.025, 0.975), 4 * runs) / runs
    assert low < nees(tracks, last).mean() < high


def test_mixture_is_not_overconfident_and_at_most_twice_too_careful() -> None:
    runs = 400
    path, last = white_acceleration(runs, 40, density=3.0, seed=3)
    _, tracks = filtered(path, 0.2, seed=4)
    high = chi2.ppf(0.975, 4 * runs) / runs
    assert 2.0 < nees(tracks, last).mean() < 1.1 * high


def constant_turn(count: int, steps: int, speed: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    heading = np.linspace(-np.pi, np.pi, count) + rate * DT * np.arange(steps)[:, None]
    path = speed / rate * np.stack([np.sin(heading), -np.cos(heading)], axis=2)
    last = np.column_stack([path[-1], speed * np.cos(heading[-1]), speed * np.sin(heading[-1])])
    return path, last


def test_turning_mode_is_found_and_measures_the_turn_rate() -> None:
    path, last = constant_turn(200, 40, speed=8.0, rate=0.6)
    _, tracks = filtered(path, 0.15, seed=5, share=0.2)
    assert (tracks["mode"].argmax(axis=1) == TURNING).mean() > 0.9
    assert abs(tracks["estimate"][:, 4].mean() - 0.6) < 0.05
    assert np.sqrt(((tracks["estimate"][:, :2] - last[:, :2]) ** 2).sum(axis=1).mean()) < 0.2
    assert np.sqrt(((tracks["estimate"][:, 2:4] - last[:, 2:]) ** 2).sum(axis=1).mean()) < 1.0


def test_position_and_speed_errors_are_below_those_of_the_measurements() -> None:
    start, velocity = np.zeros((300, 2)), np.tile([10.0, 3.0], (300, 1))
    path = start + velocity * (DT * np.arange(40))[:, None, None]
    _, tracks = filtered(path, 0.3, seed=6, share=0.2)
    position_rmse = np.sqrt(((tracks["estimate"][:, :2] - path[-1]) ** 2).sum(axis=1).mean())
    speed_rmse = np.sqrt(((tracks["estimate"][:, 2:4] - velocity) ** 2).sum(axis=1).mean())
    assert position_rmse < 0.75 * 0.3 * np.sqrt(2)
    assert speed_rmse < 0.15 * 0.3 * 2 / DT, "0.3 * 2 / DT: the difference of two measurements"


def test_standing_objects_stand() -> None:
    path = np.zeros((40, 300, 2))
    _, tracks = filtered(path, 0.2, seed=7)
    assert (tracks["mode"].argmax(axis=1) == STANDING).mean() > 0.95
    assert np.sqrt((tracks["estimate"][:, 2:4] ** 2).sum(axis=1).mean()) < 0.15
    assert np.sqrt((tracks["estimate"][:, :2] ** 2).sum(axis=1).mean()) < 0.12


def test_two_half_steps_are_nearly_one_step() -> None:
    path, _ = constant_turn(20, 20, speed=8.0, rate=0.4)
    model, whole = filtered(path, 0.2, seed=8, share=0.2)
    halves = whole.copy()
    model.predict(whole, 0.2)
    model.predict(halves, 0.1)
    model.predict(halves, 0.1)
    np.testing.assert_allclose(whole["estimate"][:, :4], halves["estimate"][:, :4], atol=0.05)
    np.testing.assert_allclose(whole["spread"][:, :2, :2], halves["spread"][:, :2, :2], atol=0.03)


def test_an_earlier_measurement_counts_at_its_own_time() -> None:
    path = np.array([10.0, 0.0]) * (DT * np.arange(30))[:, None, None] + np.zeros((1, 100, 2))
    model, tracks = filtered(path, 0.2, seed=9)
    at_its_time = path[-1] + 0.05 * -np.array([10.0, 0.0])
    model.update(tracks, measured(at_its_time, 0.01, time_offset=-0.05), np.arange(100))
    assert np.abs(tracks["estimate"][:, :2] - path[-1]).max() < 0.08
