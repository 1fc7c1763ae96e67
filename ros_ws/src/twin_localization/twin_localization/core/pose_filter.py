"""A Kalman filter over position, velocity and heading of a moving platform, and over what its sensors are off.

State: (x, y, z, velocity_x, velocity_y, velocity_z, yaw), then the slow error of the fixes (x, y, z) and that of the
measured heading; map frame, metres, m/s, radians. White acceleration drives the velocity (Bar-Shalom, Li & Kirubarajan
2001, eq. 6.2.2-12), the measured yaw rate drives the yaw. Roll and pitch are taken from the IMU as they are.

Neighbouring fixes share most of their error (atmosphere, reflections, an inertial unit's own filter), and so do
neighbouring headings. That cannot be seen from fixes alone: they are followed, and the error is told in the covariance.
From the first pose by the map on it is estimated, as a Gauss-Markov process (ibid., 8.2) with the standard deviation
that the sensor tells of itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core import geometry

POSITION, VELOCITY, YAW = slice(0, 3), slice(3, 6), 6
DRIFT, TURN = slice(7, 10), slice(10, 11)  # slow errors of the fixes and of the measured heading
STATES = 11
PLACED = (0, 1, 2, YAW)  # what a pose by the map measures
_ANOTHER = 0.5  # of a slow error's standard deviation, below which its cause has changed
_LEAST_WHITE = 1e-3, 1e-4  # metres, radians
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

    @property
    def white_share(self) -> float:
        """Share of a fix's error that is not common to its neighbours."""

    @property
    def drift_time(self) -> float:
        """Seconds in which the slow error of the fixes changes."""

    @property
    def heading_drift_time(self) -> float:
        """Seconds in which the slow error of the measured heading changes."""


