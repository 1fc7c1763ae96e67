"""Camera driver: video in; JPEG images and intrinsics out."""

from __future__ import annotations

from twin_common import stamps
from twin_common.component import Component, Context, Output, Timer
from twin_common.config import ConfigError
from twin_common.ros_host import run_component
from twin_drivers import convert, paths
from twin_drivers.config import CameraConfig
from twin_drivers.core import camera_model
from twin_drivers.core.camera_model import CameraModel
from twin_drivers.core.health import Health
from twin_drivers.video_source import LIVE, Frame, VideoOptions, VideoSource


class CameraDriver(Component):
    """Reads one camera."""

    Config = CameraConfig
    outputs = (Output("image", "camera_image"), Output("camera_info", "camera_info"))
    timers = (Timer("poll", 0.01),)

    def __init__(self, config: CameraConfig, context: Context) -> None:
        """Prepare the source and the intrinsics."""
        super().__init__(config, context)
        self._frame_id = f"{config.platform}/camera"
        self._model = _model(config)
        self._delay_ns = stamps.from_seconds(config.delay)
        options = _video_options(config)
        self._source = VideoSource(f"{config.source} {options.url}", options, context.now_ns)
        self._health = Health(self._source.name, "frames", config.timeout)
        self._dropped = 0
        self._misfit: str | None = None

    def start(self) -> None:
        """Open the source."""
        self._source.start()

    def close(self) -> None:
        """Close the source."""
        self._source.close()

    def on_timer_poll(self, now_ns: int) -> None:
        """Publish what has come and say whether the camera is well."""
        self._source.wanted = self.context.wanted("image")
        for frame in self._source.poll():
            self._health.good(now_ns)
            self._publish(frame)
        dropped = self._source.dropped
        self.context.count("frames_dropped", dropped - self._dropped)
        self._dropped = dropped
        if self._source.finished:
            self.context.measure("source", f"{self._source.name}, at its end")
            self.context.report(self._misfit)
        else:
            self.context.report(self._source.problem or self._misfit or self._health.problem(now_ns))

    def _publish(self, frame: Frame) -> None:
        stamp_ns = frame.stamp_ns - self._delay_ns
        if frame.jpeg is not None:
            self.context.publish("image", convert.jpeg_to_message(frame.jpeg, stamp_ns, self._frame_id))
        model = self._model
        self._misfit = None
        if model is not None and (frame.width, frame.height) != (model.width, model.height):
            self._misfit = (
                f"{self._source.name}: frames of {frame.width} x {frame.height}; "
                f"the calibration is for {model.width} x {model.height}"
            )
            model = None  # an image without intrinsics is of more use than one with wrong ones
        info = convert.camera_info(model, (frame.width, frame.height), stamp_ns, self._frame_id)
        self.context.publish("camera_info", info)


def _model(config: CameraConfig) -> CameraModel | None:
    try:
        if config.calibration:
            return camera_model.from_yaml(paths.read_text(config.calibration, config.district, "calibration"))
        if not config.width:
            return None
        return camera_model.from_numbers(
            (config.width, config.height), (config.fx, config.fy), (config.cx, config.cy), config.distortion_model,
            config.distortion,
        )  # fmt: skip
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f"calibration: {config.calibration or 'parameters'}: {error}") from None


def _video_options(config: CameraConfig) -> VideoOptions:
    opened: tuple[str, str | None, dict[str, str]]
    if config.source == "file":
        opened = (str(paths.resolve(config.path, config.district, "path")), None, {})
    elif config.source == "v4l2":
        size = {"video_size": f"{config.width}x{config.height}"} if config.width else {}
        opened = (config.device, "v4l2", LIVE | size)
    else:
        transport = {"rtsp_transport": config.transport} if config.url.startswith("rtsp") else {}
        opened = (config.url, None, LIVE | transport)
    paced = config.source == "file"
    return VideoOptions(*opened, config.rate, config.jpeg_quality, config.timeout, paced, config.loop)


def main() -> int:
    """Run as a node of its own."""
    return run_component(CameraDriver, "camera_driver")
