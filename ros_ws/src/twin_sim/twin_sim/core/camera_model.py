"""A camera's numbers, as sensor_msgs/CameraInfo has them, and what follows from them: projection, rays, warp.

Optical frame: x right, y down, z forward, metres. Pixels: (u, v), the middle of the upper left pixel is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from twin_common.config import Config, ConfigError, setting

NEAR = 0.2  # nothing nearer is drawn, metres


@dataclass(frozen=True, slots=True)
class CameraModel(Config):
    """A pinhole camera with the lens of OpenCV's plumb_bob model (Brown 1966: radial k1 k2 k3, tangential p1 p2)."""

    width: int = setting(640, "px", "of the image", low=16, high=4096)
    height: int = setting(360, "px", "of the image", low=16, high=4096)
    field_of_view_deg: float = setting(70.0, "deg", "horizontal, without the lens' distortion", low=10.0, high=140.0)
    fx: float = setting(0.0, "px", "focal length; 0: from the field of view", low=0.0, high=1e5)
    fy: float = setting(0.0, "px", "focal length; 0: as fx", low=0.0, high=1e5)
    cx: float | None = setting(None, "px", "principal point; none: the middle", low=-1e5, high=1e5)
    cy: float | None = setting(None, "px", "principal point; none: the middle", low=-1e5, high=1e5)
    distortion: tuple[float, ...] = setting((), doc="k1 k2 p1 p2 k3 of plumb_bob; none: no distortion", low=-2, high=2)

    def __post_init__(self) -> None:
        """Check what belongs together.

        Raises:
            ConfigError: not 0 or 5 coefficients, or a lens that folds the image over within its corners.

        """
        Config.__post_init__(self)
        if len(self.distortion) not in (0, 5):
            raise ConfigError(
                f"CameraModel.distortion: {len(self.distortion)} numbers; expected none, or k1 k2 p1 p2 k3"
            )
        if any(self.distortion) and self.source_pixels() is None:
            raise ConfigError(
                f"CameraModel.distortion: {list(self.distortion)} folds the image over; expected a lens whose corners "
                f"lie within 80 degrees of its axis"
            )

    def matrix(self) -> np.ndarray:
        """Return the intrinsic matrix K, (3, 3), pixels."""
        fx = self.fx or (self.width / 2) / float(np.tan(np.radians(self.field_of_view_deg) / 2))
        cx = (self.width - 1) / 2 if self.cx is None else self.cx
        cy = (self.height - 1) / 2 if self.cy is None else self.cy
        return np.array([[fx, 0.0, cx], [0.0, self.fy or fx, cy], [0.0, 0.0, 1.0]])

    def coefficients(self) -> np.ndarray:
        """Return k1 k2 p1 p2 k3, (5,)."""
        return np.array(self.distortion if self.distortion else (0.0,) * 5, float)

    def project(self, points: np.ndarray) -> np.ndarray:
        """Return the pixels (N, 2) of points (N, 3), optical frame, metres; NaN behind the near plane."""
        if points.ndim != 2 or points.shape[1] != 3:
            raise ValueError(f"points: expected (N, 3), got {points.shape}")
        depth = np.where(points[:, 2] >= NEAR, points[:, 2], np.nan)
        return self._pixels(self._distorted(points[:, :2] / depth[:, None]))

    def _pixels(self, normalised: np.ndarray) -> np.ndarray:
        k = self.matrix()
        pixels: np.ndarray = normalised * (k[0, 0], k[1, 1]) + k[:2, 2]
        return pixels

    def _distorted(self, normalised: np.ndarray) -> np.ndarray:
        """Return where a lens puts normalised coordinates (N, 2)."""
        if not any(self.distortion):
            return normalised
        k1, k2, p1, p2, k3 = self.coefficients()
        x, y = normalised.T
        r2 = x * x + y * y
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        return np.column_stack(
            [x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x), y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y]
        )

    def _undistorted(self, normalised: np.ndarray) -> np.ndarray:
        """Return the coordinates (N, 2) that a lens puts at ``normalised`` (N, 2), by Newton's method."""
        found, step = normalised.copy(), 1e-6
        for _ in range(12):
            here = self._distorted(found)
            by_x = (self._distorted(found + np.array([step, 0.0])) - here) / step
            by_y = (self._distorted(found + np.array([0.0, step])) - here) / step
            determinant = by_x[:, 0] * by_y[:, 1] - by_x[:, 1] * by_y[:, 0]
            determinant = np.where(np.abs(determinant) < 1e-3, 1e-3, determinant)
            dx, dy = (normalised - here).T
            move = np.column_stack([dx * by_y[:, 1] - dy * by_y[:, 0], dy * by_x[:, 0] - dx * by_x[:, 1]])
            found = found + np.clip(move / determinant[:, None], -0.3, 0.3)
        return found

    def source_pixels(self) -> np.ndarray | None:
        """Return, for each pixel, where an image without distortion shows the same ray: (H, W, 2); None: nowhere."""
        columns, rows = np.meshgrid(np.arange(self.width, dtype=float), np.arange(self.height, dtype=float))
        k = self.matrix()
        seen = (np.column_stack([columns.ravel(), rows.ravel()]) - k[:2, 2]) / (k[0, 0], k[1, 1])
        straight = self._undistorted(seen) if any(self.distortion) else seen
        bad = np.abs(self._distorted(straight) - seen).max() > 1e-4 or np.hypot(*straight.T).max() > 5.67
        return None if bad else self._pixels(straight).reshape(self.height, self.width, 2)

    def straight(self) -> tuple[int, int, np.ndarray]:
        """Return width, height and K (3, 3) of the image without distortion that holds all that this one shows."""
        if not any(self.distortion):
            return self.width, self.height, self.matrix()
        source = self.source_pixels()
        assert source is not None
        low = np.minimum(np.floor(source.reshape(-1, 2).min(axis=0)) - 1, 0)
        high = np.maximum(np.ceil(source.reshape(-1, 2).max(axis=0)) + 2, (self.width, self.height))
        k = self.matrix()
        k[:2, 2] -= low
        width, height = (high - low).astype(int)
        return int(width), int(height), k


def clip_from_optical(width: int, height: int, k: np.ndarray, far: float) -> np.ndarray:
    """Return OpenGL's projection (4, 4) of an optical frame; row 0 of what is drawn is the image's top row."""
    matrix = np.zeros((4, 4))
    matrix[0, :3] = 2 * k[0, 0] / width, 0.0, 2 * (k[0, 2] + 0.5) / width - 1
    matrix[1, :3] = 0.0, 2 * k[1, 1] / height, 2 * (k[1, 2] + 0.5) / height - 1
    matrix[2, 2:] = (far + NEAR) / (far - NEAR), -2 * far * NEAR / (far - NEAR)
    matrix[3, 2] = 1.0
    return matrix
