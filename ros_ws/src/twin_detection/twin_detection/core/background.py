"""What a still LiDAR sees when nothing is there: per direction a farthest surface, and a band of what is before it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from twin_detection.core.background_step import FLIPS, LEAST_SPREAD, NOTHING, ROAD_USER, SPREAD, follow, stands_out
from twin_detection.core.beam_grid import range_image

#: Time over which it is judged whether a direction shows a road user, seconds.
_JUDGED_OVER = 10.0
#: Less than this share of the time, and something is passing.
_PRESENT = 0.3


@dataclass(frozen=True, slots=True)
class BackgroundSettings:
    """How a background is learned: metres and seconds, as in the detector's configuration."""

    margin: float = 0.2
    memory: float = 20.0
    uncover_after: float = 0.3
    absorb_after: float = 600.0


@dataclass(slots=True)
class _State:
    """Images (R, A) of what is known of each direction; ranges in metres, times in seconds."""

    far: np.ndarray
    spread: np.ndarray
    low: np.ndarray
    high: np.ndarray
    band_unseen: np.ndarray
    thing: np.ndarray
    flips: np.ndarray
    before: np.ndarray
    beyond_time: np.ndarray
    beyond_range: np.ndarray
    front_time: np.ndarray
    front_range: np.ndarray
    road_user: np.ndarray
    presence: np.ndarray


def _blank(shape: tuple[int, int]) -> _State:
    def filled(value: float, kind: type = np.float32) -> np.ndarray:
        return np.full(shape, value, kind)

    return _State(
        far=filled(-1.0), spread=filled(SPREAD), low=filled(np.inf), high=filled(-np.inf), band_unseen=filled(0.0),
        thing=filled(0, bool), flips=filled(0.0), before=filled(0, bool), beyond_time=filled(0.0),
        beyond_range=filled(float(NOTHING)), front_time=filled(0.0), front_range=filled(0.0), road_user=filled(0.0),
        presence=filled(0.0),
    )  # fmt: skip


