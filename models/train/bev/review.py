"""The second look: what it learns from, its networks, and their training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import hardware
import numpy as np
import torch
from muon import Cycle
from samples import FEWEST, plain, varied
from scans import LabelledScan
from torch import Tensor, nn

from twin_detection.bev_model import LOOK_NAMES
from twin_detection.core.bev_decode import GROUPS, BevBoxes, decode
from twin_detection.core.bev_grid import BevGrid, scan_image
from twin_detection.core.bev_review import COLUMNS, LOOKS, NOTHING, SCALARS, Cloud, Crops, crops
from twin_detection.models import open_session

BATCH, RATE = 256, 8e-3
_PARTS = 8  # in which a batch is shown on a processor, by numbers of points
#: Features of a point and of a box, and how often every lesson is learned from. A rider and somebody who walks, or a
#: lorry and a van, differ in a few points only.
WIDE, DEEP = 96, 256
_PARCEL = 40  # scans that a process is given at once
#: Standard deviation of centres that are drawn around labels beside what the first network proposes, metres.
_STRAY = 0.2
_NEAR, _UNSURE = 0.6, 1.0  # metres from a centre: within, it is meant; to there, nobody knows when it is faint
_WIDER = 2.5  # how much farther for vehicles
_KEPT_NOTHING = 0.3  # share of proposals of nothing that are learned from
_FORGOTTEN = 0.3  # share of the crops whose scores of the first network are hidden in training
#: How often each class is drawn, nothing last, relative to how often it is there.
_SHARES = np.array([1.0, 2.0, 3.0, 3.0, 4.0, 3.0, 1.0, 1.0])
_FIRST_SCORE = 5  # of the scalars


class ReviewNetwork(nn.Module):
    """Reads points (D, P, 3), earlier ones (D, E, 3) and scalars (D, SCALARS); gives (D, COLUMNS)."""

    def __init__(self, mean: Tensor, spread: Tensor) -> None:
        """``mean``, ``spread``: (SCALARS,), by which the scalars are brought to unit variance."""
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.each = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, WIDE), nn.ReLU())
        # What the whole looks like tells what a point means (Qi et al. 2017, the network for segmentation).
        self.again = nn.Linear(2 * WIDE, 2 * WIDE)
        self.before = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, WIDE), nn.ReLU())
        self.all = nn.Sequential(
            nn.Linear(3 * WIDE + SCALARS, DEEP), nn.ReLU(), nn.Linear(DEEP, DEEP), nn.ReLU(),
            nn.Linear(DEEP, DEEP // 2), nn.ReLU(), nn.Linear(DEEP // 2, COLUMNS),
        )  # fmt: skip

    def forward(self, points: Tensor, earlier: Tensor, scalars: Tensor) -> Tensor:
        """Return the answer, (D, COLUMNS)."""
        seen = self.each(points)
        # Every point is read beside the same whole, whose part of the product is added once, after the maximum.
        own, common = self.again.weight.chunk(2, dim=1)
        whole = nn.functional.linear(_highest(seen), common, self.again.bias)
        seen = torch.relu(_highest(nn.functional.linear(seen, own)) + whole)
        about = torch.clamp((scalars - self.mean) / self.spread, -4.0, 4.0)
        return self.all(torch.cat([seen, _highest(self.before(earlier)), about], dim=1))


def _highest(values: Tensor) -> Tensor:
    """Return the maxima over points, (D, F) of (D, P, F); learning through amax, which shares among ties, is slower."""
    return values.max(dim=1).values


@dataclass(frozen=True, slots=True)
class Lessons:
    """``crops`` of D boxes; ``kind``: (D,) index of CLASSES or NOTHING; ``box``: (D, 7) first channels of a box."""

    crops: Crops
    kind: np.ndarray
    box: np.ndarray

    def __len__(self) -> int:
        return len(self.kind)

    def select(self, rows: np.ndarray) -> Lessons:
        """Return some of them, by mask or by index."""
        return Lessons(self.crops.select(rows), self.kind[rows], self.box[rows])


def gathered(parts: list[Lessons]) -> Lessons:
    """Return all lessons of several sets."""
    names = Crops.__dataclass_fields__
    seen = Crops(*(np.concatenate([getattr(part.crops, name) for part in parts]) for name in names))
    return Lessons(seen, *(np.concatenate([getattr(part, name) for part in parts]) for name in ("kind", "box")))


def lessons(
    path: Path, grid: BevGrid, scans: list[LabelledScan], seed: int | None, times: int, workers: int
) -> list[Lessons]:
    """Return what the first network proposes in scans, and what is there, for each look; every scan ``times`` times.

    ``seed``: by which scans are varied, and a part of the centres strays; None: they are as they are.
    """
    work = [
        (scan, None if seed is None else [seed, 0x2E, turn, number])
        for turn in range(times)
        for number, scan in enumerate(scans)
    ]
    with ProcessPoolExecutor(workers) as pool:
        found = pool.map(partial(_lessons, path, grid), [work[i : i + _PARCEL] for i in range(0, len(work), _PARCEL)])
        return [gathered(list(parts)) for parts in zip(*found, strict=True)]


def _lessons(path: Path, grid: BevGrid, work: list[tuple[LabelledScan, list[int] | None]]) -> list[Lessons]:
    session = open_session(path.read_bytes(), str(path))
    parts: list[list[Lessons]] = [[] for _ in LOOKS]
    for scan, seed in work:
        rng = np.random.default_rng(seed or 0)
        sample = plain(scan) if seed is None else varied(scan, rng, pair=True)
        image, height, ground = scan_image(sample.points, sample.sensor_height, grid)
        peak, heat, box = session.run(None, {"image": image})
        boxes = decode(peak, heat, box, grid.reach, 2 * grid.reach / len(peak))
        before = Cloud(sample.earlier, ground.above(sample.earlier))
        for own, look in zip(parts, LOOKS, strict=True):
            some = boxes.select(np.isin(boxes.group, look.groups))
            some = some if seed is None else _strayed(some, rng)
            seen = crops(Cloud(sample.points, height), before, sample.elapsed, some, look)
            known = _meant(seen, some, sample.labels)
            own.append(known if seed is None else _fewer(known, rng))
    return [gathered(own) for own in parts]


def _fewer(known: Lessons, rng: np.random.Generator) -> Lessons:
    """Return lessons of which only so much of nothing is left, in numbers of half the length, as they are many."""
    known = known.select((known.kind != NOTHING) | (rng.random(len(known)) < _KEPT_NOTHING))
    seen = known.crops
    small = replace(seen, points=seen.points.astype(np.float16), earlier=seen.earlier.astype(np.float16))
    return Lessons(small, known.kind, known.box)


def _strayed(boxes: BevBoxes, rng: np.random.Generator) -> BevBoxes:
    """Return boxes whose centres stray, a third of them."""
    stray = rng.normal(0, _STRAY, boxes.centre.shape) * (rng.random(len(boxes)) < 1 / 3)[:, None]
    names = BevBoxes.__dataclass_fields__
    return BevBoxes(boxes.centre + stray, *(getattr(boxes, name) for name in list(names)[1:]))


def _meant(seen: Crops, boxes: BevBoxes, labels: np.ndarray) -> Lessons:
    """Return the lessons of the boxes of a scan; boxes near somebody faint teach nothing."""
    count = len(boxes)
    gap = np.hypot(*(boxes.centre[:, None] - labels[None, :, :2]).transpose(2, 0, 1)) if len(labels) else None
    if gap is None:
        return Lessons(seen, np.full(count, NOTHING), np.zeros((count, 7), np.float32))
    gap = gap / np.where(GROUPS[labels[:, 7].astype(int)] == 0, _WIDER, 1.0)
    asked = labels[:, 8] >= FEWEST
    nearest = np.where(asked, gap, np.inf).argmin(axis=1)
    own = labels[nearest]
    meant = np.where(asked, gap, np.inf).min(axis=1) < _NEAR
    unsure = ~meant & (np.where(asked, np.inf, gap).min(axis=1) < _UNSURE)
    bearing = np.arctan2(boxes.centre[:, 1], boxes.centre[:, 0])
    cos, sin = np.cos(bearing), np.sin(bearing)
    dx, dy = (own[:, :2] - boxes.centre).T
    turned = 2 * (own[:, 6] - bearing)
    box = np.column_stack([
        dx * cos + dy * sin, dy * cos - dx * sin, np.log(np.maximum(own[:, 3:6], 0.1)), np.sin(turned), np.cos(turned),
    ])  # fmt: skip
    kind = np.where(meant, own[:, 7].astype(int), NOTHING)
    return Lessons(seen, kind, np.where(meant[:, None], box, 0.0).astype(np.float32)).select(~unsure)


def train_all(known: Sequence[Lessons], seed: int, passes: int) -> list[ReviewNetwork]:
    """Return a network for each look; on a processor they are trained side by side, one core each."""
    networks = [_begun(own.crops.scalars) for own in known]  # in turn, so that each has its own numbers of the seed

    def learn(number: int) -> ReviewNetwork:
        torch.set_num_threads(1)  # more would wait for those that the divided process had begun
        return _train(LOOK_NAMES[number], networks[number], known[number], seed, passes)

    if hardware.device().type == "cuda":
        return [_train(*each, seed, passes) for each in zip(LOOK_NAMES, networks, known, strict=True)]
    for network, weights in zip(networks, hardware.side_by_side(learn, len(known)), strict=True):
        network.load_state_dict(weights)
        network.eval()
    return networks


def _begun(scalars: np.ndarray) -> ReviewNetwork:
    """Return a network that has learned nothing yet; it brings scalars (D, SCALARS) to unit variance."""
    if not len(scalars):  # a first network that has hardly learned proposes nothing
        return ReviewNetwork(torch.zeros(SCALARS), torch.ones(SCALARS))
    mean, spread = scalars.mean(axis=0, dtype=np.float64), scalars.std(axis=0, dtype=np.float64)
    return ReviewNetwork(torch.from_numpy(mean).float(), torch.from_numpy(spread).float().clamp(min=0.05))


def _train(name: str, network: ReviewNetwork, known: Lessons, seed: int, passes: int) -> ReviewNetwork:
    """Let a network learn from lessons; mirrored at will, rare classes drawn more often."""
    if not len(known):
        return network.eval()
    rng = np.random.default_rng([seed, 0x2F])
    device = hardware.device()
    network.to(device)
    short = hardware.short_numbers(device)
    steps = max(passes * len(known) // BATCH, 1)
    cycle = Cycle(network, network.all[-1], RATE, steps, rising=0.15)
    sums: dict[str, float] = {}
    for step, rows in enumerate(_drawn(known.kind, steps, rng), 1):
        with short:
            answer, wanted = _answered(network, known, rows, rng)
        parts = loss(answer.float(), *wanted)
        network.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        cycle.step()
        sums = {name: sums.get(name, 0.0) + value.item() for name, value in parts.items()}
        if step % 500 == 0:
            told = ", ".join(f"{name} {value / 500:.3f}" for name, value in sums.items())
            print(f"{name}, step {step} of {steps}: {told}", flush=True)
            sums = {}
    return network.cpu().eval()


def _drawn(kind: np.ndarray, steps: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    share = _SHARES[kind] / _SHARES[kind].sum()
    total = np.cumsum(share)
    for _ in range(steps):
        yield np.minimum(np.searchsorted(total, rng.random(BATCH)), len(kind) - 1)


def _answered(
    network: ReviewNetwork, known: Lessons, rows: np.ndarray, rng: np.random.Generator
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Return what the network answers to some lessons, some of them mirrored, and the kinds and boxes wanted."""
    answers, wanted = [], []
    drawn = known.select(rows)
    where = network.mean.device
    for part, seen in drawn.crops.sorted_parts(_PARTS if where.type == "cpu" else 1):
        points, earlier, scalars, box, kind, flip, hidden = (
            torch.from_numpy(array).to(where)
            for array in (
                seen.points, seen.earlier, seen.scalars, drawn.box[part], drawn.kind[part],
                rng.choice([-1.0, 1.0], (len(part), 1)).astype(np.float32), rng.random(len(part)) < _FORGOTTEN,
            )
        )  # fmt: skip
        mirror = torch.stack([torch.ones_like(flip), flip, torch.ones_like(flip)], dim=2)
        scalars[:, -2:-1] *= flip
        scores = slice(_FIRST_SCORE, _FIRST_SCORE + NOTHING)
        scalars[:, scores] = torch.where(hidden[:, None], network.mean[scores], scalars[:, scores])
        box[:, [1, 5]] *= flip
        answers.append(network(points.float() * mirror, earlier.float() * mirror, scalars))
        wanted.append((kind, box))
    kinds, boxes = zip(*wanted, strict=True)
    return torch.cat(answers), (torch.cat(kinds), torch.cat(boxes))


