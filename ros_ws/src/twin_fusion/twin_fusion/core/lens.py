"""A camera's lens: points to pixels and pixels to rays.

Optical frame: x right, y down, z forward, metres (REP-103). The middle of the upper left pixel is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: How many coefficients a model of distortion has, as in sensor_msgs/CameraInfo.
COEFFICIENTS = {"plumb_bob": 5, "rational_polynomial": 8, "equidistant": 4}
NEAR = 0.2  # nothing nearer has a pixel, metres
_WIDEST = 3.7  # tangent of the largest angle from the axis at which a polynomial lens is believed


@dataclass(frozen=True, slots=True)
class Lens:
    """Intrinsics of a camera: ``matrix`` (3, 3) pixels, ``distortion`` coefficients of ``model``, image size in px."""

    width: int
    height: int
    matrix: np.ndarray
    model: str
    distortion: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes and values.

        Raises:
            ValueError: a size or focal length that is not positive, or the wrong number of coefficients.

        """
        if self.matrix.shape != (3, 3) or not np.isfinite(self.matrix).all():
            raise ValueError(f"camera matrix: expected (3, 3) finite numbers, got {self.matrix.shape}")
        if self.model not in COEFFICIENTS:
            raise ValueError(f"distortion model {self.model!r}; expected one of {', '.join(COEFFICIENTS)}")
        count = COEFFICIENTS[self.model]
        if self.distortion.shape not in ((0,), (count,)) or not np.isfinite(self.distortion).all():
            raise ValueError(f"distortion: {self.distortion.size} coefficients; expected {count} of {self.model}")
        if self.width < 1 or self.height < 1 or self.matrix[0, 0] <= 0 or self.matrix[1, 1] <= 0:
            raise ValueError("width, height, fx, fy: expected positive numbers")

    @property
    def focal(self) -> float:
        """Mean focal length, pixels."""
        return float(np.sqrt(self.matrix[0, 0] * self.matrix[1, 1]))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return the pixels (..., 2) of points (..., 3), optical frame; NaN where a point has none."""
        depth = np.where(points[..., 2] >= NEAR, points[..., 2], np.nan)
        straight = points[..., :2] / depth[..., None]
        bent = self._bend(straight)
        pixels: np.ndarray = bent @ self.matrix[:2, :2].T + self.matrix[:2, 2]
        return pixels

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Return unit vectors (N, 3) of pixels (N, 2), optical frame, by Newton's method on the lens."""
        seen = np.linalg.solve(self.matrix[:2, :2], (pixels - self.matrix[:2, 2]).T).T
        straight, step = seen.copy(), 1e-6
        for _ in range(8 if self.distortion.any() or self.model == "equidistant" else 0):
            here = self._bend(straight)
            by_x = (self._bend(straight + np.array([step, 0.0])) - here) / step
            by_y = (self._bend(straight + np.array([0.0, step])) - here) / step
            determinant = by_x[:, 0] * by_y[:, 1] - by_x[:, 1] * by_y[:, 0]
            determinant = np.where(np.abs(determinant) < 1e-3, 1e-3, determinant)
            dx, dy = (seen - here).T
            move = np.stack([dx * by_y[:, 1] - dy * by_y[:, 0], dy * by_x[:, 0] - dx * by_x[:, 1]], axis=1)
            straight = straight + np.clip(move / determinant[:, None], -0.5, 0.5)
        rays = np.concatenate([straight, np.ones((len(pixels), 1))], axis=1)
        unit: np.ndarray = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        return unit

    def _bend(self, straight: np.ndarray) -> np.ndarray:
        """Return where the lens puts normalised coordinates (..., 2)."""
        if self.model == "equidistant":
            return self._fisheye(straight)
        if not self.distortion.any():
            return straight
        k1, k2, p1, p2, k3, k4, k5, k6 = np.concatenate([self.distortion, np.zeros(8 - len(self.distortion))])
        radius = np.hypot(straight[..., 0], straight[..., 1])
        inside = straight * np.minimum(1.0, _WIDEST / np.maximum(radius, 1e-9))[..., None]
        x, y = inside[..., 0], inside[..., 1]
        r2 = x * x + y * y
        radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)))
        bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        bent_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        return np.stack([bent_x, bent_y], axis=-1)

    def _fisheye(self, straight: np.ndarray) -> np.ndarray:
        """Return where an equidistant lens puts normalised coordinates (Kannala & Brandt 2006, as in OpenCV)."""
        radius = np.hypot(straight[..., 0], straight[..., 1])
        angle = np.arctan(radius)
        a2 = angle * angle
        k1, k2, k3, k4 = self.distortion if len(self.distortion) else np.zeros(4)
        bent = angle * (1 + a2 * (k1 + a2 * (k2 + a2 * (k3 + a2 * k4))))
        return np.asarray(straight * np.where(radius > 1e-9, bent / np.maximum(radius, 1e-9), 1.0)[..., None])
