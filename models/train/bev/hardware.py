"""Where networks learn, and with which numbers."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Callable
from typing import Any

import torch
import torch.multiprocessing as mp
from torch import nn


def device() -> torch.device:
    """Return the GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def short_numbers(where: torch.device) -> torch.autocast:
    """Let a device multiply bfloat16 where it can: half the time, and the same scores."""
    able = where.type == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())
    return torch.autocast(where.type, torch.bfloat16, enabled=able)


def side_by_side(learn: Callable[[int], nn.Module], count: int) -> list[dict[str, Any]]:
    """Return the weights of what ``learn`` returns for 0 to before ``count``, each in a process of its own.

    Threads of one process would wait for each other half of the time. Processes are divided from this one, since scans
    are large: where it has begun threads of torch, ``learn`` may use only one.
    """
    with tempfile.TemporaryDirectory() as folder:
        mp.start_processes(_keep, (learn, folder), count, start_method="fork")
        return [torch.load(f"{folder}/{number}.pt", weights_only=True) for number in range(count)]


def _keep(number: int, learn: Callable[[int], nn.Module], folder: str) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # comes when the parent dies; `nohup` ignores it
    torch.save(learn(number).state_dict(), f"{folder}/{number}.pt")
