"""Stamps as integer nanoseconds, and their way to and from ROS messages."""

from __future__ import annotations

from typing import Protocol, TypeVar

NANOSECONDS = 1_000_000_000


class TimeLike(Protocol):
    """Any builtin_interfaces/Time: seconds and nanoseconds since the epoch."""

    sec: int
    nanosec: int


T = TypeVar("T", bound=TimeLike)


def from_time(time: TimeLike) -> int:
    """Return the stamp of a builtin_interfaces/Time in nanoseconds."""
    return time.sec * NANOSECONDS + time.nanosec


def fill_time(time: T, stamp_ns: int) -> T:
    """Write ``stamp_ns`` into a builtin_interfaces/Time and return it."""
    time.sec, time.nanosec = divmod(int(stamp_ns), NANOSECONDS)
    return time


def from_seconds(seconds: float) -> int:
    """Return ``seconds`` as nanoseconds, rounded."""
    return round(seconds * NANOSECONDS)


def to_seconds(duration_ns: int) -> float:
    """Return a duration in seconds."""
    return duration_ns / NANOSECONDS
