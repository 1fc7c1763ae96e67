"""The time of a recording while it is played: at a rate, with pauses and jumps."""

from __future__ import annotations


class Timeline:
    """Maps a steady clock (ns, any origin) onto the time of a recording (ns since the epoch)."""

    def __init__(self, time_ns: int, rate: float, steady_ns: int, *, paused: bool = False) -> None:
        """Stand at ``time_ns`` of the recording at the moment ``steady_ns``; ``rate`` 2 is twice as fast."""
        self._time_ns = time_ns
        self._steady_ns = steady_ns
        self.rate = rate
        self.paused = paused

    def at(self, steady_ns: int) -> int:
        """Return the time of the recording."""
        return self._time_ns + (0 if self.paused else round((steady_ns - self._steady_ns) * self.rate))

    def due(self, time_ns: int) -> int | None:
        """Return when the recording reaches ``time_ns``, steady ns; None while paused."""
        return None if self.paused else self._steady_ns + round((time_ns - self._time_ns) / self.rate)

    def set_rate(self, rate: float, steady_ns: int) -> None:
        """Go on at another rate."""
        self.jump(self.at(steady_ns), steady_ns)
        self.rate = rate

    def set_paused(self, paused: bool, steady_ns: int) -> None:
        """Stop, or go on from where it stopped."""
        self.jump(self.at(steady_ns), steady_ns)
        self.paused = paused

    def jump(self, time_ns: int, steady_ns: int) -> None:
        """Go on from another time."""
        self._time_ns, self._steady_ns = time_ns, steady_ns
