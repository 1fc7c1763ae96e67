"""Ouster packets to scans, through ouster-sdk."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from ouster.sdk import core as _sdk

from twin_common.pointcloud import POINT_DTYPE
from twin_drivers.core.scan import DecoderOptions, Packet, PacketError, Scan

ouster: Any = _sdk  # its stubs do not export these names

#: Range and intensity of each return; reflectivity is calibrated (0..255), signal is a photon count.
_RETURNS = (("RANGE", ("REFLECTIVITY", "SIGNAL")), ("RANGE2", ("REFLECTIVITY2", "SIGNAL2")))
_COLUMN_ID = struct.Struct("<8xH")
_LONGEST = np.int64(2_000_000_000)  # ns; nothing within one revolution is older


class OusterDecoder:
    """Decodes the lidar packets of one sensor, described by its metadata (JSON text).

    Raises:
        ValueError: the metadata is not Ouster metadata.

    """

    def __init__(self, metadata: str, options: DecoderOptions) -> None:
        """Prepare tables: directions of all beams, rings from the lowest beam."""
        try:
            self.info = ouster.SensorInfo(metadata)
        except (RuntimeError, ValueError) as error:
            raise ValueError(f"metadata: {str(error).splitlines()[0]}; expected the JSON of an Ouster sensor") from None
        self._options = options
        self._format = ouster.PacketFormat.from_info(self.info)
        self._packet = ouster.LidarPacket(self._format.lidar_packet_size)
        self._payload = self._packet.buf
        self._xyz = ouster.XYZLutFloat(self.info, False)
        self._fields = [kind for kind in ouster.get_field_types(self.info) if kind.name in _wanted(self.info)]
        names = {kind.name for kind in self._fields}
        self._returns = [
            (distance, next(name for name in intensities if name in names))
            for distance, intensities in _RETURNS
            if distance in names
        ]
        height, width = self.info.h, self.info.w
        first, last = self.info.format.column_window
        self._columns = (last - first) % width + 1
        order = np.argsort(np.asarray(self.info.beam_altitude_angles), kind="stable")
        ring = np.empty(height, np.uint16)
        ring[order] = np.arange(height, dtype=np.uint16)
        self._grid = np.zeros((height, width), POINT_DTYPE)
        self._grid["ring"] = ring[:, None]
        self.reset()

    @property
    def model(self) -> str:
        """Driver and model, as in LidarPackets."""
        return f"ouster/{self.info.prod_line}"

    def reset(self) -> None:
        """Forget the unfinished scan."""
        self._batch = ouster.ScanBatcher(self.info)
        self._scan = ouster.LidarScan(self.info, self._fields)

    def push(self, packet: Packet) -> Scan | None:
        """Take one packet; return the scan that it completes.

        A scan is complete with its last packet, or with the first packet of the next if that one was lost.
        IMU packets are passed over.
        """
        size, expected = len(packet.payload), self._format.lidar_packet_size
        if size != expected:
            if size == self._format.imu_packet_size:
                return None
            raise PacketError(f"packet of {size} bytes; expected {expected} of {self.model}")
        self._check_columns(packet.payload)
        self._payload[:] = np.frombuffer(packet.payload, np.uint8)
        self._packet.host_timestamp = max(packet.stamp_ns, 1)  # the batcher takes 0 for a packet that never came
        return self._finish() if self._batch(self._packet, self._scan) else None

    def _check_columns(self, payload: bytes) -> None:
        """Refuse rubbish of the right size: a packet holds consecutive columns of one revolution.

        Ouster's manual, column header block: timestamp (8 bytes), then the measurement id (2 bytes).
        """
        count = self._format.columns_per_packet
        (first,) = _COLUMN_ID.unpack_from(payload, self._format.packet_header_size)
        (last,) = _COLUMN_ID.unpack_from(payload, self._format.packet_header_size + (count - 1) * self._format.col_size)
        if first % count or last != first + count - 1 or last >= self.info.w:
            raise PacketError(f"packet with columns {first} to {last}; expected {count} in a row below {self.info.w}")

    def _finish(self) -> Scan | None:
        scan = self._scan
        times = scan.timestamp.astype(np.int64)
        valid = (scan.status & 1).astype(bool)
        if not valid.any():
            return None
        last = int(times[valid].max())
        offsets = times - last
        valid &= offsets >= -_LONGEST
        parts = [self._points(scan, valid, offsets.astype(np.int32), *names) for names in self._returns]
        points = np.concatenate(parts) if len(parts) > 1 else parts[0]
        stamp_ns = last if self._options.sensor_clock else int(scan.packet_timestamp.max())
        return Scan(stamp_ns, points, float(valid.sum() / self._columns))

    def _points(self, scan: Any, valid: np.ndarray, offsets: np.ndarray, distance: str, intensity: str) -> np.ndarray:
        """Return the points of one return of every pixel within the range limits."""
        ranges = scan.field(distance)
        low, high = max(self._options.min_range * 1e3, 1.0), self._options.max_range * 1e3
        kept = np.flatnonzero((ranges >= low) & (ranges <= high) & valid)
        numbers = self._grid.view(np.float32).reshape(*ranges.shape, -1)
        numbers[..., :3] = self._xyz(ranges)
        numbers[..., 3] = scan.field(intensity)
        self._grid["time_offset_ns"] = offsets
        # As opaque bytes a point is copied whole, not field by field.
        return self._grid.reshape(-1).view(f"V{POINT_DTYPE.itemsize}").take(kept).view(POINT_DTYPE)


def _wanted(info: Any) -> set[str]:
    """Return the fields to decode: ranges, and the best intensity of each."""
    there = {kind.name for kind in ouster.get_field_types(info)}
    wanted = {distance for distance, _ in _RETURNS if distance in there}
    for distance, intensities in _RETURNS:
        if distance in there:
            wanted.add(next(name for name in intensities if name in there))
    return wanted
