"""The network: a small encoder and decoder over the image from above, with heads for centres and boxes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from twin_detection.core.bev_decode import BOX_CHANNELS, CLASSES
from twin_detection.core.bev_grid import CHANNELS

WIDTHS = (16, 32, 64)
COARSEST = 8  # cells of the image that one of the deepest layers stands for, along an edge
PRIOR = 0.02  # of a centre in a cell, to start with
_HEADS = (len(CLASSES), BOX_CHANNELS)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class _Residual(nn.Module):
    """Two convolutions beside a straight way (He et al. 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _convolution(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, image: Tensor) -> Tensor:
        return torch.relu(image + self.second(self.first(image)))


class BevNetwork(nn.Module):
    """Answers at every second cell: scores of the classes and boxes, as core/bev_decode.py reads them."""

    def __init__(self) -> None:
        """Make the layers."""
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.stem = _convolution(CHANNELS, fine, 2)
        self.down = nn.Sequential(_convolution(fine, middle, 2), _Residual(middle))
        self.deep = nn.Sequential(_convolution(middle, coarse, 2), _Residual(coarse), _Residual(coarse))
        self.lift = nn.Conv2d(coarse, middle, 1)
        self.join = _convolution(middle, middle)
        self.raise_ = nn.Conv2d(middle, fine, 1)
        self.last = _convolution(fine, 32)
        self.up = nn.Upsample(scale_factor=2)
        self.heads = nn.Conv2d(32, sum(_HEADS), 1)
        with torch.no_grad():
            heat, box = self.heads.weight.split(_HEADS)
            box.normal_(std=0.01)
            self.heads.bias[: len(heat)] = math.log(PRIOR / (1.0 - PRIOR))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (B, 7, n, n) and boxes (B, BOX_CHANNELS, n, n) of images (B, CHANNELS, 2n, 2n)."""
        fine = self.stem(image)
        middle = self.down(fine)
        middle = self.join(middle + self.up(self.lift(self.deep(middle))))
        fine = self.last(fine + self.up(self.raise_(middle)))
        heat, box = self.heads(fine).split(_HEADS, dim=1)
        return heat, box


class Answer(nn.Module):
    """What is exported: peaks, scores and boxes."""

    def __init__(self, network: BevNetwork) -> None:
        """Wrap a trained network."""
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return peak (n, n), heat (7, n, n) and box (BOX_CHANNELS, n, n) of one image (CHANNELS, 2n, 2n)."""
        logits, box = self.network(image[None])
        heat = torch.sigmoid(logits)
        best = heat.amax(dim=1, keepdim=True)
        highest = nn.functional.max_pool2d(best, 3, 1, 1)
        return (best * (best >= highest))[0, 0], heat[0], box[0]


def loss(
    logits: Tensor, box: Tensor, heat: Tensor, weight: Tensor, target: Tensor, share: Tensor, turning: Tensor,
    mean: Callable[[Tensor], Tensor] = lambda values: values,
) -> dict[str, Tensor]:  # fmt: skip
    """Return the parts of the loss.

    Focal loss of centres (Law and Deng 2018, eq. 1); L1 of boxes; the variances learn from errors that they do not
    change (Kendall and Gal 2017, eq. 8, with the error detached).

    Args:
        logits: (B, 7, n, n) of the network.
        box: (B, BOX_CHANNELS, n, n) of the network.
        heat: (B, 7, n, n) wanted scores, 1 at centres.
        weight: (B, n, n) 0 where an object is too faint to be asked for.
        target: (B, 7, n, n) the first channels of a box.
        share: (B, n, n) weight of a box.
        turning: (B, n, n) weight of its heading.
        mean: of numbers over all processes that have shares of one batch: of centres and weights of boxes.

    """
    score = torch.sigmoid(logits).clamp(1e-4, 1 - 1e-4)
    centre = heat > 0.999
    at = torch.nonzero(centre, as_tuple=True)
    sure = score[at]
    positive = -torch.log(sure) * (1 - sure) ** 2 * weight[:, None].expand_as(heat)[at]
    off = torch.where(centre, 0.0, (1 - heat) ** 4 * weight[:, None])
    negative = -torch.log(1 - score) * score**2 * off
    known = torch.nonzero(share, as_tuple=True)  # few cells have a box
    box, target = box.permute(0, 2, 3, 1)[known], target.permute(0, 2, 3, 1)[known]
    share, turning = share[known], turning[known]
    weights = torch.stack([centre.sum(), share.sum(), (share * turning).sum()])
    centres, total, turned = mean(weights).clamp(min=1.0)
    focal = (positive.sum() + negative.sum()) / centres
    error = (box[:, :7] - target).abs()
    place = (error[:, :2].sum(1) * share).sum() / total
    size = (error[:, 2:5].sum(1) * share).sum() / total
    heading = (error[:, 5:7].sum(1) * share * turning).sum() / turned
    miss = (box[:, :2] - target[:, :2]).detach()
    length = torch.hypot(target[:, 5], target[:, 6]).clamp(min=1e-6)
    angle = 0.5 * torch.atan2(target[:, 5] / length, target[:, 6] / length)
    cos, sin = torch.cos(angle), torch.sin(angle)
    along, across = miss[:, 0] * cos + miss[:, 1] * sin, miss[:, 1] * cos - miss[:, 0] * sin
    said = 0.5 * torch.atan2(box[:, 5], box[:, 6]).detach()
    turn = torch.remainder(said - angle + torch.pi / 2, torch.pi) - torch.pi / 2
    squares = torch.stack([along**2, across**2, turn**2], dim=1)
    spread = box[:, 7:10].clamp(-9.0, 4.0)
    surprise = 0.5 * (squares * torch.exp(-spread) + spread).sum(1)
    return {
        "focal": focal, "place": place, "size": size, "heading": heading,
        "spread": 0.1 * (surprise * share).sum() / total,
    }  # fmt: skip
