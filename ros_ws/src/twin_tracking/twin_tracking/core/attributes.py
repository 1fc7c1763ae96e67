"""What changes slowly or never: height over ground, size, class, posture, and who has seen it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin_common.core.compiled import Records, kernel
from twin_tracking.config import TrackerConfig
from twin_tracking.core import classes

WELL_SEEN_POINTS = 20.0
UNCOUNTED_WEIGHT = 0.3
HEIGHT_DENSITY = 0.05  # random walk of z, m^2/s
LEAST_HEIGHT_NOISE = 0.05**2  # m^2
CLASS_SMOOTHING = 0.1
CLASS_POINTS = 10.0  # LiDAR points from which on a view says all it can of the class
SPEED_STEP = 0.4  # m/s: by so much faster, a class is e times less likely
COLOUR_MEMORY = 20.0  # measurements
LIKENESS_VIEWS = 5.0  # over which what is not like a person is averaged
CLASS_COUNT, UNKNOWN, PEDESTRIAN = classes.COUNT, int(classes.UNKNOWN), int(classes.PEDESTRIAN)


class Memory(NamedTuple):
    """What the kernels need of the configuration."""

    size_memory: float
    size_expectile: float
    class_memory: float
    usual_top_speed: np.ndarray


def memory_of(config: TrackerConfig) -> Memory:
    """Return the memories."""
    return Memory(
        config.size_memory, config.size_expectile, config.class_memory, np.array(config.usual_top_speed)
    )  # fmt: skip


@kernel
def _view_weight(point_count: int) -> float:
    """Return how well an object is seen, 0 to 1, from its LiDAR points; 0 points: a camera's."""
    return point_count / (point_count + WELL_SEEN_POINTS) if point_count > 0 else UNCOUNTED_WEIGHT


@kernel
def _class_trust(point_count: int) -> float:
    """Return how much a view says of the class: a few points look the same in scan after scan, whatever they are."""
    return min(point_count / CLASS_POINTS, 1.0) if point_count > 0 else 1.0


@kernel
def _weigh_class(track: Records, measured: np.ndarray, kept: float, trust: float, memory: Memory) -> None:
    """Multiply the class probabilities by the likelihood of each class, forgetting all but ``kept``.

    What a detector calls unknown speaks for no class in particular. The speed that the object once had speaks on when
    it stands: a rider who waits looks like a pedestrian, and is none.
    """
    unknown, total = measured[UNKNOWN], 0.0
    share = unknown / (CLASS_COUNT - 1)
    for c in range(CLASS_COUNT):
        total += measured[c] + (share if c != UNKNOWN else 0.0)
    scale = (1 - CLASS_SMOOTHING) / total
    total = 0.0
    for c in range(CLASS_COUNT):
        likelihood = scale * (measured[c] + (share if c != UNKNOWN else 0.0)) + CLASS_SMOOTHING / CLASS_COUNT
        likelihood = likelihood**trust * np.exp(-max(track.fastest - memory.usual_top_speed[c], 0.0) / SPEED_STEP)
        track.class_probability[c] = max(track.class_probability[c] ** kept * likelihood, 1e-9)
        total += track.class_probability[c]
    for c in range(CLASS_COUNT):
        track.class_probability[c] /= total


@kernel
def _mix_colour(track: Records, measured: np.ndarray) -> None:
    """Average the colour shares, the latest ones a little more; all zero: not seen."""
    total = measured.sum()
    if total > 0:
        track.colour_weight = min(track.colour_weight + 1.0, COLOUR_MEMORY)
        for c in range(len(track.colour)):
            track.colour[c] += (measured[c] / total - track.colour[c]) / track.colour_weight


@kernel
def birth(tracks: Records, detections: Records, chosen: np.ndarray, memory: Memory) -> None:
    """Set the attributes of new tracks from the ``chosen`` (N,) detections."""
    for n in range(len(tracks)):
        track, seen = tracks[n], detections[chosen[n]]
        track.z = seen.position[2]
        track.z_variance = max(seen.covariance[2, 2], LEAST_HEIGHT_NOISE)
        track.size[:] = seen.size
        track.size_weight = _view_weight(seen.point_count)
        track.class_probability[:] = 1 / CLASS_COUNT
        _weigh_class(track, seen.class_probability, 1.0, 1.0, memory)
        track.unlike_person = 1.0 - seen.class_probability[PEDESTRIAN]
        track.posture_votes[:] = 0.0
        if seen.posture > 0:
            track.posture_votes[seen.posture] = 1.0
        _mix_colour(track, seen.colour)
        track.platforms[:] = 0
        track.platforms[0] = seen.platforms


@kernel
def predict(tracks: Records, dt: float) -> None:
    """Let the heights wander for ``dt`` seconds."""
    for n in range(len(tracks)):
        tracks[n].z_variance += HEIGHT_DENSITY * dt


@kernel
def update(tracks: Records, detections: Records, partner: np.ndarray, stamp_ns: int, memory: Memory) -> None:
    """Correct the attributes of the tracks that have a ``partner`` (N,) >= 0; note the time.

    The size leans towards the larger measurements, as a partial view is too small, never too large: an expectile above
    0.5 (Newey, Powell 1987).
    """
    for n in range(len(tracks)):
        if partner[n] < 0:
            continue
        track, seen = tracks[n], detections[partner[n]]
        elapsed = max(stamp_ns - track.last_ns, 0) / 1e9
        gain = track.z_variance / (track.z_variance + max(seen.covariance[2, 2], LEAST_HEIGHT_NOISE))
        track.z += gain * (seen.position[2] - track.z)
        track.z_variance *= 1 - gain
        view = _view_weight(seen.point_count)
        track.size_weight = min(track.size_weight + view, memory.size_memory)
        crossed = abs((seen.yaw - track.yaw + np.pi / 2) % np.pi - np.pi / 2) > np.pi / 4
        for a in range(3):
            measured = seen.size[1 - a] if crossed and a < 2 else seen.size[a]
            lean = 2 * memory.size_expectile if measured > track.size[a] else 2 * (1 - memory.size_expectile)
            track.size[a] += min(lean * view / track.size_weight, 1.0) * (measured - track.size[a])
        track.unlike_person += (1.0 - seen.class_probability[PEDESTRIAN] - track.unlike_person) / LIKENESS_VIEWS
        kept = np.exp(-elapsed / memory.class_memory)
        _weigh_class(track, seen.class_probability, kept, _class_trust(seen.point_count), memory)
        for p in range(len(track.posture_votes)):
            track.posture_votes[p] *= kept
        if seen.posture > 0:
            track.posture_votes[seen.posture] += 1.0
        _mix_colour(track, seen.colour)
        track.platforms[0] |= seen.platforms
        track.last_ns = max(track.last_ns, stamp_ns + np.int64(np.round(seen.time_offset * 1e9)))
