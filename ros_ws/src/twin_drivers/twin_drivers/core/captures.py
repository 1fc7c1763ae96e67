"""Packets from captures (.pcap, .pcapng) and from recordings (rosbag2 folders, ROS 1 bags)."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dpkt
from rosbags.highlevel import AnyReader, AnyReaderError
from rosbags.rosbag2 import ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from twin_drivers.core.scan import Packet, split

_ETHERTYPES_VLAN = (0x8100, 0x88A8)
_IPV4 = 0x0800
_UDP = 17
_FRAGMENTS_KEPT = 64  # datagrams under reassembly; older ones have lost a fragment

_OUSTER = "uint8[] buf"
_DEFINITIONS = {
    "velodyne_msgs/msg/VelodynePacket": "builtin_interfaces/Time stamp\nuint8[1206] data",
    "velodyne_msgs/msg/VelodyneScan": "std_msgs/Header header\nvelodyne_msgs/VelodynePacket[] packets",
    "ouster_msgs/msg/PacketMsg": _OUSTER,
    "ouster_ros/msg/PacketMsg": _OUSTER,
    "ouster_sensor_msgs/msg/PacketMsg": _OUSTER,
    "twin_msgs/msg/LidarPackets": (
        "std_msgs/Header header\nstring model\nuint64[] stamps_ns\nuint32[] sizes\nuint8[] data"
    ),
}


def pcap_packets(path: Path, port: int = 0) -> Iterator[Packet]:
    """Return the UDP payloads of a capture, fragments put together; ``port``: destination, 0: any.

    Raises:
        ValueError: no capture, or it ends within a packet; names the file.

    """
    with path.open("rb") as file:
        try:
            reader = dpkt.pcap.UniversalReader(file)
            offset = _network_offset(reader.datalink())
            fragments: dict[tuple[bytes, bytes, int], dict[int, tuple[bytes, bool]]] = {}
            for seconds, frame in reader:
                found = _udp_payload(frame, offset, fragments)
                if found is not None and port in (0, found[0]):
                    yield Packet(round(seconds * 1_000_000_000), found[1])
        except (dpkt.Error, struct.error) as error:
            raise ValueError(f"{path}: {error or 'ends within a packet'}; expected a whole .pcap or .pcapng") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}; expected a whole .pcap or .pcapng of Ethernet") from None


def _network_offset(link: int) -> int:
    """Return where the ethertype stands in a frame of this link type."""
    offsets = {dpkt.pcap.DLT_EN10MB: 12, dpkt.pcap.DLT_LINUX_SLL: 14}
    if link not in offsets:
        raise ValueError(f"link type {link}")
    return offsets[link]


def _udp_payload(
    frame: bytes, offset: int, fragments: dict[tuple[bytes, bytes, int], dict[int, tuple[bytes, bool]]]
) -> tuple[int, bytes] | None:
    """Return (destination port, payload) of a frame that completes a UDP datagram (RFC 791, RFC 768)."""
    (kind,) = struct.unpack_from(">H", frame, offset)
    while kind in _ETHERTYPES_VLAN:
        offset += 4
        (kind,) = struct.unpack_from(">H", frame, offset)
    offset += 2
    if kind != _IPV4 or frame[offset + 9] != _UDP:
        return None
    total, identity, flags = struct.unpack_from(">HHH", frame, offset + 2)
    if len(frame) < offset + total:
        raise ValueError(f"a frame of {offset + total} bytes ends after {len(frame)}")
    body = frame[offset + 4 * (frame[offset] & 15) : offset + total]
    start, more = (flags & 0x1FFF) * 8, bool(flags & 0x2000)
    if start or more:
        key = (frame[offset + 12 : offset + 16], frame[offset + 16 : offset + 20], identity)
        pieces = fragments.setdefault(key, {})
        pieces[start] = (body, more)
        whole = _whole(pieces)
        if whole is None:
            if len(fragments) > _FRAGMENTS_KEPT:
                del fragments[next(iter(fragments))]
            return None
        del fragments[key]
        body = whole
    port, length = struct.unpack_from(">HH", body, 2)
    return port, body[8:length]


def _whole(pieces: dict[int, tuple[bytes, bool]]) -> bytes | None:
    """Return the datagram of which these are all fragments, or None while one is missing."""
    body = b""
    while len(body) in pieces:
        piece, more = pieces[len(body)]
        body += piece
        if not more:
            return body
        if not piece:
            return None
    return None


def bag_packets(path: Path, topic: str = "") -> Iterator[Packet]:
    """Return the packets of a recording, of one topic; "": the only one with packets.

    Takes velodyne_msgs/VelodyneScan, the PacketMsg of Ouster's drivers (stamp: that of the recording), and
    twin_msgs/LidarPackets.

    Raises:
        ValueError: no recording, no such topic, none or several topics with packets; names the file.

    """
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for name, text in _DEFINITIONS.items():
        types.update(get_types_from_msg(text, name))
    store.register(types)
    try:
        with AnyReader([path], default_typestore=store) as reader:
            connections = [c for c in reader.connections if c.msgtype in _UNPACK and topic in ("", c.topic)]
            if len({c.topic for c in connections}) != 1:
                topics = ", ".join(sorted({f"{c.topic} ({c.msgtype})" for c in reader.connections})) or "none"
                raise ValueError(f"topics {topics}; expected one with packets{f' named {topic}' if topic else ''}")
            unpack = _UNPACK[connections[0].msgtype]
            for connection, stamp_ns, raw in reader.messages(connections):
                yield from unpack(reader.deserialize(raw, connection.msgtype), stamp_ns)
    except (AnyReaderError, ReaderError, SerdeError, TypesysError, sqlite3.Error, OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def _unpack_velodyne(message: Any, _stamp_ns: int) -> Iterator[Packet]:
    for packet in message.packets:
        yield Packet(packet.stamp.sec * 1_000_000_000 + packet.stamp.nanosec, packet.data.tobytes())


def _unpack_ouster(message: Any, stamp_ns: int) -> Iterator[Packet]:
    yield Packet(stamp_ns, message.buf.tobytes())


def _unpack_twin(message: Any, _stamp_ns: int) -> Iterator[Packet]:
    yield from split(message.stamps_ns, message.sizes, message.data)


_UNPACK: dict[str, Callable[[Any, int], Iterator[Packet]]] = {
    "velodyne_msgs/msg/VelodyneScan": _unpack_velodyne,
    "ouster_msgs/msg/PacketMsg": _unpack_ouster,
    "ouster_ros/msg/PacketMsg": _unpack_ouster,
    "ouster_sensor_msgs/msg/PacketMsg": _unpack_ouster,
    "twin_msgs/msg/LidarPackets": _unpack_twin,
}
