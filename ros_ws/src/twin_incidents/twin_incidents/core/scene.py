"""What the rules look at, and what they find; arrays in the map frame, metres and seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from twin_common.core.names import short_track_id
from twin_common.core.object_class import CLASS_NAMES
from twin_incidents.core.ground import Ground

CALLED = ("object", *CLASS_NAMES[1:])  # by ObjectClass, in sentences
VEHICLES, MOTORCYCLE = (1, 2, 3, 4), 4
RIDERS = (5, 6)
PEDESTRIAN, ANIMAL = 7, 8
SILENT_NS = 3_000_000_000  # since its last sign of life, after which a platform does not see


@dataclass(frozen=True, slots=True)
class TrackTable:
    """N confirmed tracks at one moment.

    Shapes: ``position``, ``velocity``, ``size`` (length, width) are (N, 2), ``class_probability`` (N, 10), all
    others (N,); ``platforms`` is a bit mask by the district's list, ``yaw`` in rad, ``age`` and ``unseen`` (since the
    last measurement) in s, ``existence`` the probability that there is such an object, ``position_sigma`` the standard
    deviation of the position where it is least known, m; ``acceleration`` along the heading, m/s^2.
    """

    track_id: np.ndarray
    platforms: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    size: np.ndarray
    yaw: np.ndarray
    age: np.ndarray
    unseen: np.ndarray
    existence: np.ndarray
    classification: np.ndarray
    class_probability: np.ndarray
    position_sigma: np.ndarray
    acceleration: np.ndarray

    def __len__(self) -> int:
        return len(self.track_id)

    @property
    def speed(self) -> np.ndarray:
        """Speeds, (N,) m/s."""
        return np.asarray(np.hypot(self.velocity[:, 0], self.velocity[:, 1]))

    def name(self, index: int) -> str:
        """Return a track's name for a person, e.g. "car #0012"."""
        return f"{CALLED[int(self.classification[index])]} {short_track_id(self.track_id[index])}"


@dataclass(frozen=True, slots=True)
class PathTable:
    """M predicted paths of T points, ``step`` seconds apart, the first one step after the tracks' stamp.

    Shapes: ``track_id`` and ``probability`` (M,), ``stopping`` (M,): braking to rest, ``position`` (M, T, 2),
    ``covariance`` (M, T, 2, 2), ``yaw`` (M, T).
    """

    track_id: np.ndarray
    probability: np.ndarray
    stopping: np.ndarray
    position: np.ndarray
    covariance: np.ndarray
    yaw: np.ndarray
    step: float

    def __len__(self) -> int:
        return len(self.track_id)


@dataclass(frozen=True, slots=True)
class PlatformHealth:
    """When a platform was last heard (None: never), since when it is waited for, what it said, where it stands."""

    name: str
    bit: int
    last_ns: int | None
    waiting_since_ns: int
    lost: bool
    position: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Zones:
    """Areas on the ground; lanes are the carriageways without where one may park."""

    carriageways: Ground
    crosswalks: Ground
    lanes: Ground


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything the rules may look at; ``paths`` is None while there are no predictions for these tracks."""

    stamp_ns: int
    now_ns: int
    tracks: TrackTable
    paths: PathTable | None
    zones: Zones
    platforms: tuple[PlatformHealth, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a rule has found at one moment.

    ``time_to_event`` is 0 for what is happening and NaN where it has no meaning; ``subject`` names what it is
    about where that is no track; ``held``: it was not measured just now, and is found only if it was before.
    """

    kind: str
    severity: int
    probability: float
    time_to_event: float
    position: tuple[float, float]
    radius: float
    cause: str
    track_ids: tuple[int, ...] = ()
    platforms: int = 0
    subject: str = ""
    stamp_ns: int = field(default=0)
    held: bool = False


def empty_tracks() -> TrackTable:
    """Return a table of no tracks."""
    none, pairs = np.zeros(0), np.zeros((0, 2))
    integers = np.zeros(0, np.uint64)
    kinds = np.zeros(0, np.int64)
    return TrackTable(
        integers, integers, pairs, pairs, pairs, none, none, none, none, kinds, np.zeros((0, 10)), none, none
    )


def in_view(scene: Scene, points: np.ndarray, view: float) -> np.ndarray:
    """Return which points (K, 2) are within ``view`` metres of a platform that sees; all where no platform is known.

    One that is lost or has been silent does not see, unless tracks have been measured by it just now.
    """
    if not scene.platforms:
        return np.ones(len(points), bool)
    seeing = int(np.bitwise_or.reduce(scene.tracks.platforms)) if len(scene.tracks) else 0
    place = [
        platform.position for platform in scene.platforms
        if not platform.lost and (seeing >> platform.bit & 1 or _heard(platform, scene.now_ns))
    ]  # fmt: skip
    apart = np.linalg.norm(points[:, None] - np.array(place).reshape(1, -1, 2), axis=2)
    return np.asarray(apart.min(axis=1, initial=np.inf) <= view)


def _heard(platform: PlatformHealth, now_ns: int) -> bool:
    return platform.last_ns is not None and now_ns - platform.last_ns <= SILENT_NS
