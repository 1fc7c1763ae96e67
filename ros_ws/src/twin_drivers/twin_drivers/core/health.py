"""Tells in one line what is wrong with a sensor, if anything is."""

from __future__ import annotations


class Health:
    """Follows what comes from a sensor.

    Args:
        name: the sensor, for people, e.g. ``udp 127.0.0.1:2368``.
        things: what it sends, e.g. ``packets``.
        timeout: silence after which it is reported, seconds; also how long rubbish is remembered.

    """

    def __init__(self, name: str, things: str, timeout: float) -> None:
        """Start before the first message."""
        self._silence = f"no {things} for {timeout:g} s from {name}"
        self._name = name
        self._timeout_ns = round(timeout * 1e9)
        self._good_ns: int | None = None
        self._bad_ns: int | None = None
        self._reason = ""

    def good(self, now_ns: int) -> None:
        """Note that something of use came."""
        self._good_ns = now_ns

    def bad(self, now_ns: int, reason: str) -> None:
        """Note that rubbish came; of a burst the first reason is kept."""
        if not self._fresh(self._bad_ns, now_ns):
            self._reason = f"{self._name}: {reason}"
        self._bad_ns = now_ns

    def problem(self, now_ns: int) -> str | None:
        """Return what is wrong; None: all is well."""
        if self._bad_ns is not None and self._fresh(self._bad_ns, now_ns):
            return self._reason
        if self._good_ns is None:
            self._good_ns = now_ns
        return None if self._fresh(self._good_ns, now_ns) else self._silence

    def _fresh(self, stamp_ns: int | None, now_ns: int) -> bool:
        return stamp_ns is not None and now_ns - stamp_ns <= self._timeout_ns
