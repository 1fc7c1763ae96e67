"""Parameters of the camera detector."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class CameraDetectorConfig(Config):
    """How road users and signals are found in images, and how images are made anonymous."""

    platform: str = setting("", doc="name of the platform; part of the frames' names")
    district: str = setting("", doc="district file: mounts and signal heads; empty: no signals are read")

    model: str = setting("camera", doc="name in models/manifest.yaml; its output has YOLOX's form")
    model_file: str = setting("", doc="the model's file; empty: where the manifest says")
    threads: int = setting(1, doc="of one image's inference", low=1, high=64)
    max_rate: float = setting(10.0, "Hz", "images that come sooner are left out", low=0.1, high=120.0)
    min_existence: float = setting(0.25, doc="less probable objects are not reported", low=0.01, high=1.0)
    overlap: float = setting(0.55, doc="intersection over union from which two boxes of a class are one object",
                             low=0.1, high=0.95)  # fmt: skip

    signal_reach: float = setting(50.0, "m", "farther signal heads are not read", low=1.0, high=300.0)
    signal_confidence: float = setting(0.3, doc="less certain readings are not reported", low=0.0, high=1.0)
    pose_blur: float = setting(0.06, "deg", "error of the camera's direction: of a pole", low=0.0, high=5.0)
    moving_blur: float = setting(0.3, "deg", "error of the camera's direction: of a vehicle", low=0.0, high=5.0)

    view_rate: float = setting(5.0, "Hz", "anonymous images at most, while somebody listens", low=0.1, high=60.0)
    view_quality: int = setting(80, doc="of their JPEG", low=10, high=100)
    face_score: float = setting(0.2, doc="score from which on a face is covered", low=0.05, high=0.9)
    face_side: int = setting(640, "px", "longer side in which faces are searched", low=160, high=4096)
