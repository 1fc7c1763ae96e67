"""Everything the tracker knows about its tracks, as an array of records."""

from __future__ import annotations

import numpy as np

from twin_tracking.core import classes

NANOSECONDS = 1_000_000_000
_LATELY_NS = 3 * NANOSECONDS // 10  # within which a track counts as measured now
PLATFORM_SLOTS = 4
COLOURS = 8
MODES, STATES = 3, 5
STANDING, STRAIGHT, TURNING = range(MODES)
X, Y, VX, VY, RATE = range(STATES)

#: One track at one stamp. ``mean``, ``covariance``, ``mode``: state, its covariance and the probability of each mode of
#: motion, see ``motion``; ``estimate``, ``spread``: their moments over all modes; ``yaw`` rad, ``yaw_variance``,
#: ``ahead`` m: see ``heading``; ``z`` m of the box centre; ``size`` length, width, height and ``size_weight`` behind
#: it; ``class_probability``; ``posture_votes``; ``colour`` shares and ``colour_weight`` behind
#: them; ``visible``, ``hidden``, ``found``: see ``existence``; ``score``: averaged
#: existence of the detections and ``score_weight``; ``speed`` m/s and ``acceleration`` m/s^2 along the heading;
#: ``fastest`` m/s: speed that it has surely gone for a while;
#: ``first_ns``, ``last_ns`` of the measurements; ``platforms``: bit sets of the present and past quarters of the
#: platform memory; ``apart_ns``: when it was last certain that no other track is the same object; ``outside_ns``: when
#: it was last outside all vehicles; ``separate``: 1: it was seen outside of the vehicle that
#: it is in, -1: one drove through it, see ``pieces``;
#: ``unlike_person``: share of other classes in what was lately seen of it;
#: ``source``: number of the detection measured last.
TRACK = np.dtype(
    [
        ("id", np.uint64),
        ("mean", np.float64, (MODES, STATES)),
        ("covariance", np.float64, (MODES, STATES, STATES)),
        ("mode", np.float64, (MODES,)),
        ("estimate", np.float64, (STATES,)),
        ("spread", np.float64, (STATES, STATES)),
        ("yaw", np.float64),
        ("yaw_variance", np.float64),
        ("ahead", np.float64),
        ("z", np.float64),
        ("z_variance", np.float64),
        ("size", np.float64, (3,)),
        ("size_weight", np.float64),
        ("class_probability", np.float64, (classes.COUNT,)),
        ("posture_votes", np.float64, (4,)),
        ("colour", np.float64, (COLOURS,)),
        ("colour_weight", np.float64),
        ("visible", np.float64),
        ("hidden", np.float64),
        ("found", np.float64),
        ("score", np.float64),
        ("score_weight", np.float64),
        ("speed", np.float64),
        ("acceleration", np.float64),
        ("fastest", np.float64),
        ("first_ns", np.int64),
        ("last_ns", np.int64),
        ("platforms", np.uint64, (PLATFORM_SLOTS,)),
        ("apart_ns", np.int64),
        ("outside_ns", np.int64),
        ("separate", np.int8),
        ("unlike_person", np.float64),
        ("source", np.int64),
        ("confirmed", np.bool_),
    ],
    align=True,
)


def empty() -> np.ndarray:
    """Return no tracks."""
    return np.zeros(0, TRACK)


def measured_lately(tracks: np.ndarray, stamp_ns: int) -> np.ndarray:
    """Return which tracks, TRACK (N,), have been measured within the last scans, (N,) bool."""
    return np.asarray(stamp_ns - tracks["last_ns"] <= _LATELY_NS)


def existence(tracks: np.ndarray) -> np.ndarray:
    """Return the probability that there is such an object, (N,): that something lasts there, and that it is one."""
    return np.asarray((tracks["visible"] + tracks["hidden"]) * tracks["score"])
