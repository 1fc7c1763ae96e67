"""What the controllers of signals tell, and, in a simulation, the actors as they are."""

from __future__ import annotations

import numpy as np

from twin_viz.core import palette
from twin_viz.core.primitives import Boxes, Entity

_HEAD = (0.35, 0.6, 1.3)  # of a signal head as it is drawn, metres: larger than it is, to be seen from above
_GHOST = 0.28  # opacity of an actor


def build_signals(signals: np.ndarray) -> Entity:
    """Return signal heads in the colour that they show; ``signals``: (N,) records of twin_msgs/Signal."""
    center = np.stack([signals["x"], signals["y"], signals["z"]], axis=1)
    size = np.tile(np.array(_HEAD), (len(signals), 1))
    return Entity("signals", (Boxes(center, signals["yaw"], size, palette.signal_colors(signals["state"])),))


def build_truth(actors: np.ndarray) -> Entity:
    """Return actors as faint boxes in the colours of their classes; ``actors``: (N,) records of twin_msgs/SimActor."""
    middle = actors["z"] + actors["height"] / 2
    center = np.stack([actors["x"], actors["y"], middle], axis=1)
    size = np.stack([actors["length"], actors["width"], actors["height"]], axis=1)
    color = palette.class_colors(actors["classification"])
    color[:, 3] = _GHOST
    return Entity("truth", (Boxes(center, actors["yaw"], size, color),))
