"""Where a sensor stands, from points that lie on known surfaces: point-to-plane registration.

Chen & Medioni 1992, solved by Gauss-Newton steps with Tukey's weights while the gate of the correspondences narrows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.spatial.transform import Rotation

from twin_common.core import geometry

GATES = (2.0, 1.4, 1.0, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.2, 0.16, 0.16, 0.16)  # metres, one step each
_UNKNOWN = (1.0, 1.0, 1.0, 50.0, 50.0, 50.0)  # rad and metres: standard deviations of what no surface tells
_CORRELATED = 25.0  # neighbouring points share the error of their surface: so many count as one


@dataclass(frozen=True, slots=True)
class Matches:
    """For some of the points: their ``index`` (M,), signed ``distance`` (M,) to a surface, its unit ``normal`` (M, 3).

    ``sigma``: (M,) metres, how far points lie from such a surface; ``kind``: (M,) an index of the surfaces' own.
    """

    index: np.ndarray
    distance: np.ndarray
    normal: np.ndarray
    sigma: np.ndarray
    kind: np.ndarray


class Surfaces(Protocol):
    """What points are registered to."""

    def match(self, points: np.ndarray, gate: float) -> Matches:
        """Return the surfaces within ``gate`` metres of points (N, 3), map frame."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A pose (4, 4), its ``covariance`` (6, 6) and how it came about.

    The covariance is of a turn (rad, about the axes of the map through the sensor) and a shift (m, map frame).
    ``residual``: (M,) metres, ``kind``: (M,) of the surfaces that were matched in the end.
    """

    pose: np.ndarray
    covariance: np.ndarray
    residual: np.ndarray
    kind: np.ndarray

    @property
    def sigma(self) -> np.ndarray:
        """Standard deviations (6,): turn, rad, and shift, m."""
        return np.asarray(np.sqrt(np.diag(self.covariance)))

    def rms(self, kind: int | None = None) -> float:
        """Return the root mean square of the residuals of a kind of surface, of all where None, metres."""
        chosen = self.residual if kind is None else self.residual[self.kind == kind]
        return float(np.sqrt(np.mean(chosen**2))) if len(chosen) else float("nan")


def correction(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return turn (3,) rad and shift (3,) m, in the axes of the map, from one pose (4, 4) to another."""
    turn = Rotation.from_matrix(after[:3, :3] @ before[:3, :3].T).as_rotvec()
    return turn, after[:3, 3] - before[:3, 3]


def register(points: np.ndarray, pose: np.ndarray, surfaces: Surfaces, gates: Sequence[float] = GATES) -> Registration:
    """Return the pose that puts points on surfaces.

    ``points``: (N, 3), sensor frame; ``pose``: (4, 4) map_from_sensor to begin with.

    Raises:
        ValueError: points are not (N, 3), or fewer than 50 lie on surfaces.

    """
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (N, 3), got {points.shape}")
    points = points.astype(float)
    information = np.eye(6)
    for gate in gates:
        placed = geometry.apply(pose, points)
        matches = surfaces.match(placed, gate)
        if len(matches.index) < 50:
            raise ValueError(
                f"{len(matches.index)} of {len(points)} points within {gate:g} m of known surfaces; expected 50"
            )
        weight = np.square(1 - np.square(matches.distance / gate)) / np.square(matches.sigma)
        arms = placed[matches.index] - pose[:3, 3]
        rows = np.concatenate([np.cross(arms, matches.normal), matches.normal], axis=1)
        information = rows.T @ (weight[:, None] * rows)
        ridge = 1e-9 * np.trace(information) * np.eye(6)
        step = -np.linalg.solve(information + ridge, rows.T @ (weight * matches.distance))
        step = np.clip(step, -0.2, 0.2) if gate < 0.5 else np.clip(step, -1.0, 1.0)
        pose = moved(pose, step)
    final = surfaces.match(geometry.apply(pose, points), gates[-1])
    covariance = np.linalg.inv(information / _CORRELATED + np.diag(1 / np.square(_UNKNOWN)))
    return Registration(pose, covariance, final.distance, final.kind)


def moved(pose: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Return a pose (4, 4) turned about its own place and shifted, (6,) rad and m, in the axes of its parent."""
    after = pose.copy()
    after[:3, :3] = Rotation.from_rotvec(step[:3]).as_matrix() @ pose[:3, :3]
    after[:3, 3] = pose[:3, 3] + step[3:]
    return after
