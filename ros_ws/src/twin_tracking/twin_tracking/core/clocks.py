"""Clocks of the platforms that are ahead or behind, learned from moving objects that several of them see.

An object that moves with speed v is measured by a platform whose clock is ahead by d where it was d seconds before: v d
behind where the others lead one to expect it. Each platform's offset is a recursive least-squares estimate of that lag
over speed. Only offsets relative to each other can be seen; they are bounded, and forgotten slowly.
"""

from __future__ import annotations

import numpy as np

from twin_tracking.config import TrackerConfig

PLATFORMS = 64
_LEAST_SPEED = 1.0  # m/s
_CORRELATED = 10.0  # successive innovations of a track are worth so many times less
_SHARE = 0.5  # of a lag shows, as the track follows the platform's own measurements too
_ONE = np.uint64(1)


class ClockOffsets:
    """How far each platform's clock is ahead, ``offset`` (64,) s, by the platform's bit."""

    def __init__(self, config: TrackerConfig) -> None:
        """Believe all clocks until objects tell otherwise."""
        self._limit, self._memory = config.max_clock_offset, config.clock_memory
        self._prior = 1 / max(config.clock_sigma, 1e-9) ** 2
        self.offset = np.zeros(PLATFORMS)
        self._information = np.zeros(PLATFORMS)

    @property
    def sigma(self) -> np.ndarray:
        """How sure each offset is, (64,) s, one sigma."""
        return np.asarray(1 / np.sqrt(self._information + self._prior))

    def correct(self, detections: np.ndarray) -> None:
        """Move the times of detections, DETECTION (N,), to the common clock, in place; joined views by the mean."""
        if self._limit <= 0 or not len(detections) or np.abs(self.offset).max() < 1e-3:
            return
        masks, row = np.unique(detections["platforms"], return_inverse=True)
        bits = (masks[:, None] >> np.arange(PLATFORMS, dtype=np.uint64)) & _ONE
        count = bits.sum(axis=1).astype(float)
        detections["time_offset"] -= ((bits @ self.offset) / np.maximum(count, 1.0))[row]

    def learn(self, tracks: np.ndarray, detections: np.ndarray, partner: np.ndarray, dt: float) -> None:
        """Take the lags of detections behind the predicted tracks, TRACK (N,), into account; ``partner`` (N,)."""
        if self._limit <= 0:
            return
        forget = np.exp(-dt / self._memory)
        self._information *= forget
        row = np.flatnonzero(partner >= 0)
        if not len(row):
            return
        seen = detections[partner[row]]
        mask = np.bitwise_or.reduce(tracks["platforms"][row], axis=1) & ~seen["platforms"]
        speed = np.hypot(*tracks["estimate"][row, 2:4].T)
        single = (seen["platforms"] & (seen["platforms"] - _ONE) == 0) & (seen["platforms"] > 0)
        unsure = tracks["spread"][row, 2, 2] + tracks["spread"][row, 3, 3]
        moves = (speed > _LEAST_SPEED) & (speed**2 > 9 * unsure)
        use = single & (mask > 0) & moves & tracks["confirmed"][row]
        if not use.any():
            return
        track, seen, speed = tracks[row[use]], seen[use], speed[use]
        way = track["estimate"][:, 2:4] / speed[:, None]
        expected = track["estimate"][:, :2] + seen["time_offset"][:, None] * track["estimate"][:, 2:4]
        ahead = ((seen["position"][:, :2] - expected) * way).sum(axis=1)
        spread = np.einsum("ki,kij,kj->k", way, track["spread"][:, :2, :2] + seen["noise"], way)
        weight = speed**2 / spread / _CORRELATED
        usual = ahead**2 < 9 * (spread + (speed * self._limit) ** 2)
        platform = np.round(np.log2(seen["platforms"].astype(float))).astype(int)[usual]
        gained = np.bincount(platform, weight[usual], PLATFORMS)
        lag = np.bincount(platform, (-weight * ahead / speed)[usual], PLATFORMS)
        self._information += gained
        self.offset += lag / (_SHARE * (self._information + self._prior))
        known = self._information > 0
        common = np.average(self.offset[known], weights=self._information[known])
        self.offset = np.clip(np.where(known, self.offset - common, 0.0), -self._limit, self._limit)
