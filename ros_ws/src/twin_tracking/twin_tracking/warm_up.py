"""Compiles the tracker's loops before the first message comes: ``python -m twin_tracking.warm_up``.

The result is kept on disk (``twin_common.core.compiled``), so that only the first start after an install pays for it.
"""

from __future__ import annotations

import functools
import time

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core.tracker import Tracker
from twin_tracking.synthetic import START_NS, clutter, crowd, detect, joined

_STEPS, _PERIOD = 4, 0.1
_AREA = (40.0, 30.0)


@functools.cache
def warm_up() -> float:
    """Run a small scene through every loop; return the seconds it took, the first time in this process."""
    started = time.perf_counter()
    rng, tracker = np.random.default_rng(0), Tracker(TrackerConfig())
    objects = crowd(12, rng, _AREA)
    for step in range(_STEPS):
        seen = joined(detect(objects.at(_PERIOD * step), rng, existence=0.2 + 0.3 * (step % 2)), clutter(4, rng, _AREA))
        seen.velocity[:2] = 0.0
        tracker.step(seen, START_NS + round(_PERIOD * step * 1e9))
    return time.perf_counter() - started


if __name__ == "__main__":
    print(f"the tracker's loops are compiled: {warm_up():.1f} s")
