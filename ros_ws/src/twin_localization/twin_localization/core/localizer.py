"""Pose of a moving platform from GNSS and IMU: mounts, missing parts and lost fixes around the filter."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from twin_localization.core.pose_filter import FilterSettings, Pose, PoseFilter


class LocalizerSettings(FilterSettings, Protocol):
    """What the localizer needs to know besides the filter; see ``config.FilterConfig``."""

    @property
    def max_coast(self) -> float:
        """Seconds."""

    @property
    def white_share(self) -> float:
        """Share of a fix's error that is not common to its neighbours."""


@dataclass(frozen=True, slots=True)
class Inertial:
    """One IMU sample: map_from_imu (None where not measured), its yaw sigma, rates in the IMU's frame (3,), rad/s."""

    stamp_ns: int
    map_from_imu: Rotation | None
    yaw_sigma: float
    rates: np.ndarray


@dataclass(frozen=True, slots=True)
class Velocity:
    """Velocity of the antenna over ground, map frame, (3,) m/s with sigma (3,)."""

    stamp_ns: int
    velocity: np.ndarray
    sigma: np.ndarray


@dataclass(frozen=True, slots=True)
class Fix:
    """Position of the antenna, map frame, (3,) metres with sigma (3,); None: the receiver had no fix."""

    stamp_ns: int
    position: np.ndarray | None
    sigma: np.ndarray


class GnssLocalizer:
    """Localises one platform.

    Args:
        settings: noise and limits.
        base_from_imu: mount of the GNSS/IMU unit, (4, 4); the antenna is where the unit is.

    """

    def __init__(self, settings: LocalizerSettings, base_from_imu: np.ndarray) -> None:
        """Start without a pose."""
        if base_from_imu.shape != (4, 4):
            raise ValueError(f"base_from_imu: expected (4, 4), got {base_from_imu.shape}")
        self._settings = settings
        self._lever = base_from_imu[:3, 3].copy()
        self._base_from_imu = Rotation.from_matrix(base_from_imu[:3, :3])
        self._filter = PoseFilter(settings)
        self._inertial: Inertial | None = None
        self._fixed_ns: int | None = None
        self._drift_variance: np.ndarray = np.zeros(3)
        self.outliers = 0

    @property
    def stamp_ns(self) -> int | None:
        """Stamp of the state; None before the first fix."""
        return self._filter.stamp_ns

    @property
    def heading_known(self) -> bool:
        """Whether the heading has been measured, by the IMU or by driving."""
        return self._filter.stamp_ns is not None and self._filter.heading_known

    def since_fix(self, stamp_ns: int) -> float:
        """Return the seconds since the last good fix; infinite before the first."""
        return float("inf") if self._fixed_ns is None else (stamp_ns - self._fixed_ns) / 1e9

    def step(self, fix: Fix, inertial: Inertial | None, velocity: Velocity | None) -> Pose | None:
        """Take one fix with the newest IMU sample and velocity of its moment; return the pose at its stamp.

        Returns None while there is no pose: before the first fix, while the heading is unknown, or when
        fixes have been missing for more than ``max_coast``.
        """
        if fix.position is None and self.since_fix(fix.stamp_ns) > self._settings.max_coast:
            return None
        stale = self.since_fix(fix.stamp_ns) > self._settings.max_coast
        self._advance(fix, inertial, start=stale)
        if velocity is not None and self.stamp_ns is not None:
            moving = velocity.velocity - self._turning()
            self._filter.move(moving, velocity.sigma, gives_course=inertial is None or inertial.map_from_imu is None)
        if fix.position is not None and not stale:
            if self._filter.place(fix.position - self._arm(), self._white(fix.sigma), fix.sigma):
                self._fixed_ns, self._drift_variance = fix.stamp_ns, self._drifting(fix.sigma)
            else:
                self.outliers += 1
        if velocity is None and (inertial is None or inertial.map_from_imu is None):
            self._filter.course_from_track()
        return self._pose(self._filter) if self.heading_known else None

    def predict(self, stamp_ns: int) -> Pose | None:
        """Return the pose at a stamp without any measurement; None once ``max_coast`` has passed."""
        if not self.heading_known or self.since_fix(stamp_ns) > self._settings.max_coast:
            return None
        ahead = copy.deepcopy(self._filter)  # a late fix must still find the state of its moment
        ahead.predict(stamp_ns)
        return self._pose(ahead)

    def _white(self, sigma: np.ndarray) -> np.ndarray:
        """Return the part of a fix's error that smoothing takes away, (3,) metres.

        The errors of neighbouring fixes are almost the same (atmosphere, multipath at rest, an inertial
        unit's own filter): taken for white noise they would drag the pose after the velocity.
        """
        return np.maximum(self._settings.white_share * sigma, 1e-3)

    def _drifting(self, sigma: np.ndarray) -> np.ndarray:
        """Return the variance of what no smoothing takes away, (3,) metres squared."""
        drifting: np.ndarray = (1 - self._settings.white_share**2) * np.square(sigma)
        return drifting

    def _pose(self, state: PoseFilter) -> Pose:
        """Return the filter's pose with the whole error of the fixes in its covariance."""
        pose = state.pose()
        pose.covariance[np.arange(3), np.arange(3)] += self._drift_variance
        return pose

    def _advance(self, fix: Fix, inertial: Inertial | None, *, start: bool) -> None:
        """Bring the state to the fix's stamp, with the orientation measured there; or start at the fix."""
        self._inertial = inertial
        base = None
        rate = float("nan")
        sigma = 1.0
        if inertial is not None:
            sigma = inertial.yaw_sigma
            rate = float((self._base_from_imu.apply(inertial.rates))[2])
            if inertial.map_from_imu is not None:
                base = inertial.map_from_imu * self._base_from_imu.inv()
                lag = (fix.stamp_ns - inertial.stamp_ns) / 1e9  # turned on to the fix's moment
                base = Rotation.from_rotvec((0.0, 0.0, rate * lag)) * base if np.isfinite(rate) else base
        if start and fix.position is not None:
            yaw = float(base.as_euler("ZYX")[0]) if base is not None else None
            arm = base.apply(self._lever) if base is not None else np.zeros(3)
            self._filter.reset(fix.stamp_ns, fix.position - arm, self._white(fix.sigma), yaw)
            self._fixed_ns, self._drift_variance = fix.stamp_ns, self._drifting(fix.sigma)
        self._filter.predict(fix.stamp_ns)
        self._filter.orient(base, sigma, rate)

    def _arm(self) -> np.ndarray:
        """Return the way from base_link to the antenna in the map frame, (3,) metres."""
        if not self._filter.heading_known:
            return np.zeros(3)
        arm: np.ndarray = self._filter.pose().map_from_base[:3, :3] @ self._lever
        return arm

    def _turning(self) -> np.ndarray:
        """Return the antenna's velocity that comes from turning about base_link, map frame, (3,) m/s."""
        if self._inertial is None or not np.isfinite(self._inertial.rates).all() or not self._filter.heading_known:
            return np.zeros(3)
        rates = self._base_from_imu.apply(self._inertial.rates)
        turning: np.ndarray = self._filter.pose().map_from_base[:3, :3] @ np.cross(rates, self._lever)
        return turning
