"""Sends the packets of one LiDAR over UDP in the background, at a sensor's pace."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from twin_drivers.convert import packets_of
from twin_sim.core.lidar_packets import Packet
from twin_sim.udp import UdpSender

WAITING = 8  # turns at most that have not been sent yet


class PacketStream:
    """A thread that sends what it is given; it never blocks the giver.

    ``clock`` returns the time of the packets' stamps, seconds.

    Raises:
        ConfigError: the address or the port is none that can be sent to.

    """

    def __init__(self, host: str, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Open the socket and start."""
        self._sender = UdpSender(host, port, clock=clock)
        self._turns: queue.Queue[list[Packet] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name=f"packets to {port}", daemon=True)
        self._thread.start()

    def send(self, message: Any) -> bool:
        """Take one turn, a LidarPackets; return False where too many wait and it is dropped."""
        try:
            self._turns.put_nowait([Packet(*packet) for packet in packets_of(message)])
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while (turn := self._turns.get()) is not None:
            self._sender.send(turn)

    def close(self) -> None:
        """Send what waits, and close the socket."""
        self._turns.put(None)
        self._thread.join(timeout=2.0)
        self._sender.close()

    def __enter__(self) -> PacketStream:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()
