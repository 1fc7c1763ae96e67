"""Sorts by integers: of cells, beams and labels, which have few digits. Compiled."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

_BITS = 11  # of a digit
_DIGIT = (1 << _BITS) - 1


@kernel
def order_of(key: np.ndarray) -> np.ndarray:
    """Return the indices that sort (N,) int64 numbers, (N,); equal ones stay in their order.

    Digit by digit from the lowest (radix sort): with two or three digits no sort by comparison is as fast.
    """
    order, other = np.arange(len(key)), np.empty(len(key), np.int64)
    if not len(key):
        return order
    least, most = key.min(), key.max()
    shift = 0
    while (most - least) >> shift > 0:
        first = np.zeros(_DIGIT + 2, np.int64)
        for place in range(len(key)):
            first[(((key[place] - least) >> shift) & _DIGIT) + 1] += 1
        for digit in range(_DIGIT):
            first[digit + 1] += first[digit]
        for place in range(len(key)):
            at = order[place]
            digit = ((key[at] - least) >> shift) & _DIGIT
            other[first[digit]] = at
            first[digit] += 1
        order, other = other, order
        shift += _BITS
    return order
