"""Train the camera's detector: render pictures, learn, calibrate, write models/camera.onnx and its manifest entry.

python models/train/camera/train.py --seed 0
"""

from __future__ import annotations

import argparse
import copy
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import torch
from calibrate import calibrate
from losses import loss
from network import CameraNet, anchors
from pictures import SIZES, Example, Pictures

from twin_common.core.object_class import CLASS_NAMES
from twin_detection.camera_scenes import CAMERA_CLASSES
from twin_detection.models import models_folder, stamp

POSTURES = ("upright", "sitting", "lying")
STEPS, BATCH, RATE, WARM_UP = 5000, 16, 3e-3, 80
AVERAGED = 0.998  # decay of the weights' running mean, which is what is exported


def batch(examples: list[Example]) -> tuple[torch.Tensor, list[tuple[torch.Tensor, ...]]]:
    """Return images (B, 3, H, W) and what is in each."""
    images = torch.from_numpy(np.stack([item.image for item in examples])).permute(0, 3, 1, 2).float()
    targets = [
        (torch.from_numpy(item.boxes).float(), torch.from_numpy(item.kinds), torch.from_numpy(item.postures),
         torch.from_numpy(item.unsure)) for item in examples
    ]  # fmt: skip
    return images.contiguous(memory_format=torch.channels_last), targets


def rate(step: int, steps: int) -> float:
    """Return the share of the learning rate at a step: a ramp, then half a cosine."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    return float(0.02 + 0.98 * (1 + np.cos(np.pi * (step - WARM_UP) / (steps - WARM_UP))) / 2)


def learn(pictures: Pictures, seed: int, steps: int, kept: Path) -> CameraNet:
    """Return the trained network; its running mean is stored in ``kept`` from time to time."""
    torch.manual_seed(seed)
    rng = np.random.default_rng((seed, 42))
    net = CameraNet(len(CAMERA_CLASSES), len(POSTURES)).to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(net)
    flat = [p for p in net.parameters() if p.ndim < 2]
    deep = [p for p in net.parameters() if p.ndim >= 2]
    groups = [{"params": deep, "weight_decay": 0.02}, {"params": flat, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE)
    grids = [anchors(*size) for size in SIZES]
    order: list[int] = []
    shown: dict[str, float] = {}
    began = time.monotonic()
    for step in range(steps):
        while len(order) < BATCH:
            order += rng.permutation(len(pictures)).tolist()
        size = step % len(SIZES)
        images, targets = batch([pictures.crop(order.pop(), rng, *SIZES[size]) for _ in range(BATCH)])
        with torch.autocast("cpu", torch.bfloat16):
            levels = net.features(images)
        raw = torch.cat([level.float().flatten(2) for level in levels], dim=2).transpose(1, 2)
        parts = loss(raw, grids[size], targets, len(CAMERA_CLASSES))
        for group in optimiser.param_groups:
            group["lr"] = RATE * rate(step, steps)
        optimiser.zero_grad()
        sum(parts.values()).backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
        optimiser.step()
        decay = min(AVERAGED, (1 + step) / (10 + step))
        with torch.no_grad():
            for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                old.copy_(old * decay + new * (1 - decay) if old.is_floating_point() else new)
        for name, value in parts.items():
            shown[name] = 0.98 * shown.get(name, float(value)) + 0.02 * float(value)
        if step % 25 == 0:
            spent = time.monotonic() - began
            print(f"{step:5d} {spent:6.0f} s  " + "  ".join(f"{k} {v:.3f}" for k, v in shown.items()), flush=True)
        if step % 250 == 249:
            torch.save(mean.state_dict(), kept)
    return mean.eval()


def export(net: CameraNet, path: Path, height: int = 384, width: int = 640) -> None:
    """Write a network as ONNX, without the traces of this machine's files that the exporter adds to every node."""
    net = copy.deepcopy(net).to(memory_format=torch.contiguous_format).eval()
    torch.onnx.export(
        net, (torch.zeros(1, 3, height, width),), str(path), input_names=["images"], output_names=["output"],
        opset_version=18, dynamo=True, external_data=False, verbose=False,
    )  # fmt: skip
    model = onnx.load(str(path))
    for node in model.graph.node:
        del node.metadata_props[:]
        node.ClearField("doc_string")
    onnx.save(model, str(path))


def main() -> int:
    """Render unless there are pictures, learn, export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pictures", type=Path, default=Path("out/camera_pictures"), help="folder, made if missing")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--out", type=Path, default=Path("models/camera.onnx"))
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if not (given.pictures / "labels.npz").is_file():
        script = Path(__file__).with_name("render.py")
        asked = ["--out", str(given.pictures), "--seed", str(given.seed)]
        subprocess.run([sys.executable, str(script), *asked], check=True)
    net = learn(Pictures(given.pictures), given.seed, given.steps, given.out.with_suffix(".part.pt"))
    export(net, given.out)
    given.out.with_suffix(".part.pt").unlink(missing_ok=True)
    print(f"written: {given.out}, classes {', '.join(CLASS_NAMES[kind] for kind in CAMERA_CLASSES)}")
    if given.out.resolve() == (models_folder() / "camera.onnx").resolve():
        stamp("camera")
        calibrate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
