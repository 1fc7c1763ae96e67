"""A Kalman filter over position, velocity and heading of a moving platform.

State: (x, y, z, velocity_x, velocity_y, velocity_z, yaw), map frame, metres, m/s, radians. White
acceleration drives the velocity (Bar-Shalom, Li & Kirubarajan 2001, eq. 6.2.2-12), the measured yaw rate
drives the yaw. Roll and pitch are taken from the IMU as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core import geometry

POSITION, VELOCITY, YAW = slice(0, 3), slice(3, 6), 6
_UNKNOWN_YAW_VARIANCE = np.pi**2


class FilterSettings(Protocol):
    """What the filter needs to know; see ``config.FilterConfig``."""

    @property
    def acceleration_sigma(self) -> float:
        """m/s^2."""

    @property
    def yaw_rate_sigma(self) -> float:
        """rad/s."""

    @property
    def blind_yaw_rate_sigma(self) -> float:
        """rad/s."""

    @property
    def min_course_speed(self) -> float:
        """m/s."""

    @property
    def gate_sigma(self) -> float:
        """Standard deviations."""

    @property
    def max_outliers(self) -> int:
        """Outliers in a row."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The platform at one moment: map_from_base (4, 4), covariance (7, 7) of the state, rates in map."""

    stamp_ns: int
    map_from_base: np.ndarray
    velocity: np.ndarray
    yaw_rate: float
    covariance: np.ndarray


