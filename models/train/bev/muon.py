"""How the networks learn: all matrices but the last layer's by Muon, all else by AdamW, in one cycle of the rate."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import OneCycleLR

_DECAY = 0.01  # of weights
_MOMENTUM = 0.85, 0.95  # of both optimisers, while the rate is highest and while it is lowest
_ROOT_MEAN_SQUARE = 0.2  # of a step of rate 1, about AdamW's, so that one rate serves both (Liu et al. 2025)
#: Of the odd polynomial that brings singular values near 1, and how often it is applied (Jordan et al. 2024).
_FACTORS, _TURNS = (3.4445, -4.7750, 2.0315), 5


class Cycle:
    """The steps of a network's learning: the rate rises and falls, the momentum does the opposite."""

    def __init__(self, network: nn.Module, last: nn.Module, rate: float, steps: int, rising: float) -> None:
        """``last``: the layer that answers, which AdamW changes; ``rising``: share of the steps to the highest rate."""
        inner = {id(weights) for weights in network.parameters() if weights.dim() > 1}
        inner -= {id(weights) for weights in last.parameters()}
        matrices = [weights for weights in network.parameters() if id(weights) in inner]
        rest = [weights for weights in network.parameters() if id(weights) not in inner]
        optimizers = Muon(matrices, rate), AdamW(rest, rate, weight_decay=_DECAY, fused=True)
        least, most = _MOMENTUM
        rates = [
            OneCycleLR(each, rate, total_steps=steps, pct_start=rising, base_momentum=least, max_momentum=most)
            for each in optimizers
        ]
        self._parts = *optimizers, *rates

    def step(self) -> None:
        """Change the weights by their gradients, and the rate."""
        for part in self._parts:
            part.step()


class Muon(Optimizer):
    """Steps along the matrix with orthonormal rows or columns that is nearest to the momentum (Jordan et al. 2024).

    Weak directions of a gradient so learn as fast as strong ones. A convolution's kernel is read as a matrix of its
    outputs by all else. ``torch.optim.Muon`` takes no kernels, and counts in bfloat16, which takes eight times as long
    on a processor that has none.
    """

    def __init__(self, weights: Iterable[Tensor], rate: float, momentum: float = _MOMENTUM[1]) -> None:
        """``weights``: of two dimensions or more; ``rate``: as AdamW's; ``momentum``: until a schedule sets another."""
        super().__init__(weights, {"lr": rate, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Change the weights by their gradients."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is None:
                    continue
                state = self.state[weights]
                if not state:
                    state["momentum"] = torch.zeros_like(weights)
                gathered = state["momentum"]
                gathered.mul_(group["momentum"]).add_(weights.grad)
                ahead = weights.grad.add(gathered, alpha=group["momentum"])  # where Nesterov's momentum will be
                matrix = ahead.flatten(1)
                size = _ROOT_MEAN_SQUARE * max(matrix.shape) ** 0.5
                weights.mul_(1.0 - group["lr"] * _DECAY)
                weights.add_(orthogonal(matrix).reshape(weights.shape), alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return a matrix (M, N) with the singular vectors of one, whose singular values are about 1, 0.68 to 1.13.

    Those below 0.003 of the matrix's norm stay smaller.
    """
    if len(matrix) > matrix.shape[1]:
        return orthogonal(matrix.T).T
    linear, cubic, fifth = _FACTORS
    matrix = matrix / matrix.norm().clamp(min=1e-7)
    for _ in range(_TURNS):
        square = matrix @ matrix.T
        matrix = linear * matrix + (cubic * square + fifth * square @ square) @ matrix
    return matrix
