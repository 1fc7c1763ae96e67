"""New tracks, from detections that fit none."""

from __future__ import annotations

import numpy as np

from twin_tracking.config import TrackerConfig
from twin_tracking.core import attributes, existence, heading
from twin_tracking.core.motion import MotionModel
from twin_tracking.core.neighbours import near_pairs
from twin_tracking.core.overlap import inside_boxes
from twin_tracking.core.state import NANOSECONDS, TRACK

_VIEWS_APART, _VIEWS_GATE = 1.2, 16.0  # m, and squared Mahalanobis distance, of two views of one object
_NEW_VIEWS_APART = 0.65  # m: views of two platforms that are nearer begin one track


class Birth:
    """Begins tracks."""

    def __init__(self, config: TrackerConfig, model: MotionModel) -> None:
        """Take the priors."""
        self._model = model
        self._memory = attributes.memory_of(config)
        self._visible, self._found = existence.birth(config), config.detection_probability
        self._yaw_variance = np.array(config.box_yaw_sigma) ** 2

    def seen_again(
        self, tracks: np.ndarray, detections: np.ndarray, seen_by: np.ndarray, index: np.ndarray
    ) -> np.ndarray:
        """Return which detections ``index`` (K,) are second views of a confirmed track, (K,) bool.

        Such a track has its detections from other platforms than these (``seen_by`` (N,)), and fits this one too: the
        merger has left two views apart.
        """
        again = np.zeros(len(index), bool)
        row = np.flatnonzero((seen_by != 0) & tracks["confirmed"])
        masks = detections["platforms"]
        if not len(index) or not len(row) or (masks == masks[0]).all():
            return again
        i, j = near_pairs(
            tracks["estimate"][row, :2], np.full(len(row), _VIEWS_APART), detections["position"][index, :2]
        )
        apart = seen_by[row[i]] & masks[index[j]] == 0
        i, j = row[i[apart]], j[apart]
        shift = detections["position"][index[j], :2] - tracks["estimate"][i, :2]
        spread = tracks["spread"][i][:, :2, :2] + detections["noise"][index[j]]
        distance = np.einsum("ki,ki->k", shift, np.linalg.solve(spread, shift[..., None])[..., 0])
        again[j[distance < _VIEWS_GATE]] = True
        return again

    @staticmethod
    def one_each(detections: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return those of the detections ``index`` (K,) that begin tracks: the surest of the parts or views of each."""
        seen = detections[index]
        place = seen["position"][:, :2]
        one, other = inside_boxes(place, place, seen["yaw"], seen["size"])
        i, j = near_pairs(place, np.full(len(index), _NEW_VIEWS_APART), place)
        views = seen["platforms"][i] & seen["platforms"][j] == 0
        one, other = np.concatenate([one, i[views]]), np.concatenate([other, j[views]])
        rank = np.lexsort((index, -seen["existence"])).argsort()
        return np.delete(index, one[rank[one] > rank[other]])

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
        young["first_ns"] = young["last_ns"] = young["apart_ns"] = young["outside_ns"] = measured_ns
        return young
