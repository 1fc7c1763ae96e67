"""How each class of the KITTI benchmark is tracked from PointRCNN's boxes: the only home of these values."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from twin_common.config import Config, setting
from twin_common.core.object_class import ObjectClass
from twin_tracking.config import NO_PIECES, TrackerConfig


@dataclass(frozen=True, slots=True)
class BoxConfig(Config):
    """What one class's boxes and scores mean, and which of its tracks are told."""

    object_class: int = setting(int(ObjectClass.CAR), "", "class of the objects")
    score_middle: float = setting(2.1, "", "detector's score of a box that is right every second time")
    score_slope: float = setting(0.8, "", "growth of the log-odds of being right with the score", low=0.01, high=10.0)
    along_sigma: float = setting(0.15, "m", "error of a box's centre along the line of sight", low=0.01, high=2.0)
    across_sigma: float = setting(0.15, "m", "error across it", low=0.01, high=2.0)
    sigma_per_metre: float = setting(
        0.0, "", "growth of the error along the line of sight with range", low=0.0, high=0.1
    )
    shown_coast: float = setting(0.55, "s", "time after its last box for which a track is told", low=0.0, high=10.0)
    shown_existence: float = setting(
        0.5, "", "probability that an object is still there from which it is told without a box", low=0.0, high=1.0
    )
    least_existence: float = setting(0.0, "", "existence from which a track is told at all", low=0.0, high=1.0)
    inside_image: float = setting(0.95, "", "share of its width in the image from which it is", low=0.0, high=1.0)


#: The sensor moves: errors of its pose and of the boxes last for some frames, so tracks follow the boxes faster than
#: those of still sensors.
_QUICK: dict[str, Any] = {
    "acceleration_density": (2.0, 3.0, 1.5, 1.5, 4.0, 1.5, 1.5, 0.6, 2.0, 0.5), "standing_density": 0.005,
    "stop_rate": 0.1, "start_rate": 0.35, "min_position_sigma": 0.05, "piece_margin": NO_PIECES,
    "usual_top_speed": (1000.0,) * 10,
}  # fmt: skip


def _tracker(label: ObjectClass, **values: float) -> TrackerConfig:
    """Return the live tracker's parameters with ``values``; those that are one per class are given for ``label``."""
    every = {field.name: getattr(TrackerConfig(), field.name) for field in fields(TrackerConfig)} | _QUICK
    for name, value in values.items():
        if isinstance(every[name], tuple):
            every[name] = tuple(value if number == label else old for number, old in enumerate(every[name]))
        else:
            every[name] = value
    return TrackerConfig(**every)


#: Common to all classes. Boxes of low scores begin tracks as well, and their existence decides how much they count; ids
#: are told at once and for good, so none is handed over later; the detector misses what is far or half hidden often, so
#: each track's own rate of detection is learned; its boxes are of whole objects, so the size needs no lean.
_ALL: dict[str, float] = {
    "low_existence": 0.0, "max_late": 0.0, "handover_reach": 0.0, "handover_group_reach": 0.0,
    "size_memory": 5.0, "size_expectile": 0.5, "leap": 0.0,
}  # fmt: skip

KITTI: dict[str, tuple[BoxConfig, TrackerConfig]] = {
    "Car": (
        BoxConfig(
            object_class=int(ObjectClass.CAR), score_middle=2.1, score_slope=0.8, along_sigma=0.3, across_sigma=0.2,
            shown_coast=0.55, shown_existence=0.5, least_existence=0.005,
        ),
        _tracker(
            ObjectClass.CAR, **_ALL, high_existence=0.08, detection_probability=0.8, detection_memory=1.0,
            hide_rate=0.1, max_coast_tentative=1.0, min_gate=2.0, max_gate=4.0,
        ),
    ),
    "Pedestrian": (
        BoxConfig(
            object_class=int(ObjectClass.PEDESTRIAN), score_middle=3.1, score_slope=1.4, along_sigma=0.1,
            across_sigma=0.1, sigma_per_metre=0.002, shown_coast=2.05, shown_existence=0.6,
        ),
        _tracker(
            ObjectClass.PEDESTRIAN, **_ALL, high_existence=0.05, detection_probability=0.85, detection_memory=0.6,
            hide_rate=0.2, reveal_rate=2.0, birth_density=1e-4, min_gate=0.5, max_gate=4.0,
        ),
    ),
    "Cyclist": (
        BoxConfig(
            object_class=int(ObjectClass.BICYCLE), score_middle=4.0, score_slope=1.0, along_sigma=0.15,
            across_sigma=0.15, sigma_per_metre=0.008, shown_coast=1.05, shown_existence=0.7,
        ),
        _tracker(
            ObjectClass.BICYCLE, **_ALL, high_existence=0.02, detection_probability=0.85, detection_memory=0.6,
            hide_rate=0.1, reveal_rate=2.0, acceleration_density=0.9, min_gate=0.5, max_gate=4.0,
        ),
    ),
}  # fmt: skip
