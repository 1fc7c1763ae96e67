"""New tracks, from detections that fit none."""

from __future__ import annotations

import numpy as np

from twin_common.core.geometry import wrap
from twin_tracking.config import TrackerConfig
from twin_tracking.core import attributes, classes, existence, heading, state
from twin_tracking.core.detections import Detections
from twin_tracking.core.motion import STATES, MotionModel
from twin_tracking.core.state import TrackState


def newborn(
    chosen: Detections, noise: np.ndarray, stamp_ns: int, model: MotionModel, config: TrackerConfig
) -> TrackState:
    """Return one new track per detection, without id; ``noise`` (N, 2, 2) m^2 of the positions."""
    count = len(chosen)
    zeros = np.zeros(count)
    probability = attributes.update_class(
        np.full((count, classes.COUNT), 1 / classes.COUNT), chosen.class_probability, zeros, config.class_memory
    )
    yaw_variance = chosen.yaw_variance + probability @ np.array(config.box_yaw_sigma) ** 2
    speed_sigma = probability @ np.array(config.birth_speed_sigma)
    motion = model.birth(chosen.position[:, :2], noise, speed_sigma, chosen.yaw, yaw_variance, chosen.time_offset)
    measured_ns = chosen.measured_ns(stamp_ns)
    platforms = np.zeros((count, state.PLATFORM_SLOTS), np.uint64)
    platforms[:, 0] = chosen.platforms
    votes = attributes.update_posture(np.zeros((count, 4)), chosen.posture, zeros, config.class_memory)
    young = TrackState(
        ids=np.zeros(count, np.uint64), mean=motion.mean, covariance=motion.covariance, mode=motion.probability,
        estimate=np.zeros((count, STATES)), spread=np.zeros((count, STATES, STATES)),
        yaw=wrap(chosen.yaw), yaw_variance=np.minimum(yaw_variance, heading.MAX_VARIANCE), ahead=zeros,
        z=chosen.position[:, 2], z_variance=chosen.height_noise(), size=chosen.size,
        size_weight=attributes.view_weight(chosen.point_count), class_probability=probability, posture_votes=votes,
        visible=np.full(count, existence.birth(config)), hidden=zeros, score=chosen.existence,
        score_weight=np.ones(count), confirmed=np.zeros(count, bool), speed=zeros, acceleration=zeros,
        first_ns=measured_ns, last_ns=measured_ns, platforms=platforms, source=np.zeros(count, np.int64),
    )  # fmt: skip
    measure_velocity(young, chosen.velocity, model, config)
    young.moments = model.moments(young.motion)
    return young


def measure_velocity(tracks: TrackState, velocity: np.ndarray, model: MotionModel, config: TrackerConfig) -> None:
    """Correct the motion, in place, of the tracks whose ``velocity`` (N, 2) m/s was measured, i.e. is finite."""
    index = np.flatnonzero(np.isfinite(velocity).all(axis=1))
    if not len(index):
        return
    part = tracks.take(index)
    noise = np.tile(config.velocity_sigma**2 * np.eye(2), (len(index), 1, 1))
    part.motion, _ = model.update(part.motion, velocity[index], noise, np.zeros(len(index)), np.ones(len(index)))
    tracks.put(index, part)
