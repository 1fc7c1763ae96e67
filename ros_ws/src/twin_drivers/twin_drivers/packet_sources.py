"""Where packets come from: a UDP port, or a capture or recording that is played."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

from twin_drivers.core.scan import Packet

_SO_TIMESTAMPNS = 35  # Linux: the kernel stamps each datagram as it arrives
_STAMP = struct.Struct("@qq")
_RECEIVE_BUFFER = 8 << 20  # bytes; what a busy machine may leave waiting in the kernel
_QUEUE = 20_000  # packets; some seconds of any sensor
_RETRY = 0.5  # seconds between attempts to open a busy port
_AT_ONCE = 256  # packets a poll plays at most when played as fast as possible


class PacketSource(Protocol):
    """Something that is polled for packets."""

    name: str
    problem: str | None
    finished: bool

    def start(self) -> None:
        """Open."""

    def poll(self, now_ns: int) -> list[Packet]:
        """Return what has come since the last call."""

    def close(self) -> None:
        """Close."""


class UdpSource:
    """Listens at a UDP port in a thread of its own; a port that is taken is tried again."""

    finished = False

    def __init__(self, host: str, port: int) -> None:
        """Remember the address."""
        self.name = f"udp {host}:{port}"
        self.problem: str | None = None
        self.overflowed = 0
        self._address = (host, port)
        self._queue: deque[Packet] = deque()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def poll(self, now_ns: int) -> list[Packet]:
        """Return the datagrams that have arrived, stamped by the kernel."""
        return [self._queue.popleft() for _ in range(len(self._queue))]

    def close(self) -> None:
        """End the thread and free the port."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
                    with contextlib.suppress(OSError):
                        listener.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                    listener.bind(self._address)
                    listener.settimeout(0.1)
                    self.problem = None
                    self._receive(listener)
            except OSError as error:
                self.problem = f"{self.name}: {error.strerror or error}; trying again"
                self._ending.wait(_RETRY)

    def _receive(self, listener: socket.socket) -> None:
        while not self._ending.is_set():
            try:
                payload, ancillary, _flags, _sender = listener.recvmsg(65_535, 64)
            except TimeoutError:
                continue
            stamp_ns = time.time_ns()
            for level, kind, value in ancillary:
                if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS and len(value) == _STAMP.size:
                    seconds, nanoseconds = _STAMP.unpack(value)
                    stamp_ns = seconds * 1_000_000_000 + nanoseconds
            if len(self._queue) >= _QUEUE:
                self._queue.popleft()
                self.overflowed += 1
            self._queue.append(Packet(stamp_ns, payload))


class PlayedSource:
    """Plays a capture or recording.

    Args:
        name: for people.
        read: opens it anew and returns its packets.
        rate: speed; 0: as fast as possible, with the stamps of the capture. Otherwise packets are stamped anew, as
            if the sensor ran now.
        loop: start over at the end; stamps go on.

    """

    def __init__(self, name: str, read: Callable[[], Iterator[Packet]], rate: float, loop: bool) -> None:
        """Open nothing yet."""
        self.name = name
        self.problem: str | None = None
        self.finished = False
        self._read, self._rate, self._loop = read, rate, loop
        self._packets: Iterator[Packet] | None = None
        self._next: Packet | None = None
        self._base_ns: int | None = None  # when the first packet is played
        self._first_ns = self._last_ns = self._count = 0

    def start(self) -> None:
        """Open the capture and read its first packet."""
        self._packets = self._read()
        self._next = self._advance()
        self._count = 0
        if self._next is None:
            self.finished = True
            self.problem = self.problem or f"{self.name}: no packets"
        else:
            self._first_ns = self._last_ns = self._next.stamp_ns

    def poll(self, now_ns: int) -> list[Packet]:
        """Return the packets that are due."""
        due: list[Packet] = []
        if self._base_ns is None and self._next is not None:
            self._base_ns = now_ns if self._rate else self._next.stamp_ns
        while self._next is not None and (self._rate or len(due) < _AT_ONCE):
            assert self._base_ns is not None
            stamp_ns = self._base_ns + round((self._next.stamp_ns - self._first_ns) / (self._rate or 1.0))
            if self._rate and stamp_ns > now_ns:
                break
            due.append(Packet(stamp_ns, self._next.payload))
            self._last_ns = self._next.stamp_ns
            self._count += 1
            self._next = self._advance()
            if self._next is None:
                self._end(stamp_ns)
        return due

    def _end(self, stamp_ns: int) -> None:
        """Start over, one packet's interval after the last packet, or finish."""
        if not self._loop or self.problem:
            self.finished = True
            return
        interval_ns = (self._last_ns - self._first_ns) / max(self._count - 1, 1) / (self._rate or 1.0)
        self.start()
        self._base_ns = stamp_ns + max(round(interval_ns), 1)

    def _advance(self) -> Packet | None:
        assert self._packets is not None
        try:
            return next(self._packets, None)
        except (ValueError, OSError) as error:
            self.problem = str(error)
            return None

    def close(self) -> None:
        """Close the capture."""
        close = getattr(self._packets, "close", None)
        if close is not None:
            close()
        self._next = None
