"""Faces and number plates, found and made unrecognisable.

Faces: CenterFace (Xu et al. 2020, arXiv 1911.03599), decoded here. Heads of persons and the plate zones of vehicles
are covered wherever such an object was found, whether or not a face or a plate can be made out.
"""

from __future__ import annotations

import cv2
import numpy as np

from twin_common.core.image_boxes import overlaps
from twin_common.core.object_class import ObjectClass
from twin_detection.core.camera_objects import ImageObjects

COVERED = 0.1  # existence from which on an object's head or plates are covered, whatever is reported
STRIDE = 4  # of CenterFace's outputs, pixels
FACE_OVERLAP = 0.3  # above which the less certain of two faces is the same face
FACE_MARGIN = 0.35  # by which a face's box is enlarged on each side, of its size
BLOCKS = 3  # across the shorter side of what is covered: too few for a face
#: Part of a person's box that is the head, of two-wheelers with riders too: share of the height from the top.
HEAD = 0.25
#: Part of a vehicle's box that may hold plates: from this share of the height down; on all sides, as plates are at
#: either end and a box does not tell which is seen. Seen from 1.5 to 7 m above the ground, plates begin at 0.41 of a
#: true box at the earliest (a rear plate from high above); the rest is for boxes that are not exact.
PLATE_FROM = 0.3
VEHICLE_MARGIN = 0.08  # by which a vehicle's zone reaches beyond its box at the sides and below, of its size
PEOPLE = (ObjectClass.PEDESTRIAN, ObjectClass.MOTORCYCLE, ObjectClass.SCOOTER, ObjectClass.BICYCLE)
PLATED = (ObjectClass.CAR, ObjectClass.TRUCK, ObjectClass.BUS, ObjectClass.MOTORCYCLE)
CUT = 1.5  # pixels from the upper edge within which a box is cut off
LEGIBLE = 24.0  # pixels: on vehicles whose box is narrower, a plate cannot be read


def input_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return height and width, multiples of 32, in which an image is searched; the longer is about ``side``."""
    scale = side / max(height, width)
    rows, columns = (max(round(length * scale / 32), 1) * 32 for length in (height, width))
    return rows, columns


def face_input(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return CenterFace's input (1, 3, rows, columns) float32, RGB, of an image (H, W, 3) uint8 BGR."""
    resized = cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized[:, :, ::-1].transpose(2, 0, 1)[None], np.float32)


def decoded_faces(
    heat: np.ndarray, scale: np.ndarray, offset: np.ndarray, shape: tuple[int, int], threshold: float
) -> np.ndarray:
    """Return faces (N, 5): x0, y0, x1, y1 in pixels of the image, and score, best first.

    Args:
        heat: (rows, columns), score of a face's middle.
        scale: (2, rows, columns), logs of height and width in strides.
        offset: (2, rows, columns), of the middle, down and right, in strides.
        shape: height and width of the image.
        threshold: of the score.

    """
    rows, columns = np.nonzero(heat > threshold)
    high, wide = (np.exp(part[rows, columns].astype(float)) * STRIDE for part in scale)
    y = (rows + offset[0][rows, columns] + 0.5) * STRIDE
    x = (columns + offset[1][rows, columns] + 0.5) * STRIDE
    faces = np.column_stack([x - wide / 2, y - high / 2, x + wide / 2, y + high / 2, heat[rows, columns]])
    faces[:, :4] *= np.tile((shape[1] / (heat.shape[1] * STRIDE), shape[0] / (heat.shape[0] * STRIDE)), 2)
    faces = faces[np.argsort(-faces[:, 4], kind="stable")]
    chosen: list[int] = []
    for index in range(len(faces)):
        if not chosen or overlaps(faces[index : index + 1], faces[chosen]).max() < FACE_OVERLAP:
            chosen.append(index)
    return faces[chosen]


def covered_zones(faces: np.ndarray, objects: ImageObjects) -> np.ndarray:
    """Return what has to be covered, (N, 4) pixels: faces (F, 4 or 5), heads of persons, plate zones of vehicles."""
    size = faces[:, 2:4] - faces[:, :2]
    zones = [np.hstack([faces[:, :2] - FACE_MARGIN * size, faces[:, 2:4] + FACE_MARGIN * size])]
    likely = objects.class_probability > 0.2  # not the best class alone: what may be a person is covered like one
    zones.append(_heads(objects.box[likely[:, PEOPLE].any(axis=1)]))
    zones.append(_plates(objects.box[likely[:, PLATED].any(axis=1)]))
    return np.concatenate(zones)


def _heads(box: np.ndarray) -> np.ndarray:
    """Return where persons' heads are, (N, 4): nearly square boxes are covered whole, as of those who sit or lie."""
    part, tall = box.copy(), box[:, 3] - box[:, 1]
    low = (box[:, 2] - box[:, 0]) > 0.8 * tall
    part[~low, 3] = (box[:, 1] + HEAD * tall)[~low]
    return part


def _plates(box: np.ndarray) -> np.ndarray:
    """Return where vehicles' plates are, (N, 4); of one that the image's upper edge cuts off, all of its box."""
    box = box[box[:, 2] - box[:, 0] >= LEGIBLE]
    part, size = box.copy(), box[:, 2:] - box[:, :2]
    part[:, 1] += np.where(box[:, 1] > CUT, PLATE_FROM * size[:, 1], 0.0)
    part += np.column_stack([-size[:, 0], 0.0 * size[:, 1], size]) * VEHICLE_MARGIN
    return part


def covered(image: np.ndarray, zones: np.ndarray) -> np.ndarray:
    """Return an image (H, W, 3) uint8 in which zones (N, 4), pixels, are a few flat blocks of their mean colours."""
    out = image.copy()
    height, width = image.shape[:2]
    low = np.clip(np.floor(zones[:, :2]), 0, (width, height)).astype(int)
    high = np.clip(np.ceil(zones[:, 2:4]), 0, (width, height)).astype(int)
    for (x0, y0), (x1, y1) in zip(low, high, strict=True):
        if x1 <= x0 or y1 <= y0:
            continue
        short = min(x1 - x0, y1 - y0)
        blocks = min(max(round(BLOCKS * (x1 - x0) / short), 1), 12), min(max(round(BLOCKS * (y1 - y0) / short), 1), 12)
        blocks = min(blocks[0], x1 - x0), min(blocks[1], y1 - y0)
        small = cv2.resize(image[y0:y1, x0:x1], blocks, interpolation=cv2.INTER_AREA)
        out[y0:y1, x0:x1] = cv2.resize(small, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    return out
