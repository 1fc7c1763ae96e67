"""One platform's LiDAR and camera together: scans and frames in, objects in the map frame out.

Scans are never held back here. A frame speaks of the scan nearest in time, with objects moved to the frame's moment
by their velocity; what it says follows the objects into later scans, fading, until the next frame. A camera that is
found to miss most of what the LiDAR is sure of is not listened to.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from twin_fusion.core import classes, evidence
from twin_fusion.core.camera_pairing import (
    CameraPairingSettings,
    View,
    clip_boxes,
    covered,
    image_boxes,
    likeness,
    pair_with_camera,
    project_boxes,
)
from twin_fusion.core.class_likelihood import ClassLikelihood
from twin_fusion.core.hit_rate import HitRate
from twin_fusion.core.placement import PoseError, add_pose_error
from twin_fusion.core.scan_history import Scan, ScanHistory
from twin_fusion.core.sensor_level import Sight

LIDAR, CAMERA = 1, 2
_SURE = 0.8  # existence above which one sensor may be asked whether the other sees it too
_HIGHEST_CHANCE = 0.85  # that a LiDAR sees whom only the camera sees
_MOVERS = (*classes.RIDERS, classes.PERSON)
_EXPLAINED = 0.5  # share of a box behind which a LiDAR's object of its kind stands: the camera saw that one
_UNLIKE, _ALIKE = 0.2, 0.55  # overlap of a camera's and a LiDAR's box that says nothing of each other, and all
_HALF = 0.5  # share of an object behind another from which on a camera's box says nothing of it
_LONGEST_AGO_NS = 1_000_000_000  # what only a camera saw goes out no later than this
_TALLEST_HIDDEN = 0.3  # share of an object's box in the image behind others, above which it is not expected to be seen


class FusionSettings(CameraPairingSettings, Protocol):
    """How LiDAR and camera are joined; see ``config.FusionConfig``."""

    @property
    def position_sigma(self) -> float:
        """Metres."""

    @property
    def yaw_sigma(self) -> float:
        """Radians."""

    @property
    def camera_memory(self) -> float:
        """Seconds."""

    @property
    def camera_weight(self) -> float:
        """0..1."""

    @property
    def min_pixels(self) -> float:
        """Pixels."""

    @property
    def max_camera_sigma(self) -> float:
        """Metres."""

    @property
    def min_existence(self) -> float:
        """0..1."""


class PlatformFusion:
    """Fuses the scans and frames of one platform; stamps are those of the sensors."""

    def __init__(self, settings: FusionSettings, dtype: np.dtype) -> None:
        """Begin without scans; ``dtype`` is that of DetectedObject."""
        self._settings = settings
        self._dtype = dtype
        #: How well the platform knows its pose.
        self.pose_error = PoseError.even(settings.position_sigma, settings.yaw_sigma)
        self._history = ScanHistory(settings.camera_memory)
        self._evidence = np.zeros(0, evidence.EVIDENCE)
        self._alone: list[tuple[int, np.ndarray]] = []
        self.camera_hits = HitRate((0.6, 0.5, 0.3))
        self.lidar_hits = HitRate((0.8, 0.7, 0.4))
        self.class_words = ClassLikelihood()

    def scan(self, stamp_ns: int, objects: np.ndarray) -> np.ndarray:
        """Take the objects of a scan (N,), map frame; return them with what the camera said of them, and its own."""
        scan = self._history.add(stamp_ns, objects)
        return self._with_camera(scan)

    def again(self) -> np.ndarray | None:
        """Return the newest scan's objects once more, with frames that have come since; None: there is no scan."""
        return None if self._history.newest is None else self._with_camera(self._history.newest)

    def _with_camera(self, scan: Scan) -> np.ndarray:
        fused = scan.objects.copy()
        if Sight(*self.camera_hits.near()).poor:
            self._alone = []
            return fused
        rows = _rows_of(self._evidence["identity"], scan.identity)
        known = rows >= 0
        if known.any():
            said = np.zeros(len(fused), evidence.EVIDENCE)
            said[known] = self._evidence[rows[known]]
            age = np.abs(scan.stamp_ns - said["stamp_ns"]) / 1e9
            weight = np.where(known, np.clip(1 - age / self._settings.camera_memory, 0, 1), 0.0)
            evidence.apply(fused, said, weight, CAMERA, self._settings.camera_weight)
        return np.concatenate([fused, *self.camera_only(scan.stamp_ns)])

    def camera_only(self, stamp_ns: int) -> list[np.ndarray]:
        """Return what only cameras saw since the last call, each array (K,), timed relative to ``stamp_ns``.

        What they saw at another time, before stamps jumped, is left out.
        """
        given = []
        for taken_ns, objects in self._alone:
            if abs(taken_ns - stamp_ns) > _LONGEST_AGO_NS:
                continue
            objects["time_offset"] = (taken_ns - stamp_ns) / 1e9
            given.append(objects)
        self._alone = []
        return given

    def frame(self, view: View, platform: int) -> None:
        """Take what a camera saw; ``platform`` is the platform's number in the district."""
        scan = self._history.nearest(view.stamp_ns)
        alone = np.ones(len(view.objects), bool)
        chance = np.zeros(len(view.objects))
        if scan is not None:
            pairs, share = self._pair(scan, view)
            alone[pairs[:, 1]] = False
            chance = self._chance_of_lidar(view, ~alone)
            alone &= share < _EXPLAINED
        objects = self.objects_of(view, platform)
        objects["existence"] = evidence.missed(objects["existence"], chance)
        place = view.placed.covariance[:, :2, :2]
        if scan is not None:  # else nobody else sees them, wherever and whatever they are
            objects["class_probability"] = self.class_words.vehicles(objects["class_probability"])
            objects["classification"] = np.argmax(objects["class_probability"], axis=1)
            objects["existence"] = evidence.here(objects["existence"], place, objects["classification"])
        sigma = np.sqrt(np.trace(place, axis1=1, axis2=2))
        most = self._settings.max_camera_sigma
        limit = most if scan is None else np.minimum(most, classes.CAMERA_SIGMA[objects["classification"]])
        usable = alone & view.placed.good & (sigma <= limit)
        usable &= objects["existence"] >= self._settings.min_existence
        self._alone = [(view.stamp_ns, objects[usable])]  # of two frames the later: nobody goes out twice in one array

    def _pair(self, scan: Scan, view: View) -> tuple[np.ndarray, np.ndarray]:
        """Associate a frame with a scan and keep what it says.

        Returns the pairs (P, 2), and how much of each camera object's box (M,) one of the LiDAR's of its kind covers.
        """
        objects = scan.objects
        elapsed = (view.stamp_ns - scan.times) / 1e9
        velocity = scan.velocity()
        known = np.isfinite(velocity[:, 0])
        places = np.stack([objects["x"], objects["y"]], axis=1)
        at_frame = places + np.nan_to_num(velocity) * elapsed[:, None]
        drift = np.where(known, 0.3, 0.5) * classes.TOP_SPEED[objects["classification"]] * np.abs(elapsed)
        moved = objects.copy()
        moved["x"], moved["y"] = at_frame.T
        whole = project_boxes(moved, view.lens, view.map_from_camera)
        boxes = clip_boxes(whole, view.lens)
        pairs = pair_with_camera(objects, at_frame, drift, boxes, view, self._settings)
        fresh = np.zeros(len(objects), evidence.EVIDENCE)
        fresh["identity"], fresh["stamp_ns"] = scan.identity, view.stamp_ns
        self._note_hits(fresh, pairs, objects, boxes, view)
        self._count_hits(pairs, moved, whole, boxes, view)
        evidence.carry_on(fresh, self._evidence)
        told = fresh[fresh["seen"]]
        keep_ns = round(self._settings.camera_memory * 1e9)
        old = self._evidence
        old = old[(np.abs(view.stamp_ns - old["stamp_ns"]) <= keep_ns) & ~np.isin(old["identity"], told["identity"])]
        self._evidence = np.concatenate([old, told])
        return pairs, covered(objects, boxes, view)

    def _note_hits(
        self, fresh: np.ndarray, pairs: np.ndarray, objects: np.ndarray, boxes: np.ndarray, view: View
    ) -> None:
        """Write what the camera says of the objects that it sees.

        It counts the less the less its box is the LiDAR's, and the more of that box is behind something nearer: then it
        may be of something else, or the LiDAR's object a piece of what the camera sees.
        """
        mine, theirs = pairs[:, 0], view.objects[pairs[:, 1]]
        distance, label = _distance(objects, view), objects["classification"]
        alike = likeness(boxes[mine], image_boxes(theirs))
        shown = 1 - _hidden_share(boxes, distance)[mine] / _HALF
        trust = np.clip((alike - _UNLIKE) / (_ALIKE - _UNLIKE), 0.0, 1.0) * np.clip(shown, 0.0, 1.0)
        fresh["seen"][mine] = trust > 0
        chance = self.camera_hits.at(distance[mine], label[mine])
        fresh["log_odds"][mine] = trust * evidence.sighted(theirs["existence"], chance, label[mine])
        words = np.log(np.maximum(self.class_words.of(theirs["class_probability"]), 1e-6))
        fresh["class_sum"][mine] = trust[:, None] * words
        fresh["class_weight"][mine] = trust
        plain = trust >= 1.0
        self.class_words.note(objects["class_probability"][mine][plain], theirs["class_probability"][plain])
        for name in ("posture_probability", "colour"):
            fresh[name][mine] = theirs[name]

    def _count_hits(
        self, pairs: np.ndarray, objects: np.ndarray, whole: np.ndarray, boxes: np.ndarray, view: View
    ) -> None:
        """Measure how often the camera sees what it should.

        That it misses somebody changes nothing about him: what it misses is as often there as what it sees.
        """
        distance = _distance(objects, view)
        inside = np.nan_to_num(np.abs(whole - boxes).max(axis=1), nan=np.inf) < 2
        tall = np.nan_to_num(boxes[:, 3] - boxes[:, 1]) >= self._settings.min_pixels
        hidden = _hidden_share(boxes, distance) > _TALLEST_HIDDEN
        sure = inside & tall & ~hidden & (objects["classification"] > 0) & (objects["existence"] >= _SURE)
        hit = np.zeros(len(objects), bool)
        hit[pairs[:, 0]] = True
        self.camera_hits.note(distance[sure], objects["classification"][sure], hit[sure])

    def _chance_of_lidar(self, view: View, paired: np.ndarray) -> np.ndarray:
        """Return how probably the LiDAR would have seen each camera object (M,), and measure how often it does.

        It is measured on people and riders: vehicles that were parked before a LiDAR learned its background are no
        objects to it.
        """
        offset = view.placed.centre[:, :2] - view.map_from_camera[:2, 3]
        distance = np.linalg.norm(offset, axis=1)
        chance = np.minimum(self.lidar_hits.at(distance, np.full(len(distance), evidence.PERSON)), _HIGHEST_CHANCE)
        boxes = image_boxes(view.objects)
        hidden = _hidden_share(boxes, distance) > _TALLEST_HIDDEN
        sure = (view.objects["existence"] >= _SURE) & ~hidden & (view.objects["cut"] == 0) & view.placed.good
        sure &= np.isin(view.objects["classification"], _MOVERS)
        self.lidar_hits.note(distance[sure], np.full(np.count_nonzero(sure), evidence.PERSON), paired[sure])
        return np.where(hidden, 0.5 * chance, chance)

    def objects_of(self, view: View, platform: int) -> np.ndarray:
        """Return what a camera saw (M,) as DetectedObjects in the map frame."""
        seen, placed = view.objects, view.placed
        objects = np.zeros(len(seen), self._dtype)
        objects["x"], objects["y"], objects["z"] = placed.centre.T
        objects["length"], objects["width"], objects["height"] = placed.size.T
        objects["yaw"], objects["yaw_variance"] = placed.yaw, placed.yaw_variance
        objects["velocity_x"] = objects["velocity_y"] = np.nan
        objects["position_covariance"] = placed.covariance.reshape(-1, 9)
        for name in ("class_probability", "classification", "existence", "colour"):
            objects[name] = seen[name]
        person = seen["classification"] == evidence.PERSON
        objects["posture"] = np.where(person, seen["posture"], 0)
        objects["sensors"] = CAMERA
        objects["platforms"] = np.uint64(1 << platform)
        origin = view.map_from_camera[:3, 3]
        return add_pose_error(objects, origin, self.pose_error)


def _rows_of(table: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the row of each wanted number (N,) in a table (T,) of different numbers, -1 where it is not there."""
    if not len(table) or not len(wanted):
        return np.full(len(wanted), -1)
    order = np.argsort(table)
    place = np.minimum(np.searchsorted(table[order], wanted), len(table) - 1)
    rows = order[place]
    return np.where(table[rows] == wanted, rows, -1)


def _distance(objects: np.ndarray, view: View) -> np.ndarray:
    """Return how far objects (N,) are from the camera, seen from above, metres."""
    return np.asarray(np.hypot(objects["x"] - view.map_from_camera[0, 3], objects["y"] - view.map_from_camera[1, 3]))


def _hidden_share(boxes: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Return which share of each box (N, 4) the one nearer box hides that hides most, (N,)."""
    if not len(boxes):
        return np.zeros(0)
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    common = np.nan_to_num(np.clip(high - low, 0, None).prod(axis=2))
    area = np.nan_to_num((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), nan=1.0)
    nearer = distance[None, :] < distance[:, None] - 0.3
    return np.asarray(np.where(nearer, common, 0.0).max(axis=1) / np.maximum(area, 1e-6))
