"""The network that judges clusters: a small PointNet beside numbers about the cluster."""

from __future__ import annotations

import torch
from torch import nn

from twin_detection.core.cluster_features import SCALARS
from twin_detection.core.point_network import CLASSES, COLUMNS, POSTURES


class PointNetwork(nn.Module):
    """Reads points (C, S, 3) and scalars (C, F), gives (C, COLUMNS).

    Each point goes through the same layers and the greatest and mean answers of all are kept (Qi et al. 2017,
    "PointNet", without its transforms); these and the scalars go through three layers more.
    """

    def __init__(self, mean: torch.Tensor, spread: torch.Tensor, wide: int = 64, deep: int = 192) -> None:
        """``mean``, ``spread``: (F,) of the scalars, which are brought to unit variance."""
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.each = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, wide), nn.ReLU())
        self.all = nn.Sequential(
            nn.Linear(2 * wide + len(SCALARS), deep), nn.ReLU(), nn.Linear(deep, deep), nn.ReLU(),
            nn.Linear(deep, deep // 2), nn.ReLU(), nn.Linear(deep // 2, COLUMNS),
        )  # fmt: skip

    def forward(self, points: torch.Tensor, scalars: torch.Tensor) -> torch.Tensor:
        """Return the answer, (C, COLUMNS)."""
        seen = self.each(points)
        about = torch.clamp((scalars - self.mean) / self.spread, -6.0, 6.0)
        return self.all(torch.cat([seen.amax(dim=1), seen.mean(dim=1), about], dim=1))


def losses(answer: torch.Tensor, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the terms of the loss: classes, postures, place with its covariance, size, and heading."""
    logits, posture, place, size, turn, factor = torch.split(answer, [CLASSES, POSTURES, 2, 3, 2, 3], dim=1)
    found = {"class": nn.functional.cross_entropy(logits, batch["label"])}
    known = batch["posture"] >= 0
    if known.any():
        found["posture"] = nn.functional.cross_entropy(posture[known], batch["posture"][known])
    boxed, box = batch["boxed"], batch["box"]
    if boxed.any():
        error = box[boxed, :2] - place[boxed]
        found["place"] = _gaussian(error, factor[boxed]) + nn.functional.smooth_l1_loss(
            place[boxed], box[boxed, :2], beta=0.1
        )
        found["size"] = nn.functional.smooth_l1_loss(size[boxed], box[boxed, 2:5].log(), beta=0.1)
        found["heading"] = _von_mises(turn[boxed], box[boxed, 5])
    return found


def _gaussian(error: torch.Tensor, factor: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log likelihood of errors (N, 2) for Cholesky factors (N, 3): log a, log b, c."""
    along, across = factor[:, 0].clamp(-4.0, 1.5), factor[:, 1].clamp(-4.0, 1.5)
    first = error[:, 0] / along.exp()
    second = (error[:, 1] - factor[:, 2].clamp(-3.0, 3.0) * first) / across.exp()
    return (0.5 * (first**2 + second**2).clamp(max=50.0) + along + across).mean()


def _von_mises(turn: torch.Tensor, heading: torch.Tensor) -> torch.Tensor:
    """Return the mean negative log likelihood of the doubled headings (N,) for vectors (N, 2) of their distribution."""
    sure = turn.norm(dim=1)
    likely = turn[:, 0] * torch.cos(2 * heading) + turn[:, 1] * torch.sin(2 * heading)
    return (torch.log(torch.special.i0e(sure)) + sure - likely).mean()
