"""LiDAR driver: packets in, one cloud per revolution out."""

from __future__ import annotations

import functools
from typing import Any

from twin_common import stamps
from twin_common.component import Component, Context, Input, Output, Timer
from twin_common.config import ConfigError
from twin_common.ros_host import run_component
from twin_drivers import convert, paths
from twin_drivers.config import LidarConfig
from twin_drivers.core.decoders import make_decoder
from twin_drivers.core.health import Health
from twin_drivers.core.scan import Decoder, DecoderOptions, Packet, PacketError
from twin_drivers.packet_sources import PacketSource, PlayedSource, UdpSource

USUAL_PORTS = {"velodyne": 2368, "ouster": 7502}
RAW_LIMIT = 4096  # packets of one message at most, should no revolution ever end


class LidarDriver(Component):
    """Decodes the packets of one LiDAR."""

    Config = LidarConfig
    inputs = (Input("packets", "lidar_packets"),)
    outputs = (Output("points", "lidar_points"), Output("raw", "lidar_packets"))
    timers = (Timer("poll", 0.005),)

    def __init__(self, config: LidarConfig, context: Context) -> None:
        """Prepare the decoder and the source."""
        super().__init__(config, context)
        self._frame_id = f"{config.platform}/lidar"
        self._metadata = paths.read_text(config.metadata, config.district, "metadata") if config.metadata else ""
        model = config.model or ("ouster" if self._metadata else "")
        self._decoder: Decoder | None = self._make_decoder(model) if model else None
        self._source = self._make_source()
        self._health = Health(self._source.name if self._source else "~/input/packets", "packets", config.timeout)
        self._timeout_ns = stamps.from_seconds(config.timeout)
        self._last_ns: int | None = None
        self._raw: list[Packet] = []

    def _make_decoder(self, model: str) -> Decoder:
        config = self.config
        options = DecoderOptions(config.min_range, config.max_range, config.sensor_clock, config.cut_angle_deg)
        calibration = paths.resolve(config.calibration, config.district, "calibration") if config.calibration else None
        try:
            return make_decoder(model, self._metadata, calibration, options)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def _make_source(self) -> PacketSource | None:
        config = self.config
        if config.source == "packets":
            return None
        if config.source == "udp":
            return UdpSource(config.host, config.port or USUAL_PORTS[config.model.partition("/")[0]])
        from twin_drivers.core import captures  # not needed for a live sensor

        path = paths.resolve(config.path, config.district, "path")
        read = (
            functools.partial(captures.pcap_packets, path, config.port)
            if config.source == "pcap"
            else functools.partial(captures.bag_packets, path, config.topic)
        )
        return PlayedSource(f"{config.source} {path.name}", read, config.rate, config.loop)

    def start(self) -> None:
        """Open the source."""
        if self._source is not None:
            self._source.start()

    def close(self) -> None:
        """Close the source."""
        if self._source is not None:
            self._source.close()

    def on_packets(self, message: Any, _source: str) -> None:
        """Decode recorded packets."""
        if self.config.source != "packets":
            return
        now_ns = self.context.now_ns()
        try:
            if self._decoder is None:
                self._decoder = self._make_decoder(message.model)
            for packet in convert.packets_of(message):
                self._take(packet, now_ns)
        except (ConfigError, PacketError) as error:
            self._reject(error, now_ns)

    def on_timer_poll(self, now_ns: int) -> None:
        """Take what has come from the source and say whether the sensor is well."""
        source = self._source
        if source is None:
            self.context.report(self._health.problem(now_ns))
            return
        keep_raw = self.context.wanted("raw")
        for packet in source.poll(now_ns):
            self._take(packet, now_ns, keep_raw)
        self.context.measure("source", source.name)
        if source.finished:
            self.context.measure("source", f"{source.name}, at its end")
            self.context.report(source.problem)
        else:
            self.context.report(source.problem or self._health.problem(now_ns))

    def _take(self, packet: Packet, now_ns: int, keep_raw: bool = False) -> None:
        """Decode one packet and publish what it completes."""
        assert self._decoder is not None
        if self._last_ns is not None and abs(packet.stamp_ns - self._last_ns) > self._timeout_ns:
            self.context.count("restarts")
            self._decoder.reset()
        self._last_ns = packet.stamp_ns
        try:
            scan = self._decoder.push(packet)
        except PacketError as error:
            self._reject(error, now_ns)
            return
        self._health.good(now_ns)
        if keep_raw:
            self._raw.append(packet)
        if self._raw and (scan is not None or len(self._raw) >= RAW_LIMIT):
            packets, self._raw = self._raw, []
            self.context.publish("raw", convert.packets_to_message(packets, self._decoder.model, self._frame_id))
        if scan is None:
            return
        if scan.coverage < self.config.min_coverage:
            self.context.count("partial_scans")
        else:
            self.context.publish("points", convert.scan_to_cloud(scan, self._frame_id))

    def _reject(self, error: ValueError, now_ns: int) -> None:
        self.context.count("bad_packets")
        self._health.bad(now_ns, str(error))


def main() -> int:
    """Run as a node of its own."""
    return run_component(LidarDriver, "lidar_driver")
