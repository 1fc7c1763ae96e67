"""Pose of a moving platform from GNSS and IMU: mounts, missing parts and lost fixes around the filter."""

from __future__ import annotations

import copy
from collections import deque
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core import geometry
from twin_localization.core.pose_filter import FilterSettings, Pose, PoseFilter

_MEMORY_NS = 1_500_000_000  # a pose by the map that is older comes too late
_ALONE_NS = 250_000_000  # without a fix, after which a pose by the map moves the state on


class LocalizerSettings(FilterSettings, Protocol):
    """What the localizer needs to know besides the filter; see ``config.FilterConfig``."""

    @property
    def max_coast(self) -> float:
        """Seconds."""


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


@dataclass(frozen=True, slots=True)
class MapPose:
    """Where a scan lies on the map: base_link, (x, y, z, yaw) in metres and radians, with covariance (4, 4)."""

    stamp_ns: int
    place: np.ndarray
    covariance: np.ndarray


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
        self._history: deque[tuple[int, np.ndarray]] = deque()
        self._misplaced = 0
        #: Metres between the platform and where the map has had it for some scans; None: they agree.
        self.off_map: float | None = None
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
            if self._filter.place(fix.position - self._arm(), fix.sigma):
                self._fixed_ns = fix.stamp_ns
            else:
                self.outliers += 1
        if velocity is None and (inertial is None or inertial.map_from_imu is None):
            self._filter.course_from_track()
        if not self.heading_known:
            return None
        self._remember()
        return self._filter.pose()

    def locate(self, found: MapPose, inertial: Inertial | None = None) -> bool:
        """Take where a scan lies on the map; return whether it agrees with all that is known.

        It is a little older than the state: the error that it shows is taken for that of the present. Where no fix has
        come for longer, the state goes on with it and with the ``inertial`` sample of its moment.
        """
        if self.stamp_ns is not None and found.stamp_ns - self.stamp_ns > _ALONE_NS:
            self._advance(Fix(found.stamp_ns, None, np.zeros(3)), inertial, start=False)
            self._remember()
        here = self._place_at(found.stamp_ns)
        if here is None:
            return False
        innovation = found.place - here
        innovation[3] = geometry.wrap(innovation[3])
        if not self._filter.locate(innovation, found.covariance):
            self._misplaced += 1
            self.off_map = float(np.hypot(*innovation[:2])) if self._misplaced >= self._settings.max_outliers else None
            if self._misplaced % self._settings.max_outliers == 0:  # the first one may have been wrong
                self._filter.forget_map()
            return False
        self._misplaced, self.off_map = 0, None
        self._fixed_ns = max(self._fixed_ns or 0, found.stamp_ns)
        self._history.clear()
        self._remember()
        return True

    def _remember(self) -> None:
        """Keep where the platform is now."""
        if self._filter.stamp_ns is None:
            return
        while self._history and self._filter.stamp_ns - self._history[0][0] > _MEMORY_NS:
            self._history.popleft()
        self._history.append((self._filter.stamp_ns, self._filter.place_and_yaw()))

    def _place_at(self, stamp_ns: int) -> np.ndarray | None:
        """Return where the platform was thought to be at a stamp, (x, y, z, yaw); None: that is not known."""
        if self.stamp_ns is None or not self.heading_known or not self._history:
            return None
        if stamp_ns >= self.stamp_ns:
            ahead = copy.deepcopy(self._filter)
            ahead.predict(stamp_ns)
            return ahead.place_and_yaw() if stamp_ns - self.stamp_ns < _MEMORY_NS else None
        before = [item for item in self._history if item[0] <= stamp_ns]
        if not before:
            return None
        (first_ns, first), (last_ns, last) = before[-1], self._history[len(before)]
        share = (stamp_ns - first_ns) / (last_ns - first_ns)
        return first + share * np.array([*(last - first)[:3], geometry.wrap(last[3] - first[3])])

    def predict(self, stamp_ns: int) -> Pose | None:
        """Return the pose at a stamp without any measurement; None once ``max_coast`` has passed."""
        if not self.heading_known or self.since_fix(stamp_ns) > self._settings.max_coast:
            return None
        ahead = copy.deepcopy(self._filter)  # a late fix must still find the state of its moment
        ahead.predict(stamp_ns)
        return ahead.pose()

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
            self._filter.reset(fix.stamp_ns, fix.position - arm, fix.sigma, yaw)
            self._fixed_ns = fix.stamp_ns
            self._history.clear()
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
