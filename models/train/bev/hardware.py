"""Where networks learn, and with which numbers."""

from __future__ import annotations

import torch


def device() -> torch.device:
    """Return the GPU where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def short_numbers(where: torch.device) -> torch.autocast:
    """Let a device multiply bfloat16 where it can: half the time, and the same scores."""
    able = where.type == "cuda" or bool(torch.cpu._is_avx512_bf16_supported())
    # Weights that were made short are not kept: the second looks learn side by side, and would forget each other's.
    return torch.autocast(where.type, torch.bfloat16, enabled=able, cache_enabled=False)