@dataclass(frozen=True, slots=True)
class Pose:
    """The platform at one moment: map_from_base (4, 4), rates in map.

    ``covariance``: (7, 7) of position, velocity and yaw.
    """

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
        self._mean: np.ndarray = np.zeros(STATES)
        self._covariance: np.ndarray = np.diag([*np.ones(7), *np.zeros(4)])
        self._slow_sigma: np.ndarray = np.zeros(4)  # of DRIFT and TURN
        self._roll, self._pitch, self._yaw_rate = 0.0, 0.0, float("nan")
        self._outliers = 0
        self._mapped = False  # whether a pose by the map has told what the sensors are off
        self.stamp_ns: int | None = None

    @property
    def heading_known(self) -> bool:
        """Whether the heading has been measured."""
        return bool(self._covariance[YAW, YAW] < 1.0)

    def reset(self, stamp_ns: int, position: np.ndarray, sigma: np.ndarray, yaw: float | None) -> None:
        """Start at a fixed position of base_link, (3,) metres with sigma (3,); ``yaw`` None: unknown."""
        white, slow = self._parts(sigma, _LEAST_WHITE[0])
        self.stamp_ns, self._mapped = stamp_ns, False
        self._mean = np.zeros(STATES)
        self._mean[POSITION] = position
        self._covariance = np.diag([*white**2, 400.0, 400.0, 4.0, _UNKNOWN_YAW_VARIANCE, *np.zeros(4)])
        self._slow_sigma[:3] = slow
        if yaw is not None:
            self._mean[YAW], self._covariance[YAW, YAW] = yaw, 0.1
        self._outliers = 0

    def _parts(self, sigma: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
        """Return which part of an error changes from sample to sample, and which drifts."""
        share = self._settings.white_share
        return np.maximum(share * sigma, least), np.sqrt(1 - share**2) * sigma

    def _drift_as(self, part: slice, sigma: np.ndarray) -> None:
        """Take a new standard deviation of a slow error.

        A greater one adds to what is not known of it; far below the last one it is another error: the receiver has
        left a shadow. Between these the old error fades.
        """
        own = slice(part.start - DRIFT.start, part.stop - DRIFT.start)
        before = self._slow_sigma[own].copy()
        self._slow_sigma[own] = sigma
        if not self._mapped:
            return
        self._covariance[part, part] += np.diag(np.maximum(sigma**2 - before**2, 0.0))
        for k in np.flatnonzero(sigma < _ANOTHER * before):
            state = part.start + int(k)
            self._mean[state] = 0.0
            self._covariance[state], self._covariance[:, state] = 0.0, 0.0
            self._covariance[state, state] = sigma[k] ** 2

    def predict(self, stamp_ns: int) -> None:
        """Move the state on to a stamp; one that is not later changes nothing."""
        if self.stamp_ns is None or stamp_ns <= self.stamp_ns:
            return
        dt = (stamp_ns - self.stamp_ns) / 1e9
        self.stamp_ns = stamp_ns
        times = np.array([self._settings.drift_time] * 3 + [self._settings.heading_drift_time])
        fading = np.exp(-dt / times)
        transition = np.diag([*np.ones(7), *fading])
        transition[0, 3] = transition[1, 4] = transition[2, 5] = dt
        rate_known = np.isfinite(self._yaw_rate)
        self._mean = transition @ self._mean
        self._mean[YAW] = geometry.wrap(self._mean[YAW] + (self._yaw_rate * dt if rate_known else 0.0))
        noise = np.diag([*np.zeros(7), *((1 - fading**2) * self._slow_sigma**2 * self._mapped)])
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
        white, slow = self._parts(np.array([yaw_sigma]), _LEAST_WHITE[1])
        self._drift_as(TURN, slow)
        observation = np.eye(STATES)[[YAW]] + np.eye(STATES)[TURN]
        noise = np.diag(white**2 if self._mapped else white**2 + slow**2)
        self._update(observation, geometry.wrap(yaw - observation @ self._mean), noise)

    def move(self, velocity: np.ndarray, sigma: np.ndarray, *, gives_course: bool) -> None:
        """Take the velocity of base_link, (3,) m/s in map with sigma (3,).

        With ``gives_course`` the direction of a fast enough movement is also the heading.
        """
        self._update(np.eye(STATES)[VELOCITY], velocity - self._mean[VELOCITY], np.diag(np.square(sigma)))
        if gives_course:
            self.head_along(velocity, float(np.mean(sigma[:2])))

    def head_along(self, velocity: np.ndarray, sigma: float) -> None:
        """Take the course over ground as heading, if fast enough: forward driving is assumed."""
        speed = float(np.hypot(*velocity[:2]))
        if speed < self._settings.min_course_speed:
            return
        course = np.arctan2(velocity[1], velocity[0])
        innovation = np.array([geometry.wrap(course - self._mean[YAW])])
        self._update(np.eye(STATES)[[YAW]], innovation, np.array([[(sigma / speed) ** 2 + 0.02**2]]))

    def course_from_track(self) -> None:
        """Take the filter's own velocity as heading, where no velocity is measured."""
        self.head_along(self._mean[VELOCITY], float(np.sqrt(np.mean(np.diag(self._covariance)[3:5]))))

    def place(self, position: np.ndarray, sigma: np.ndarray) -> bool:
        """Take a fix of base_link, (3,) metres in map with its whole sigma (3,); return False for an outlier.

        After ``max_outliers`` in a row the platform is taken to be where the fixes say.
        """
        white, slow = self._parts(sigma, _LEAST_WHITE[0])
        self._drift_as(DRIFT, slow)
        observation = np.eye(STATES)[POSITION] + np.eye(STATES)[DRIFT]
        innovation = position - observation @ self._mean
        noise = np.diag(white**2)
        if self._improbable(self._covariance, observation, innovation, noise + np.diag(slow**2)):
            self._outliers += 1
            if self._outliers >= self._settings.max_outliers and self.stamp_ns is not None:
                self.reset(self.stamp_ns, position, sigma, self._mean[YAW] if self.heading_known else None)
            return False
        self._outliers = 0
        self._update(observation, innovation, noise)
        return True

    def locate(self, innovation: np.ndarray, covariance: np.ndarray) -> bool:
        """Take how far x, y, z and yaw are from where the map says, (4,), covariance (4, 4); False for an outlier."""
        observation = np.eye(STATES)[list(PLACED)]
        known = self._covariance if self._mapped else self._with_slow_errors()
        if self._improbable(known, observation, innovation, covariance):
            return False
        self._covariance, self._mapped = known, True
        self._update(observation, innovation, covariance)
        return True

    def forget_map(self) -> None:
        """Follow the fixes again, as before the first pose by the map."""
        if not self._mapped:
            return
        self._mean[POSITION] += self._mean[DRIFT]
        self._mean[YAW] = geometry.wrap(self._mean[YAW] + self._mean[TURN][0])
        self._mean[DRIFT.start :] = 0.0
        self._covariance[DRIFT.start :], self._covariance[:, DRIFT.start :] = 0.0, 0.0
        self._mapped = False

    def _with_slow_errors(self) -> np.ndarray:
        """Return the covariance with what has not been told apart so far: the pose has the sensors' slow errors."""
        covariance = self._covariance.copy()
        slow = np.square(self._slow_sigma)
        for state, error, variance in zip((*PLACED[:3], YAW), range(DRIFT.start, TURN.stop), slow, strict=True):
            covariance[state, state] += variance
            covariance[error, error] = variance
            covariance[state, error] = covariance[error, state] = -variance
        return covariance

    def _improbable(
        self, covariance: np.ndarray, observation: np.ndarray, innovation: np.ndarray, noise: np.ndarray
    ) -> bool:
        spread = observation @ covariance @ observation.T + noise
        return bool(innovation @ np.linalg.solve(spread, innovation) > self._settings.gate_sigma**2)

    def _update(self, observation: np.ndarray, innovation: np.ndarray, noise: np.ndarray) -> None:
        """Kalman update in Joseph's form; ``observation`` (M, 11), ``innovation`` (M,), ``noise`` (M, M)."""
        spread = observation @ self._covariance @ observation.T + noise
        gain = np.linalg.solve(spread, observation @ self._covariance).T
        self._mean = self._mean + gain @ innovation
        self._mean[YAW] = geometry.wrap(self._mean[YAW])
        keep = np.eye(STATES) - gain @ observation
        self._covariance = keep @ self._covariance @ keep.T + gain @ noise @ gain.T

    def place_and_yaw(self) -> np.ndarray:
        """Return x, y, z and yaw, (4,) metres and radians."""
        return self._mean[list(PLACED)].copy()

    def pose(self) -> Pose:
        """Return the platform as the filter sees it now.

        Raises:
            ValueError: there has been no position yet.

        """
        if self.stamp_ns is None:
            raise ValueError("pose: no position yet")
        rotation = Rotation.from_euler("ZYX", (self._mean[YAW], self._pitch, self._roll))
        rate = self._yaw_rate if np.isfinite(self._yaw_rate) else 0.0
        covariance = self._covariance[:7, :7].copy()
        if not self._mapped:
            measured = [*PLACED[:3], YAW]
            covariance[measured, measured] += np.square(self._slow_sigma)
        return Pose(
            self.stamp_ns, geometry.transform(self._mean[POSITION], rotation), self._mean[VELOCITY].copy(), rate,
            covariance,
        )  # fmt: skip
