"""Ouster packets to scans, through ouster-sdk."""

from __future__ import annotations

from typing import Any

import numpy as np
from ouster.sdk import core as _sdk

from twin_common.pointcloud import POINT_DTYPE
from twin_drivers.core.scan import DecoderOptions, Packet, PacketError, Scan

ouster: Any = _sdk  # its stubs do not export these names

#: Range and intensity of each return; reflectivity is calibrated (0..255), signal is a photon count.
_RETURNS = (("RANGE", ("REFLECTIVITY", "SIGNAL")), ("RANGE2", ("REFLECTIVITY2", "SIGNAL2")))
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
        self._ring = np.repeat(ring, width)
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
        payload = np.frombuffer(packet.payload, np.uint8)
        self._check_columns(payload)
        self._packet.buf[:] = payload
        self._packet.host_timestamp = max(packet.stamp_ns, 1)  # the batcher takes 0 for a packet that never came
        return self._finish() if self._batch(self._packet, self._scan) else None

    def _check_columns(self, payload: np.ndarray) -> None:
        """Refuse rubbish of the right size: a packet holds consecutive columns of one revolution."""
        columns = self._format.packet_header(ouster.ColHeader.MEASUREMENT_ID, payload).astype(np.int64)
        first, count = int(columns[0]), len(columns)
        if first % count or first + count > self.info.w or (columns != np.arange(first, first + count)).any():
            raise PacketError(f"packet with columns {first} to {int(columns[-1])}; expected {count} in a row")

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
        low, high = self._options.min_range * 1e3, self._options.max_range * 1e3
        kept = np.flatnonzero((ranges >= max(low, 1.0)) & (ranges <= high) & valid)
        points = np.zeros(len(kept), POINT_DTYPE)
        xyz = self._xyz(ranges).reshape(-1, 3)
        points.view(np.float32).reshape(-1, POINT_DTYPE.itemsize // 4)[:, :3] = xyz[kept]
        points["intensity"] = scan.field(intensity).reshape(-1)[kept]
        points["time_offset_ns"] = offsets[kept % self.info.w]
        points["ring"] = self._ring[kept]
        return points


def _wanted(info: Any) -> set[str]:
    """Return the fields to decode: ranges, and the best intensity of each."""
    there = {kind.name for kind in ouster.get_field_types(info)}
    wanted = {distance for distance, _ in _RETURNS if distance in there}
    for distance, intensities in _RETURNS:
        if distance in there:
            wanted.add(next(name for name in intensities if name in there))
    return wanted
