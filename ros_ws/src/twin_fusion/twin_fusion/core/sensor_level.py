"""With which of its sensors a platform works, and why not with all of them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

FULL, LIDAR_ONLY, CAMERA_ONLY, BLIND, WAITING = "full", "lidar only", "camera only", "blind", "waiting"
_FEW = 0.25  # a sensor that sees less of what the other is sure of is as good as blind
_ENOUGH = 30.0  # objects, before this is said
_SLACK_NS = 60_000_000  # a frame this much after a scan still speaks of it
SECOND = 1_000_000_000


@dataclass(slots=True)
class Rhythm:
    """When the messages of a sensor come, and how late after their stamps."""

    last_ns: int | None = None
    last_stamp_ns: int = 0
    intervals_ns: deque[int] = field(default_factory=lambda: deque(maxlen=7))

    def beat(self, now_ns: int, stamp_ns: int) -> None:
        """Take one message into account; a clock that is set back starts anew."""
        if self.last_ns is not None and now_ns > self.last_ns:
            self.intervals_ns.append(now_ns - self.last_ns)
        elif self.last_ns is not None and now_ns < self.last_ns:
            self.intervals_ns.clear()
        self.last_ns, self.last_stamp_ns = now_ns, stamp_ns

    def silence(self, now_ns: int) -> float:
        """Return how long nothing has come, seconds; infinite where nothing ever came."""
        return float("inf") if self.last_ns is None else (now_ns - self.last_ns) / SECOND

    def due(self, stamp_ns: int, since_ns: int, wait_ns: int, now_ns: int) -> bool:
        """Return whether the next message is worth waiting for: it speaks of a stamp and comes before the wait is over.

        ``stamp_ns`` is of what waits, ``since_ns`` when it came; a sensor that is overdue is not waited for.
        """
        if self.last_ns is None or not self.intervals_ns or not since_ns <= now_ns < since_ns + wait_ns:
            return False
        interval_ns = int(np.median(self.intervals_ns))
        next_ns = self.last_ns + interval_ns
        in_time = now_ns - interval_ns < next_ns <= since_ns + wait_ns
        return in_time and self.last_stamp_ns + interval_ns <= stamp_ns + _SLACK_NS


@dataclass(frozen=True, slots=True)
class Sight:
    """What one sensor sees of what the other is sure of: share, and of how many objects."""

    share: float
    chances: float

    @property
    def poor(self) -> bool:
        """Whether it is as good as blind."""
        return self.chances >= _ENOUGH and self.share < _FEW


def level_of(
    lidar: Rhythm, camera: Rhythm, sights: tuple[Sight, Sight], silence: float, now_ns: int
) -> tuple[str, list[str]]:
    """Return the level a platform works at, and what is wrong, a line each.

    A sensor counts from its first message on; ``sights``: of LiDAR and camera; ``silence``: seconds after which a
    sensor is lost.
    """
    known = {"LiDAR": lidar.last_ns is not None, "camera": camera.last_ns is not None}
    if not any(known.values()):
        return WAITING, []
    reasons, alive = [], {}
    for name, rhythm in (("LiDAR", lidar), ("camera", camera)):
        alive[name] = known[name] and rhythm.silence(now_ns) <= silence
        if known[name] and not alive[name]:
            reasons.append(f"{name} silent for more than {silence:g} s")
    causes = {"LiDAR": "rain, fog or dirt", "camera": "night, rain or dirt"}
    # First the camera, which is blinded more often: one that sees nothing right is no witness against the LiDAR.
    for name, other, sight in (("camera", "LiDAR", sights[1]), ("LiDAR", "camera", sights[0])):
        if all(alive.values()) and sight.poor:
            alive[name] = False
            reasons.append(f"{name} sees {sight.share:.0%} of what the {other} is sure of: {causes[name]}?")
    if not any(alive.values()):
        return BLIND, reasons
    if not reasons:
        return FULL, []
    return (LIDAR_ONLY if alive["LiDAR"] else CAMERA_ONLY), reasons
