"""Configurations of the drivers."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, ConfigError, setting
from twin_drivers.core.models import VELODYNE


@dataclass(frozen=True, slots=True)
class LidarConfig(Config):
    """A LiDAR: which one, where its packets come from, and what is kept of them."""

    platform: str = setting(doc="platform's name; the frame is <platform>/lidar")
    district: str = setting("", doc="district's YAML file; relative paths start at its folder")
    source: str = setting(
        "packets", doc="packets: topic; udp: live; pcap: capture file; bag: rosbag2 folder",
        choices=("packets", "udp", "pcap", "bag"),
    )  # fmt: skip
    model: str = setting("", doc="velodyne/MODEL or ouster; empty: as the packets' message says (source packets only)")
    metadata: str = setting("", doc="Ouster: metadata file (JSON), or the JSON itself")
    calibration: str = setting("", doc="Velodyne: calibration file (YAML); empty: the maker's for the model")
    min_range: float = setting(0.5, "m", "nearer returns are dropped", low=0.0, high=100.0)
    max_range: float = setting(150.0, "m", "farther returns are dropped", low=1.0, high=1000.0)
    min_coverage: float = setting(0.5, doc="least share of a revolution that is published", low=0.0, high=1.0)
    cut_angle_deg: float = setting(
        180.0, "deg", "Velodyne: where a revolution ends, clockwise from the front (180: behind)", low=0.0, high=360.0
    )
    sensor_clock: bool = setting(False, doc="stamps from the sensor's clock (PTP, PPS) instead of the arrival")
    timeout: float = setting(1.0, "s", "silence after which the sensor is reported", low=0.05, high=3600.0)
    host: str = setting("0.0.0.0", doc="udp: local address to listen at")
    port: int = setting(0, doc="udp: local port; 0: the usual one, 2368 (Velodyne) or 7502 (Ouster)", low=0, high=65535)
    path: str = setting("", doc="pcap, bag: file or folder")
    topic: str = setting("", doc="bag: topic of the packets; empty: the only one with packets")
    rate: float = setting(
        1.0, doc="pcap, bag: speed; 0: as fast as possible, with the capture's own stamps", low=0.0, high=100.0
    )
    loop: bool = setting(False, doc="pcap, bag: start over at the end")

    def __post_init__(self) -> None:
        """Check what belongs together."""
        Config.__post_init__(self)
        maker, _, model = self.model.partition("/")
        if self.model and maker not in ("velodyne", "ouster"):
            raise ConfigError(f"LidarConfig.model: {self.model!r}; expected velodyne/MODEL or ouster")
        if maker == "velodyne" and model not in VELODYNE:
            known = ", ".join(VELODYNE)
            raise ConfigError(f"LidarConfig.model: {self.model!r}; expected velodyne/ and one of {known}")
        if maker == "ouster" and not self.metadata:
            raise ConfigError("LidarConfig.metadata: empty; expected the metadata of the Ouster sensor")
        if self.source != "packets" and not self.model:
            raise ConfigError(f"LidarConfig.model: empty; expected the sensor's model for source {self.source}")
        if self.source in ("pcap", "bag") and not self.path:
            raise ConfigError(f"LidarConfig.path: empty; expected the {self.source} to read")
        if self.min_range >= self.max_range:
            raise ConfigError(f"LidarConfig.min_range: {self.min_range}; expected less than max_range {self.max_range}")


@dataclass(frozen=True, slots=True)
class GnssImuConfig(Config):
    """A GNSS receiver, with or without heading, that sends NMEA 0183."""

    platform: str = setting(doc="platform's name; the frame is <platform>/imu")
    source: str = setting("serial", doc="where the receiver is connected", choices=("serial", "tcp"))
    device: str = setting("/dev/ttyUSB0", doc="serial: device")
    baud: int = setting(115_200, "bit/s", "serial: speed", low=1200, high=4_000_000)
    host: str = setting("127.0.0.1", doc="tcp: the receiver's address")
    port: int = setting(2947, doc="tcp: the receiver's port", low=1, high=65535)
    sensor_clock: bool = setting(False, doc="stamps are the receiver's UTC instead of the arrival")
    timeout: float = setting(2.0, "s", "silence after which the receiver is reported", low=0.1, high=3600.0)
    error_single: float = setting(
        3.0, "m", "range error of a fix without corrections; times HDOP", low=0.01, high=100.0
    )
    error_differential: float = setting(1.0, "m", "range error with corrections (DGPS, SBAS)", low=0.01, high=100.0)
    error_float: float = setting(0.3, "m", "range error with RTK, ambiguities not fixed", low=0.005, high=100.0)
    error_fixed: float = setting(0.02, "m", "range error with RTK, ambiguities fixed", low=0.001, high=100.0)
    vertical_factor: float = setting(1.7, doc="vertical over horizontal error", low=0.1, high=10.0)
    speed_error: float = setting(0.1, "m/s", "standard deviation of speed over ground", low=0.001, high=10.0)
    heading_error_deg: float = setting(1.0, "deg", "standard deviation of heading", low=0.01, high=180.0)
    heading_offset_deg: float = setting(
        0.0, "deg", "added to the heading, clockwise: how the antennas stand on the vehicle", low=-360.0, high=360.0
    )


@dataclass(frozen=True, slots=True)
class CameraConfig(Config):
    """A camera: where its video comes from, and its intrinsics."""

    platform: str = setting(doc="platform's name; the frame is <platform>/camera")
    district: str = setting("", doc="district's YAML file; relative paths start at its folder")
    source: str = setting("rtsp", doc="rtsp: network stream; v4l2: device; file", choices=("rtsp", "v4l2", "file"))
    url: str = setting("", doc="rtsp: rtsp://…, or any other address that FFmpeg opens (http, tcp, udp)")
    transport: str = setting("tcp", doc="rtsp: how packets come", choices=("tcp", "udp"))
    device: str = setting("/dev/video0", doc="v4l2: device")
    path: str = setting("", doc="file: video file, played at its own pace")
    loop: bool = setting(False, doc="file: start over at the end")
    rate: float = setting(10.0, "Hz", "frames published at most; 0: all", low=0.0, high=240.0)
    delay: float = setting(0.0, "s", "from exposure to arrival, taken off the stamp", low=0.0, high=5.0)
    jpeg_quality: int = setting(85, doc="of the images published", low=1, high=100)
    timeout: float = setting(2.0, "s", "silence after which the camera is reported", low=0.1, high=3600.0)
    calibration: str = setting("", doc="camera_info file as camera_calibration writes it (YAML); empty: as below")
    width: int = setting(0, "px", "of the calibrated image; 0: not calibrated", low=0, high=16384)
    height: int = setting(0, "px", "of the calibrated image", low=0, high=16384)
    fx: float = setting(0.0, "px", "focal length", low=0.0, high=1e6)
    fy: float = setting(0.0, "px", "focal length", low=0.0, high=1e6)
    cx: float = setting(0.0, "px", "principal point", low=-1e5, high=1e5)
    cy: float = setting(0.0, "px", "principal point", low=-1e5, high=1e5)
    distortion_model: str = setting(
        "plumb_bob", doc="meaning of the coefficients", choices=("plumb_bob", "rational_polynomial", "equidistant")
    )
    distortion: tuple[float, ...] = setting((), doc="coefficients: 5, 8 or 4 by model; none: no distortion")

    def __post_init__(self) -> None:
        """Check what belongs together."""
        Config.__post_init__(self)
        for source, name in (("rtsp", "url"), ("file", "path")):
            if self.source == source and not getattr(self, name):
                raise ConfigError(f"CameraConfig.{name}: empty; expected the {name} of source {source}")
        if self.width and not (self.height and self.fx and self.fy):
            raise ConfigError("CameraConfig: width without height, fx or fy; expected the whole calibration")
