"""How the pace of walkers varies: nobody walks at one speed.

Within a walk the speed of people on free ground varies by about 0.09 m/s over some seconds (measured in ETH and UCY,
``docs/simulator/fidelity.md``). Here it is a sum of three slow waves with a person's own phases and periods.
"""

from __future__ import annotations

import numpy as np

from twin_sim.core.body_palettes import scattered

PERIODS = (3.3, 5.7, 10.0)  # s
AMPLITUDES = (0.05, 0.08, 0.075)  # m/s
FULL_SPEED = 1.0  # m/s; who walks slower, as in a crowd, varies less
RETURN = 6.0  # s in which somebody falls back to where the model has them
_FIRST_STREAM = 40  # of the random numbers of an appearance


def variation(appearance: np.ndarray, speed: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return by how much each walker is faster than usual, (T, N) m/s.

    ``appearance``: (N,) uint32; ``speed``: (T, N) m/s, the usual one; ``now``: (T, 1) seconds.
    """
    found = np.zeros(speed.shape)
    for number, (period, amplitude) in enumerate(zip(PERIODS, AMPLITUDES, strict=True)):
        draw = scattered(appearance, _FIRST_STREAM + number) / 2**32
        own_period = period * (0.85 + 0.3 * (draw * 977 % 1.0))
        found += amplitude * np.sin(2 * np.pi * (now / own_period + draw))
    return np.asarray(found * np.minimum(speed / FULL_SPEED, 1.0))
