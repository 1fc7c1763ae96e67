"""Sends the packets of one LiDAR over UDP in the background, when a sensor and its link would."""

from __future__ import annotations

import heapq
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from twin_common.config import ConfigError
from twin_common.stamps import NANOSECONDS
from twin_drivers.convert import packets_of

LAG = 0.07  # s after its stamp at which a packet leaves: a turn is known shortly before it ends
BEHIND = 0.5  # s by which the earliest packet may be overdue before a further turn is refused
GLANCE = 0.02  # s between two looks at the clock, which may stand still
FAREWELL = 1.0  # s for which a stream that is closed goes on to send


class PacketStream:
    """A thread that sends what it is given, each packet when the clock says so; it never blocks the giver.

    ``clock`` returns true time, nanoseconds; ``sent`` and ``failed`` count packets.

    Raises:
        ConfigError: the address or the port is none that can be sent to.

    """

    def __init__(self, host: str, port: int, clock: Callable[[], int]) -> None:
        """Open the socket and start."""
        self._socket, self._address = _open(host, port)
        self._clock, self._lag_ns = clock, round(LAG * NANOSECONDS)
        self._waiting: list[tuple[int, int, bytes]] = []
        self._order = self.sent = self.failed = 0
        self._changed = threading.Condition()
        self._until: float | None = None  # on the steady clock, once closed
        self._thread = threading.Thread(target=self._run, name=f"packets to {port}", daemon=True)
        self._thread.start()

    def send(self, message: Any, ahead_ns: int = 0) -> bool:
        """Take one turn, a LidarPackets; return False where sending cannot keep up, and the turn is dropped.

        ``ahead_ns``: how far the platform's clock, and with it the packets' stamps, is ahead of true time.
        """
        with self._changed:
            if self._waiting and self._clock() - self._waiting[0][0] > BEHIND * NANOSECONDS:
                return False
            for stamp_ns, payload in packets_of(message):
                heapq.heappush(self._waiting, (stamp_ns - ahead_ns + self._lag_ns, self._order, payload))
                self._order += 1
            self._changed.notify()
        return True

    def clear(self) -> None:
        """Forget what waits: time was set back."""
        with self._changed:
            self._waiting.clear()

    def _run(self) -> None:
        while (payload := self._next()) is not None:
            try:
                self._socket.sendto(payload, self._address)
                self.sent += 1
            except OSError:
                self.failed += 1

    def _next(self) -> bytes | None:
        """Wait for the next packet that is due, and take it out; None at the end."""
        with self._changed:
            while self._until is None or (self._waiting and time.monotonic() < self._until):
                if not self._waiting:
                    self._changed.wait()
                    continue
                ahead = (self._waiting[0][0] - self._clock()) / NANOSECONDS
                if ahead <= 0:
                    return heapq.heappop(self._waiting)[2]
                self._changed.wait(min(ahead, GLANCE))
        return None

    def close(self) -> None:
        """Send what is due soon, and close the socket."""
        with self._changed:
            self._until = time.monotonic() + FAREWELL
            self._changed.notify()
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> PacketStream:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def _open(host: str, port: int) -> tuple[socket.socket, Any]:
    """Return a socket for an address, and the address."""
    if not 0 < port < 65536:
        raise ConfigError(f"udp: port {port}; expected 1 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"udp: host {host!r}: {error}; expected a name or an address") from None
    return socket.socket(family, kind, protocol), address
