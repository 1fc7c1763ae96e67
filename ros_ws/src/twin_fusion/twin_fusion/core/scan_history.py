"""The last scans of a platform, with the same object followed from one to the next.

Only as long as a camera's frame may be late: enough to know where an object was at the moment of the frame, and
which object of the present scan a frame spoke of.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from twin_fusion.core import classes

_FORBIDDEN = 1e6
_SHORTEST = 0.15  # seconds over which a velocity is believed
_PLACES = 5  # of each object are kept


@dataclass(frozen=True, slots=True)
class Scan:
    """Objects (N,) of one scan in the map frame, and who they are.

    ``times``: (N,) ns; ``identity``: (N,) the same number in every scan; ``places``: (N, P, 3) seconds after
    ``stamp_ns`` (at most 0), x, y of this and earlier scans, newest first, NaN where there is none.
    """

    stamp_ns: int
    objects: np.ndarray
    times: np.ndarray
    identity: np.ndarray
    places: np.ndarray

    def velocity(self) -> np.ndarray:
        """Return the velocities (N, 2) over the last scans, m/s; NaN where they are too few."""
        known = np.isfinite(self.places[:, :, 0])
        number = known.sum(axis=1)
        values = np.where(known[:, :, None], self.places, 0.0)
        mean = values.sum(axis=1) / np.maximum(number, 1)[:, None]
        off = np.where(known[:, :, None], self.places - mean[:, None], 0.0)
        spread = (off[:, :, 0] ** 2).sum(axis=1)
        span = -np.nan_to_num(self.places[:, :, 0]).min(axis=1, initial=0.0)
        slope = np.einsum("np,npi->ni", off[:, :, 0], off[:, :, 1:]) / np.maximum(spread, 1e-9)[:, None]
        return np.where(((number >= 3) & (span >= _SHORTEST))[:, None], slope, np.nan)


class ScanHistory:
    """Keeps scans for some time and follows objects through them.

    Args:
        keep: seconds.

    """

    def __init__(self, keep: float) -> None:
        """Start without scans."""
        self._keep_ns = round(keep * 1e9)
        self._scans: deque[Scan] = deque()
        self._next = 0

    def __len__(self) -> int:
        return len(self._scans)

    @property
    def newest(self) -> Scan | None:
        """The last scan."""
        return self._scans[-1] if self._scans else None

    def add(self, stamp_ns: int, objects: np.ndarray) -> Scan:
        """Take the objects of a scan, map frame; a scan from long before the last one starts anew."""
        previous = self.newest
        if previous is not None and not 0 < stamp_ns - previous.stamp_ns <= self._keep_ns:
            self._scans.clear()
            previous = None
        times = stamp_ns + np.round(objects["time_offset"].astype(float) * 1e9).astype(np.int64)
        identity = np.full(len(objects), -1, np.int64)
        places = np.full((len(objects), _PLACES, 3), np.nan)
        places[:, 0] = np.stack([(times - stamp_ns) / 1e9, objects["x"], objects["y"]], axis=1)
        if previous is not None:
            old, new = _followed(previous, objects, times)
            identity[new] = previous.identity[old]
            places[new, 1:] = previous.places[old, :-1]
            places[new, 1:, 0] -= (stamp_ns - previous.stamp_ns) / 1e9
        fresh = np.flatnonzero(identity < 0)
        identity[fresh] = self._next + np.arange(len(fresh))
        self._next += len(fresh)
        scan = Scan(stamp_ns, objects, times, identity, places)
        self._scans.append(scan)
        while stamp_ns - self._scans[0].stamp_ns > self._keep_ns:
            self._scans.popleft()
        return scan

    def nearest(self, stamp_ns: int) -> Scan | None:
        """Return the scan whose stamp is closest, None where it is farther away than scans are kept."""
        best = min(self._scans, key=lambda scan: abs(scan.stamp_ns - stamp_ns), default=None)
        return best if best is not None and abs(best.stamp_ns - stamp_ns) <= self._keep_ns else None


def _followed(previous: Scan, objects: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return indices (P,), (P,) of objects in the scan before and now that are the same: the cheapest assignment."""
    none = np.zeros(0, int)
    if not len(previous.objects) or not len(objects):
        return none, none
    elapsed = (times[None, :] - previous.times[:, None]) / 1e9
    velocity = previous.velocity()
    moving = np.isfinite(velocity[:, 0])
    expected = np.nan_to_num(velocity)[:, None, :] * elapsed[:, :, None]
    x = objects["x"][None, :] - previous.objects["x"][:, None] - expected[:, :, 0]
    y = objects["y"][None, :] - previous.objects["y"][:, None] - expected[:, :, 1]
    distance = np.hypot(x, y)
    before, now = previous.objects["classification"], objects["classification"]
    top = np.minimum(classes.TOP_SPEED[before][:, None], classes.TOP_SPEED[now][None, :])
    size = np.minimum(previous.objects["length"][:, None], objects["length"][None, :])
    gate = 0.4 + 0.25 * size + np.where(moving[:, None], 0.3, 1.0) * top * np.abs(elapsed)
    apart = classes.AGREEMENT[before][:, now] <= 0
    cost = np.where((distance > gate) | apart, _FORBIDDEN, distance)
    rows, columns = linear_sum_assignment(cost)
    kept = cost[rows, columns] < _FORBIDDEN
    return rows[kept], columns[kept]
