"""Velodyne packets to scans, through velodyne-decoder."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import velodyne_decoder as velodyne

from twin_common.pointcloud import POINT_DTYPE
from twin_drivers.core.models import VELODYNE
from twin_drivers.core.scan import DecoderOptions, Packet, PacketError, Scan

#: Twelve blocks of flag, azimuth (0.01 degrees) and 32 returns of 3 bytes; then time, return mode, product.
_LAYOUT = struct.Struct("<" + "HH96x" * 12 + "IBB")
_FLAGS = frozenset((0xEEFF, 0xDDFF, 0xCCFF, 0xBBFF))
_TURN = 36_000
_LONGEST = 2.0  # seconds; nothing within one revolution is older


class VelodyneDecoder:
    """Decodes the data packets of one sensor.

    ``model``: a key of ``models.VELODYNE``. ``calibration``: file in velodyne-decoder's YAML format; None: the
    maker's for the model.

    Raises:
        ValueError: an unknown model, or a calibration file that cannot be read.

    """

    def __init__(self, model: str, calibration: Path | None, options: DecoderOptions) -> None:
        """Prepare the decoder."""
        if model not in VELODYNE:
            raise ValueError(f"model velodyne/{model}: no decoder; expected velodyne/ and one of {', '.join(VELODYNE)}")
        number, self._product = VELODYNE[model]
        self._name = f"velodyne/{model}"
        self._options = options
        self._config = velodyne.Config(
            model=getattr(velodyne.Model, number), min_range=options.min_range, max_range=options.max_range,
            cut_angle=options.cut_angle_deg % 360.0,
        )  # fmt: skip
        if calibration is not None:
            try:
                self._config.calibration = velodyne.Calibration.read(str(calibration))
            except RuntimeError as error:
                raise ValueError(f"calibration: {calibration}: {error}") from None
        elif self._config.model not in velodyne.Calibration.default_calibs:
            raise ValueError(f"model {self._name}: each unit is calibrated; expected its file in parameter calibration")
        self.reset()

    @property
    def model(self) -> str:
        """Driver and model, as in LidarPackets."""
        return self._name

    def reset(self) -> None:
        """Forget the unfinished scan."""
        self._stream = velodyne.StreamDecoder(self._config)
        self._turned = 0.0

    def push(self, packet: Packet) -> Scan | None:
        """Take one packet; return the scan that it completes: the one in which the cut angle was passed.

        Position packets (512 bytes) are passed over.
        """
        if len(packet.payload) == velodyne.TELEMETRY_PACKET_SIZE:
            return None
        turned = self._check(packet.payload)
        try:
            found = self._stream.decode(packet.stamp_ns * 1e-9, packet.payload, True)
        except (RuntimeError, ValueError) as error:
            raise PacketError(f"packet of {self._name}: {str(error).splitlines()[0]}") from None
        self._turned += turned
        if found is None:
            return None
        coverage, self._turned = min(self._turned / _TURN, 1.0), 0.0
        times, decoded = found
        return self._scan(times, decoded, packet.stamp_ns, coverage)

    def _check(self, payload: bytes) -> float:
        """Refuse rubbish; return the angle that the packet covers, in 0.01 degrees."""
        if len(payload) != velodyne.PACKET_SIZE:
            raise PacketError(f"packet of {len(payload)} bytes; expected {velodyne.PACKET_SIZE} of {self._name}")
        values = _LAYOUT.unpack(payload)
        azimuths = values[1:24:2]
        if not _FLAGS.issuperset(values[0:24:2]) or max(azimuths) >= _TURN:
            raise PacketError(f"packet without the block flags and azimuths of a Velodyne; expected {self._name}")
        if self._product is not None and values[26] != self._product:
            raise PacketError(f"packet of product 0x{values[26]:02x}; expected 0x{self._product:02x} of {self._name}")
        steps = len(set(azimuths))
        return ((azimuths[-1] - azimuths[0]) % _TURN) * steps / (steps - 1) if steps > 1 else 0.0

    def _scan(self, times: Any, decoded: np.ndarray, arrival_ns: int, coverage: float) -> Scan | None:
        if not len(decoded):
            return None
        seconds = decoded["time"].astype(np.float64)
        last = float(seconds.max())
        kept = seconds - last > -_LONGEST
        if not kept.all():
            decoded, seconds = decoded[kept], seconds[kept]
        points = np.zeros(len(decoded), POINT_DTYPE)
        for name in ("x", "y", "z", "intensity", "ring"):
            points[name] = decoded[name]
        points["time_offset_ns"] = np.rint((seconds - last) * 1e9)
        stamp_ns = round((times.device + last) * 1e9) if self._options.sensor_clock else arrival_ns
        return Scan(stamp_ns, points, coverage)
