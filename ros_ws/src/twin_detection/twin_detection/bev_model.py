"""Opens the networks that see scans of moving platforms from above, as shipped in ``models/``."""

from __future__ import annotations

from pathlib import Path

from twin_common.config import ConfigError
from twin_detection.config import LidarDetectorConfig
from twin_detection.core.bev_decode import BevCalibration
from twin_detection.core.bev_detector import BevDetector
from twin_detection.models import entry, open_model

NAME = "bev"
#: Of the second look, in the order of bev_review.LOOKS.
LOOK_NAMES = ("bev_vehicles", "bev_people")


def open_bev_detector(config: LidarDetectorConfig, file: Path | str | None = None) -> BevDetector:
    """Return the learned detector of a platform; ``file``: its first model in place of the shipped one.

    Raises:
        ConfigError: the model is missing or is not what the manifest describes.

    """
    session = open_model(NAME, file=file)
    readers = [open_model(name) for name in LOOK_NAMES]
    try:
        calibration = BevCalibration.read(entry(NAME).extra)
    except ValueError as error:
        raise ConfigError(f"model {NAME}: extra: {error}") from None
    return BevDetector(session, readers, calibration, config.sensor_height, config.learned_min_existence)
