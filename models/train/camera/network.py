"""The camera's detector as a torch module: a small cross-stage-partial network whose output has YOLOX's form.

Ge et al. 2021 (arXiv 2107.08430) for head, assignment and losses; Wang et al. 2019 (arXiv 1911.11929) for the blocks;
Lin et al. 2016 (arXiv 1612.03144) and Liu et al. 2018 (arXiv 1803.01534) for the paths between scales.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)
WIDTHS = (16, 32, 64, 128, 192)
HEAD = 64


def conv(inputs: int, outputs: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution with normalisation and ReLU, which runtimes join into one step."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03),
        nn.ReLU(inplace=True),
    )


class Block(nn.Module):
    """Half of the channels goes through residual convolutions, half past them."""

    def __init__(self, inputs: int, outputs: int, count: int) -> None:
        """Make ``count`` residual convolutions."""
        super().__init__()
        half = outputs // 2
        self.through, self.past = conv(inputs, half), conv(inputs, half)
        self.steps = nn.ModuleList(nn.Sequential(conv(half, half), conv(half, half, 3)) for _ in range(count))
        self.joined = conv(2 * half, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, H, W) to (B, outputs, H, W)."""
        y = self.through(x)
        for step in self.steps:
            y = y + step(y)
        return self.joined(torch.cat([y, self.past(x)], dim=1))


class Head(nn.Module):
    """Box and object on one branch, class and posture on the other."""

    def __init__(self, inputs: int, classes: int, postures: int) -> None:
        """Start with few objects expected."""
        super().__init__()
        self.entry = conv(inputs, HEAD)
        self.what, self.where = (
            nn.Sequential(*(nn.Sequential(conv(HEAD, HEAD, 3, groups=HEAD), conv(HEAD, HEAD)) for _ in range(2)))
            for _ in range(2)
        )
        self.kind, self.pose = nn.Conv2d(HEAD, classes, 1), nn.Conv2d(HEAD, postures, 1)
        self.box, self.object = nn.Conv2d(HEAD, 4, 1), nn.Conv2d(HEAD, 1, 1)
        nn.init.constant_(self.object.bias, -4.6)
        nn.init.constant_(self.kind.bias, -2.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, 5 + classes + postures, H, W): offsets, log sizes, and logits of object, class, posture."""
        x = self.entry(x)
        what, where = self.what(x), self.where(x)
        return torch.cat([self.box(where), self.object(where), self.kind(what), self.pose(what)], dim=1)


class CameraNet(nn.Module):
    """Backbone, paths between scales, a head for each."""

    def __init__(self, classes: int, postures: int) -> None:
        """Make the layers."""
        super().__init__()
        a, b, c, d, e = WIDTHS
        self.classes = classes
        self.stem = conv(3, a, 3, 2)
        self.quarter = nn.Sequential(conv(a, b, 3, 2), Block(b, b, 1))
        self.eighth = nn.Sequential(conv(b, c, 3, 2), Block(c, c, 2))
        self.sixteenth = nn.Sequential(conv(c, d, 3, 2), Block(d, d, 2))
        self.last = nn.Sequential(conv(d, e, 3, 2), Block(e, e, 1))
        self.wide = conv(4 * (e // 2), e)
        self.narrow = conv(e, e // 2)
        self.down_e, self.join_d = conv(e, d), Block(2 * d, d, 1)
        self.down_d, self.join_c = conv(d, c), Block(2 * c, c, 1)
        self.up_c, self.back_d = conv(c, c, 3, 2), Block(c + d, d, 1)
        self.up_d, self.back_e = conv(d, d, 3, 2), Block(d + e, e, 1)
        self.heads = nn.ModuleList(Head(width, classes, postures) for width in (c, d, e))

    def features(self, image: Tensor) -> list[Tensor]:
        """Return the heads' outputs of an image (B, 3, H, W), BGR, 0 to 255; H and W multiples of 32."""
        eighth = self.eighth(self.quarter(self.stem(image / 255.0 - 0.45)))
        sixteenth = self.sixteenth(eighth)
        last = self.narrow(self.last(sixteenth))
        pools = [last]
        for _ in range(3):
            pools.append(functional.max_pool2d(pools[-1], 5, 1, 2))
        last = self.wide(torch.cat(pools, dim=1))
        middle = self.join_d(torch.cat([_double(self.down_e(last)), sixteenth], dim=1))
        fine = self.join_c(torch.cat([_double(self.down_d(middle)), eighth], dim=1))
        middle = self.back_d(torch.cat([self.up_c(fine), middle], dim=1))
        last = self.back_e(torch.cat([self.up_d(middle), last], dim=1))
        return [head(level) for head, level in zip(self.heads, (fine, middle, last), strict=True)]

    def forward(self, image: Tensor) -> Tensor:
        """Return (B, anchors, 5 + classes + postures) as YOLOX does: boxes undecoded, probabilities."""
        levels = [level.flatten(2) for level in self.features(image)]
        raw = torch.cat(levels, dim=2).transpose(1, 2)
        scores = torch.sigmoid(raw[..., 4 : 5 + self.classes])
        return torch.cat([raw[..., :4], scores, torch.softmax(raw[..., 5 + self.classes :], dim=-1)], dim=-1)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def anchors(height: int, width: int) -> Tensor:
    """Return column, row and stride of every output of an image's size, (anchors, 3)."""
    parts = []
    for stride in STRIDES:
        rows, columns = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )  # fmt: skip
        parts.append(torch.stack([columns, rows, torch.full_like(rows, stride)], dim=2).reshape(-1, 3))
    return torch.cat(parts).float()
