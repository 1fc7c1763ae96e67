"""How often one sensor sees what another is sure of: measured while it runs, by distance."""

from __future__ import annotations

import numpy as np

BANDS = (20.0, 35.0, 50.0)  # metres: where each band ends; beyond the last nothing is counted
_PRIOR = 10.0  # opportunities that the first guess is worth


class HitRate:
    """A share of hits among opportunities for each band of distance, with fading memory.

    Args:
        guess: shares before anything is known, one a band.
        memory: opportunities that are remembered.

    """

    def __init__(self, guess: tuple[float, float, float], memory: float = 300.0) -> None:
        """Begin with the guess."""
        self._guess = np.array(guess)
        self._fade = 1 - 1 / memory
        self._hits, self._chances = np.zeros(len(BANDS)), np.zeros(len(BANDS))

    def note(self, distance: np.ndarray, hit: np.ndarray) -> None:
        """Count opportunities at distances (N,), metres, and which of them were hits (N,) bool."""
        band = np.searchsorted(BANDS, distance)
        for index in range(len(BANDS)):
            here = band == index
            fade = self._fade ** np.count_nonzero(here)
            self._hits[index] = self._hits[index] * fade + np.count_nonzero(here & hit)
            self._chances[index] = self._chances[index] * fade + np.count_nonzero(here)

    def at(self, distance: np.ndarray) -> np.ndarray:
        """Return the share at distances (N,), metres; 0 beyond the last band."""
        shares = (self._hits + _PRIOR * self._guess) / (self._chances + _PRIOR)
        return np.append(shares, 0.0)[np.searchsorted(BANDS, distance)]

    def near(self) -> tuple[float, float]:
        """Return the share in the nearest two bands, and of how many opportunities, faded."""
        chances = float(self._chances[:2].sum())
        return float(self._hits[:2].sum()) / max(chances, 1e-9), chances
