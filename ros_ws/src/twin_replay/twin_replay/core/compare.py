"""Compares messages field by field, within stated tolerances.

A message is plain nested values here: mappings of fields, lists, arrays (structured ones too), numbers, text.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a floating-point value may be off: ``absolute`` plus ``relative`` times the reference.

    ``steps``: how far an integer may be off; ``period``: values so far apart are the same, 0: none are; ``ignore``
    leaves the field out, whatever its type.
    """

    absolute: float = 1e-6
    relative: float = 0.0
    steps: int = 0
    period: float = 0.0
    ignore: bool = False


#: Processors with other widths of vectors add in another order. Between AVX2 and AVX-512 the same graph differed by up
#: to 6e-5 (headings, existence), 0.06 mm, 0.3 us where times are reckoned from seconds, and a hundred-thousandth of
#: covariances.
USUAL = Tolerance(absolute=1e-4)
USUAL_FIELDS = (
    ("*covariance*", Tolerance(absolute=1e-4, relative=1e-4)),
    ("*yaw", Tolerance(absolute=1e-4, period=2 * np.pi)),
    ("*latitude", Tolerance(absolute=1e-9)),  # degrees: 0.1 mm
    ("*longitude", Tolerance(absolute=1e-9)),
    ("*_seen_ns", Tolerance(steps=1000)),
)


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Tolerances by field: the last pattern that matches ``topic:field.subfield`` counts, else the default.

    Integers must be equal unless ``steps`` of their field says otherwise, booleans and text always. NaN equals NaN.
    """

    default: Tolerance = Tolerance()
    fields: tuple[tuple[str, Tolerance], ...] = ()

    def of(self, topic: str, field: str) -> Tolerance:
        """Return the tolerance of a field, written without indices, e.g. ``tracks.x``."""
        found = self.default
        for pattern, tolerance in self.fields:
            if fnmatch.fnmatchcase(f"{topic}:{field}", pattern):
                found = tolerance
        return found


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is not within its tolerance."""

    field: str
    reference: str
    current: str
    tolerance: float

    def __str__(self) -> str:
        allowed = f" (tolerance {self.tolerance:g})" if self.tolerance else ""
        return f"{self.field}: reference {self.reference}, now {self.current}{allowed}"


def differences(reference: Any, current: Any, topic: str, tolerances: Tolerances) -> list[Difference]:
    """Return every difference between two messages of one topic."""
    return list(_compare(reference, current, topic, "", "", tolerances))


def _compare(
    reference: Any, current: Any, topic: str, path: str, field: str, tolerances: Tolerances
) -> Iterator[Difference]:
    """Walk two values; ``path`` has the indices, ``field`` is the same without."""
    if isinstance(reference, Mapping):
        for name, value in reference.items():
            below = f"{path}.{name}" if path else name
            yield from _compare(value, current[name], topic, below, f"{field}.{name}" if field else name, tolerances)
        return
    tolerance = tolerances.of(topic, field)
    if tolerance.ignore:
        return
    if isinstance(reference, np.ndarray):
        yield from _compare_arrays(reference, np.asarray(current), topic, path, field, tolerances)
    elif isinstance(reference, (list, tuple)):
        if len(reference) != len(current):
            yield Difference(f"{path}.length", str(len(reference)), str(len(current)), 0.0)
        for index, (one, other) in enumerate(zip(reference, current, strict=False)):
            yield from _compare(one, other, topic, f"{path}[{index}]", field, tolerances)
    elif isinstance(reference, float) or isinstance(current, float):
        yield from _compare_arrays(np.array(float(reference)), np.array(float(current)), topic, path, field, tolerances)
    elif type(reference) is int and type(current) is int:
        if abs(reference - current) > tolerance.steps:
            yield Difference(path, repr(reference), repr(current), tolerance.steps)
    elif reference != current:
        yield Difference(path, repr(reference), repr(current), 0.0)


def _compare_arrays(
    reference: np.ndarray, current: np.ndarray, topic: str, path: str, field: str, tolerances: Tolerances
) -> Iterator[Difference]:
    if reference.shape != current.shape:
        yield Difference(f"{path}.length", str(len(reference)), str(len(current)), 0.0)
        count = min(len(reference), len(current))
        reference, current = reference[:count], current[:count]
    if reference.dtype.names is not None:
        for name in reference.dtype.names:
            if name != "padding":
                yield from _compare_columns(reference, current, name, topic, path, field, tolerances)
        return
    tolerance = tolerances.of(topic, field)
    for index in zip(*np.nonzero(np.atleast_1d(_off(reference, current, tolerance))), strict=True):
        where = "".join(f"[{i}]" for i in index) if reference.ndim else ""
        one, other = (np.atleast_1d(values)[index].item() for values in (reference, current))
        yield Difference(f"{path}{where}", repr(one), repr(other), _allowed(reference, tolerance, one))


def _compare_columns(
    reference: np.ndarray, current: np.ndarray, name: str, topic: str, path: str, field: str, tolerances: Tolerances
) -> Iterator[Difference]:
    """Compare one field of two sequences of records."""
    tolerance = tolerances.of(topic, f"{field}.{name}")
    if tolerance.ignore:
        return
    one, other = reference[name], current[name]
    for position in zip(*np.nonzero(_off(one, other, tolerance)), strict=True):
        where = f"{path}[{position[0]}].{name}" + "".join(f"[{i}]" for i in position[1:])
        was, now = one[position].item(), other[position].item()
        yield Difference(where, repr(was), repr(now), _allowed(one, tolerance, was))


def _off(reference: np.ndarray, current: np.ndarray, tolerance: Tolerance) -> np.ndarray:
    """Return which values are off, in the shape of the arrays."""
    if reference.dtype.kind in "iu" and tolerance.steps:
        high, low = np.maximum(reference, current), np.minimum(reference, current)
        return np.asarray(high > low + tolerance.steps)
    if reference.dtype.kind != "f":
        return np.asarray(reference != current)
    same = (reference == current) | (np.isnan(reference) & np.isnan(current))
    finite = np.isfinite(reference) & np.isfinite(current)
    with np.errstate(invalid="ignore"):
        distance = np.abs(reference.astype(np.float64) - current.astype(np.float64))
        if tolerance.period:
            distance = np.minimum(distance, np.abs(tolerance.period - distance))
        close = distance <= tolerance.absolute + tolerance.relative * np.abs(reference)
    return np.asarray(~(same | (close & finite)))


def _allowed(values: np.ndarray, tolerance: Tolerance, reference: float) -> float:
    if values.dtype.kind != "f":
        return tolerance.steps if values.dtype.kind in "iu" else 0.0
    return tolerance.absolute + (tolerance.relative * abs(reference) if np.isfinite(reference) else 0.0)
