"""Pseudonyms: ids that are unique and repeatable for a key, and do not tell the order of appearance.

Each UTC day has a key of its own, made from the secret key by a one-way function: who sees the ids of two days, or even
learns the key of one, cannot tell which belong to the same object. A track that lives over midnight keeps its id until
it ends.
"""

from __future__ import annotations

import functools
import hashlib

import numpy as np

_DAY_NS = 86_400_000_000_000

BITS = 53
_MASK = np.uint64(2**BITS - 1)
_HALF = np.uint64(26)
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)


def _scramble(numbers: np.ndarray) -> np.ndarray:
    """Return a one-to-one scramble of 53-bit numbers (the finaliser of SplitMix64, on 53 bits)."""
    for factor in _FACTORS:
        numbers = ((numbers ^ (numbers >> _HALF)) * np.uint64(factor)) & _MASK
    return np.asarray(numbers ^ (numbers >> _HALF))


def key_of_day(key: int, stamp_ns: int) -> int:
    """Return the key of a stamp's UTC day."""
    return _key_of(key, stamp_ns // _DAY_NS)


@functools.lru_cache(maxsize=8)
def _key_of(key: int, day: int) -> int:
    secret = key.to_bytes(8, "little")
    return int.from_bytes(
        hashlib.blake2b(day.to_bytes(8, "little", signed=True), key=secret, digest_size=8).digest(), "little"
    )


def pseudonyms(first: int, count: int, key: int) -> np.ndarray:
    """Return the ids (count,) uint64 of the objects numbered from ``first``.

    53 bits, so that JSON, JavaScript and SQL's signed integers hold them exactly; 0 is never given.
    """
    keyed = _scramble(np.array([key & int(_MASK)], np.uint64) ^ np.uint64(0x1E3779B97F4A7C))
    numbers = (np.arange(first, first + count, dtype=np.uint64) + keyed) & _MASK
    ids = _scramble(_scramble(numbers) ^ keyed)
    return np.where(ids == 0, _scramble(_MASK ^ keyed), ids)


def renamed(ids: np.ndarray, rows: np.ndarray, names: np.ndarray) -> np.ndarray:
    """Return different ``ids`` (N,) with ``names`` (K,) in ``rows`` (K,), but where another row keeps that id."""
    result = ids.copy()
    result[rows] = names
    while len(rows):
        number, count = np.unique(result, return_inverse=True, return_counts=True)[1:]
        shared = count[number[rows]] > 1
        if not shared.any():
            break
        result[rows[shared]] = ids[rows[shared]]
        rows = rows[~shared]
    return result


def exchanged(ids: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return ``ids`` (N,) with each of ``old`` (K,), all different, replaced by its partner in ``new`` (K,)."""
    if not len(old):
        return ids
    order = np.argsort(old)
    place = order[np.minimum(np.searchsorted(old, ids, sorter=order), len(old) - 1)]
    return np.where(old[place] == ids, new[place], ids)
