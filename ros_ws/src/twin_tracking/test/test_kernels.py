"""The compiled loops against the same formulas in NumPy."""

import importlib
from pkgutil import iter_modules

import numba
import numpy as np
import numpy_reference as reference
import pytest

from twin_common.core.compiled import kernel
from twin_tracking.config import TrackerConfig
from twin_tracking.core import attributes, existence, heading
from twin_tracking.core.classes import PEDESTRIAN
from twin_tracking.core.detections import limits_of, prepare
from twin_tracking.core.motion import MotionModel
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.state import TRACK
from twin_tracking.core.tracker import Tracker
from twin_tracking.synthetic import START_NS, clutter, crowd, detect, joined
from twin_tracking.warm_up import warm_up

STEP_NS = 100_000_000
CONFIG = TrackerConfig()
CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@pytest.fixture(scope="module")
def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracks with a past, new detections, and a detection or none for each track."""
    objects, rng = crowd(40, np.random.default_rng(1), (80.0, 60.0)), np.random.default_rng(2)
    tracker = Tracker(CONFIG)
    for step in range(12):
        seen = joined(detect(objects.at(0.1 * step), rng, miss=0.2), clutter(6, rng, (80.0, 60.0)))
        tracker.step(seen, START_NS + step * STEP_NS)
    tracks = tracker._state.copy()
    seen = detect(objects.at(1.2), rng, time_offset=rng.uniform(-0.05, 0.0, 40))
    seen.velocity[::3] = rng.normal(0, 5, (14, 2))
    detections = prepare(seen, limits_of(CONFIG))
    partner = np.where(rng.random(len(tracks)) < 0.7, rng.integers(0, len(detections), len(tracks)), -1)
    return tracks, detections, partner


def motion_of(tracks: np.ndarray) -> reference.Motion:
    return reference.Motion(
        tracks["mean"].transpose(2, 1, 0).copy(), tracks["covariance"].transpose(2, 3, 1, 0).copy(),
        tracks["mode"].T.copy(),
    )  # fmt: skip


def assert_motion(tracks: np.ndarray, motion: reference.Motion, moments: reference.Moments) -> None:
    np.testing.assert_allclose(tracks["mean"].transpose(2, 1, 0), motion.mean, **CLOSE)
    np.testing.assert_allclose(tracks["covariance"].transpose(2, 3, 1, 0), motion.covariance, **CLOSE)
    np.testing.assert_allclose(tracks["mode"].T, motion.probability, **CLOSE)
    np.testing.assert_allclose(tracks["estimate"], moments.mean, **CLOSE)
    np.testing.assert_allclose(tracks["spread"], moments.covariance, **CLOSE)


@pytest.mark.parametrize("dt", [0.01, 0.1, 1.5])
def test_predicted_motion(scene, dt: float) -> None:
    tracks, model, numpy_model = scene[0].copy(), MotionModel(CONFIG), reference.MotionModel(CONFIG)
    density = tracks["class_probability"] @ np.array(CONFIG.acceleration_density)
    share = tracks["class_probability"] @ np.array(CONFIG.sideways_share)
    expected = numpy_model.predict(motion_of(tracks), density, share, dt)
    model.predict(tracks, dt)
    assert_motion(tracks, expected, numpy_model.moments(expected))


def test_corrected_motion_and_density(scene) -> None:
    tracks, detections, partner = scene[0].copy(), scene[1], scene[2]
    numpy_model, hit = reference.MotionModel(CONFIG), partner >= 0
    seen, one = detections[partner[hit]], np.ones(int(hit.sum()))
    expected, likely = numpy_model.update(
        motion_of(tracks[hit]), seen["position"][:, :2], seen["noise"], one, seen["time_offset"]
    )
    fast = np.isfinite(seen["velocity"]).all(axis=1)
    assert 0 < fast.sum() < len(fast)
    part = reference.Motion(expected.mean[..., fast], expected.covariance[..., fast], expected.probability[:, fast])
    noise = np.tile(CONFIG.velocity_sigma**2 * np.eye(2), (int(fast.sum()), 1, 1))
    part, _ = numpy_model.update(part, seen["velocity"][fast], noise, 0 * one[fast], one[fast])
    expected.mean[..., fast], expected.covariance[..., fast] = part.mean, part.covariance
    expected.probability[:, fast] = part.probability
    density = MotionModel(CONFIG).update(tracks, detections, partner)
    np.testing.assert_allclose(density[hit], likely, **CLOSE)
    assert not density[~hit].any()
    assert_motion(tracks[hit], expected, numpy_model.moments(expected))
    np.testing.assert_array_equal(tracks[~hit], scene[0][~hit])


def test_motion_at_birth(scene) -> None:
    detections = scene[1]
    count, chosen = len(detections), np.arange(len(detections))
    young, numpy_model = np.zeros(count, TRACK), reference.MotionModel(CONFIG)
    attributes.birth(young, detections, chosen, attributes.memory_of(CONFIG))
    young["yaw_variance"] = 0.05
    MotionModel(CONFIG).birth(young, detections, chosen)
    sigma = young["class_probability"] @ np.array(CONFIG.birth_speed_sigma)
    expected = numpy_model.birth(
        detections["position"][:, :2], detections["noise"], sigma, detections["yaw"], young["yaw_variance"],
        detections["time_offset"],
    )  # fmt: skip
    without = ~np.isfinite(detections["velocity"]).all(axis=1)
    part = reference.Motion(
        expected.mean[..., without], expected.covariance[..., without], expected.probability[:, without]
    )
    assert_motion(young[without], part, numpy_model.moments(part))


def test_headings(scene) -> None:
    tracks, detections, partner = scene[0].copy(), scene[1], scene[2]
    turning, probability, hit = heading.turning_of(CONFIG), scene[0]["class_probability"], scene[2] >= 0
    state = reference.Heading(tracks["yaw"].copy(), tracks["yaw_variance"].copy(), tracks["ahead"].copy())
    rate = np.where(np.abs(tracks["estimate"][:, 4]) > 0.02, tracks["estimate"][:, 4], 0.0)
    density = (probability @ np.array(CONFIG.heading_density)) * (1.02 - tracks["mode"][:, 0])
    state = reference.predict_heading(state, rate, density, 0.1)
    heading.predict(tracks, 0.1, turning)
    assert_heading(tracks, state)
    part, seen = reference.Heading(state.yaw[hit], state.variance[hit], state.ahead[hit]), detections[partner[hit]]
    noise = seen["yaw_variance"] + probability[hit] @ np.array(CONFIG.box_yaw_sigma) ** 2
    part = reference.update_from_box(part, seen["yaw"], noise)
    state.yaw[hit], state.variance[hit] = part.yaw, part.variance
    heading.update(tracks, detections, partner, turning)
    assert_heading(tracks, state)
    memory = probability @ np.array(CONFIG.front_memory)
    velocity, spread = tracks["estimate"][:, 2:4], tracks["spread"][:, 2:4, 2:4]
    state = reference.update_from_motion(state, velocity, spread, memory, 0.1)
    heading.follow_motion(tracks, 0.1, turning)
    assert_heading(tracks, state)


def assert_heading(tracks: np.ndarray, state: reference.Heading) -> None:
    turned = np.mod(tracks["yaw"] - state.yaw + np.pi, 2 * np.pi) - np.pi
    np.testing.assert_allclose(turned, 0.0, atol=1e-9)
    np.testing.assert_allclose(tracks["yaw_variance"], state.variance, **CLOSE)
    np.testing.assert_allclose(tracks["ahead"], state.ahead, **CLOSE)


def test_existence(scene) -> None:
    tracks, detections, partner = scene[0].copy(), scene[1], scene[2]
    density, rates = np.random.default_rng(3).uniform(0, 2, len(tracks)), existence.rates_of(CONFIG)
    visible, hidden = reference.predict_existence(tracks["visible"], tracks["hidden"], 0.1, CONFIG)
    existence.predict(tracks, 0.1, rates)
    hit = reference.hit(visible, hidden, density, CONFIG)
    missed = reference.miss(visible, hidden, 0.1, CONFIG)
    found = np.full(len(tracks), CONFIG.detection_probability)
    existence.update(tracks, detections, partner, density, found, 0.1, START_NS + 12 * STEP_NS, rates)
    np.testing.assert_allclose(tracks["visible"], np.where(partner >= 0, hit[0], missed[0]), **CLOSE)
    np.testing.assert_allclose(tracks["hidden"], np.where(partner >= 0, hit[1], missed[1]), **CLOSE)


def test_attributes(scene) -> None:
    tracks, detections, partner = scene[0].copy(), scene[1], scene[2]
    before, hit, stamp_ns = tracks[partner >= 0].copy(), partner >= 0, START_NS + 12 * STEP_NS
    attributes.update(tracks, detections, partner, stamp_ns, attributes.memory_of(CONFIG))
    seen, after = detections[partner[hit]], tracks[hit]
    elapsed = (stamp_ns - before["last_ns"]) / 1e9
    noise = np.maximum(seen["covariance"][:, 2, 2], 0.05**2)
    z, variance = reference.update_height(before["z"], before["z_variance"], seen["position"][:, 2], noise)
    np.testing.assert_allclose(after["z"], z, **CLOSE)
    np.testing.assert_allclose(after["z_variance"], variance, **CLOSE)
    crossed = np.abs(reference.half_turn(seen["yaw"] - before["yaw"])) > np.pi / 4
    assert 0 < crossed.sum() < len(crossed)
    measured = np.where(crossed[:, None], seen["size"][:, [1, 0, 2]], seen["size"])
    size, weight = reference.update_size(
        before["size"], before["size_weight"], measured, reference.view_weight(seen["point_count"]),
        CONFIG.size_memory, CONFIG.size_expectile,
    )  # fmt: skip
    np.testing.assert_allclose(after["size"], size, **CLOSE)
    np.testing.assert_allclose(after["size_weight"], weight, **CLOSE)
    probability = reference.update_class(
        before["class_probability"], seen["class_probability"], elapsed, CONFIG.class_memory,
        np.exp(-np.maximum(before["fastest"][:, None] - np.array(CONFIG.usual_top_speed), 0.0) / attributes.SPEED_STEP),
        np.where(seen["point_count"] > 0, np.minimum(seen["point_count"] / attributes.CLASS_POINTS, 1.0), 1.0),
    )  # fmt: skip
    assert (before["fastest"] > CONFIG.usual_top_speed[PEDESTRIAN]).any()
    np.testing.assert_allclose(after["class_probability"], probability, **CLOSE)


def test_a_kernel_compiles_where_nothing_can_be_kept(monkeypatch, tmp_path) -> None:
    """A read-only install without a home: compiled anew in each process, not refused."""

    def refuse(*_arguments: object, **options: object) -> object:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.jit(nopython=True)

    monkeypatch.setattr(numba, "njit", refuse)
    twice = kernel(lambda value: 2 * value)
    assert twice(21) == 42


def test_nothing_is_compiled_after_the_warm_up() -> None:
    """A live step must never wait for the compiler: same kernels, same types of arrays."""
    import twin_tracking.core as core

    def compiled() -> int:
        modules = [importlib.import_module(f"{core.__name__}.{found.name}") for found in iter_modules(core.__path__)]
        kernels = {
            id(value): value for module in modules for value in vars(module).values() if hasattr(value, "signatures")
        }
        return sum(len(kernel.signatures) for kernel in kernels.values())

    warm_up()
    before = compiled()
    objects, rng, tracker = crowd(40, np.random.default_rng(4), (80.0, 60.0)), np.random.default_rng(5), Tracker(CONFIG)
    for step in range(8):
        tracker.step(
            detect(objects.at(0.1 * step), rng, miss=0.2, existence=0.3 + 0.1 * step), START_NS + step * STEP_NS
        )
        tracker.step(clutter(6, rng, (80.0, 60.0)), START_NS + step * STEP_NS - STEP_NS // 2)
    plain, strided = np.zeros((4, 2)), np.zeros((4, 6))[:, :2]
    for centres in (plain, strided):
        for points in (plain, strided):
            assert len(near_pairs(centres, np.ones(4), points)[0]) == 16
    assert compiled() == before > 15
