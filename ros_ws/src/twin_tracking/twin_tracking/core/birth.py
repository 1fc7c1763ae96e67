"""New tracks, from detections that fit none."""

from __future__ import annotations

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core import attributes, existence, heading
from twin_tracking.core.motion import MotionModel
from twin_tracking.core.state import NANOSECONDS, TRACK


class Birth:
    """Begins tracks."""

    def __init__(self, config: TrackerConfig, model: MotionModel) -> None:
        """Take the priors."""
        self._model = model
        self._memory = attributes.memory_of(config)
        self._visible, self._found = existence.birth(config), config.detection_probability
        self._yaw_variance = np.array(config.box_yaw_sigma) ** 2

    def tracks(self, detections: np.ndarray, chosen: np.ndarray, stamp_ns: int) -> np.ndarray:
        """Return one new track per ``chosen`` (N,) detection, without id."""
        young, seen = np.zeros(len(chosen), TRACK), detections[chosen]
        attributes.birth(young, detections, chosen, self._memory)
        young["yaw"] = np.mod(seen["yaw"] + np.pi, 2 * np.pi) - np.pi
        variance = seen["yaw_variance"] + young["class_probability"] @ self._yaw_variance
        young["yaw_variance"] = variance
        self._model.birth(young, detections, chosen)
        young["yaw_variance"] = np.minimum(variance, heading.MAX_VARIANCE)
        young["found"] = self._found
        young["visible"], young["score"], young["score_weight"] = self._visible, seen["existence"], 1.0
        measured_ns = stamp_ns + np.round(seen["time_offset"] * NANOSECONDS).astype(np.int64)
        young["first_ns"] = young["last_ns"] = measured_ns
        return young
