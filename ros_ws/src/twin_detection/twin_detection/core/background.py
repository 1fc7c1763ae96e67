"""What a still LiDAR sees when nothing is there: one range and spread per direction."""

from __future__ import annotations

import numpy as np

#: A direction without any return in the warm-up looks into the sky; whatever returns there is an object.
_NOTHING = np.float32(1e4)


class Background:
    """Background of a still LiDAR, per ring and azimuth bin.

    While learning, the farthest return of a direction is its background: things pass in front of it, never
    behind. Later a return that is clearly nearer than the background around its direction is foreground; it
    does not change the model before ``absorb_after``. Returns that agree move the model slowly; returns that
    lie beyond it show that something has left, and replace it after ``uncover_after``.

    Args:
        azimuth_bins: directions in a full turn.
        margin: how much nearer than the background foreground is at least, metres.
        memory: time over which the model follows slow changes, seconds.
        uncover_after: time after which farther returns replace the model, seconds.
        absorb_after: time after which foreground that never left joins the background, seconds.

    """

    def __init__(
        self, azimuth_bins: int, margin: float, memory: float, uncover_after: float, absorb_after: float
    ) -> None:
        """Start without knowledge."""
        self._bins = azimuth_bins
        self._margin = margin
        self._memory = memory
        self._uncover_after = uncover_after
        self._absorb_after = absorb_after
        self._resize(1)

    def _resize(self, rings: int) -> None:
        shape = (rings, self._bins)
        self.range = np.full(shape, -1.0, np.float32)
        self.spread = np.full(shape, 0.05, np.float32)
        self._beyond_time = np.zeros(shape, np.float32)
        self._beyond_range = np.full(shape, _NOTHING, np.float32)
        self._front_time = np.zeros(shape, np.float32)

    def cells(self, xyz: np.ndarray, ring: np.ndarray) -> np.ndarray:
        """Return the direction of each point as a flat index, (N,) int32; new rings extend the model."""
        highest = int(ring.max()) + 1 if len(ring) else 0
        if highest > len(self.range):
            if (self.range >= 0).any():
                raise ValueError(f"ring: {highest - 1}; the background was learned with {len(self.range)} rings")
            self._resize(highest)
        turn = np.arctan2(xyz[:, 1], xyz[:, 0]) * np.float32(self._bins / (2 * np.pi))
        azimuth = np.floor(turn).astype(np.int32) % self._bins
        return np.asarray(ring.astype(np.int32) * self._bins + azimuth)

    def learn(self, cell: np.ndarray, distance: np.ndarray) -> None:
        """Take one scan of the warm-up into account: (N,) directions and ranges, metres."""
        np.maximum.at(self.range.reshape(-1), cell, distance.astype(np.float32, copy=False))

    def finish_learning(self) -> None:
        """End the warm-up: directions without a return see nothing."""
        self.range[self.range < 0] = _NOTHING

    def foreground(self, cell: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Return which returns lie clearly before the background of their direction and of those beside it."""
        near = self.range - np.maximum(self._margin, 3 * self.spread)
        around = np.minimum(near, np.minimum(np.roll(near, 1, axis=1), np.roll(near, -1, axis=1)))
        mask: np.ndarray = distance < around.reshape(-1)[cell]
        return mask

    def update(self, cell: np.ndarray, distance: np.ndarray, foreground: np.ndarray, duration: float) -> None:
        """Follow the scene by one scan.

        Args:
            cell: (N,) directions.
            distance: (N,) metres.
            foreground: (N,) bool, from ``foreground``.
            duration: time since the scan before, seconds.

        """
        model, spread = self.range.reshape(-1), self.spread.reshape(-1)
        difference = distance - model[cell]
        tolerance = np.maximum(self._margin, 3 * spread[cell])
        agrees = ~foreground & (np.abs(difference) <= tolerance)
        rate = np.float32(min(duration / self._memory, 1.0))
        hit = cell[agrees]
        model[hit] += rate * difference[agrees]
        spread[hit] += rate * (np.abs(difference[agrees]) - spread[hit])
        np.maximum(spread, 0.01, out=spread)
        self._uncover(cell, distance, difference > tolerance, agrees, duration)
        self._absorb(cell, distance, foreground, duration)

    def _uncover(
        self, cell: np.ndarray, distance: np.ndarray, beyond: np.ndarray, agrees: np.ndarray, duration: float
    ) -> None:
        """Replace the model where returns have come from beyond it for some time."""
        time, farther = self._beyond_time.reshape(-1), self._beyond_range.reshape(-1)
        time[cell[agrees]] = 0.0
        farther[cell[agrees]] = _NOTHING
        behind = cell[beyond]
        time[behind] += np.float32(duration)
        farther[behind] = np.minimum(farther[behind], distance[beyond])
        ripe = behind[time[behind] >= self._uncover_after]
        self.range.reshape(-1)[ripe] = farther[ripe]
        self.spread.reshape(-1)[ripe] = 0.05
        time[ripe] = 0.0
        farther[ripe] = _NOTHING

    def _absorb(self, cell: np.ndarray, distance: np.ndarray, foreground: np.ndarray, duration: float) -> None:
        """Let what has stood before the background for very long join it."""
        time = self._front_time.reshape(-1)
        time[cell[~foreground]] = 0.0
        front = cell[foreground]
        time[front] += np.float32(duration)
        old = time[front] >= self._absorb_after
        self.range.reshape(-1)[front[old]] = distance[foreground][old]
        time[front[old]] = 0.0
