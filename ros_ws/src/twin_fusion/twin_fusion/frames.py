"""Where the frames of a platform are, from /tf and /tf_static."""

from __future__ import annotations

import numpy as np
from tf2_msgs.msg import TFMessage

from twin_common import stamps
from twin_common.core.transform_buffer import TransformBuffer, TransformError
from twin_fusion import convert
from twin_fusion.core.placement import poses_between

KEEP = 10.0  # seconds of poses


class Frames:
    """Keeps fixed and moving frames; a recording that begins anew empties what moves."""

    def __init__(self, max_extrapolation: float) -> None:
        """Start without frames; ``max_extrapolation``: seconds beyond the newest pose."""
        self._extrapolation = max_extrapolation
        self._fixed: dict[str, tuple[str, np.ndarray, int]] = {}
        self._newest_ns: dict[str, int] = {}
        self._buffer = self._new_buffer()

    def _new_buffer(self) -> TransformBuffer:
        buffer = TransformBuffer(KEEP, self._extrapolation)
        for child, (parent, pose, stamp_ns) in self._fixed.items():
            buffer.insert(parent, child, pose, stamp_ns, static=True)
        return buffer

    def add_fixed(self, message: TFMessage) -> None:
        """Learn fixed frames."""
        for parent, child, pose, stamp_ns in convert.transforms(message):
            self._fixed[child] = (parent, pose, stamp_ns)
            self._buffer.insert(parent, child, pose, stamp_ns, static=True)

    def add_moving(self, message: TFMessage) -> bool:
        """Learn where moving frames are; return whether time went back: poses from long before the newest."""
        went_back = False
        for parent, child, pose, stamp_ns in convert.transforms(message):
            if stamp_ns < self._newest_ns.get(child, stamp_ns) - KEEP / 2 * stamps.NANOSECONDS:
                went_back = True
                self._newest_ns.clear()
                self._buffer = self._new_buffer()
            self._newest_ns[child] = max(stamp_ns, self._newest_ns.get(child, stamp_ns))
            self._buffer.insert(parent, child, pose, stamp_ns, static=False)
        return went_back

    def map_from(self, frame: str, stamp_ns: int) -> np.ndarray:
        """Return map_from_frame at a stamp, (4, 4).

        Raises:
            TransformError: it is not known.

        """
        return self._buffer.lookup(convert.MAP, frame, stamp_ns)

    def map_from_earlier(self, frame: str, stamp_ns: int) -> np.ndarray | None:
        """Return map_from_frame at a stamp before one that is known; None where poses begin later."""
        try:
            return self.map_from(frame, stamp_ns)
        except TransformError:
            return None

    def poses_of(self, frame: str, stamp_ns: int, offset: np.ndarray, pose: np.ndarray) -> np.ndarray:
        """Return map_from_frame when each object of an array was measured, (4, 4) or (N, 4, 4).

        Args:
            frame: of the sensor.
            stamp_ns: of the array.
            offset: (N,) seconds of each object after the stamp.
            pose: map_from_frame (4, 4) at the stamp.

        """
        earliest = float(offset.min(initial=0.0))
        if earliest >= 0:
            return pose
        first = self.map_from_earlier(frame, stamp_ns + stamps.from_seconds(earliest))
        if first is None or np.array_equal(first, pose):
            return pose
        return poses_between(first, pose, 1 - np.clip(offset / earliest, 0.0, 1.0))