def loss(answer: Tensor, kind: Tensor, box: Tensor) -> dict[str, Tensor]:
    """Return the parts of the loss of answers (D, COLUMNS); ``kind``: (D,) wanted; ``box``: (D, 7)."""
    parts = {"class": nn.functional.cross_entropy(answer[:, : NOTHING + 1], kind, label_smoothing=0.02)}
    own = kind != NOTHING
    if not own.any():
        return parts
    said, target = answer[own, NOTHING + 1 :], box[own]
    parts["place"] = (said[:, :2] - target[:, :2]).abs().sum(1).mean()
    parts["size"] = 0.3 * (said[:, 2:5] - target[:, 2:5]).abs().sum(1).mean()
    walks = torch.where(kind[own] == NOTHING - 1, 0.1, 1.0)
    parts["heading"] = 0.5 * ((said[:, 5:7] - target[:, 5:7]).abs().sum(1) * walks).mean()
    miss = (said[:, :2] - target[:, :2]).detach()
    angle = 0.5 * torch.atan2(target[:, 5], target[:, 6])
    cos, sin = torch.cos(angle), torch.sin(angle)
    along, across = miss[:, 0] * cos + miss[:, 1] * sin, miss[:, 1] * cos - miss[:, 0] * sin
    turn = 0.5 * torch.atan2(said[:, 5], said[:, 6]).detach() - angle
    turn = torch.remainder(turn + torch.pi / 2, torch.pi) - torch.pi / 2
    spread = said[:, 7:10].clamp(-9.0, 4.0)
    squares = torch.stack([along**2, across**2, turn**2], dim=1)
    parts["spread"] = 0.05 * (squares * torch.exp(-spread) + spread).sum(1).mean()
    return parts
