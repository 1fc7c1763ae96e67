"""Directions of returns, several at once: arc tangents of a whole scan would take a tenth of its time. Compiled."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import any_order_kernel

#: arctan x = x (1 + ... + _A16 x^16) for x in 0..1 within 2e-8 rad: Abramowitz and Stegun 1964, 4.4.49.
_A2, _A4, _A6, _A8 = (np.float32(value) for value in (-0.3333314528, 0.1999355085, -0.1420889944, 0.1065626393))
_A10, _A12, _A14, _A16 = (np.float32(value) for value in (-0.0752896400, 0.0429096138, -0.0161657367, 0.0028662257))
_ZERO, _ONE, _TINY = np.float32(0), np.float32(1), np.float32(1e-30)
_RIGHT, _STRAIGHT = np.float32(np.pi / 2), np.float32(np.pi)


def azimuth(points: np.ndarray) -> np.ndarray:
    """Return the direction from the origin to (N, 2 or more) finite float32 points, (N,) float32 radians, -pi to pi."""
    return np.asarray(_azimuth(points))


@any_order_kernel
def _azimuth(points: np.ndarray) -> np.ndarray:
    x, y = np.empty(len(points), np.float32), np.empty(len(points), np.float32)
    for place in range(len(points)):
        x[place], y[place] = points[place, 0], points[place, 1]
    return _arc_tangents(y, x)


@any_order_kernel
def _arc_tangents(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    found = np.empty(len(x), np.float32)
    for place in range(len(x)):
        across, along = abs(y[place]), abs(x[place])
        t = min(along, across) / max(max(along, across), _TINY)
        s = t * t
        angle = t * (
            ((((((((_A16 * s + _A14) * s + _A12) * s + _A10) * s + _A8) * s + _A6) * s + _A4) * s + _A2) * s) + _ONE
        )
        angle = _RIGHT - angle if across > along else angle
        angle = _STRAIGHT - angle if x[place] < _ZERO else angle
        found[place] = -angle if y[place] < _ZERO else angle
    return found
