"""Where objects can be: the district's zones as a grid, for predictions over seconds without measurements."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from twin_common.core.geometry import inside_polygon

#: What a place is worth for vehicles and for persons, by kind of zone; places of no zone are in the last row.
_WORTH = {
    "building": (0.002, 0.01), "carriageway": (1.0, 0.25), "crosswalk": (1.0, 1.0), "sidewalk": (0.05, 1.0),
    "plaza": (0.1, 1.0), "site": (0.2, 0.5), "cycleway": (0.5, 0.5), "parking": (1.0, 0.8),
}  # fmt: skip
_NOWHERE = (0.3, 0.5)
_MOST_GAIN = 5.0
_SAMPLES = 32
_CHUNK = 4096  # places looked at together


@dataclass(frozen=True, slots=True)
class ZoneRegion:
    """A grid over the district.

    ``worth``: (2, rows, columns), of vehicles and persons, 0 to 1; ``origin`` (2,) of its corner, ``cell`` m.
    """

    worth: np.ndarray
    origin: np.ndarray
    cell: float

    @classmethod
    def of(cls, zones: Iterable[tuple[str, np.ndarray]], cell: float = 1.0) -> ZoneRegion:
        """Draw zones (kind, corners (K, 2) metres); later ones lie on earlier ones."""
        zones = list(zones)
        if not zones:
            return cls(np.ones((2, 1, 1)), np.zeros(2), 1e9)
        corners = np.concatenate([polygon for _, polygon in zones])
        origin = corners.min(axis=0)
        columns, rows = np.ceil((corners.max(axis=0) - origin) / cell).astype(int) + 1
        worth = np.broadcast_to(np.array(_NOWHERE)[:, None, None], (2, rows, columns)).copy()
        for kind, polygon in zones:
            low = np.floor((polygon.min(axis=0) - origin) / cell).astype(int)
            high = np.ceil((polygon.max(axis=0) - origin) / cell).astype(int) + 1
            x, y = np.meshgrid(*(origin[a] + (np.arange(low[a], high[a]) + 0.5) * cell for a in (0, 1)))
            part = worth[:, low[1] : high[1], low[0] : high[0]]
            places = np.column_stack([x.ravel(), y.ravel()])
            chunks = [inside_polygon(places[k : k + _CHUNK], polygon) for k in range(0, len(places), _CHUNK)]
            inside = np.concatenate(chunks).reshape(x.shape)[: part.shape[1], : part.shape[2]]
            part[:, inside] = np.array(_WORTH.get(kind, _NOWHERE))[:, None]
        return cls(worth, origin, cell)

    def at(self, places: np.ndarray, person: np.ndarray) -> np.ndarray:
        """Return what places (..., 2) are worth for persons or vehicles (...), 0 to 1; outside as nowhere."""
        index = np.floor((places - self.origin) / self.cell).astype(int)
        column, row = index[..., 0], index[..., 1]
        outside = (row < 0) | (column < 0) | (row >= self.worth.shape[1]) | (column >= self.worth.shape[2])
        row, column = np.where(outside, 0, row), np.where(outside, 0, column)
        kind = person.astype(int)
        return np.asarray(np.where(outside, np.array(_NOWHERE)[kind], self.worth[kind, row, column]))

    def share(self, mean: np.ndarray, covariance: np.ndarray, person: np.ndarray) -> np.ndarray:
        """Return what the places of distributions (L, 2), (L, 2, 2) are worth on average, (L,) at least 0.2.

        Where only a part of a prediction is possible, the rest of it is the likelier: divide its density by this.
        """
        lower = np.linalg.cholesky(covariance + 1e-6 * np.eye(2))
        places = mean[:, None] + np.einsum("lij,sj->lsi", lower, _SPREAD)
        worth = self.at(places, np.broadcast_to(person[:, None], places.shape[:2]))
        return np.asarray(np.maximum(worth.mean(axis=1), 1 / _MOST_GAIN))


def _spread() -> np.ndarray:
    """Return evenly spread normal deviates (S, 2): the R2 sequence (Roberts 2018) through the inverse distribution."""
    steps = np.arange(1, _SAMPLES + 1)[:, None] * np.array([0.7548776662466927, 0.5698402909980532])
    return np.asarray(ndtri(np.clip((0.5 + steps) % 1.0, 0.01, 0.99)))


_SPREAD = _spread()
