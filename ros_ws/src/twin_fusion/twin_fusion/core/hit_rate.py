"""How often one sensor sees what another is sure of: measured while it runs, by kind of object and distance."""

from __future__ import annotations

import numpy as np

from twin_fusion.core import classes

BANDS = (20.0, 35.0, 50.0)  # metres: where each band ends; beyond the last nothing is counted
_PRIOR = 10.0  # opportunities that the first guess is worth
#: Row of each class.
_ROW = np.zeros(classes.COUNT, int)
for _number, _group in enumerate(classes.GROUPS):
    _ROW[list(_group.classes)] = _number


class HitRate:
    """A share of hits among opportunities for each group of classes and band of distance, with fading memory.

    Args:
        guess: shares before anything is known, one a band.
        memory: opportunities that are remembered.

    """

    def __init__(self, guess: tuple[float, float, float], memory: float = 300.0) -> None:
        """Begin with the guess."""
        self._guess = np.array(guess)
        self._fade = 1 - 1 / memory
        self._hits, self._chances = (np.zeros((len(classes.GROUPS), len(BANDS))) for _ in range(2))

    def note(self, distance: np.ndarray, label: np.ndarray, hit: np.ndarray) -> None:
        """Count opportunities at distances (N,), metres, of classes (N,), and which of them were hits (N,) bool."""
        band, row = np.searchsorted(BANDS, distance), _ROW[label]
        near = band < len(BANDS)
        cells = (row[near], band[near])
        chances: np.ndarray = np.zeros_like(self._chances)
        hits: np.ndarray = np.zeros_like(self._hits)
        np.add.at(chances, cells, 1.0)
        np.add.at(hits, cells, hit[near].astype(float))
        fade = self._fade**chances
        self._hits, self._chances = self._hits * fade + hits, self._chances * fade + chances

    def at(self, distance: np.ndarray, label: np.ndarray) -> np.ndarray:
        """Return the share at distances (N,), metres, for classes (N,); 0 beyond the last band."""
        shares = (self._hits + _PRIOR * self._guess) / (self._chances + _PRIOR)
        beyond = np.concatenate([shares, np.zeros((len(shares), 1))], axis=1)
        return np.asarray(beyond[_ROW[label], np.searchsorted(BANDS, distance)])

    def near(self) -> tuple[float, float]:
        """Return the share of all kinds in the nearest two bands, and of how many opportunities, faded."""
        chances = float(self._chances[:, :2].sum())
        return float(self._hits[:, :2].sum()) / max(chances, 1e-9), chances
