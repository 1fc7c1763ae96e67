"""Finds objects in the scans of one LiDAR."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial.transform import Rotation

from twin_detection.config import STILL, LidarDetectorConfig
from twin_detection.core import boxes, completion, existence, shape
from twin_detection.core.background import Background
from twin_detection.core.classes import classify
from twin_detection.core.clusters import Clusters, cluster_moving, cluster_still
from twin_detection.core.detections import Detections, none_detected
from twin_detection.core.ground import Ground

#: On the move only returns below this height make clusters, as branches hang above; what is above belongs to what is
#: below it. Only lorries and buses are higher, metres.
_BODY_HEIGHT = 2.2
#: Scans of a still LiDAR between two fits of the ground.
_GROUND_SCANS = 100


class LidarDetector:
    """Detects objects scan by scan; keeps a background while its platform stands still."""

    def __init__(self, config: LidarDetectorConfig) -> None:
        """Start without background."""
        self._config = config
        rotation = Rotation.from_euler("xyz", np.radians([config.roll_deg, config.pitch_deg, 0.0]))
        self._level_from_sensor = rotation.as_matrix()
        self._background = Background(
            config.azimuth_bins, config.background_margin, config.background_memory, config.uncover_after,
            config.absorb_after,
        )  # fmt: skip
        self._ground: Ground | None = None
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._learning: bool = config.mode == STILL
        self._scenery: list[np.ndarray] = []
        self._scans = 0
        self._beams = shape.Beams(1.0, 0.01, -1.0)

    @property
    def learning(self) -> bool:
        """Whether the background is still being learned, and nothing is detected."""
        return self._learning

    def step(
        self, xyz: np.ndarray, ring: np.ndarray, time_offset: np.ndarray, stamp_ns: int
    ) -> tuple[Detections, np.ndarray]:
        """Return the objects of one scan, and which of its points belong to objects, (N,) bool.

        Args:
            xyz: (N, 3) float32, metres, sensor frame; points that are not finite or too near are no returns.
            ring: (N,) unsigned, laser of each point.
            time_offset: (N,) seconds after the stamp.
            stamp_ns: time of the scan; must not run backwards while a background is kept.

        """
        if xyz.ndim != 2 or xyz.shape[1] != 3:
            raise ValueError(f"xyz: expected (N, 3), got {xyz.shape}")
        if ring.shape != (len(xyz),) or time_offset.shape != (len(xyz),):
            raise ValueError(f"ring, time_offset: expected ({len(xyz)},), got {ring.shape}, {time_offset.shape}")
        config = self._config
        distance = np.sqrt(np.einsum("ij,ij->i", xyz, xyz))
        with np.errstate(invalid="ignore"):
            usable = np.flatnonzero((distance > config.min_range) & (distance < config.max_range))
        points = xyz[usable]
        beams = shape.beams_of(points, ring[usable])
        self._beams = dataclasses.replace(beams, highest=max(beams.highest, self._beams.highest))
        if config.mode == STILL:
            seen = self._foreground(points, ring[usable], distance[usable], stamp_ns)
            usable, points = usable[seen], points[seen]
        if config.roll_deg or config.pitch_deg:
            points = points @ self._level_from_sensor.T.astype(points.dtype)
        if config.mode != STILL:
            self._ground = Ground(points, config.sensor_height, config.max_range)
        mask = np.zeros(len(xyz), bool)
        if self._learning or self._ground is None or not len(points):
            return none_detected(), mask
        detections, members = self._detect(points, ring[usable], time_offset[usable])
        mask[usable[members]] = True
        return self._from_level(detections), mask

    def _foreground(self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray, stamp_ns: int) -> np.ndarray:
        """Compare with the background and let it follow; return which points are foreground, (N,) bool."""
        if self._first_ns is None or self._last_ns is None or stamp_ns < self._last_ns:
            self._first_ns = self._last_ns = stamp_ns
        duration = min((stamp_ns - self._last_ns) / 1e9, 1.0)
        self._last_ns = stamp_ns
        cell = self._background.cells(points, ring)
        if self._learning:
            self._background.learn(cell, distance)
            self._scenery.append(points)
            if (stamp_ns - self._first_ns) / 1e9 >= self._config.warm_up:
                self._background.finish_learning()
                self._fit_ground(np.concatenate(self._scenery[-5:]))
                self._learning, self._scenery = False, []
            return np.zeros(len(points), bool)
        foreground: np.ndarray = self._background.foreground(cell, distance)
        self._background.update(cell, distance, foreground, duration)
        self._scans += 1
        if self._scans % _GROUND_SCANS == 0:
            self._fit_ground(points[~foreground])
        return foreground

    def _fit_ground(self, points: np.ndarray) -> None:
        level = points @ self._level_from_sensor.T.astype(points.dtype)
        self._ground = Ground(level, self._config.sensor_height, self._config.max_range)

    def _detect(self, points: np.ndarray, ring: np.ndarray, time_offset: np.ndarray) -> tuple[Detections, np.ndarray]:
        """Return what stands on the ground among (N, 3) points of the level frame, and its points' indices."""
        assert self._ground is not None
        config = self._config
        height = self._ground.above(points)
        standing = np.flatnonzero((height > config.min_height) & (height < config.max_height))
        xy, height = points[standing, :2], height[standing]
        grid = (config.cell_size, config.max_range, self._beams.spacing, config.min_points)
        low = height < _BODY_HEIGHT
        if config.mode == STILL:
            clusters = cluster_still(points[standing], ring[standing], ~low, *grid)
        else:
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
        # From a pole, looking down, what is seen of a silhouette says little.
        solidity = None if self._config.mode == STILL else form.solidity
        classified = classify(rectangles[:, 2], rectangles[:, 3], form.top, solidity)
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
            existence=existence.existence(
                rectangles, form, classified, clusters.counts, background_removed=self._config.mode == STILL
            ),
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
            point_count=detections.point_count, time_offset=detections.time_offset,
        )  # fmt: skip
