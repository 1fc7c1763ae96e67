"""What every LiDAR decoder gives, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np


class PacketError(ValueError):
    """A packet that is not what the sensor sends; the message is one line for a person."""


class Packet(NamedTuple):
    """One datagram of a sensor and when it arrived, ns since the epoch."""

    stamp_ns: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Scan:
    """One revolution.

    ``stamp_ns`` is the time of the last point; ``points``: (N,) ``pointcloud.POINT_DTYPE``, sensor frame;
    ``coverage`` is the share of the revolution that arrived, 0..1.
    """

    stamp_ns: int
    points: np.ndarray
    coverage: float


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """What is asked of a decoder whatever the sensor.

    Returns nearer than ``min_range`` or farther than ``max_range`` (metres) are dropped. ``sensor_clock`` takes
    stamps from the sensor's clock (synchronised by PTP or PPS) instead of the packets' arrival. Revolutions end
    at ``cut_angle_deg``, clockwise from the sensor's front, where the sensor does not number them itself.
    """

    min_range: float
    max_range: float
    sensor_clock: bool
    cut_angle_deg: float


class Decoder(Protocol):
    """Turns packets into scans; ``model`` is driver and model as in LidarPackets."""

    @property
    def model(self) -> str:
        """Driver and model."""

    def push(self, packet: Packet) -> Scan | None:
        """Take one packet; return the scan that it completes, if any.

        Raises:
            PacketError: the packet is not of this sensor; the state is as before.

        """

    def reset(self) -> None:
        """Forget the unfinished scan: the sensor was started anew, or a recording starts over."""


def split(stamps_ns: np.ndarray, sizes: np.ndarray, payloads: np.ndarray) -> Iterator[Packet]:
    """Return the packets that lie one after the other in ``payloads``.

    ``stamps_ns``: (N,) ns; ``sizes``: (N,) bytes; ``payloads``: (sum of sizes,) uint8.

    Raises:
        PacketError: the three do not fit together.

    """
    ends = np.cumsum(sizes, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    if len(stamps_ns) != len(sizes) or total != len(payloads):
        raise PacketError(
            f"packets: {len(stamps_ns)} stamps, {len(sizes)} sizes of {total} bytes, {len(payloads)} bytes; "
            "expected as many stamps as sizes, and their sum in bytes"
        )
    buffer = payloads.tobytes()
    for stamp_ns, start, end in zip(stamps_ns.tolist(), (ends - sizes).tolist(), ends.tolist(), strict=True):
        yield Packet(stamp_ns, buffer[start:end])
