"""Finds objects in the scans of one LiDAR."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core.own_motion import OwnMotion, compensated
from twin_detection.config import STILL, LidarDetectorConfig
from twin_detection.core import boxes, completion, existence, shape
from twin_detection.core.bev_detector import BevDetector
from twin_detection.core.classes import classify
from twin_detection.core.clusters import Clusters, cluster_moving
from twin_detection.core.detections import Detections, none_detected
from twin_detection.core.ground import Ground
from twin_detection.core.point_network import Calibration, Network
from twin_detection.core.reach import NO_BODY, Body, within
from twin_detection.core.still_detector import StillDetector
from twin_detection.core.sweep_motion import as_measured

#: On the move only returns below this height make clusters, as branches hang above; what is above belongs to what is
#: below it. Only lorries and buses are higher, metres.
_BODY_HEIGHT = 2.2


def body_of(config: LidarDetectorConfig) -> Body:
    """Return what a moving platform covers."""
    turn = Rotation.from_euler("xyz", np.radians([config.roll_deg, config.pitch_deg, config.yaw_deg])).as_matrix()
    place = (config.mount_x - config.body_x, config.mount_y - config.body_y)
    return Body(config.body_length, config.body_width, place, turn[:2])


class LidarDetector:
    """Detects objects scan by scan; keeps a background while its platform stands still.

    Args:
        config: how objects are found.
        network: judges clusters of a LiDAR that stands still; needed in that mode.
        calibration: of the network's answers.
        bev: sees scans of a moving LiDAR from above; None: its objects are found by rules.

    """

    def __init__(
        self, config: LidarDetectorConfig, network: Network | None = None, calibration: Calibration | None = None,
        bev: BevDetector | None = None,
    ) -> None:  # fmt: skip
        """Start without background."""
        self._config = config
        rotation = Rotation.from_euler("xyz", np.radians([config.roll_deg, config.pitch_deg, 0.0]))
        self._level_from_sensor = rotation.as_matrix()
        self.still: StillDetector | None = None
        if config.mode == STILL:
            if network is None:
                raise ValueError("network: none; expected what judges the clusters of a LiDAR that stands still")
            self.still = StillDetector(config, self._level_from_sensor, network, calibration or Calibration())
        self._bev = bev
        self._nearest, self._body = (config.min_range, NO_BODY) if config.mode == STILL else (0.0, body_of(config))
        self._ground: Ground | None = None
        self._beams = shape.Beams(1.0, 0.01, -1.0)

    @property
    def learning(self) -> bool:
        """Whether the background is still being learned, and nothing is detected."""
        return self.still is not None and self.still.learning

    @property
    def watching(self) -> bool:
        """Whether objects were sought in the last scan; not so where the background was learned from it."""
        return self.still is None or self.still.watching

    def step(
        self, xyz: np.ndarray, ring: np.ndarray, time_offset: np.ndarray, stamp_ns: int,
        motion: OwnMotion | None = None,
    ) -> tuple[Detections, np.ndarray]:  # fmt: skip
        """Return the objects of one scan, and which of its points belong to objects, (N,) bool.

        Args:
            xyz: (N, 3) float32, metres, sensor frame; points that are not finite or of the platform are no returns.
            ring: (N,) unsigned, laser of each point.
            time_offset: (N,) seconds after the stamp.
            stamp_ns: time of the scan; must not run backwards while a background is kept.
            motion: of a LiDAR that moves, where it is known; one that is too old is left out.

        """
        if xyz.ndim != 2 or xyz.shape[1] != 3:
            raise ValueError(f"xyz: expected (N, 3), got {xyz.shape}")
        if ring.shape != (len(xyz),) or time_offset.shape != (len(xyz),):
            raise ValueError(f"ring, time_offset: expected ({len(xyz)},), got {ring.shape}, {time_offset.shape}")
        config = self._config
        usable, points, ring, distance, late = within(
            xyz, ring, time_offset, self._nearest, config.max_range, self._body
        )
        mask = np.zeros(len(xyz), bool)
        if self.still is not None:
            found, members = self.still.step(points, ring, distance, late, stamp_ns)
            mask[usable[members]] = True
            return self._from_level(found), mask
        if not len(points):
            return none_detected(), mask
        known = motion if motion is not None and motion.fits(stamp_ns) else None
        found, members = self._moving(points, ring, late, known, stamp_ns)
        mask[usable[members]] = True
        return self._from_level(found if known is None else as_measured(found, known)), mask

    def _moving(
        self, points: np.ndarray, ring: np.ndarray, late: np.ndarray, motion: OwnMotion | None, stamp_ns: int
    ) -> tuple[Detections, np.ndarray]:
        """Return objects among (N, 3) points, level frame at the scan's stamp, and which points are theirs."""
        beams = shape.beams_of(points, ring) if self._bev is None else self._beams
        self._beams = dataclasses.replace(beams, highest=max(beams.highest, self._beams.highest))
        if self._config.roll_deg or self._config.pitch_deg:
            points = points @ self._level_from_sensor.T.astype(points.dtype)
        if motion is not None:
            points = compensated(points, late, motion)
        if self._bev is not None:
            return self._bev.step(points, late, motion, stamp_ns)
        self._ground = Ground(points, self._config.sensor_height, self._config.max_range)
        return self._detect(points, late)

    def _detect(self, points: np.ndarray, time_offset: np.ndarray) -> tuple[Detections, np.ndarray]:
        """Return what stands on the ground among (N, 3) points of the level frame, and its points' indices."""
        assert self._ground is not None
        config = self._config
        height = self._ground.above(points)
        standing = np.flatnonzero((height > config.min_height) & (height < config.max_height))
        xy, height = points[standing, :2], height[standing]
        grid = (config.cell_size, config.max_range, self._beams.spacing, config.min_points)
        low = height < _BODY_HEIGHT
        clusters = cluster_moving(xy, low, *grid)
        clusters = shape.trim_overhang(height, clusters, config.max_height)
        clusters = clusters.select(existence.plausible_extent(xy, clusters) & (clusters.counts >= config.min_points))
        detections = self._measure(points[standing], height, time_offset[standing], clusters)
        keep = detections.existence >= config.min_existence
        keep[keep] = ~existence.parts_of_vehicles(detections.select(keep))
        return detections.select(keep), standing[clusters.select(keep).order]

    def _measure(
        self, points: np.ndarray, height: np.ndarray, time_offset: np.ndarray, clusters: Clusters
    ) -> Detections:
        """Return box, class and certainty of every cluster."""
        xy = points[:, :2]
        rectangles = boxes.fit_rectangles(xy, height, clusters)
        up = self._level_from_sensor[:, 2].astype(points.dtype)
        sine = points @ up / np.maximum(np.linalg.norm(points, axis=1), 1e-3)
        form = shape.describe(points, height, clusters, sine, rectangles, self._beams)
        classified = classify(rectangles[:, 2], rectangles[:, 3], form.top, form.solidity)
        whole, grown = completion.complete(rectangles, classified)
        ground = clusters.minimum(points[:, 2] - height) if len(clusters) else np.zeros(0)
        tall = np.maximum(form.top, 0.1)
        centre = np.column_stack([whole[:, 0], whole[:, 1], ground + tall / 2])
        return Detections(
            centre=centre,
            size=np.column_stack([whole[:, 2:4], tall]),
            yaw=whole[:, 4],
            covariance=completion.position_covariance(whole, grown, clusters.counts, 0.15),
            yaw_variance=completion.yaw_variance(rectangles, clusters.counts),
            class_probability=classified.probability,
            existence=existence.existence(rectangles, form, classified, clusters.counts),
            point_count=clusters.counts,
            time_offset=clusters.mean(time_offset),
        )

    def _from_level(self, detections: Detections) -> Detections:
        """Turn the places of objects back into the sensor's frame; headings stay about the vertical."""
        if not (self._config.roll_deg or self._config.pitch_deg):
            return detections
        turn = self._level_from_sensor.T
        return Detections(
            centre=detections.centre @ turn.T, size=detections.size, yaw=detections.yaw,
            covariance=turn @ detections.covariance @ turn.T, yaw_variance=detections.yaw_variance,
            class_probability=detections.class_probability, existence=detections.existence,
            point_count=detections.point_count, time_offset=detections.time_offset, posture=detections.posture,
        )  # fmt: skip