@dataclass(slots=True)
class Background:
    """Background of a still LiDAR, for an image of directions (``beam_grid``).

    Each direction has the range of the farthest surface and its spread, and a band of ranges of what flickers before
    it: edges and leaves, to and fro between which returns go. A return clearly before the surface, and outside the
    bands and surfaces of the direction and of those beside it, is foreground. Returns that agree move the surface
    slowly; returns from beyond it show that something has left, and replace it after ``uncover_after``.

    Foreground joins the background only as a band, and only where what stands there has been told to be no road user:
    after ``absorb_after`` where it stands still, earlier where it flickers. A person or a vehicle never does while it
    is there; the judgement fades once nothing stands there any more.
    The two ranges are those of a mixture model (Stauffer and Grimson 1999) that suits a LiDAR, which sees no farther
    than what is there; judging by class instead of by time is what keeps people who lie still.

    Args:
        shape: rows and columns of the image.
        settings: how it learns.

    """

    shape: tuple[int, int]
    settings: BackgroundSettings
    state: _State = field(init=False)
    _seen_scans: np.ndarray = field(init=False)
    learned: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        """Start without knowledge."""
        self.state = _blank(self.shape)
        self._seen_scans = np.zeros(self.shape, np.float32)

    def grow(self, rows: int) -> None:
        """Add the rows of lasers that had seen nothing; once all is learned, any return of theirs is foreground."""
        more = _blank((rows - self.shape[0], self.shape[1]))
        if self.learned:
            more.far[:] = NOTHING
        names = [item.name for item in fields(_State)]
        self.state = _State(*(np.concatenate([getattr(self.state, name), getattr(more, name)]) for name in names))
        self._seen_scans = np.concatenate([self._seen_scans, np.zeros(more.far.shape, np.float32)])
        self.shape = self.state.far.shape

    def image(self, cell: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Return the ranges of one scan as an image, 0 where nothing returned; of two in a cell the later."""
        return np.asarray(range_image(cell, distance, *self.shape))

    def learn(self, image: np.ndarray) -> None:
        """Take one scan of the warm-up into account: (R, A) ranges, metres."""
        state, seen = self.state, image > 0
        tolerance = self._tolerance()
        first = seen & (state.far < 0)
        state.far[first] = image[first]
        beyond = seen & ~first & (image > state.far + tolerance)
        nearer = seen & (image < state.far - tolerance)
        state.low[beyond] = np.minimum(state.low[beyond], state.far[beyond])
        state.high[beyond] = np.maximum(state.high[beyond], state.far[beyond])
        state.far[beyond] = image[beyond]
        state.low[nearer] = np.minimum(state.low[nearer], image[nearer])
        state.high[nearer] = np.maximum(state.high[nearer], image[nearer])
        self._seen_scans += seen
        agrees = seen & ~nearer & ~beyond
        rate = 1 / np.minimum(np.maximum(self._seen_scans[agrees], 1.0), 20.0)
        self._follow(agrees, image, rate)
        state.flips += seen & (nearer != state.before)
        state.before[seen] = nearer[seen]

    def finish_learning(self) -> None:
        """End the warm-up: forget what only passed, and let directions without a return take those beside them."""
        state = self.state
        self.learned = True
        self._drop_bands(state.flips < FLIPS)
        state.far[state.far < 0] = NOTHING
        around = np.stack([np.roll(state.far, step, axis=1) for step in (-3, -2, -1, 1, 2, 3)])
        known = around < NOTHING
        enough = (known.sum(axis=0) >= 3) & (state.far >= NOTHING)
        around[~known] = np.nan
        state.far[enough] = np.nanmedian(around[:, enough], axis=0)
        state.before[:] = False

    def foreground(self, cell: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Return which of (N,) returns lie clearly before the background of their directions, (N,) bool."""
        state = self.state
        known: list[Any] = [item.reshape(-1) for item in (state.far, state.spread, state.low, state.high)]
        return np.asarray(stands_out(cell, distance, self.shape[1], self.settings.margin, *known))

    def update(self, image: np.ndarray, front: np.ndarray, duration: float) -> int:
        """Follow the scene by one scan; return in how many directions there was a return.

        Args:
            image: (R, A) ranges, metres, 0 where nothing returned.
            front: (R, A) bool, where a surface stands before the background.
            duration: time since the scan before, seconds.

        """
        settings, state = self.settings, self.state
        known: list[Any] = [getattr(state, item.name).reshape(-1) for item in fields(_State)]
        returns = follow(
            image.reshape(-1), front.reshape(-1), self.shape[1], settings.margin, min(duration / settings.memory, 1.0),
            settings.uncover_after, settings.absorb_after, duration, *known,
        )  # fmt: skip
        return int(returns)

    def judge(self, cell: np.ndarray, road_user: np.ndarray, duration: float) -> None:
        """Note how probably the (N,) foreground returns belong to road users, 0..1; call it after ``update``."""
        state = self.state
        judged, fresh = state.road_user.reshape(-1), state.front_time.reshape(-1)[cell] < 1.0
        rate = np.float32(min(duration / _JUDGED_OVER, 1.0))
        now = judged[cell] + rate * (road_user - judged[cell])
        judged[cell] = np.where(fresh, np.maximum(judged[cell], road_user), now)

    def stood(self, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return in which of (N,) directions something has stood for some time, and how probably a road user."""
        return self.state.presence.reshape(-1)[cell] > _PRESENT, self.state.road_user.reshape(-1)[cell]

    def remembered(self, cell: np.ndarray) -> np.ndarray:
        """Return in which of (N,) directions somebody has stayed for some time, (N,) bool."""
        known, road_user = self.stood(cell)
        return known & (road_user >= ROAD_USER)

    def agreement(self, cell: np.ndarray, distance: np.ndarray, front: np.ndarray) -> float:
        """Return the share of (N,) returns of surfaces that the background explains; 0 where there are none.

        ``front``: indices of those before it that neighbours support; others before it are drops, and prove nothing.
        """
        drops = np.count_nonzero(self.foreground(cell, distance)) - len(front)
        if len(cell) <= drops:
            return 0.0
        beyond = distance > (self.state.far + 2 * self._tolerance()).reshape(-1)[cell]
        return 1.0 - float((np.count_nonzero(beyond) + len(front)) / (len(cell) - drops))

    @property
    def known(self) -> int:
        """In how many directions there is a surface."""
        return int(np.count_nonzero(self.state.far < NOTHING))

    def _tolerance(self) -> np.ndarray:
        return np.asarray(np.maximum(np.float32(self.settings.margin), 3 * self.state.spread))

    def _follow(self, where: np.ndarray, image: np.ndarray, rate: np.ndarray) -> None:
        """Move the surface and its spread towards the returns of some directions, by a share for each of them."""
        state = self.state
        difference = image[where] - state.far[where]
        state.far[where] += rate * difference
        state.spread[where] += rate * (np.abs(difference) - state.spread[where])
        np.maximum(state.spread, LEAST_SPREAD, out=state.spread)

    def _drop_bands(self, where: np.ndarray) -> None:
        state = self.state
        state.low[where], state.high[where], state.thing[where] = np.inf, -np.inf, False
