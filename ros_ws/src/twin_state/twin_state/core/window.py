"""The window a question to the history is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Window:
    """A question to the history; an empty tuple or None sets no limit.

    ``start_ns`` inclusive, ``end_ns`` exclusive; ``box``: x_min, y_min, x_max, y_max in metres, map frame,
    edges included.
    """

    start_ns: int | None = None
    end_ns: int | None = None
    track_ids: tuple[int, ...] = ()
    classes: tuple[int, ...] = ()
    box: tuple[float, float, float, float] | None = None

    def selects(self, stamps_ns: np.ndarray, records: np.ndarray) -> np.ndarray:
        """Return which states (N,) lie in the window, (N,) bool.

        ``stamps_ns``: (N,) int64; ``records``: (N,) with the fields of twin_msgs/Track.
        """
        chosen: np.ndarray = np.ones(len(records), bool)
        if self.start_ns is not None:
            chosen &= stamps_ns >= self.start_ns
        if self.end_ns is not None:
            chosen &= stamps_ns < self.end_ns
        if self.track_ids:
            chosen &= np.isin(records["track_id"], np.array(self.track_ids, np.uint64))
        if self.classes:
            chosen &= np.isin(records["classification"], np.array(self.classes, np.uint8))
        if self.box is not None:
            x_min, y_min, x_max, y_max = self.box
            x, y = records["x"], records["y"]
            chosen &= (x >= x_min) & (x <= x_max) & (y >= y_min) & (y <= y_max)
        return chosen
