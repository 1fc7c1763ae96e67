"""Trains the network that judges clusters of points: ``python models/train/points/train.py --seed 0``.

Makes the samples (unless ``--samples`` has them), trains, calibrates on runs that were not trained on, and writes
``models/points.onnx`` with its entry in the manifest.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from calibrate import calibrated
from data import make_samples
from export import export, runnable
from network import PointNetwork, losses
from samples import Samples
from streets import reliability_on_streets

from twin_detection.core.point_network import CLASSES, Calibration

ROOT = Path(__file__).resolve().parents[3]
SCENARIOS = "config/scenarios"
TRAINED_ON, CHECKED_ON = range(0, 20), range(800, 804)  # seeds of the runs
BATCH, RATE, DECAY = 512, 3e-3, 1e-4
#: Samples of a class count by its frequency to the power of minus this.
BALANCE = 0.35
WEIGHTS = {"class": 1.0, "posture": 0.3, "place": 0.5, "size": 1.0, "heading": 0.3}


def main() -> int:
    """Train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the network and of the order of samples")
    parser.add_argument("--scans", type=int, default=2700, help="at least so many scans are trained on")
    parser.add_argument("--epochs", type=int, default=48)
    parser.add_argument("--samples", type=Path, help="folder where samples are kept between runs")
    parser.add_argument("--out", type=Path, default=ROOT / "models", help="folder of the model and the manifest")
    options = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    train = _samples(options.samples, "train", TRAINED_ON, options.scans)
    check = _samples(options.samples, "check", CHECKED_ON, max(options.scans // 6, 40))
    print(
        f"{len(train)} clusters to train on, {len(check)} to check, after {time.monotonic() - began:.0f} s", flush=True
    )
    network = trained(train, check, options.seed, options.epochs)
    found = calibrated(network, check)
    streets = reliability_on_streets(ROOT / SCENARIOS, runnable(network), Calibration(**found))
    amounts = f"--seed {options.seed} --scans {options.scans} --epochs {options.epochs}"
    made = f"python models/train/points/train.py {amounts}"
    export(network, options.out, {**found, "streets": streets.written()}, made)
    print(f"done after {time.monotonic() - began:.0f} s")
    return 0


def _samples(folder: Path | None, name: str, seeds: range, scans: int) -> Samples:
    path = folder / f"{name}.npz" if folder else None
    if path is not None and path.is_file():
        with np.load(path) as stored:
            return Samples(**{key: stored[key] for key in Samples.__dataclass_fields__})
    made = make_samples(ROOT / SCENARIOS, seeds, scans)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **{key: getattr(made, key) for key in Samples.__dataclass_fields__})
    return made


def tensors(samples: Samples) -> dict[str, torch.Tensor]:
    """Return samples as tensors."""
    return {
        "points": torch.from_numpy(samples.points.astype(np.float32)), "scalars": torch.from_numpy(samples.scalars),
        "label": torch.from_numpy(samples.label.astype(np.int64)),
        "posture": torch.from_numpy(samples.posture.astype(np.int64)),
        "box": torch.from_numpy(samples.box.astype(np.float32)), "boxed": torch.from_numpy(samples.boxed),
    }  # fmt: skip


def trained(train: Samples, check: Samples, seed: int, epochs: int) -> PointNetwork:
    """Return the trained network; prints how it does."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    scalars = train.scalars
    network = PointNetwork(torch.from_numpy(scalars.mean(axis=0)), torch.from_numpy(scalars.std(axis=0) + 1e-3))
    share = np.bincount(train.label, minlength=CLASSES) / len(train)
    weight = share[train.label] ** -BALANCE
    batches = len(train) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=max(epochs * batches, 1), pct_start=0.1)
    data = tensors(train)
    for epoch in range(epochs):
        total: dict[str, float] = {}
        drawn = rng.choice(len(train), batches * BATCH, p=weight / weight.sum())
        for rows in np.split(drawn, batches):
            batch = _mirrored({name: values[rows] for name, values in data.items()}, rng)
            terms = losses(network(batch["points"], batch["scalars"]), batch)
            loss = sum(WEIGHTS[name] * term for name, term in terms.items())
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            for name, term in terms.items():
                total[name] = total.get(name, 0.0) + float(term.detach()) / batches
        if epoch % 5 == 4 or epoch == epochs - 1:
            print(f"epoch {epoch + 1}: {_shown(total)}; checked: {_shown(_check(network, check))}", flush=True)
    return network


#: Scalars that change their sign when left and right are changed.
_ODD = (13, 17, 19)


def _mirrored(batch: dict[str, torch.Tensor], rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """Return half of the samples mirrored about the view, with a little noise on their points."""
    sign = torch.from_numpy(np.where(rng.random(len(batch["label"])) < 0.5, -1.0, 1.0).astype(np.float32))
    points = batch["points"].clone()
    points[:, :, 1] *= sign[:, None]
    points += 0.01 * torch.randn(points.shape)
    scalars, box = batch["scalars"].clone(), batch["box"].clone()
    for column in _ODD:
        scalars[:, column] *= sign
    box[:, 1] *= sign
    box[:, 5] *= sign
    return {**batch, "points": points, "scalars": scalars, "box": box}


def _check(network: PointNetwork, check: Samples) -> dict[str, float]:
    data = tensors(check)
    with torch.no_grad():
        answer = network(data["points"], data["scalars"])
        terms = {name: float(value) for name, value in losses(answer, data).items()}
    right = answer[:, :CLASSES].argmax(dim=1) == data["label"]
    per_class = [
        float(right[data["label"] == label].float().mean()) for label in range(CLASSES) if (check.label == label).any()
    ]
    return terms | {"accuracy": float(right.float().mean()), "by class": float(np.mean(per_class))}


def _shown(terms: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in terms.items())


if __name__ == "__main__":
    raise SystemExit(main())
