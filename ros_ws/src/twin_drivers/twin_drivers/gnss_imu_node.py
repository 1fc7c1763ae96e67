"""GNSS/IMU driver: NMEA sentences in; fix, velocity over ground and orientation out."""

from __future__ import annotations

import functools
import math

from twin_common.component import Component, Context, Output, Timer
from twin_common.ros_host import run_component
from twin_drivers import convert
from twin_drivers.byte_sources import SerialConnection, StreamSource, TcpConnection
from twin_drivers.config import GnssImuConfig
from twin_drivers.core import nmea
from twin_drivers.core.health import Health

ENU_FRAME = "map"  # the frame whose axes are east, north, up


class GnssImuDriver(Component):
    """Reads one receiver."""

    Config = GnssImuConfig
    outputs = (Output("gnss_fix", "gnss_fix"), Output("gnss_velocity", "gnss_velocity"), Output("imu", "imu"))
    timers = (Timer("poll", 0.01),)

    def __init__(self, config: GnssImuConfig, context: Context) -> None:
        """Prepare the source."""
        super().__init__(config, context)
        self._frame_id = f"{config.platform}/imu"
        if config.source == "serial":
            name = f"serial {config.device}"
            connect = functools.partial(SerialConnection, config.device, config.baud)
            self._source = StreamSource(name, connect, context.now_ns)
        else:
            name = f"tcp {config.host}:{config.port}"
            self._source = StreamSource(
                name, functools.partial(TcpConnection, config.host, config.port), context.now_ns
            )
        self._health = Health(name, "NMEA sentences", config.timeout)
        self._lines = nmea.LineReader()
        self._parser = nmea.NmeaParser(_options(config))

    def start(self) -> None:
        """Open the source."""
        self._source.start()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def on_timer_poll(self, now_ns: int) -> None:
        """Take what has come and say whether the receiver is well."""
        for chunk in self._source.poll():
            if chunk.first:
                self._lines.reset()
                self.context.count("connections")
            for line in self._lines.push(chunk.payload):
                self._take(chunk.stamp_ns, line, now_ns)
        self.context.report(self._source.problem or self._health.problem(now_ns))

    def _take(self, stamp_ns: int, line: bytes, now_ns: int) -> None:
        try:
            record = self._parser.push(stamp_ns, line)
        except nmea.SentenceError as error:
            self.context.count("bad_sentences")
            self._health.bad(now_ns, str(error))
            return
        self._health.good(now_ns)
        if isinstance(record, nmea.Fix):
            if record.quality == nmea.QUALITY_NONE:
                self.context.count("no_fix")
            self.context.publish("gnss_fix", convert.fix_to_message(record, self._frame_id))
        elif isinstance(record, nmea.GroundVelocity):
            self.context.publish("gnss_velocity", convert.velocity_to_message(record, ENU_FRAME))
        elif isinstance(record, nmea.Attitude):
            self.context.publish("imu", convert.attitude_to_message(record, self._frame_id))


def _options(config: GnssImuConfig) -> nmea.NmeaOptions:
    return nmea.NmeaOptions(
        range_error={
            nmea.QUALITY_SINGLE: config.error_single, nmea.QUALITY_DIFFERENTIAL: config.error_differential,
            nmea.QUALITY_PPS: config.error_differential, nmea.QUALITY_FIXED: config.error_fixed,
            nmea.QUALITY_FLOAT: config.error_float,
        },
        vertical_factor=config.vertical_factor,
        speed_error=config.speed_error,
        heading_error=math.radians(config.heading_error_deg),
        heading_offset=math.radians(config.heading_offset_deg),
        sensor_clock=config.sensor_clock,
    )  # fmt: skip


def main() -> int:
    """Run as a node of its own."""
    return run_component(GnssImuDriver, "gnss_imu_driver")