class PoseFilter:
    """Follows one platform; every method takes stamps in order, older ones are refused by the caller."""

    def __init__(self, settings: FilterSettings) -> None:
        """Start without a position."""
        self._settings = settings
        self._mean: np.ndarray = np.zeros(7)
        self._covariance: np.ndarray = np.eye(7)
        self._roll, self._pitch, self._yaw_rate = 0.0, 0.0, float("nan")
        self._outliers = 0
        self.stamp_ns: int | None = None

    @property
    def heading_known(self) -> bool:
        """Whether the heading has been measured."""
        return bool(self._covariance[YAW, YAW] < 1.0)

    def reset(self, stamp_ns: int, position: np.ndarray, sigma: np.ndarray, yaw: float | None) -> None:
        """Start at a position of base_link, (3,) metres with sigma (3,); ``yaw`` None: unknown."""
        self.stamp_ns = stamp_ns
        self._mean = np.zeros(7)
        self._mean[POSITION] = position
        self._covariance = np.diag([*np.square(sigma), 400.0, 400.0, 4.0, _UNKNOWN_YAW_VARIANCE])
        if yaw is not None:
            self._mean[YAW], self._covariance[YAW, YAW] = yaw, 0.1
        self._outliers = 0

    def predict(self, stamp_ns: int) -> None:
        """Move the state on to a stamp; one that is not later changes nothing."""
        if self.stamp_ns is None or stamp_ns <= self.stamp_ns:
            return
        dt = (stamp_ns - self.stamp_ns) / 1e9
        self.stamp_ns = stamp_ns
        transition = np.eye(7)
        transition[0, 3] = transition[1, 4] = transition[2, 5] = dt
        rate_known = np.isfinite(self._yaw_rate)
        self._mean = transition @ self._mean
        self._mean[YAW] = geometry.wrap(self._mean[YAW] + (self._yaw_rate * dt if rate_known else 0.0))
        noise = np.zeros((7, 7))
        density = self._settings.acceleration_sigma**2
        for axis in range(3):
            pair = np.ix_((axis, axis + 3), (axis, axis + 3))
            noise[pair] = density * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        rate_sigma = self._settings.yaw_rate_sigma if rate_known else self._blind_rate_sigma()
        noise[YAW, YAW] = rate_sigma**2 * dt
        self._covariance = transition @ self._covariance @ transition.T + noise

    def _blind_rate_sigma(self) -> float:
        """Return how fast the platform may turn: one on wheels that stands keeps its heading."""
        speed = float(np.hypot(*self._mean[3:5]))
        return self._settings.blind_yaw_rate_sigma * min(1.0, speed / self._settings.min_course_speed)

    def orient(self, map_from_base: Rotation | None, yaw_sigma: float, yaw_rate: float) -> None:
        """Take the orientation of base_link (None: not measured) and its yaw rate (NaN: not measured)."""
        self._yaw_rate = yaw_rate
        if map_from_base is None:
            return
        yaw, self._pitch, self._roll = map_from_base.as_euler("ZYX")
        self._update(np.eye(7)[YAW:], np.array([geometry.wrap(yaw - self._mean[YAW])]), np.array([[yaw_sigma**2]]))

    def move(self, velocity: np.ndarray, sigma: np.ndarray, *, gives_course: bool) -> None:
        """Take the velocity of base_link, (3,) m/s in map with sigma (3,).

        With ``gives_course`` the direction of a fast enough movement is also the heading.
        """
        self._update(np.eye(7)[VELOCITY], velocity - self._mean[VELOCITY], np.diag(np.square(sigma)))
        if gives_course:
            self.head_along(velocity, float(np.mean(sigma[:2])))

    def head_along(self, velocity: np.ndarray, sigma: float) -> None:
        """Take the course over ground as heading, if fast enough: forward driving is assumed."""
        speed = float(np.hypot(*velocity[:2]))
        if speed < self._settings.min_course_speed:
            return
        course = np.arctan2(velocity[1], velocity[0])
        innovation = np.array([geometry.wrap(course - self._mean[YAW])])
        self._update(np.eye(7)[YAW:], innovation, np.array([[(sigma / speed) ** 2 + 0.02**2]]))

    def course_from_track(self) -> None:
        """Take the filter's own velocity as heading, where no velocity is measured."""
        self.head_along(self._mean[VELOCITY], float(np.sqrt(np.mean(np.diag(self._covariance)[3:5]))))

    def place(self, position: np.ndarray, sigma: np.ndarray, whole_sigma: np.ndarray) -> bool:
        """Take the position of base_link, (3,) metres in map with sigma (3,); return False for an outlier.

        ``whole_sigma`` (3,) is the error with its slow part: how far off a fix may be and still be believed.
        After ``max_outliers`` in a row the platform is taken to be where the fixes say.
        """
        innovation = position - self._mean[POSITION]
        noise = np.diag(np.square(sigma))
        spread = self._covariance[POSITION, POSITION] + np.diag(np.square(whole_sigma))
        if innovation @ np.linalg.solve(spread, innovation) > self._settings.gate_sigma**2:
            self._outliers += 1
            if self._outliers >= self._settings.max_outliers and self.stamp_ns is not None:
                self.reset(self.stamp_ns, position, sigma, self._mean[YAW] if self.heading_known else None)
            return False
        self._outliers = 0
        self._update(np.eye(7)[POSITION], innovation, noise)
        return True

    def _update(self, observation: np.ndarray, innovation: np.ndarray, noise: np.ndarray) -> None:
        """Kalman update in Joseph's form; ``observation`` (M, 7), ``innovation`` (M,), ``noise`` (M, M)."""
        spread = observation @ self._covariance @ observation.T + noise
        gain = np.linalg.solve(spread, observation @ self._covariance).T
        self._mean = self._mean + gain @ innovation
        self._mean[YAW] = geometry.wrap(self._mean[YAW])
        keep = np.eye(7) - gain @ observation
        self._covariance = keep @ self._covariance @ keep.T + gain @ noise @ gain.T

    def pose(self) -> Pose:
        """Return the platform as the filter sees it now.

        Raises:
            ValueError: there has been no position yet.

        """
        if self.stamp_ns is None:
            raise ValueError("pose: no position yet")
        rotation = Rotation.from_euler("ZYX", (self._mean[YAW], self._pitch, self._roll))
        rate = self._yaw_rate if np.isfinite(self._yaw_rate) else 0.0
        return Pose(
            self.stamp_ns, geometry.transform(self._mean[POSITION], rotation), self._mean[VELOCITY].copy(), rate,
            self._covariance.copy(),
        )  # fmt: skip
