"""Which detections of one array are views of one platform: each platform sees an object once.

Sensors are processed in turn (Bar-Shalom, Li, "Multitarget-Multisensor Tracking", section 2.2.3, sequential updating):
a track may get a detection of every platform, and views that the merger has left apart join in the track they fit.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_ONE = np.uint64(1)


def passes(platforms: np.ndarray) -> Iterator[np.ndarray]:
    """Return the detections (K,), indices, of one platform after the other; ``platforms`` (M,) uint64 bit sets.

    Joined views come with the first of their platforms; those of no platform come last.
    """
    if not len(platforms) or (platforms == platforms[0]).all():
        yield np.arange(len(platforms))
        return
    lowest = platforms & (~platforms + _ONE)
    for bit in np.unique(lowest[lowest > 0]):
        yield np.flatnonzero(lowest == bit)
    if (lowest == 0).any():
        yield np.flatnonzero(lowest == 0)
