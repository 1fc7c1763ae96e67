"""The node that turns images into objects, readings of signals, and images in which nobody can be recognised."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from nav_msgs.msg import Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage

from twin_common import stamps
from twin_common.component import Component, Context, Input, Output
from twin_common.config import ConfigError
from twin_common.district import load_district
from twin_detection import camera_convert as convert
from twin_detection.anonymiser import Anonymiser
from twin_detection.camera_config import CameraDetectorConfig
from twin_detection.camera_network import CameraNetwork
from twin_detection.core.anonymise import COVERED
from twin_detection.core.camera_objects import ImageObjects
from twin_detection.core.camera_signals import Heads, Reading, read

POSE_AGE = 0.35  # seconds between an image and the odometry that places it, at most
CROWDED = 0.8  # of the time between two images that max_rate allows: clocks are not that exact


class CameraDetector(Component):
    """Finds road users and reads signals in the images of one camera."""

    Config = CameraDetectorConfig
    inputs = (
        Input("image", "camera_image", max_age=1.0), Input("camera_info", "camera_info"), Input("odometry", "odometry")
    )  # fmt: skip
    outputs = (Output("objects", "camera_objects"), Output("signals", "camera_signals"), Output("view", "camera_view"))

    def __init__(self, config: CameraDetectorConfig, context: Context) -> None:
        """Open the model; where it is not as expected, say so, and live on without objects."""
        super().__init__(config, context)
        self._network: CameraNetwork | None = None
        self._anonymiser: Anonymiser | None = None
        self._lame: str | None = None
        try:
            self._network = CameraNetwork(config.model, config.threads, config.model_file, config.overlap)
        except ConfigError as error:
            self._lame = str(error)
        self._heads: Heads | None = None
        self._map_from_camera: np.ndarray | None = None
        self._base_from_camera = np.eye(4)
        if config.district:
            self._place(config)
        self._info: CameraInfo | None = None
        self._odometry: Odometry | None = None
        self._last_ns: int | None = None
        self._viewed_ns: int | None = None

    def _place(self, config: CameraDetectorConfig) -> None:
        district = load_district(config.district)
        platform = district.platform(config.platform)
        if platform.camera is None:
            raise ConfigError(f"{self.context.name}: {config.platform} has no camera in {config.district}")
        self._heads = convert.heads_of(district)
        self._base_from_camera = platform.camera.mount.matrix()
        if platform.kind == "pole":
            self._map_from_camera = platform.pose.matrix() @ self._base_from_camera

    def start(self) -> None:
        """Say what is amiss."""
        self.context.report(self._lame)

    def on_camera_info(self, message: CameraInfo, _source: str) -> None:
        """Keep the intrinsics."""
        self._info = message

    def on_odometry(self, message: Odometry, _source: str) -> None:
        """Keep the pose of a moving platform."""
        self._odometry = message

    def on_image(self, message: CompressedImage, _source: str) -> None:
        """Detect, read, and publish with the image's stamp and frame."""
        stamp_ns = stamps.from_time(message.header.stamp)
        if not any(self.context.wanted(item.name) for item in self.outputs) or not self._due(stamp_ns):
            return
        frame_id = message.header.frame_id or f"{self.config.platform}/camera"
        try:
            image = convert.image_from_message(message)
        except ValueError as error:
            self.context.count("broken_images")
            self.context.report(str(error))
            return
        self.context.report(self._lame)
        objects = self._detect(image, stamp_ns, frame_id)
        self._read(image, stamp_ns)
        if self.context.wanted("view"):
            self._show(image, objects, stamp_ns, frame_id)

    def _due(self, stamp_ns: int) -> bool:
        """Return whether an image is to be looked at; count those that are not."""
        last, self._last_ns = self._last_ns, stamp_ns
        if last is None or stamp_ns < last:
            if last is not None:
                self.context.count("set_back")
            return True
        if stamp_ns == last:
            self.context.count("repeated")
            return False
        if stamp_ns - last < CROWDED * stamps.from_seconds(1.0 / self.config.max_rate):
            self.context.count("left_out")
            self._last_ns = last
            return False
        return True

    def _detect(self, image: np.ndarray, stamp_ns: int, frame_id: str) -> ImageObjects:
        """Publish the objects of an image; return those that have to be covered, doubtful ones too."""
        if self._network is None:
            return ImageObjects(np.zeros((0, 4)), np.zeros((0, 10)), np.zeros((0, 4)), np.zeros(0))
        found = self._network.find(image, min(self.config.min_existence, COVERED))
        objects = found[np.flatnonzero(found.existence >= self.config.min_existence)]
        self.context.measure("objects", float(len(objects)))
        self.context.publish("objects", convert.message_from_objects(objects, image, stamp_ns, frame_id))
        return found

    def _read(self, image: np.ndarray, stamp_ns: int) -> None:
        """Read the signals where heads, intrinsics and pose are known."""
        pose = self._pose(stamp_ns)
        if self._heads is None or not len(self._heads) or self._info is None or pose is None:
            return
        camera = convert.camera_from_info(self._info, pose)
        if camera is None or not self.context.wanted("signals"):
            return
        config = self.config
        error = config.pose_blur if self._map_from_camera is not None else config.moving_blur
        blur = float(np.hypot(0.5, np.radians(error) * camera.matrix[0, 0]))
        found = read(image, self._heads, camera, config.signal_reach, blur)
        sure = found.confidence >= config.signal_confidence
        reading = Reading(found.index[sure], found.state[sure], found.confidence[sure])
        self.context.measure("signals", float(len(reading.index)))
        self.context.publish("signals", convert.message_from_reading(reading, self._heads, stamp_ns))

    def _pose(self, stamp_ns: int) -> Any:
        """Return map_from_camera at a stamp, (4, 4); None: not known."""
        if self._map_from_camera is not None or self._odometry is None:
            return self._map_from_camera
        apart = abs(stamps.to_seconds(stamp_ns - stamps.from_time(self._odometry.header.stamp)))
        return convert.pose_at(self._odometry, stamp_ns) @ self._base_from_camera if apart < POSE_AGE else None

    def _show(self, image: np.ndarray, objects: ImageObjects, stamp_ns: int, frame_id: str) -> None:
        """Publish an anonymous image; none where faces and plates cannot be found."""
        period = CROWDED * stamps.from_seconds(1.0 / self.config.view_rate)
        if self._viewed_ns is not None and 0 <= stamp_ns - self._viewed_ns < period:
            return
        if self._network is None or self._lame:
            return  # without objects there are no heads and plates to cover
        if self._anonymiser is None:
            try:
                self._anonymiser = Anonymiser(self.config.face_score, self.config.face_side, self.config.threads)
            except ConfigError as error:
                self._lame = str(error)
                return
        anonymous = self._anonymiser.anonymous(image, objects)
        self._viewed_ns = stamp_ns
        message = convert.message_from_image(anonymous, self.config.view_quality, stamp_ns, frame_id)
        self.context.publish("view", message)


def main() -> int:
    """Run as a node of its own."""
    from twin_common.ros_host import run_component  # only here: lockstep replay needs no middleware

    return run_component(CameraDetector, "camera_detector")


if __name__ == "__main__":
    sys.exit(main())
