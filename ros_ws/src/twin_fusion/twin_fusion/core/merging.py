"""The objects of a district out of what its platforms see at one moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_fusion.core.blending import blend
from twin_fusion.core.pairing import PairingSettings, pair
from twin_fusion.core.slots import Slot


@dataclass(frozen=True, slots=True)
class Merged:
    """Objects (N,) at ``stamp_ns``; each has its own ``time_offset``; ``shared``: how many views were joined."""

    stamp_ns: int
    objects: np.ndarray
    shared: int


def merge(slot: Slot, settings: PairingSettings) -> Merged:
    """Merge the arrays of a slot, platform by platform in the district's order.

    Objects that only one platform sees keep their values; their order is that of platform and index.
    """
    stamp_ns = slot.stamp_ns
    merged: np.ndarray | None = None
    times: np.ndarray = np.zeros(0)
    shared = 0
    for part in slot.parts:
        objects = part.objects
        measured = (part.stamp_ns - stamp_ns) / 1e9 + objects["time_offset"].astype(float)
        if merged is None:
            merged, times = objects.copy(), measured
            continue
        pairs = pair(merged, times, objects, measured, settings)
        shared += len(pairs)
        old, new = pairs[:, 0], pairs[:, 1]
        if len(pairs):
            merged[old], times[old] = blend(merged[old], times[old], objects[new], measured[new], settings.sigma_floor)
        alone = np.setdiff1d(np.arange(len(objects)), new)
        merged = np.concatenate([merged, objects[alone]])
        times = np.concatenate([times, measured[alone]])
    if merged is None:
        raise ValueError("slot: no arrays; expected at least one")
    merged["time_offset"] = times
    merged["object_id"] = np.arange(len(merged))
    return Merged(stamp_ns, merged, shared)
