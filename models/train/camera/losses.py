"""Which outputs stand for which objects, and what they are told: simplified optimal transport (YOLOX, section 2.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

REACH = 2.5  # strides around an object's middle within which outputs may stand for it
CANDIDATES = 10


def decoded(raw: Tensor, grid: Tensor) -> Tensor:
    """Return corners (..., 4) of undecoded boxes; ``grid`` (anchors, 3) has column, row, stride."""
    middle = (raw[..., :2] + grid[:, :2]) * grid[:, 2:]
    half = torch.exp(raw[..., 2:4].clamp(max=8.0)) * grid[:, 2:] / 2
    return torch.cat([middle - half, middle + half], dim=-1)


def overlaps(first: Tensor, second: Tensor) -> Tensor:
    """Return intersection over union of boxes (N, 4) and (M, 4), (N, M)."""
    low = torch.maximum(first[:, None, :2], second[None, :, :2])
    high = torch.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    area = [(boxes[:, 2:] - boxes[:, :2]).clamp(min=0).prod(dim=1) for boxes in (first, second)]
    return shared / (area[0][:, None] + area[1][None] - shared + 1e-6)


def giou(first: Tensor, second: Tensor) -> Tensor:
    """Return the generalised intersection over union of paired boxes (N, 4) (Rezatofighi et al. 2019, eq. 1)."""
    shared = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp(min=0)
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(dim=1)
    shared_area = shared.prod(dim=1)
    union = sum((boxes[:, 2:] - boxes[:, :2]).prod(dim=1) for boxes in (first, second)) - shared_area
    return shared_area / (union + 1e-6) - (hull - union) / (hull + 1e-6)


@torch.no_grad()
def assigned(
    boxes: Tensor, logits: Tensor, object_logit: Tensor, grid: Tensor, truth: Tensor, kinds: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the outputs that stand for objects (P,), the objects (P,), and their overlaps (P,)."""
    middle = (grid[:, :2] + 0.5) * grid[:, 2:]
    inside = ((middle[None] > truth[:, None, :2]) & (middle[None] < truth[:, None, 2:])).all(dim=2)
    centre = (truth[:, None, :2] + truth[:, None, 2:]) / 2
    near = ((middle[None] - centre).abs() < REACH * grid[None, :, 2:]).all(dim=2)
    chosen = torch.nonzero((inside | near).any(dim=0)).flatten()
    share = overlaps(truth, boxes[chosen])
    score = (logits[chosen].sigmoid() * object_logit[chosen, None].sigmoid()).sqrt()
    wrong = -torch.log(score + 1e-6)[:, kinds].T - torch.log1p(-score + 1e-6).sum(dim=1)[None]
    wrong = wrong + torch.log1p(-score + 1e-6)[:, kinds].T
    both = (inside & near)[:, chosen]
    cost = wrong - 3.0 * torch.log(share + 1e-6) + 1e5 * (~both)
    taken = torch.zeros_like(cost, dtype=torch.bool)
    top = share.topk(min(CANDIDATES, share.shape[1]), dim=1).values.sum(dim=1).int().clamp(min=1)
    for row, count in enumerate(top.tolist()):
        taken[row, cost[row].topk(count, largest=False).indices] = True
    several = taken.sum(dim=0) > 1
    if several.any():
        best = cost[:, several].argmin(dim=0)
        taken[:, several] = False
        taken[best, torch.nonzero(several).flatten()] = True
    objects, outputs = torch.nonzero(taken, as_tuple=True)
    return chosen[outputs], objects, share[objects, outputs]


def loss(raw: Tensor, grid: Tensor, targets: list[tuple[Tensor, ...]], classes: int) -> dict[str, Tensor]:
    """Return the parts of the loss of a batch.

    Args:
        raw: (B, anchors, 5 + classes + postures), logits.
        grid: (anchors, 3).
        targets: of each picture, boxes (N, 4), classes (N,), postures (N,) from 1, 0: none, and unsure (N,).
        classes: how many.

    """
    boxes = decoded(raw, grid)
    total = {name: raw.new_zeros(()) for name in ("box", "object", "class", "posture")}
    found, posed = 0, 0
    middle = (grid[:, :2] + 0.5) * grid[:, 2:]
    for own, box, (truth, kinds, postures, unsure) in zip(raw, boxes, targets, strict=True):
        wanted, weight = torch.zeros(len(own)), torch.ones(len(own))
        blurred = truth[unsure]
        if len(blurred):
            hidden = ((middle[None] > blurred[:, None, :2]) & (middle[None] < blurred[:, None, 2:])).all(dim=2)
            weight[hidden.any(dim=0)] = 0.0
        truth, kinds, postures = truth[~unsure], kinds[~unsure], postures[~unsure]
        if len(truth):
            outputs, objects, share = assigned(box, own[:, 5 : 5 + classes], own[:, 4], grid, truth, kinds)
            wanted[outputs], weight[outputs] = 1.0, 1.0
            total["box"] = total["box"] + (1 - giou(box[outputs], truth[objects])).sum()
            right = functional.one_hot(kinds[objects], classes).float() * share[:, None]
            total["class"] = total["class"] + functional.binary_cross_entropy_with_logits(
                own[outputs, 5 : 5 + classes], right, reduction="sum"
            )
            told = postures[objects] > 0
            if told.any():
                total["posture"] = total["posture"] + functional.cross_entropy(
                    own[outputs[told], 5 + classes :], postures[objects[told]] - 1, reduction="sum"
                )
            found, posed = found + len(outputs), posed + int(told.sum())
        total["object"] = total["object"] + functional.binary_cross_entropy_with_logits(
            own[:, 4], wanted, weight, reduction="sum"
        )
    return {
        "box": 5.0 * total["box"] / max(found, 1), "object": total["object"] / max(found, 1),
        "class": total["class"] / max(found, 1), "posture": total["posture"] / max(posed, 1),
    }  # fmt: skip
