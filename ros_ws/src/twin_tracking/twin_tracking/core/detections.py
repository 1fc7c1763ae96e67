"""Detections of one moment as a structure of arrays."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

import numpy as np

from twin_tracking.core import classes

_SHAPES: dict[str, tuple[int, ...]] = {
    "position": (3,), "covariance": (3, 3), "size": (3,), "velocity": (2,), "class_probability": (classes.COUNT,),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Detections:
    """What all platforms see at one stamp, map frame, metres, radians.

    ``position`` (N, 3) box centre; ``covariance`` (N, 3, 3) of it, all zero where not known; ``size`` (N, 3) length,
    width, height; ``yaw``, ``yaw_variance`` (N,); ``velocity`` (N, 2), NaN where not measured;
    ``class_probability`` (N, 10); ``existence`` (N,); ``time_offset`` (N,) seconds after the stamp;
    ``point_count`` (N,); ``posture`` (N,) 0 to 3; ``platforms`` (N,) uint64 bit sets.
    """

    position: np.ndarray
    covariance: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    yaw_variance: np.ndarray
    velocity: np.ndarray
    class_probability: np.ndarray
    existence: np.ndarray
    time_offset: np.ndarray
    point_count: np.ndarray
    posture: np.ndarray
    platforms: np.ndarray

    def __post_init__(self) -> None:
        """Check shapes.

        Raises:
            ValueError: an array has another shape than ``position`` asks for.

        """
        count = len(self.position)
        for field in fields(self):
            expected = (count, *_SHAPES.get(field.name, ()))
            shape = getattr(self, field.name).shape
            if shape != expected:
                raise ValueError(f"{field.name}: expected {expected}, got {shape}")

    def __len__(self) -> int:
        return len(self.position)

    def take(self, index: np.ndarray) -> Detections:
        """Return the chosen detections (indices or mask)."""
        return Detections(*(getattr(self, field.name)[index] for field in fields(self)))

    def valid(self, max_time_offset: float) -> np.ndarray:
        """Return which detections can be used, (N,) bool.

        All values but the velocity must be finite, sizes positive, the covariance symmetric and positive
        (or all zero), probabilities within 0 to 1, offsets at most ``max_time_offset`` seconds.
        """
        numbers = np.column_stack([
            self.position, self.covariance.reshape(-1, 9), self.size, self.yaw, self.yaw_variance,
            self.class_probability, self.existence, self.time_offset,
        ])  # fmt: skip
        good = np.isfinite(numbers).all(axis=1)
        with np.errstate(invalid="ignore", over="ignore"):
            good &= (
                (self.size > 0).all(axis=1) & (self.yaw_variance >= 0) & (np.abs(self.time_offset) <= max_time_offset)
            )
            good &= (self.existence >= 0) & (self.existence <= 1)
            good &= (self.class_probability >= 0).all(axis=1) & (self.class_probability.sum(axis=1) > 1e-6)
            xx, xy, yy = self.covariance[:, 0, 0], self.covariance[:, 0, 1], self.covariance[:, 1, 1]
            good &= np.isclose(xy, self.covariance[:, 1, 0], rtol=1e-3, atol=1e-6)
            good &= (xx >= 0) & (yy >= 0) & (xx * yy - xy**2 >= -1e-9) & (self.covariance[:, 2, 2] >= 0)
        return np.asarray(good)

    def canonical(self) -> Detections:
        """Return the detections in an order that depends on their values only."""
        x, y = self.position[:, 0], self.position[:, 1]
        order = np.lexsort((y, x))
        if ((np.diff(x[order]) == 0) & (np.diff(y[order]) == 0)).any():
            others = (self.existence, self.yaw, *self.size.T, *self.class_probability.T, self.time_offset)
            order = np.lexsort((*others, self.position[:, 2], y, x))
        return self.take(order)

    def measured_ns(self, stamp_ns: int) -> np.ndarray:
        """Return when each object was hit, (N,) int64, if the stamp is ``stamp_ns``."""
        return np.int64(stamp_ns) + np.round(self.time_offset * 1e9).astype(np.int64)

    def height_noise(self) -> np.ndarray:
        """Return the variance of the measured z, (N,) m^2."""
        return np.asarray(np.maximum(self.covariance[:, 2, 2], 0.05**2))

    def digest(self) -> bytes:
        """Return a fingerprint of what was measured where and when."""
        state = hashlib.blake2b(digest_size=16)
        for values in (self.position, self.yaw, self.size, self.existence, self.time_offset, self.platforms):
            state.update(np.ascontiguousarray(values).tobytes())
        return state.digest()


def empty() -> Detections:
    """Return no detections."""
    kinds = {"point_count": np.int64, "posture": np.uint8, "platforms": np.uint64}
    return Detections(
        *(np.zeros((0, *_SHAPES.get(f.name, ())), kinds.get(f.name, np.float64)) for f in fields(Detections))
    )
