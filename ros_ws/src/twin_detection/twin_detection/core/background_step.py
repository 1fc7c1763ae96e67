"""What of one scan is before a background, and its effect on that. Compiled: NumPy would pass over images 40 times."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel

#: Range of a direction in which nothing was seen, metres.
NOTHING = np.float32(1e4)
#: Neighbouring directions see one surface where their ranges differ by less, metres.
_STEP = 3.0
#: Returns that went to and fro so often between two surfaces see an edge, or leaves.
FLIPS = 3
#: Flips count half after so long, seconds.
_FLIP_MEMORY = 60.0
#: So does the judgement that a road user stood there, seconds: a bush behind where a car was parked is absorbed again.
_JUDGEMENT_MEMORY = 600.0
#: A band of leaves or an edge is kept so long without being seen; one of a thing that stood there, so long, seconds.
_BAND_KEPT, _THING_KEPT = 1800.0, 2.0
#: Returns from behind a surface count less by this share of the time without any return: mirrors return rarely.
_LAPSE = 0.1
#: What stands where nothing was seen before joins after so long, seconds.
_NEW_GROUND = 30.0
#: With less than this share a direction shows no road user.
ROAD_USER = 0.1
#: Directions to either side in which one must not be either: a band explains the directions beside it.
_BESIDE = 2
#: Time over which it is noted whether something stands in a direction, seconds.
_PRESENT_OVER = 3.0
#: Things that stand still return from within this of one range, metres.
_STEADY = 0.3
#: Beside a road user a surface follows only returns that differ from it by less, metres, and its spread stays: others
#: may be of who lies there.
_SAME = 0.05
_NEARLY_NOTHING = 1e-6
#: Spread of ranges at the begin, and at least, metres.
SPREAD, LEAST_SPREAD = 0.05, 0.01


@kernel
def stands_out(
    cell: np.ndarray, distance: np.ndarray, columns: int, margin: float, far: np.ndarray, spread: np.ndarray,
    low: np.ndarray, high: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Return which of (N,) returns lie clearly before the surface of their direction, and are not explained, (N,) bool.

    Explained is what lies in a band of the direction or of those beside it, on the surface of one beside it, or between
    two surfaces that lie side by side: on an edge. ``far`` to ``high``: (D,) of the background.
    """
    found = np.zeros(len(cell), np.bool_)
    for place in range(len(cell)):
        own, at = distance[place], cell[place]
        reach = max(margin, 3 * spread[at])
        if own >= far[at] - reach:
            continue
        row, column = at - at % columns, at % columns
        explained = False
        for step in range(-1, 2):
            other = row + (column + step) % columns
            if low[other] - reach < own < high[other] + reach:
                explained = True
            if step:
                beside = far[other]
                explained |= abs(own - beside) < reach or (beside < far[at] < beside + _STEP and own > beside)
        found[place] = not explained
    return found


@kernel
def _faded(value: float, share: float) -> float:
    """Return what is left of a value; of nearly nothing nothing: processors are slow with the numbers next to 0."""
    return value * share if value > _NEARLY_NOTHING else 0.0


@kernel
def _beside_road_users(columns: int, road_user: np.ndarray) -> np.ndarray:
    """Return which directions (D,) show a road user, or have one beside them in their row: its edge flickers."""
    found = np.zeros(len(road_user), np.bool_)
    for place in range(len(road_user)):
        if road_user[place] >= ROAD_USER:
            row, column = place - place % columns, place % columns
            for step in range(-_BESIDE, _BESIDE + 1):
                found[row + (column + step) % columns] = True
    return found


@kernel
def follow(
    image: np.ndarray, front: np.ndarray, columns: int, margin: float, rate: float, uncover_after: float,
    absorb_after: float, duration: float,
    far: np.ndarray, spread: np.ndarray, low: np.ndarray, high: np.ndarray, band_unseen: np.ndarray,
    thing: np.ndarray, flips: np.ndarray, before: np.ndarray, beyond_time: np.ndarray, beyond_range: np.ndarray,
    front_time: np.ndarray, front_range: np.ndarray, road_user: np.ndarray, presence: np.ndarray,
) -> int:  # fmt: skip
    """Let each of (D,) directions follow one scan: the surface, what lies behind it, its band, what is before it.

    Returns in how many of them there was a return.

    ``image``: ranges, metres, 0 where nothing returned; ``front``: where a surface stands before the background;
    ``columns``: directions of a row; ``margin``: by which ranges may differ at least, metres; ``rate``: by which share
    the surface moves towards a return; ``uncover_after``, ``absorb_after``: as in the settings, seconds; ``duration``:
    since the scan before, seconds. The other arrays are the state of the background.
    """
    flip_decay, judgement_decay = 0.5 ** (duration / _FLIP_MEMORY), 0.5 ** (duration / _JUDGEMENT_MEMORY)
    noted, beside = min(duration / _PRESENT_OVER, 1.0), _beside_road_users(columns, road_user)
    returns = 0
    for i in range(len(far)):
        value = image[i]
        seen, difference, tolerance = value > 0, value - far[i], max(margin, 3 * spread[i])
        agrees = seen and not front[i] and abs(difference) <= tolerance
        if agrees:
            if not beside[i] or abs(difference) < _SAME:
                far[i] += rate * difference
            if not beside[i]:
                spread[i] = max(spread[i] + rate * (abs(difference) - spread[i]), LEAST_SPREAD)
            beyond_time[i], beyond_range[i] = 0.0, NOTHING
        if seen and difference > tolerance:
            beyond_time[i] += duration
            beyond_range[i] = min(beyond_range[i], value)
            if beyond_time[i] >= uncover_after:
                far[i], spread[i] = beyond_range[i], SPREAD
                beyond_time[i], beyond_range[i] = 0.0, NOTHING
                if flips[i] < FLIPS:
                    low[i], high[i], thing[i] = np.inf, -np.inf, False
        if low[i] < np.inf:
            if agrees:
                band_unseen[i] += duration
            elif low[i] - margin < value < high[i] + margin:
                band_unseen[i] = 0.0
            if band_unseen[i] > (_THING_KEPT if thing[i] else _BAND_KEPT):
                low[i], high[i], thing[i] = np.inf, -np.inf, False
        flips[i] = _faded(flips[i], flip_decay)
        road_user[i] = _faded(road_user[i], judgement_decay)
        if not seen:
            beyond_time[i] = max(beyond_time[i] - _LAPSE * duration, 0.0)
            continue
        returns += 1
        presence[i] = _faded(presence[i], 1.0 - noted) + noted * front[i]
        if front[i] and not before[i]:
            flips[i] += 1
        before[i] = front[i]
        moved = front[i] and abs(value - front_range[i]) > _STEADY
        if moved:
            front_range[i] = value
        if moved or agrees:
            front_time[i] = 0.0
        if not front[i]:
            continue
        front_time[i] += duration
        stands = front_time[i] >= (_NEW_GROUND if far[i] >= NOTHING else absorb_after)
        joins = stands or (not moved and flips[i] >= 2 * FLIPS and far[i] < NOTHING)
        if joins and not beside[i]:
            low[i], high[i], thing[i] = min(low[i], value), max(high[i], value), stands
            band_unseen[i] = front_time[i] = 0.0
    return returns
