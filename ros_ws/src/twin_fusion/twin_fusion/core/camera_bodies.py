"""What cameras may expect of each class: size, its spread, and the outline of the body; a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

COUNT = 10
POSTURES = 4
PEDESTRIAN = 7
SITTING, LYING = 2, 3

#: Outlines: rings of four corners, each (share of the height, of the length, of the width).
_CAR = ((0.0, 0.75, 0.95), (0.25, 1.0, 1.0), (1.0, 0.55, 0.75))
_BOX = ((0.0, 0.8, 0.95), (0.12, 1.0, 1.0), (1.0, 0.96, 0.96))
_RIDER = ((0.0, 0.85, 0.3), (0.5, 1.0, 1.0), (1.0, 0.25, 0.6))
_PERSON = ((0.0, 0.6, 0.6), (0.5, 1.0, 1.0), (1.0, 0.4, 0.4))
_LOW = ((0.0, 1.0, 1.0), (0.5, 1.0, 1.0), (1.0, 0.8, 0.8))


@dataclass(frozen=True, slots=True)
class Body:
    """Mean and standard deviation of length, width, height, metres; ``rings``: the outline; how many ``headings``."""

    length: tuple[float, float]
    width: tuple[float, float]
    height: tuple[float, float]
    rings: tuple[tuple[float, float, float], ...]
    headings: int


#: By ObjectClass; a person's is for standing and walking, two further rows are for sitting and lying.
BODIES = (
    Body((1.0, 0.6), (0.7, 0.4), (1.2, 0.6), _LOW, 1),
    Body((4.6, 0.35), (1.82, 0.12), (1.55, 0.15), _CAR, 6),
    Body((7.0, 1.2), (2.3, 0.2), (2.9, 0.4), _BOX, 6),
    Body((11.3, 1.0), (2.5, 0.12), (3.2, 0.2), _BOX, 6),
    Body((2.1, 0.2), (0.8, 0.1), (1.6, 0.15), _RIDER, 4),
    Body((1.2, 0.15), (0.55, 0.1), (1.8, 0.12), _RIDER, 4),
    Body((1.75, 0.15), (0.6, 0.1), (1.7, 0.12), _RIDER, 4),
    Body((0.55, 0.2), (0.55, 0.1), (1.68, 0.12), _PERSON, 1),
    Body((0.8, 0.25), (0.3, 0.1), (0.6, 0.15), _LOW, 4),
    Body((0.6, 0.4), (0.5, 0.3), (0.4, 0.25), _LOW, 1),
    Body((0.8, 0.2), (0.6, 0.15), (1.2, 0.15), _PERSON, 1),
    Body((1.7, 0.2), (0.65, 0.15), (0.35, 0.1), _LOW, 4),
)
SITTING_ROW, LYING_ROW = COUNT, COUNT + 1

#: (rows, 3) metres.
SIZE = np.array([[body.length[0], body.width[0], body.height[0]] for body in BODIES])
SPREAD = np.array([[body.length[1], body.width[1], body.height[1]] for body in BODIES])
HEADINGS = np.array([body.headings for body in BODIES])
#: Corners of the outlines in units of the size, (rows, 12, 3): x ahead, y left, z up from the ground.
OUTLINE = np.array(
    [
        [(x * ring[1] / 2, y * ring[2] / 2, ring[0]) for ring in body.rings for x in (-1, 1) for y in (-1, 1)]
        for body in BODIES
    ]
)


def rows_of(classification: np.ndarray, posture: np.ndarray) -> np.ndarray:
    """Return the row of the table of objects (N,), by class and, for persons, posture."""
    rows = classification.astype(int)
    person = rows == PEDESTRIAN
    rows = np.where(person & (posture == SITTING), SITTING_ROW, rows)
    return np.asarray(np.where(person & (posture == LYING), LYING_ROW, rows))
