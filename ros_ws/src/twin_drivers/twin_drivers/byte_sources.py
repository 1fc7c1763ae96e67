"""Streams of bytes from a serial line or a TCP connection, opened again when they break."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

import serial

_FIRST_RETRY, _LONGEST_RETRY = 0.25, 5.0  # seconds between attempts: doubled from the first to the longest
_WAIT = 0.1  # seconds a read waits
_QUEUE = 4096  # chunks


class Chunk(NamedTuple):
    """Bytes that came together; ``first``: the first of a connection."""

    stamp_ns: int
    payload: bytes
    first: bool


class Connection(Protocol):
    """An open stream."""

    def read(self) -> bytes:
        """Return what has come, after a short wait at most; nothing if nothing came.

        Raises:
            OSError: the stream has broken.

        """

    def close(self) -> None:
        """Close."""


class SerialConnection:
    """A serial line."""

    def __init__(self, device: str, baud: int) -> None:
        """Open the device."""
        self._port = serial.Serial(device, baud, timeout=_WAIT, exclusive=True)

    def read(self) -> bytes:
        """Return what has come."""
        return bytes(self._port.read(max(self._port.in_waiting, 1)))

    def close(self) -> None:
        """Close the device."""
        self._port.close()


class TcpConnection:
    """A TCP client."""

    def __init__(self, host: str, port: int) -> None:
        """Connect."""
        self._socket = socket.create_connection((host, port), timeout=2.0)
        self._socket.settimeout(_WAIT)

    def read(self) -> bytes:
        """Return what has come."""
        try:
            received = self._socket.recv(65_536)
        except TimeoutError:
            return b""
        if not received:
            raise ConnectionError("closed by the other side")
        return received

    def close(self) -> None:
        """Disconnect."""
        self._socket.close()


class StreamSource:
    """Reads a stream in a thread of its own and opens it again, ever more slowly, when it breaks.

    Args:
        name: for people.
        connect: opens the stream; raises OSError.
        clock: gives the time of arrival, ns.

    """

    def __init__(self, name: str, connect: Callable[[], Connection], clock: Callable[[], int]) -> None:
        """Open nothing yet."""
        self.name = name
        self.problem: str | None = None
        self._connect, self._clock = connect, clock
        self._queue: deque[Chunk] = deque(maxlen=_QUEUE)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def poll(self) -> list[Chunk]:
        """Return what has come since the last call."""
        return [self._queue.popleft() for _ in range(len(self._queue))]

    def close(self) -> None:
        """End the thread and close the stream."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(timeout=3.0)

    def _run(self) -> None:
        retry = _FIRST_RETRY
        while not self._ending.is_set():
            try:
                connection = self._connect()
                try:
                    self.problem = None
                    if self._receive(connection):
                        retry = _FIRST_RETRY
                finally:
                    connection.close()
            except (OSError, serial.SerialException) as error:
                reason = getattr(error, "strerror", None) or str(error)
                self.problem = f"{self.name}: {reason.splitlines()[0]}; trying again"
            self._ending.wait(retry)
            retry = min(2.0 * retry, _LONGEST_RETRY)

    def _receive(self, connection: Connection) -> bool:
        """Read until the stream breaks or the source is closed."""
        first = True
        while not self._ending.is_set():
            payload = connection.read()
            if payload:
                self._queue.append(Chunk(self._clock(), payload, first))
                first = False
        return not first
