"""LiDAR driver: packets in, one cloud per revolution out."""

from __future__ import annotations

from typing import Any

from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.config import ConfigError
from twin_common.ros_host import run_component
from twin_drivers import convert, paths
from twin_drivers.config import LidarConfig
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.scan import Decoder, DecoderOptions, Packet, PacketError


class LidarDriver(Component):
    """Decodes the packets of one LiDAR."""

    Config = LidarConfig
    inputs = (Input("packets", "lidar_packets"),)
    outputs = (Output("points", "lidar_points"), Output("raw", "lidar_packets"))
    timers = (Timer("poll", 0.005),)

    def __init__(self, config: LidarConfig, context: Context) -> None:
        """Prepare the decoder."""
        super().__init__(config, context)
        self._frame_id = f"{config.platform}/lidar"
        self._metadata = paths.read_text(config.metadata, config.district, "metadata") if config.metadata else ""
        model = config.model or ("ouster" if self._metadata else "")
        self._decoder: Decoder | None = self._make_decoder(model) if model else None

    def _make_decoder(self, model: str) -> Decoder:
        config = self.config
        options = DecoderOptions(config.min_range, config.max_range, config.sensor_clock, config.cut_angle_deg)
        calibration = paths.resolve(config.calibration, config.district, "calibration") if config.calibration else None
        try:
            return make_decoder(model, self._metadata, calibration, options)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def on_packets(self, message: Any, _source: str) -> None:
        """Decode recorded packets."""
        if self.config.source != "packets":
            return
        if self._decoder is None:
            self._decoder = self._make_decoder(message.model)
        for packet in convert.packets_of(message):
            self._take(packet)

    def on_timer_poll(self, now_ns: int) -> None:
        """Look after the source."""

    def _take(self, packet: Packet) -> None:
        assert self._decoder is not None
        try:
            scan = self._decoder.push(packet)
        except PacketError as error:
            self.context.count("bad_packets")
            self.context.report(str(error))
            return
        if scan is None:
            return
        if scan.coverage < self.config.min_coverage:
            self.context.count("partial_scans")
            return
        self.context.publish("points", convert.scan_to_cloud(scan, self._frame_id))


def main() -> int:
    """Run as a node of its own."""
    return run_component(LidarDriver, "lidar_driver")
