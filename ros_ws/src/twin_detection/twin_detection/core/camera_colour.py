"""The colour of what a box shows, as shares of eight names."""

from __future__ import annotations

import cv2
import numpy as np

#: Order of the shares: black, grey, white, red, yellow, green, blue, other.
COLOURS = ("black", "grey", "white", "red", "yellow", "green", "blue", "other")
SIDE = 16  # a box is looked at in so many rows and columns at most
#: Part of a box that is looked at, as shares of width and height: a vehicle's body, a person's clothes.
VEHICLE, PERSON = (0.15, 0.2, 0.85, 0.7), (0.25, 0.2, 0.75, 0.75)
#: Hues of OpenCV (0 to 179) up to which a colour reaches: red, yellow (with orange), green, blue, other (purple), red.
_HUES = ((9, 3), (35, 4), (88, 5), (130, 6), (165, 7), (180, 3))
_DARK, _PALE, _BRIGHT = 50, 55, 165  # value below which it is black; saturation below which grey; value of white
_BY_HUE = np.repeat([name for _, name in _HUES], np.diff([0, *(end for end, _ in _HUES)])).astype(np.uint8)


def colours(image: np.ndarray, boxes: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """Return the shares of colours in boxes, (N, 8) uint8, in 1/255; all 0 where a box is too small.

    Args:
        image: (H, W, 3) uint8, BGR.
        boxes: (N, 4) pixels.
        persons: (N,) bool, which of them show persons.

    """
    height, width = image.shape[:2]
    part = np.where(persons[:, None], PERSON, VEHICLE).reshape(-1, 4)
    size = boxes[:, 2:] - boxes[:, :2]
    spots = np.hstack([boxes[:, :2] + part[:, :2] * size, boxes[:, :2] + part[:, 2:] * size])
    spots = np.clip(np.round(spots), 0, (width, height, width, height)).astype(int)
    out = np.zeros((len(boxes), len(COLOURS)), np.uint8)
    for row, (x0, y0, x1, y1) in zip(out, spots, strict=True):
        if x1 - x0 < 2 or y1 - y0 < 2:
            continue
        patch = image[y0 : y1 : max((y1 - y0) // SIDE, 1), x0 : x1 : max((x1 - x0) // SIDE, 1)]
        share = np.bincount(_names(patch), minlength=len(COLOURS)) / (patch.shape[0] * patch.shape[1])
        row[:] = _in_bytes(share)
    return out


def _names(patch: np.ndarray) -> np.ndarray:
    """Return the index of the colour of each pixel, (H * W,)."""
    hue, saturation, value = cv2.cvtColor(np.ascontiguousarray(patch), cv2.COLOR_BGR2HSV).reshape(-1, 3).T
    grey = np.where(value >= _BRIGHT, 2, 1)
    return np.where(value < _DARK, 0, np.where(saturation < _PALE, grey, _BY_HUE[hue]))


def _in_bytes(share: np.ndarray) -> np.ndarray:
    """Return shares in 1/255 that sum to 255: the largest remainders are rounded up."""
    exact = share * 255
    whole = np.floor(exact)
    left = round(255 - float(whole.sum()))
    whole[np.argsort(whole - exact, kind="stable")[:left]] += 1
    return np.asarray(whole, np.uint8)
