"""A tree of frames over time."""

from __future__ import annotations

import bisect
from dataclasses import dataclass, field

import numpy as np

from twin_common.core import geometry


class TransformError(LookupError):
    """Frames that are not connected, or a stamp outside what is known."""


@dataclass(slots=True)
class _History:
    """Poses of one child frame in its parent, in order of time; a static pose has one entry."""

    parent: str
    static: bool
    stamps_ns: list[int] = field(default_factory=list)
    poses: list[np.ndarray] = field(default_factory=list)


class TransformBuffer:
    """Keeps the transforms of /tf and /tf_static and answers between their stamps.

    Args:
        keep: how long dynamic transforms are kept, seconds.
        max_extrapolation: how far past the newest transform a stamp may lie, seconds.

    """

    def __init__(self, keep: float = 10.0, max_extrapolation: float = 0.2) -> None:
        """Start without frames."""
        self._keep_ns = round(keep * 1e9)
        self._extrapolation_ns = round(max_extrapolation * 1e9)
        self._histories: dict[str, _History] = {}

    def insert(self, parent: str, child: str, parent_from_child: np.ndarray, stamp_ns: int, *, static: bool) -> None:
        """Add one transform; transforms that arrive out of order are put in their place.

        Raises:
            ValueError: not a finite (4, 4) matrix, or parent and child are the same frame.

        """
        if parent_from_child.shape != (4, 4) or not np.isfinite(parent_from_child).all():
            raise ValueError(f"{parent} from {child}: expected a finite (4, 4) transform")
        if parent == child:
            raise ValueError(f"{parent}: a frame cannot be its own parent")
        history = self._histories.get(child)
        if history is None or history.parent != parent or static:
            history = self._histories[child] = _History(parent, static)
        index = bisect.bisect_right(history.stamps_ns, stamp_ns)
        history.stamps_ns.insert(index, stamp_ns)
        history.poses.insert(index, parent_from_child)
        horizon = history.stamps_ns[-1] - self._keep_ns
        cut = min(bisect.bisect_left(history.stamps_ns, horizon), len(history.stamps_ns) - 1)
        del history.stamps_ns[:cut], history.poses[:cut]

    def lookup(self, target: str, source: str, stamp_ns: int) -> np.ndarray:
        """Return target_from_source at a stamp, (4, 4).

        Raises:
            TransformError: the frames are not connected or the stamp lies outside what is known.

        """
        to_target, to_source = self._chain(target, stamp_ns), self._chain(source, stamp_ns)
        common = next((frame for frame in to_source if frame in to_target), None)
        if common is None:
            raise TransformError(f"{target} from {source}: not connected; known frames: {sorted(self._histories)}")
        result: np.ndarray = geometry.inverse(to_target[common]) @ to_source[common]
        return result

    def _chain(self, frame: str, stamp_ns: int) -> dict[str, np.ndarray]:
        """Return ancestor_from_frame of the frame and of each of its ancestors, nearest first."""
        chain = {frame: np.eye(4)}
        current, pose = frame, np.eye(4)
        while current in self._histories:
            history = self._histories[current]
            pose = self._at(current, history, stamp_ns) @ pose
            current = history.parent
            if current in chain:
                raise TransformError(f"{current}: frames form a loop")
            chain[current] = pose
        return chain

    def _at(self, child: str, history: _History, stamp_ns: int) -> np.ndarray:
        stamps = history.stamps_ns
        if history.static or stamps[0] == stamp_ns:
            return history.poses[0]
        if stamp_ns < stamps[0] or stamp_ns > stamps[-1] + self._extrapolation_ns:
            raise TransformError(
                f"{history.parent} from {child}: stamp {stamp_ns} is outside {stamps[0]} to {stamps[-1]}"
            )
        index = bisect.bisect_left(stamps, stamp_ns)
        if len(stamps) == 1:
            return history.poses[0]
        after = min(index, len(stamps) - 1)
        before = after - 1
        fraction = (stamp_ns - stamps[before]) / max(stamps[after] - stamps[before], 1)
        return geometry.interpolate(history.poses[before], history.poses[after], fraction)
