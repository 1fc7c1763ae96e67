"""The training of the learned detector runs from scans to models that open; what it learns takes longer."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin_detection.bev_model import LOOK_NAMES
from twin_detection.core.bev_decode import BevCalibration
from twin_detection.core.bev_detector import BevDetector
from twin_detection.core.bev_grid import BevGrid
from twin_detection.models import entry, open_model
from twin_sim.core.frame import Activity

SCRIPT = Path(__file__).resolve().parents[4] / "models/train/bev/train.py"


def module(name: str) -> Any:
    """Return a module of the training, which is no package."""
    sys.path.insert(0, str(SCRIPT.parent))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(SCRIPT.parent))


def test_random_streets_have_people_arm_in_arm_and_two_wheelers_as_low_as_they_are() -> None:
    """Bodies are stretched to their boxes: a parked motorcycle as tall as a rider is none."""
    random_street = module("street").random_street
    streets = [random_street(seed).actors for seed in range(20)]
    actors = np.concatenate(streets)
    two_wheelers = np.isin(actors["classification"], (4, 5, 6))
    parked = two_wheelers & (actors["activity"] == Activity.PARKED)
    ridden = two_wheelers & ~parked
    assert parked.sum() > 10 and ridden.sum() > 40
    assert actors["height"][parked].max() < 1.35 and actors["height"][ridden].min() > 1.45
    assert (np.hypot(actors["velocity_x"], actors["velocity_y"])[ridden] == 0).any()  # who waits
    nearest = []
    for street in streets:
        people = street[street["classification"] == 7]
        apart = np.hypot(people["x"][:, None] - people["x"], people["y"][:, None] - people["y"])
        nearest += (apart + 9.0 * np.eye(len(people))).min(axis=1).tolist()
    assert 0.05 < np.mean(np.array(nearest) < 0.6) < 0.6 and min(nearest) > 0.3


def test_in_about_half_of_the_random_streets_somebody_is_close_beside_the_sensor() -> None:
    random_street = module("street").random_street
    beside = []
    for seed in range(60):
        own, *others = random_street(seed).actors
        beside.append([int(who["classification"]) for who in others if _beside(own, who)])
    assert 0.35 < np.mean([bool(found) for found in beside]) < 0.8
    assert {4, 5, 6, 7} <= set(np.concatenate(beside))


def _beside(own: np.void, who: np.void) -> bool:
    aside = abs(who["y"] - own["y"])
    return bool(who["classification"] >= 4 and abs(who["x"] - own["x"]) < 3.6 and 1.8 < aside < 3.3)


def test_second_looks_learn_side_by_side_what_their_lessons_say_and_the_same_from_the_same_seed() -> None:
    """The network of a smoke run proposes nothing, so that its second looks have no lessons."""
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    import torch

    review = module("review")

    rng = np.random.default_rng(0)
    number = 3000
    kind = rng.choice([3, 6, review.NOTHING], number)
    level = np.select([kind == 3, kind == 6], [0.5, 1.5], 3.0)  # metres above the ground: what tells them apart
    count = np.column_stack([rng.integers(1, 97, number), rng.integers(1, 65, number)])
    clouds = []
    for own, most in zip(count.T, (96, 64), strict=True):
        cloud = rng.normal(0.0, 0.2, (number, most, 3)) + level[:, None, None] * [0, 0, 1]
        clouds.append(cloud[np.arange(number)[:, None], np.arange(most) % own[:, None]].astype(np.float16))
    seen = review.Crops(*clouds, rng.normal(size=(number, review.SCALARS)).astype(np.float32), count)
    lessons = review.Lessons(seen, kind, np.zeros((number, 7), np.float32))
    told = []
    for _ in range(2):
        torch.manual_seed(0)
        networks = review.train_all([lessons, lessons], 0, 12)
        with torch.no_grad():
            inputs = [torch.from_numpy(array).float() for array in (seen.points, seen.earlier, seen.scalars)]
            told.append([network(*inputs).numpy() for network in networks])
    for answer in told[0]:
        assert (answer[:, : review.NOTHING + 1].argmax(axis=1) == kind).mean() > 0.9
    assert not np.array_equal(told[0][0], told[0][1])  # each begins with numbers of its own
    for first, again in zip(*told, strict=True):
        assert np.allclose(first, again, atol=1e-3)


@pytest.mark.parametrize("shape", [(16, 10, 3, 3), (64, 16, 1, 1)])
def test_a_step_of_a_kernel_takes_every_direction_of_its_gradient_about_alike(shape: tuple[int, ...]) -> None:
    """Known truth by singular value decomposition; the polynomial brings values to 0.68 to 1.13."""
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    import torch

    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.zeros(shape).contiguous(memory_format=torch.channels_last))
    kernel.grad = torch.randn(shape)
    left, values, right = torch.linalg.svd(kernel.grad.flatten(1), full_matrices=False)
    module("muon").Muon([kernel], rate=1.0).step()
    along = -(left.T @ kernel.detach().flatten(1) @ right.T) / (0.2 * max(kernel.flatten(1).shape) ** 0.5)
    assert values.max() > 1.8 * values.min()  # the gradient itself favours some directions
    assert along.diagonal().min() > 0.65 and along.diagonal().max() < 1.25
    torch.testing.assert_close(along - torch.diag(along.diagonal()), torch.zeros_like(along), atol=1e-4, rtol=0.0)


def test_steps_of_a_matrix_are_those_of_the_library() -> None:
    """Its Muon counts in bfloat16, so that they differ by a hundredth; momentum and decay show from the second on."""
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    import torch

    torch.manual_seed(0)
    begun = 20.0 * torch.randn(24, 60)
    ours, theirs = torch.nn.Parameter(begun.clone()), torch.nn.Parameter(begun.clone())
    steps = (
        module("muon").Muon([ours], 0.02),
        torch.optim.Muon([theirs], 0.02, 0.01, 0.95, adjust_lr_fn="match_rms_adamw"),
    )
    left, right = torch.linalg.qr(torch.randn(24, 24)).Q, torch.linalg.qr(torch.randn(60, 24)).Q
    for values in (torch.logspace(0, -2, 24), torch.linspace(-1, 1, 24), torch.logspace(-2, 0, 24)):
        ours.grad = theirs.grad = left @ torch.diag(values) @ right.T
        for each in steps:
            each.step()
        assert (ours - theirs).norm() < 0.02 * (theirs - begun).norm()


def test_the_last_layer_biases_and_normalisation_learn_by_adamw() -> None:
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    network = module("network").BevNetwork()
    muon, adamw, *_ = module("muon").Cycle(network, network.heads, 0.01, 10, rising=0.2)._parts
    names = {id(weights): name for name, weights in network.named_parameters()}
    by_muon, by_adamw = ([names[id(weights)] for weights in each.param_groups[0]["params"]] for each in (muon, adamw))
    assert sorted(by_muon + by_adamw) == sorted(names.values())
    assert {"heads.weight", "heads.bias", "stem.1.weight", "lift.bias"} <= set(by_adamw)
    assert {"stem.0.weight", "lift.weight", "last.0.weight"} <= set(by_muon)
    assert all(name.endswith("weight") and not name.startswith("heads") for name in by_muon)


def test_the_losses_of_the_shares_of_a_batch_have_the_mean_of_the_whole() -> None:
    """Whatever is in each share: the weights of all decide what one centre or box counts."""
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    import torch

    loss = module("network").loss
    torch.manual_seed(0)
    heat = torch.rand(4, 7, 8, 8) * 0.9
    heat[0, 6, 3, 3] = heat[3, 0, 1, 1] = heat[3, 2, 5, 6] = 1.0  # one centre in one share, two in the other
    share = (torch.rand(4, 8, 8) < 0.2) * torch.tensor([0.1, 1.0, 0.4, 0.0])[:, None, None]
    batch = (torch.randn(4, 7, 8, 8), torch.randn(4, 10, 8, 8), heat, torch.rand(4, 8, 8), torch.randn(4, 7, 8, 8),
             share, torch.rand(4, 8, 8))  # fmt: skip
    shares = [[part[rows] for part in batch] for rows in (slice(0, 2), slice(2, 4))]
    weights: list[torch.Tensor] = []
    for own in shares:
        loss(*own, mean=lambda values: weights.append(values) or values)
    parts = [loss(*own, mean=lambda _: (weights[0] + weights[1]) / 2) for own in shares]
    for name, value in loss(*batch).items():
        torch.testing.assert_close((parts[0][name] + parts[1][name]) / 2, value)


GRID, EDGE = BevGrid(), 96  # of the image, and of parts of the answer, in its cells


def crowded_scan(corner: tuple[float, float], count: int, points: int, *others: np.ndarray) -> Any:
    """Return a scan with people in one corner, metres, who have so many points each, and others."""
    rng = np.random.default_rng(5)
    labels = np.zeros((count, 9), np.float32)
    labels[:, :2], labels[:, 3:6], labels[:, 8] = rng.uniform(*corner, (count, 2)), 1.0, points
    cloud = rng.uniform(-45.0, 45.0, (2000, 3)) / module("scans").UNIT * (1, 1, 0.02)
    ring = np.zeros(2000, np.uint8)
    labelled = np.concatenate([labels, *others])
    scan = module("scans").LabelledScan
    return scan(cloud.astype(np.int16), ring, cloud[:0].astype(np.int16), ring[:0], 0.0, labelled, 1.8, "OS1-64")


def test_a_part_asks_for_what_the_whole_asks_there() -> None:
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    wanted, rng = module("samples").wanted, np.random.default_rng(5)
    low, high = (-53, -53, 0, 0.4, 0.4, 0.5, -3, 0, 0), (53, 53, 2, 9, 2.5, 3, 3, 7, 12)
    labels = rng.uniform(low, high, (400, 9)).astype(np.float32)
    labels[:, 7] = np.floor(labels[:, 7])
    row, column = 37, 90  # labels lie on all sides of this part's edges
    whole, part = wanted(labels, GRID, (0, 0), 200), wanted(labels, GRID, (row, column), EDGE)
    for array, own in zip(whole, part, strict=True):
        assert own.shape[-2:] == (EDGE, EDGE)
        np.testing.assert_allclose(own, array[..., row : row + EDGE, column : column + EDGE], atol=1e-5)
    assert (part[0] == 1).sum() > 20 and (part[1] == 0).any()  # somebody is asked for, and somebody is too faint
    with pytest.raises(ValueError, match="expected one within 200 x 200"):
        wanted(labels, GRID, (row, 150), EDGE)


def test_a_sample_shows_the_same_part_of_image_and_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The distance channel tells from where a part of an image is."""
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    samples = module("samples")
    monkeypatch.setattr(samples.Samples, "_fullest_part", lambda *_: (37, 90))
    image, heat, *_ = samples.Samples([crowded_scan((20, 45), 30, 9)], 1, 0, GRID, 2 * EDGE)[0]
    whole = GRID.image(np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
    assert heat.shape[1:] == (EDGE, EDGE)
    np.testing.assert_allclose(image[-1].numpy(), whole[-1, 74 : 74 + 2 * EDGE, 180 : 180 + 2 * EDGE])


def test_parts_with_more_who_are_asked_for_are_shown_more_often(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    samples = module("samples")
    faint = crowded_scan((-45, -20), 60, 3).labels  # more, but nobody whom to ask for
    scan, seen = crowded_scan((20, 45), 30, 12, faint), []
    for drawn in (samples._DRAWN_PARTS, 1):
        monkeypatch.setattr(samples, "_DRAWN_PARTS", drawn)
        shown = samples.Samples([scan], 300, 0, GRID, 2 * EDGE)
        seen.append(np.mean([(shown[index][1] > 0.999).sum() for index in range(300)]))
    assert seen[1] > 1.0
    assert seen[0] > 1.4 * seen[1]


def test_a_smoke_run_makes_models_that_open(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is absent: scripts/setup-training brings it")
    command = [sys.executable, str(SCRIPT), "--smoke", "--threads", "4", "--out", str(tmp_path), "--scans",
               str(tmp_path / "scans")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "vehicles, class aside: AP" in done.stdout
    assert "--smoke --seed 0 --samples" in entry("bev", tmp_path).made
    calibration = BevCalibration.read(entry("bev", tmp_path).extra)
    readers = [open_model(name, folder=tmp_path) for name in LOOK_NAMES]
    detector = BevDetector(open_model("bev", folder=tmp_path), readers, calibration, 1.9, 0.0)
    rng = np.random.default_rng(0)
    points = rng.uniform((-40, -40, -1.9), (40, 40, 1.0), (5000, 3)).astype(np.float32)
    found, members = detector.step(points, np.zeros(5000, np.float32))
    assert members.shape == (5000,) and np.isfinite(found.centre).all()
