"""The whole box behind the sides that are seen."""

from __future__ import annotations

import numpy as np

from twin_detection.core.classes import BICYCLE, BUS, CAR, MOTORCYCLE, TRUCK, Classified, typical_size

#: What is completed; people, animals and debris are as large as they look.
_COMPLETED = (CAR, TRUCK, BUS, MOTORCYCLE, BICYCLE)
#: Relative spread of true lengths about the typical one; sets the uncertainty of a hidden end.
_HIDDEN_SPREAD = 0.12
#: Things shorter than the first show no heading, those longer than the second do, metres.
_ROUND = (0.9, 1.5)


def complete(rectangles: np.ndarray, classified: Classified) -> tuple[np.ndarray, np.ndarray]:
    """Grow seen rectangles to whole objects, away from the sensor, which stands at the origin.

    The sides that face the sensor stay where they are. An object that is larger than typical keeps its size.

    Args:
        rectangles: (C, 5) x, y, longer, shorter, yaw.
        classified: what they are.

    Returns:
        Boxes (C, 5): x, y, length, width, yaw; and how far their two sides were grown, (C, 2), metres.

    """
    x, y, longer, shorter, yaw = rectangles.T
    end_on = classified.end_on
    length, width = np.where(end_on, shorter, longer), np.where(end_on, longer, shorter)
    yaw = np.where(end_on, np.mod(yaw + np.pi, np.pi) - np.pi / 2, yaw)
    size = typical_size(classified.probability)
    wanted = np.isin(classified.label, _COMPLETED)
    grow_length = np.where(wanted, np.maximum(np.nan_to_num(size[:, 0]) - length, 0), 0)
    grow_width = np.where(wanted, np.maximum(np.nan_to_num(size[:, 1]) - width, 0), 0)
    cos, sin = np.cos(yaw), np.sin(yaw)
    # Where the sensor lies abreast of a box, neither end is nearer and both grow.
    along, across = x * cos + y * sin, y * cos - x * sin
    shift_along = 0.5 * grow_length * np.clip(along / np.maximum(0.5 * length, 0.1), -1, 1)
    shift_across = 0.5 * grow_width * np.clip(across / np.maximum(0.5 * width, 0.1), -1, 1)
    boxes = np.column_stack(
        [
            x + shift_along * cos - shift_across * sin, y + shift_along * sin + shift_across * cos,
            length + grow_length, width + grow_width, yaw,
        ]
    )  # fmt: skip
    return boxes, np.column_stack([grow_length, grow_width])


def position_covariance(
    boxes: np.ndarray, grown: np.ndarray, point_count: np.ndarray, height_spread: float
) -> np.ndarray:
    """Return the covariance of the boxes' centres, (C, 3, 3), m².

    A seen side is as uncertain as ranging and the distance between beams; a hidden one as the true sizes of
    the class spread, half of which moves the centre.

    Args:
        boxes: (C, 5) x, y, length, width, yaw.
        grown: (C, 2) how far length and width were grown, metres.
        point_count: (C,).
        height_spread: standard deviation of the height of a centre, metres.

    """
    distance = np.hypot(boxes[:, 0], boxes[:, 1])
    base = 0.06 + 0.002 * distance + 0.3 / np.sqrt(np.maximum(point_count, 1))
    hidden = _HIDDEN_SPREAD * boxes[:, 2:4] * (grown > 0.05) + 0.25 * grown
    variance = base[:, None] ** 2 + (0.5 * hidden) ** 2
    cos, sin = np.cos(boxes[:, 4]), np.sin(boxes[:, 4])
    covariance = np.zeros((len(boxes), 3, 3))
    covariance[:, 0, 0] = variance[:, 0] * cos**2 + variance[:, 1] * sin**2
    covariance[:, 1, 1] = variance[:, 0] * sin**2 + variance[:, 1] * cos**2
    covariance[:, 0, 1] = covariance[:, 1, 0] = (variance[:, 0] - variance[:, 1]) * sin * cos
    covariance[:, 2, 2] = height_spread**2
    return covariance


def yaw_variance(rectangles: np.ndarray, point_count: np.ndarray) -> np.ndarray:
    """Return the variance of the headings of seen rectangles, (C,), rad²; a direction and its reverse are one.

    A side of length l whose points scatter by s across it has its direction within s / l. Things as small as a
    person show no direction at all: evenly spread over half a turn.
    """
    longer = np.maximum(rectangles[:, 2], 0.1)
    scatter = 0.1 + 0.3 / np.sqrt(np.maximum(point_count, 1))
    sided = (scatter / longer) ** 2 + np.radians(2.0) ** 2
    any_direction = np.pi**2 / 12
    blend = np.clip((longer - _ROUND[0]) / (_ROUND[1] - _ROUND[0]), 0, 1)
    variance: np.ndarray = np.minimum(blend * sided + (1 - blend) * any_direction, any_direction)
    return variance
