"""Colours and names, as data.

Red, orange and amber belong to incidents alone, but for signals; objects have the cooler colours, people the brightest.
Colours are RGBA, 0..1, chosen for a dark ground.
"""

from __future__ import annotations

import numpy as np

from twin_common.core.object_class import CLASS_NAMES

#: By ObjectClass.
CLASS_COLORS = np.array(
    [
        (0.62, 0.65, 0.70, 0.80),
        (0.25, 0.56, 1.00, 0.85),
        (0.52, 0.45, 1.00, 0.85),
        (0.10, 0.75, 0.85, 0.85),
        (0.90, 0.40, 0.95, 0.85),
        (1.00, 0.55, 0.80, 0.85),
        (0.30, 0.88, 0.45, 0.85),
        (1.00, 0.92, 0.35, 0.90),
        (0.75, 0.60, 0.40, 0.85),
        (0.50, 0.45, 0.40, 0.85),
    ]
)
#: By Incident.severity.
SEVERITY_NAMES = ("info", "warning", "serious", "critical")
SEVERITY_COLORS = np.array(
    [(0.60, 0.80, 1.00, 1.0), (1.00, 0.76, 0.10, 1.0), (1.00, 0.48, 0.10, 1.0), (1.00, 0.14, 0.18, 1.0)]
)
#: By Behavior.kind; "" where the label would only repeat what the picture shows.
BEHAVIOR_LABELS = (
    "", "", "", "running", "lying", "", "starting", "", "stopping", "turning left", "turning right",
)  # fmt: skip
#: By PlatformStatus.state; the last one: nothing heard yet.
PLATFORM_STATES = ("ok", "degraded", "lost", "not heard yet")
PLATFORM_COLORS = np.array(
    [(0.35, 0.90, 0.55, 1.0), (1.00, 0.76, 0.10, 1.0), (1.00, 0.14, 0.18, 1.0), (0.62, 0.65, 0.70, 1.0)]
)
#: Ground, by zone kind.
ZONE_COLORS = {
    "site": (0.11, 0.12, 0.15, 1.0),
    "carriageway": (0.21, 0.23, 0.27, 1.0),
    "parking": (0.24, 0.26, 0.31, 1.0),
    "plaza": (0.26, 0.28, 0.30, 1.0),
    "sidewalk": (0.33, 0.35, 0.37, 1.0),
    "crosswalk": (0.72, 0.74, 0.76, 1.0),
    "building": (0.30, 0.33, 0.40, 0.40),
}
#: By Signal.state: off, red, yellow, green. They look as they do in the street, which is why they are red, too.
SIGNAL_COLORS = np.array(
    [(0.30, 0.31, 0.33, 0.9), (0.95, 0.15, 0.15, 0.9), (0.98, 0.80, 0.15, 0.9), (0.15, 0.85, 0.40, 0.9)]
)
LABEL_COLOR = (0.95, 0.96, 0.98, 1.0)


def class_colors(classification: np.ndarray) -> np.ndarray:
    """Return the colours of ObjectClass values, (N,) to (N, 4); a class unheard of has the colour of unknown."""
    known = np.where(classification < len(CLASS_COLORS), classification, 0)
    colors: np.ndarray = CLASS_COLORS[known]
    return colors


def signal_colors(state: np.ndarray) -> np.ndarray:
    """Return the colours of Signal.state values, (N,) to (N, 4); a state unheard of is off."""
    colors: np.ndarray = SIGNAL_COLORS[np.where(state < len(SIGNAL_COLORS), state, 0)]
    return colors


def class_name(classification: int) -> str:
    """Return the name of an ObjectClass."""
    return CLASS_NAMES[classification] if classification < len(CLASS_NAMES) else CLASS_NAMES[0]
