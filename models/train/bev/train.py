#!/usr/bin/env python3
"""Trains the bird's-eye-view detector on simulated scans, calibrates it on held-out ones and exports it.

`scripts/setup-training` first. models/train/README.md says what is made, and how long it takes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import data
import export
import hardware
import numpy as np
import review
import score
import torch
from muon import Cycle
from network import COARSEST, BevNetwork, loss
from samples import Samples
from scans import LabelledScan
from torch import Tensor, nn
from torch import distributed as dist
from torch.utils.data import DataLoader, Subset

from twin_detection.bev_model import LOOK_NAMES
from twin_detection.core.bev_grid import BevGrid

ROOT = Path(__file__).resolve().parents[3]
BATCH = 4
RATE = 8e-3
#: Weights of the parts of the loss.
PARTS = {"focal": 1.0, "place": 1.0, "size": 0.7, "heading": 0.7, "spread": 1.0}


def main(arguments: list[str] | None = None) -> int:
    """Make the data, train, calibrate, export; return 0."""
    options = _options(arguments)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    amount = data.SMOKE if options.smoke else data.Amount()
    samples = 4 * BATCH if options.smoke else options.samples
    started = time.monotonic()
    training, held = data.tasks(options.scans, ROOT / "config" / "scenarios", options.seed, amount)
    made = [data.make_all(some, options.threads) for some in (training, held)]
    try:
        scans, held_scans = map(data.read_all, made)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    print(
        f"scans: {len(scans)} to train on, {len(held_scans)} held out, {time.monotonic() - started:.0f} s", flush=True
    )
    grid = BevGrid()
    network = train(scans, samples, options.seed, grid, options.part, options.threads)
    print(f"first network trained: {time.monotonic() - started:.0f} s", flush=True)
    first = options.out / f"{export.NAME}.onnx"
    export.write_onnx(network, grid, first)
    lessons = review.lessons(first, grid, scans, options.seed, options.looks, options.threads)
    told = " and ".join(f"{len(known)} for {name}" for name, known in zip(LOOK_NAMES, lessons, strict=True))
    print(f"lessons: {told}, {time.monotonic() - started:.0f} s", flush=True)
    for name, look in zip(LOOK_NAMES, review.train_all(lessons, options.seed, options.passes), strict=True):
        export.write_review(look, options.out / f"{name}.onnx")
    print(f"second looks trained: {time.monotonic() - started:.0f} s", flush=True)
    paths = score.Paths.within(options.out)
    calibration = score.calibrate(paths, grid, held_scans[::2], options.threads)
    export.describe(options.out, calibration, _command(options))
    score.show(score.judge(paths, grid, calibration, held_scans[1::2]))
    print(f"written to {options.out}: {time.monotonic() - started:.0f} s", flush=True)
    return 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of scans and training")
    parser.add_argument("--out", type=Path, default=ROOT / "models", help="folder of the model and the manifest")
    parser.add_argument("--scans", type=Path, default=ROOT / "out" / "bev", help="folder where scans are kept")
    parser.add_argument("--samples", type=int, default=48_000, help="varied scans that are shown to the network")
    parser.add_argument(
        "--part", type=int, default=320, help="cells along an edge of the part of an image that is shown"
    )
    parser.add_argument("--looks", type=int, default=3, help="times that the second look learns from every scan")
    parser.add_argument("--passes", type=int, default=4, help="times that the second looks go over their lessons")
    parser.add_argument("--threads", type=int, default=2, help="processor cores")
    parser.add_argument("--smoke", action="store_true", help="a minute's run that shows that everything works")
    options = parser.parse_args(arguments)
    if options.part % COARSEST or options.part < COARSEST:
        parser.error(f"--part: {options.part}; expected a multiple of {COARSEST}")
    options.out.mkdir(parents=True, exist_ok=True)
    return options


def _command(options: argparse.Namespace) -> str:
    """Return the command, with all amounts; where it reads and writes, and on how many cores, is left out."""
    smoke = " --smoke" if options.smoke else ""
    amounts = (f" --{name} {getattr(options, name)}" for name in ("seed", "samples", "part", "looks", "passes"))
    return f"python models/train/bev/train.py{smoke}{''.join(amounts)}"


def train(scans: list[LabelledScan], samples: int, seed: int, grid: BevGrid, part: int, threads: int = 1) -> BevNetwork:
    """Return a network trained on parts of varied scans; on a GPU if there is one.

    On a processor cores learn from shares of every batch, each in a process of its own that makes its samples too; of
    the statistics of a batch each has its share's alone.
    """
    network, steps = BevNetwork(), samples // BATCH
    shown = Samples(scans, steps * BATCH, seed, grid, part)
    if (device := hardware.device()).type == "cuda":
        return _learn(network.to(device), DataLoader(shown, BATCH, num_workers=threads), steps)
    cores = max(count for count in range(1, threads + 1) if BATCH % count == 0)
    with tempfile.TemporaryDirectory() as folder:
        share = partial(_share, network, shown, steps, cores, threads // cores, folder)
        network.load_state_dict(hardware.side_by_side(share, cores)[0])
    return network.eval()


def _share(
    network: BevNetwork, shown: Samples, steps: int, cores: int, threads: int, folder: str, number: int
) -> BevNetwork:
    """Return the network that has learned from every share of the batches, this process's with the number."""
    torch.set_num_threads(threads)
    store = dist.FileStore(f"{folder}/store", cores)
    dist.init_process_group("gloo", store=store, rank=number, world_size=cores)
    own = np.arange(steps * BATCH).reshape(cores, -1, order="F")[number]  # sample after sample in turn
    learned = _learn(network, DataLoader(Subset(shown, own.tolist()), BATCH // cores), steps, cores, tell=number == 0)
    dist.destroy_process_group()
    return learned


def _learn(
    network: BevNetwork, batches: DataLoader[tuple[Tensor, ...]], steps: int, cores: int = 1, *, tell: bool = True
) -> BevNetwork:
    """Return a network, on the processor, that has learned from batches, alone or with other processes."""
    device = next(network.parameters()).device
    network.to(memory_format=torch.channels_last).train()
    short = hardware.short_numbers(device)
    cycle = Cycle(network, network.heads, RATE, steps, rising=0.2)
    sums: dict[str, float] = dict.fromkeys(PARTS, 0.0)
    for step, batch in enumerate(batches, 1):
        image, *wanted = (part.to(device) for part in batch)
        with short:
            logits, box = network(image.contiguous(memory_format=torch.channels_last))
        parts = loss(logits.float(), box.float(), *wanted, mean=partial(_mean, cores=cores))
        network.zero_grad()
        torch.stack([PARTS[name] * value for name, value in parts.items()]).sum().backward()
        if cores > 1:
            _average([weights.grad for weights in network.parameters() if weights.grad is not None], cores)
        nn.utils.clip_grad_norm_(network.parameters(), 10.0)
        cycle.step()
        for name, value in parts.items():
            sums[name] += value.item()
        if tell and step % 100 == 0:
            told = ", ".join(f"{name} {value / 100:.3f}" for name, value in sums.items())
            print(f"step {step} of {steps}: {told}", flush=True)
            sums = dict.fromkeys(PARTS, 0.0)
    return network.cpu().eval()


def _average(gradients: list[Tensor], cores: int) -> None:
    """Replace gradients by their means over all processes, in one message."""
    means = _mean(torch.cat([gradient.flatten() for gradient in gradients]), cores)
    for gradient, mean in zip(gradients, means.split([one.numel() for one in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def _mean(values: Tensor, cores: int) -> Tensor:
    """Return the means of values over all processes."""
    if cores == 1:
        return values
    dist.all_reduce(values)
    return values / cores


if __name__ == "__main__":
    np.seterr(all="ignore", invalid="warn")
    sys.exit(main())
