"""The compiled sort of integers, against NumPy's."""

import numpy as np

from twin_detection.core.integer_order import order_of


def test_equal_numbers_keep_their_order() -> None:
    rng = np.random.default_rng(2)
    for highest in (1, 2, 2047, 2048, 5_000_000, 2**40):
        for count in (0, 1, 7, 3000):
            key = rng.integers(-highest, highest, count) // rng.integers(1, 3)
            np.testing.assert_array_equal(order_of(key), np.argsort(key, kind="stable"))
