"""Sends packets over UDP at the pace in which a sensor does."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

from twin_common.config import ConfigError
from twin_sim.core.lidar_packets import Packet

LATEST = 0.5  # a sender that is farther behind its schedule starts a new one, seconds


class UdpSender:
    """Sends the packets of one LiDAR to one address.

    The first packet goes at once and fixes the schedule: simulated time passes as wall time does, ``rate`` times as
    fast. ``clock`` returns seconds, ``sleep`` waits for some.
    """

    def __init__(
        self, host: str, port: int, *, rate: float = 1.0, clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """Open the socket.

        Raises:
            ConfigError: the address or the port is none that can be sent to.

        """
        if not 0 < port < 65536:
            raise ConfigError(f"udp: port {port}; expected 1 to 65535")
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        except (OSError, UnicodeError) as error:
            raise ConfigError(f"udp: host {host!r}: {error}; expected a name or an address") from None
        self._address: Any = address
        self._socket = socket.socket(family, kind, protocol)
        self._rate, self._clock, self._sleep = rate, clock, sleep
        self._start: tuple[float, int] | None = None
        self.sent = 0
        self.failed = 0

    def send(self, packets: Iterable[Packet]) -> None:
        """Send packets, each when its time has come; those that the system refuses are counted in ``failed``."""
        for packet in packets:
            self._wait(packet.stamp_ns)
            try:
                self._socket.sendto(packet.payload, self._address)
                self.sent += 1
            except OSError:
                self.failed += 1

    def _wait(self, stamp_ns: int) -> None:
        now = self._clock()
        if self._start is not None:
            ahead = self._start[0] + (stamp_ns - self._start[1]) * 1e-9 / self._rate - now
            if -LATEST < ahead <= 1 / self._rate:
                if ahead > 0:
                    self._sleep(ahead)
                return
        self._start = (now, stamp_ns)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> UdpSender:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
