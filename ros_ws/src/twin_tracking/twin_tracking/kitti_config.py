"""How each class of the KITTI benchmark is tracked from PointRCNN's boxes: the only home of these values."""

from __future__ import annotations

from dataclasses import dataclass, fields

from twin_common.config import Config, setting
from twin_common.core.object_class import ObjectClass
from twin_tracking.config import TrackerConfig


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
    shown_existence: float = setting(0.2, "", "existence from which it is told without a box", low=0.0, high=1.0)
    inside_image: float = setting(0.95, "", "share of its width in the image from which it is", low=0.0, high=1.0)


def _tracker(label: ObjectClass, **values: float) -> TrackerConfig:
    """Return the live tracker's parameters with ``values``; those that are one per class are given for ``label``."""
    every = {field.name: getattr(TrackerConfig(), field.name) for field in fields(TrackerConfig)}
    for name, value in values.items():
        if isinstance(every[name], tuple):
            every[name] = tuple(value if number == label else old for number, old in enumerate(every[name]))
        else:
            every[name] = value
    return TrackerConfig(**every)


#: Common to all classes: boxes of low scores begin tracks as well, their existence decides how much they count.
_ALL = {"low_existence": 0.0, "high_existence": 0.05, "max_late": 0.0}

KITTI: dict[str, tuple[BoxConfig, TrackerConfig]] = {
    "Car": (BoxConfig(), _tracker(ObjectClass.CAR, **_ALL)),
    "Pedestrian": (
        BoxConfig(object_class=int(ObjectClass.PEDESTRIAN), score_middle=3.1, score_slope=1.4),
        _tracker(ObjectClass.PEDESTRIAN, **_ALL),
    ),
    "Cyclist": (
        BoxConfig(object_class=int(ObjectClass.BICYCLE), score_middle=4.0, score_slope=1.0),
        _tracker(ObjectClass.BICYCLE, **_ALL),
    ),
}
