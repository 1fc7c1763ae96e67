"""Finds objects before the background of a LiDAR that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from twin_detection.config import LidarDetectorConfig
from twin_detection.core.background import Background, BackgroundSettings
from twin_detection.core.beam_grid import BeamGrid, grid_of, lasers_of
from twin_detection.core.classes import COUNT, DEBRIS, PEDESTRIAN, UNKNOWN
from twin_detection.core.cluster_features import Beams
from twin_detection.core.clusters import FLAT, Clusters, cluster_still, join_flat
from twin_detection.core.detections import Detections, none_detected
from twin_detection.core.existence import parts_of_vehicles
from twin_detection.core.isolated import supported
from twin_detection.core.judging import Judge, Segments
from twin_detection.core.point_network import Calibration, Estimates, Network
from twin_detection.core.scan_check import repeated_directions
from twin_detection.core.shape import trim_overhang
from twin_detection.core.street_ground import StreetGround

#: Only lorries and buses have returns above this height, metres.
_TALL = 2.2
#: Scans between two fits of the ground.
_GROUND_SCANS = 100
#: Last scans of the warm-up to which the first ground is fitted.
_SCENERY = 5
#: Standard deviation of the height of a centre, metres.
_HEIGHT_SPREAD = 0.12
#: A stored background that explains less of every scan of the first seconds is of another place.
_LEAST_AGREEMENT, _PROOF = 0.6, 5.0
#: What is learned anew is worse where it has less than this share of the directions of the stored one. That is taken up
#: again as soon as it explains as much of a scan, less this.
_LEAST_KNOWN, _EQUAL = 0.9, 0.02
#: Largest extent of one object, metres: buses.
_MAX_EXTENT = 16.0
#: Of what share of a thing something has to be remembered, and how probably a road user at least, so that it counts;
#: how sure the memory of who lies there is then.
_SHARE_KNOWN, _DOUBTED, _SURE = 0.25, 0.3, 0.97
#: Where somebody stays, foreground is no ground from this share of the usual height on.
_LOWEST = 0.4


@dataclass(slots=True)
class StillDetector:
    """Learns the background, and judges what stands before it.

    Args:
        config: of the detector.
        level_from_sensor: (3, 3) rotation.
        network: what judges clusters; (C, S, 3) points and (C, F) scalars to (C, COLUMNS).
        calibration: of its answers.

    """

    config: LidarDetectorConfig
    level_from_sensor: np.ndarray
    network: Network
    calibration: Calibration = field(default_factory=Calibration)
    problem: str | None = field(init=False, default=None)
    odd_scan: str | None = field(init=False, default=None)
    background: Background | None = field(init=False, default=None)
    grid: BeamGrid | None = field(init=False, default=None)
    beams: Beams = field(init=False)
    _ground: StreetGround | None = field(init=False, default=None)
    _first_ns: int | None = field(init=False, default=None)
    _last_ns: int | None = field(init=False, default=None)
    _learning: bool = field(init=False, default=True)
    _unproven: bool = field(init=False, default=False)
    watching: bool = field(init=False, default=False)
    _agreement: float = field(init=False, default=0.0)
    _stored: tuple[BeamGrid, Background, np.ndarray] | None = field(init=False, default=None)
    _scenery: list[np.ndarray] = field(init=False, default_factory=list)
    _scans: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Start without background."""
        self.beams = Beams(0.006, np.full(1, 0.007))

    @property
    def learning(self) -> bool:
        """Whether the background is still being learned, or none fits yet, and nothing is detected."""
        return self._learning or self._unproven

    @property
    def worse(self) -> bool:
        """Whether the background was learned in worse sight than a stored one, which it must not replace."""
        if self._stored is None or self.background is None:
            return False
        return self.background.known < _LEAST_KNOWN * self._stored[1].known

    def adopt(self, grid: BeamGrid, background: Background, gaps: np.ndarray) -> None:
        """Begin with a background that was learned before; one of the first scans has to agree with it."""
        self.grid, self.background = grid, background
        self.beams = Beams(2 * np.pi / grid.columns, gaps)
        self._learning, self._unproven = False, True

    def step(
        self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray, time_offset: np.ndarray, stamp_ns: int
    ) -> tuple[Detections, np.ndarray]:
        """Return the objects of one scan in the level frame, and the indices of their points.

        Args:
            points: (N, 3) float32 returns within range, sensor frame, metres.
            ring: (N,) laser of each.
            distance: (N,) metres.
            time_offset: (N,) seconds after the stamp.
            stamp_ns: time of the scan.

        """
        none = none_detected(), np.zeros(0, np.int64)
        self.odd_scan = None
        duration = self._duration(stamp_ns)
        self.watching = not self.learning
        if not len(points):
            return none
        if self._unproven:
            self._prove(points, ring, distance, stamp_ns)
        if self._learning:
            self.learn(points, ring, distance, stamp_ns)
            return none
        if self._unproven:
            return none
        assert self.background is not None
        self.watching = True
        self._know_lasers(ring)
        if self._scans % _GROUND_SCANS == 0:
            self._take_up(points, ring, distance)
        cell, front = self.front(points, ring, distance)
        self._follow(points, distance, cell, front, duration)
        segments = self.segments(points, ring, front, self.background.remembered(cell[front]))
        estimates, clusters = self._judged(segments)
        stood = self._stood(segments, clusters, cell)
        self._note(segments, clusters, estimates, cell, front, duration)
        detections = self._detections(estimates, clusters, segments, time_offset, stood)
        keep = self._kept(detections)
        return detections.select(keep), segments.index[clusters.select(keep).order]

    def _duration(self, stamp_ns: int) -> float:
        if self._first_ns is None or self._last_ns is None or stamp_ns < self._last_ns:
            self._first_ns = self._last_ns = stamp_ns
        duration = min((stamp_ns - self._last_ns) / 1e9, 1.0)
        self._last_ns = stamp_ns
        return duration

    def learn(self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray, stamp_ns: int) -> None:
        """Take one scan of the warm-up into account, and end it when it is over."""
        assert self._first_ns is not None
        if self.grid is None or self.background is None:
            self.grid = grid_of(points, ring, self.config.azimuth_bins)
            self.background = Background(self.grid.shape, background_settings(self.config))
            self.beams = Beams(2 * np.pi / self.grid.columns, laser_gaps(points, ring))
        elif lasers_of(ring) > len(self.grid.phase):
            known, now = self.grid.phase, grid_of(points, ring, self.grid.columns)
            self.grid = replace(now, phase=np.concatenate([known, now.phase[len(known) :]]))
            self.beams = Beams(self.beams.step, laser_gaps(points, ring))
            self.background.grow(len(now.phase))
        self.background.learn(self.background.image(self.grid.cells(points, ring), distance))
        self._scenery = [*self._scenery[1 - _SCENERY :], points]
        if (stamp_ns - self._first_ns) / 1e9 >= self.config.warm_up:
            self.background.finish_learning()
            self._fit_ground(np.concatenate(self._scenery))
            self._learning, self._scenery, self.problem = False, [], None
            if self.worse:
                self.problem = "background: learned anew in worse sight; the stored one is kept"

    def _prove(self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray, stamp_ns: int) -> None:
        """Compare a scan with the stored background; learn anew where none of the first seconds agrees with it.

        A single scan may be of a lorry that stands before the pole, or of a sensor that has just been started.
        """
        self._know_lasers(ring)
        assert self.grid is not None and self.background is not None and self._first_ns is not None
        self._agreement = max(self._agreement, self._explained(points, ring, distance))
        if self._agreement >= _LEAST_AGREEMENT:
            self._fit_ground(points)
            self._unproven, self.problem = False, None
            return
        self.problem = f"background: the stored one explains {self._agreement:.0%} of a scan"
        if (stamp_ns - self._first_ns) / 1e9 < _PROOF:
            return
        self.problem += "; learned anew"
        self._stored = self.grid, self.background, self.beams.gaps
        self.grid, self.background = None, None
        self._learning, self._unproven = True, False
        self._first_ns = stamp_ns

    def _explained(self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray) -> float:
        """Return which share of a scan's returns of surfaces the background explains."""
        assert self.background is not None
        cell, front = self.front(points, ring, distance)
        return self.background.agreement(cell, distance, front)

    def _take_up(self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray) -> None:
        """Go back to the stored background where it explains a scan again: the fog, or the lorry, has gone."""
        if self._stored is None:
            return
        assert self.grid is not None and self.background is not None
        learned = self.grid, self.background, self.beams
        now = self._explained(points, ring, distance)
        self.grid, self.background, gaps = self._stored
        self.beams = Beams(2 * np.pi / self.grid.columns, gaps)
        self._know_lasers(ring)
        before = self._explained(points, ring, distance)
        if before < max(_LEAST_AGREEMENT, now - _EQUAL):
            self.grid, self.background, self.beams = learned
            self.problem = self.problem if self.worse else None
            return
        self._fit_ground(points)
        self._stored, self.problem = None, None

    def _know_lasers(self, ring: np.ndarray) -> None:
        """Make room for lasers that return for the first time: all they had seen was the sky."""
        assert self.grid is not None and self.background is not None
        more = lasers_of(ring) - len(self.grid.phase)
        if more <= 0:
            return
        self.grid = replace(self.grid, phase=np.pad(self.grid.phase, (0, more)))
        self.beams = Beams(self.beams.step, np.pad(self.beams.gaps, (0, more), mode="edge"))
        self.background.grow(len(self.grid.phase))

    def front(self, points: np.ndarray, ring: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the direction of each return, (N,), and the indices of those of surfaces before the background."""
        assert self.grid is not None and self.background is not None
        cell = self.grid.cells(points, ring)
        before = np.flatnonzero(self.background.foreground(cell, distance))
        behind = self.background.state.far.reshape(-1)[cell[before]]
        kept = supported(cell[before], distance[before], behind - distance[before], self.grid.shape)
        return cell, before[kept]

    def _follow(
        self, points: np.ndarray, distance: np.ndarray, cell: np.ndarray, front: np.ndarray, duration: float
    ) -> None:
        """Let the background follow the scene by one scan."""
        assert self.background is not None
        shown = np.zeros(self.background.shape, bool)
        shown.reshape(-1)[cell[front]] = True
        directions = self.background.update(self.background.image(cell, distance), shown, duration)
        self.odd_scan = repeated_directions(len(cell), directions)
        self._scans += 1
        if self._scans % _GROUND_SCANS == 0:
            kept = np.ones(len(points), bool)
            kept[front] = False
            self._fit_ground(points[kept])

    def _fit_ground(self, points: np.ndarray) -> None:
        level = points @ self.level_from_sensor.T.astype(points.dtype)
        self._ground = StreetGround(level, self.config.sensor_height, self.config.max_range)

    def segments(
        self, points: np.ndarray, ring: np.ndarray, front: np.ndarray, remembered: np.ndarray | None = None
    ) -> Segments:
        """Return what stands on the ground among the returns ``front``, parted into clusters.

        ``remembered``: (F,) bool, in which of their directions somebody stays: what is lower is no ground either there.
        """
        assert self._ground is not None
        config = self.config
        level = points[front] @ self.level_from_sensor.T.astype(points.dtype)
        height = self._ground.above(level)
        lowest = config.lowest if remembered is None else np.where(remembered, _LOWEST * config.lowest, config.lowest)
        standing = np.flatnonzero((height > lowest) & (height < config.max_height))
        level, height, rings = level[standing], height[standing], ring[front[standing]]
        clusters = cluster_still(level, rings, height > _TALL, config.cell_size, config.max_range, self.beams.step, 2)
        away = np.sqrt(np.einsum("ij,ij->i", level, level))
        steps = self.beams.gaps[rings] * away * away / np.maximum(-level[:, 2], 0.5)
        clusters = join_flat(level[:, :2], height, steps, clusters, config.max_range)
        clusters = trim_overhang(height, clusters, config.max_height)
        clusters = clusters.select(clusters.counts >= max(config.fewest_points - 1, 2))
        return Segments(level, height, rings, front[standing], clusters)

    def _judged(self, segments: Segments) -> tuple[Estimates, Clusters]:
        """Return what the network says of all clusters, after parting and joining."""
        return Judge(self.config, self.network, self.calibration, self.beams).judged(segments)

    def _stood(self, segments: Segments, clusters: Clusters, cell: np.ndarray) -> np.ndarray:
        """Return how probably a road user has stood where each cluster is, (C,); 0: nothing is known."""
        assert self.background is not None
        if not len(clusters):
            return np.zeros(0)
        known, road_user = self.background.stood(cell[segments.index])
        share = clusters.mean(known)
        mean = clusters.mean(known * road_user) / np.maximum(share, 1e-9)
        return np.where(share > _SHARE_KNOWN, mean, 0.0)

    def _note(
        self, segments: Segments, clusters: Clusters, estimates: Estimates, cell: np.ndarray, front: np.ndarray,
        duration: float,
    ) -> None:  # fmt: skip
        """Tell the background which directions show road users."""
        assert self.background is not None
        user = np.zeros(len(cell), np.float32)
        harmless = estimates.classes[:, [UNKNOWN, DEBRIS]].sum(axis=1)
        members = segments.index[clusters.order]
        user[members] = np.repeat(estimates.existence * (1.0 - harmless), clusters.counts)
        self.background.judge(cell[front], user[front], duration)

    def _detections(
        self, found: Estimates, clusters: Clusters, segments: Segments, time_offset: np.ndarray, stood: np.ndarray
    ) -> Detections:
        """Return the detections; that somebody has lain there makes more probable, by Bayes' rule, that he does now."""
        if not len(found):
            return none_detected()
        low = clusters.maximum(segments.height) < FLAT
        remembered = low & (stood > _DOUBTED)
        before = np.where(remembered, _SURE, 0.5)
        existence = found.existence * before
        existence /= existence + (1.0 - found.existence) * (1.0 - before)
        reliability, label = self.calibration.reliability, found.classes.argmax(axis=1)
        # Curves are of dry streets: what the network itself doubts may be drops.
        doubtful = existence < self.config.min_existence
        existence = reliability.existence_of(existence, label)
        existence[doubtful | ((clusters.counts < self.config.fewest_points) & ~remembered)] = 0.0
        classes = reliability.classes_of(found.classes)
        covariance = np.zeros((len(found), 3, 3))
        covariance[:, :2, :2] = found.covariance * reliability.spread_of(label)[:, None, None] ** 2
        covariance[:, 2, 2] = _HEIGHT_SPREAD**2
        posture = np.where(label == PEDESTRIAN, 1 + found.posture.argmax(axis=1), 0)
        assert classes.shape[1] == COUNT
        return Detections(
            centre=found.centre, size=found.size, yaw=found.yaw, covariance=covariance, yaw_variance=found.yaw_variance,
            class_probability=classes, existence=existence, point_count=clusters.counts,
            time_offset=clusters.mean(time_offset[segments.index]), posture=posture.astype(np.uint8),
        )  # fmt: skip

    def _kept(self, detections: Detections) -> np.ndarray:
        keep = detections.existence >= self.config.min_existence
        keep &= np.hypot(detections.size[:, 0], detections.size[:, 1]) < _MAX_EXTENT
        keep[keep] = ~parts_of_vehicles(detections.select(keep))
        return np.asarray(keep)


def background_settings(config: LidarDetectorConfig) -> BackgroundSettings:
    """Return how the background of a detector is learned."""
    return BackgroundSettings(
        config.background_margin, config.background_memory, config.uncover_after, config.absorb_after
    )


def laser_gaps(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return the angle from each laser to the next, (R,) radians, from (N, 3) returns of (N,) lasers."""
    elevation = np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1]))
    counts = np.bincount(ring)
    mean = np.bincount(ring, weights=elevation) / np.maximum(counts, 1)
    used = np.flatnonzero(counts)
    if len(used) < 2:
        return np.full(len(counts), 0.007)
    gaps = np.abs(np.gradient(mean[used], used.astype(float)))
    return np.asarray(np.clip(np.interp(np.arange(len(counts)), used, gaps), 1e-4, 0.2))
