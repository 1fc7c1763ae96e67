"""Detections of one moment, as a structure of arrays for those who make them and as records for the tracker."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np

from twin_common.core.compiled import Records, kernel
from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes
from twin_tracking.core.state import COLOURS

#: One detection: the fields of ``Detections``; ``noise``: covariance of the measured x, y that the filters use.
DETECTION = np.dtype(
    [
        ("position", np.float64, (3,)),
        ("covariance", np.float64, (3, 3)),
        ("size", np.float64, (3,)),
        ("yaw", np.float64),
        ("yaw_variance", np.float64),
        ("velocity", np.float64, (2,)),
        ("class_probability", np.float64, (classes.COUNT,)),
        ("existence", np.float64),
        ("time_offset", np.float64),
        ("point_count", np.int64),
        ("posture", np.int64),
        ("platforms", np.uint64),
        ("colour", np.float64, (COLOURS,)),
        ("noise", np.float64, (2, 2)),
    ]
)


@dataclass(frozen=True, slots=True)
class Detections:
    """What all platforms see at one stamp, map frame, metres, radians.

    ``position`` (N, 3) box centre; ``covariance`` (N, 3, 3) of it, all zero where not known; ``size`` (N, 3) length,
    width, height; ``yaw``, ``yaw_variance`` (N,); ``velocity`` (N, 2), NaN where not measured;
    ``class_probability`` (N, 10); ``existence`` (N,); ``time_offset`` (N,) seconds after the stamp;
    ``point_count`` (N,); ``posture`` (N,) 0 to 3; ``platforms`` (N,) uint64 bit sets; ``colour`` (N, 8) shares, all
    zero where not known.
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
    colour: np.ndarray = field(default_factory=lambda: np.zeros((0, COLOURS)))

    def __post_init__(self) -> None:
        """Check shapes; colours that are not given are not known.

        Raises:
            ValueError: an array has another shape than ``position`` asks for.

        """
        count = len(self.position)
        if not len(self.colour) and count:
            object.__setattr__(self, "colour", np.zeros((count, COLOURS)))
        for name, shape in _SHAPES.items():
            found = getattr(self, name).shape
            if found != (count, *shape):
                raise ValueError(f"{name}: expected {(count, *shape)}, got {found}")

    def __len__(self) -> int:
        return len(self.position)

    def take(self, index: np.ndarray) -> Detections:
        """Return the chosen detections (indices or mask)."""
        return Detections(*(getattr(self, name)[index] for name in _SHAPES))

    def records(self) -> np.ndarray:
        """Return the detections as DETECTION records (N,), without ``noise``."""
        records = np.zeros(len(self.position), DETECTION)
        for name in _SHAPES:
            records[name] = getattr(self, name)
        return records


_SHAPES: dict[str, tuple[int, ...]] = {item.name: DETECTION[item.name].shape for item in fields(Detections)}


class Limits(NamedTuple):
    """What the kernel needs of the configuration."""

    max_time_offset: float
    min_position_sigma: float
    default_position_sigma: np.ndarray


def limits_of(config: TrackerConfig) -> Limits:
    """Return what detections are checked and completed with."""
    return Limits(config.max_time_offset, config.min_position_sigma, np.array(config.default_position_sigma))


def prepare(detections: Detections, limits: Limits) -> np.ndarray:
    """Return the usable detections as records with their ``noise``, in an order that depends on their values only.

    Usable: all values but the velocity are finite, sizes positive, the covariance symmetric and positive (or all zero),
    probabilities within 0 to 1, offsets at most ``max_time_offset`` seconds.
    """
    records = detections.records()
    good = np.empty(len(records), np.bool_)
    _check(records, good, limits)
    if not good.all():
        records = records[good]
    x, y = records["position"][:, 0], records["position"][:, 1]
    order = np.lexsort((y, x))
    same = (x[order[1:]] == x[order[:-1]]) & (y[order[1:]] == y[order[:-1]])
    if same.any():
        others = (records["existence"], records["yaw"], *records["size"].T, *records["class_probability"].T)
        order = np.lexsort((*others, records["time_offset"], records["position"][:, 2], y, x))
    return np.asarray(records[order])


def digest(records: np.ndarray) -> bytes:
    """Return a fingerprint of what was measured where and when."""
    return hashlib.blake2b(records.tobytes(), digest_size=16).digest()


@kernel
def _check(records: Records, good: np.ndarray, limits: Limits) -> None:
    """Set which detections are usable, and the noise of their positions."""
    for n in range(len(records)):
        seen, covariance = records[n], records[n].covariance
        total, least, largest = 0.0, 0.0, 0.0
        for c in range(len(limits.default_position_sigma)):
            total += seen.class_probability[c]
            least = min(least, seen.class_probability[c])
        for a in range(3):
            for b in range(3):
                total += 0.0 * covariance[a, b]
                largest = max(largest, abs(covariance[a, b])) if a < 2 and b < 2 else largest
        total += 0.0 * (seen.position.sum() + seen.size.sum() + seen.yaw + seen.yaw_variance + seen.existence)
        total += 0.0 * seen.time_offset
        xx, xy, yy = covariance[0, 0], covariance[0, 1], covariance[1, 1]
        good[n] = (
            np.isfinite(total) and total > 1e-6 and least >= 0 and seen.size.min() > 0 and seen.yaw_variance >= 0
            and abs(seen.time_offset) <= limits.max_time_offset and 0 <= seen.existence <= 1
            and abs(xy - covariance[1, 0]) <= 1e-6 + 1e-3 * abs(covariance[1, 0])
            and xx >= 0 and yy >= 0 and xx * yy - xy**2 >= -1e-9 and covariance[2, 2] >= 0
        )  # fmt: skip
        seen.noise[:] = covariance[:2, :2]
        if largest == 0.0:
            sigma = 0.0
            for c in range(len(limits.default_position_sigma)):
                sigma += seen.class_probability[c] * limits.default_position_sigma[c]
            seen.noise[0, 0] = seen.noise[1, 1] = sigma**2
        for a in range(2):
            seen.noise[a, a] += limits.min_position_sigma**2


def empty() -> Detections:
    """Return no detections."""
    records = np.zeros(0, DETECTION)
    return Detections(*(np.ascontiguousarray(records[name]) for name in _SHAPES))
