"""Everything the tracker knows about its tracks, as a structure of arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from twin_tracking.core import classes
from twin_tracking.core.heading import Heading
from twin_tracking.core.motion import MODES, STATES, Moments, Motion

NANOSECONDS = 1_000_000_000
PLATFORM_SLOTS = 4


@dataclass(slots=True)
class TrackState:
    """N tracks at one stamp, ordered by birth; the first axis of every array is N, but the last one of the motion's.

    ``mean``, ``covariance``, ``mode``: see ``motion``; ``estimate`` (N, 5) and ``spread`` (N, 5, 5): their moments;
    ``yaw``, ``yaw_variance``, ``ahead``: see ``heading``; ``z`` m; ``size`` (N, 3) length, width, height and
    ``size_weight`` behind it; ``class_probability`` (N, 10); ``posture_votes`` (N, 4); ``visible``, ``hidden``: see
    ``existence``; ``score`` averaged existence of the detections and ``score_weight``; ``speed`` m/s and
    ``acceleration`` m/s^2 along the heading; ``first_ns``, ``last_ns`` of the measurements; ``platforms`` (N, 4) bit
    sets of the present and past quarters of the platform memory; ``source`` number of the detection measured last.
    """

    ids: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    mode: np.ndarray
    estimate: np.ndarray
    spread: np.ndarray
    yaw: np.ndarray
    yaw_variance: np.ndarray
    ahead: np.ndarray
    z: np.ndarray
    z_variance: np.ndarray
    size: np.ndarray
    size_weight: np.ndarray
    class_probability: np.ndarray
    posture_votes: np.ndarray
    visible: np.ndarray
    hidden: np.ndarray
    score: np.ndarray
    score_weight: np.ndarray
    confirmed: np.ndarray
    speed: np.ndarray
    acceleration: np.ndarray
    first_ns: np.ndarray
    last_ns: np.ndarray
    platforms: np.ndarray
    source: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: np.ndarray) -> TrackState:
        """Return copies of the chosen tracks (indices or mask)."""
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        return TrackState(*(np.take(getattr(self, name), index, axis) for name, axis in _AXES.items()))

    def put(self, index: np.ndarray, tracks: TrackState) -> None:
        """Overwrite the chosen tracks (indices), in place."""
        for name, axis in _AXES.items():
            if axis:
                getattr(self, name)[..., index] = getattr(tracks, name)
            else:
                getattr(self, name)[index] = getattr(tracks, name)

    def append(self, tracks: TrackState) -> TrackState:
        """Return these tracks, then those."""
        return TrackState(
            *(np.concatenate([getattr(self, name), getattr(tracks, name)], axis) for name, axis in _AXES.items())
        )

    def copy(self) -> TrackState:
        """Return a copy that shares no array."""
        return TrackState(*(getattr(self, name).copy() for name in _AXES))

    @property
    def motion(self) -> Motion:
        """The modes of motion."""
        return Motion(self.mean, self.covariance, self.mode)

    @motion.setter
    def motion(self, motion: Motion) -> None:
        self.mean, self.covariance, self.mode = motion.mean, motion.covariance, motion.probability

    @property
    def moments(self) -> Moments:
        """Mean and covariance over all modes."""
        return Moments(self.estimate, self.spread)

    @moments.setter
    def moments(self, moments: Moments) -> None:
        self.estimate, self.spread = moments.mean, moments.covariance

    @property
    def heading(self) -> Heading:
        """The headings."""
        return Heading(self.yaw, self.yaw_variance, self.ahead)

    @heading.setter
    def heading(self, heading: Heading) -> None:
        self.yaw, self.yaw_variance, self.ahead = heading.yaw, heading.variance, heading.ahead

    @property
    def existence(self) -> np.ndarray:
        """Probability that there is such an object: that something lasts there, and that it is an object, (N,)."""
        return np.asarray((self.visible + self.hidden) * self.score)


_LAST_AXIS = ("mean", "covariance", "mode")
_AXES = {field.name: -1 if field.name in _LAST_AXIS else 0 for field in fields(TrackState)}
_SHAPES: dict[str, tuple[int, ...]] = {
    "mean": (STATES, MODES), "covariance": (STATES, STATES, MODES), "mode": (MODES,), "estimate": (STATES,),
    "spread": (STATES, STATES), "size": (3,), "class_probability": (classes.COUNT,), "posture_votes": (4,),
    "platforms": (PLATFORM_SLOTS,),
}  # fmt: skip
_KINDS: dict[str, type] = {
    "ids": np.uint64, "confirmed": np.bool_, "first_ns": np.int64, "last_ns": np.int64, "platforms": np.uint64,
    "source": np.int64,
}  # fmt: skip


def empty() -> TrackState:
    """Return no tracks."""
    arrays: list[np.ndarray] = []
    for name, axis in _AXES.items():
        inner = _SHAPES.get(name, ())
        arrays.append(np.zeros((*inner, 0) if axis else (0, *inner), _KINDS.get(name, np.float64)))
    return TrackState(*arrays)
