"""How much likelier it is that a new track is an absent object than a stranger: motion, place, size, class, colour.

The factors are likelihood ratios of the kind of Bar-Shalom and Li, "Multitarget-Multisensor Tracking", section 6.3, and
Chong, Mori, Chang, "Distributed multitarget multisensor tracking" (1990), for tracks instead of measurements.
"""

from __future__ import annotations

import numpy as np

from twin_tracking.core import classes
from twin_tracking.core.absent import Absent
from twin_tracking.core.region import ZoneRegion

#: Spread of measured extents as a share, and how much they differ between objects of a kind, length, width, height.
SIZE_SIGMA = np.array([0.15, 0.15, 0.06])
KIND_SIGMA = np.array([0.25, 0.2, 0.12])
#: Mean distance (1 - Bhattacharyya coefficient) of the colours of one object, and of two objects.
SAME_COLOUR, OTHER_COLOUR = 0.03, 0.22
_MOST = np.log(20.0)
_HOST_SIGMA = 0.8  # m: how far from its host's place a person of a group comes out


def motion(absent: Absent, young: np.ndarray) -> np.ndarray:
    """Return the log density (L, C), 1/m^2, of place and velocity of the ``young`` tracks, TRACK (C,), by the absent.

    A mixture over the modes of motion; the density of the velocity is taken relative to that of a stranger's.
    """
    found = absent.records["mean"][:, None, :, :4] - young["estimate"][None, :, None, :4]
    spread = absent.records["covariance"][:, None, :, :4, :4] + young["spread"][None, :, None, :4, :4]
    distance = np.einsum("lcmi,lcmi->lcm", found, np.linalg.solve(spread, found[..., None])[..., 0])
    logarithm = -0.5 * (distance + np.linalg.slogdet(2 * np.pi * spread)[1])
    mixed = np.logaddexp.reduce(logarithm + np.log(absent.records["mode"][:, None] + 1e-12), axis=2)
    return np.asarray(mixed - _stranger_velocity(young)[None])


def _stranger_velocity(young: np.ndarray) -> np.ndarray:
    """Return the log density (C,) of a young track's velocity if nothing is known of it: any speed of its kind."""
    person = young["class_probability"][:, [classes.PEDESTRIAN, classes.ANIMAL, classes.UNKNOWN]].sum(axis=1)
    sigma = np.where(person > 0.5, 1.2, 7.0)
    spread = young["spread"][:, 2:4, 2:4] + (sigma**2)[:, None, None] * np.eye(2)
    velocity = young["estimate"][:, 2:4]
    distance = np.einsum("ci,ci->c", velocity, np.linalg.solve(spread, velocity[..., None])[..., 0])
    return np.asarray(-0.5 * (distance + np.linalg.slogdet(2 * np.pi * spread)[1]))


def place(absent: Absent, young: np.ndarray, region: ZoneRegion) -> np.ndarray:
    """Return the log of what the map adds to the density (L, C): lost objects are where their kind can be."""
    kinds = absent.records["class_probability"]
    person = kinds[:, [classes.PEDESTRIAN, classes.ANIMAL, classes.UNKNOWN]].sum(axis=1) > 0.5
    share = region.share(absent.records["estimate"][:, :2], absent.records["spread"][:, :2, :2], person)
    places = np.broadcast_to(young["estimate"][None, :, :2], (len(absent), len(young), 2))
    here = region.at(places, np.broadcast_to(person[:, None], places.shape[:2]))
    return np.asarray(np.log(np.maximum(here, 0.02)) - np.log(share)[:, None])


def beside_host(absent: Absent, tracks: np.ndarray, young: np.ndarray) -> np.ndarray:
    """Return the log density (L, C) of the young tracks' places if the absent are still with their hosts, -inf: none.

    Persons who walk close together are seen as one; who was lost beside another one goes on with it, until they part.
    """
    density = np.full((len(absent), len(young)), -np.inf)
    _, i, j = np.intersect1d(absent.host, tracks["id"], return_indices=True)
    for one, other in zip(i, j, strict=True):
        rows = np.flatnonzero(absent.host == absent.host[one])
        square = ((young["estimate"][:, :2] - tracks["estimate"][other, :2]) ** 2).sum(axis=1) / _HOST_SIGMA**2
        density[rows] = -0.5 * square - np.log(2 * np.pi * _HOST_SIGMA**2) + np.log(0.5)
    return density


def appearance(absent: Absent, young: np.ndarray, affinity: np.ndarray) -> np.ndarray:
    """Return the log likelihood ratio (L, C) of size, class and colour."""
    first, second = absent.records, young
    size = np.log(np.maximum(first["size"], 0.05))[:, None] - np.log(np.maximum(second["size"], 0.05))[None]
    same, other = 2 * SIZE_SIGMA**2, 2 * (SIZE_SIGMA**2 + KIND_SIGMA**2)
    ratio = (-0.5 * size**2 * (1 / same - 1 / other) + 0.5 * np.log(other / same)).sum(axis=2)
    kind = np.einsum("lk,kj,cj->lc", first["class_probability"], affinity, second["class_probability"])
    alike = np.sqrt(np.maximum(first["colour"], 0))[:, None] * np.sqrt(np.maximum(second["colour"], 0))[None]
    distance = np.maximum(1 - alike.sum(axis=2), 0.0)
    colour = np.log(OTHER_COLOUR / SAME_COLOUR) - distance * (1 / SAME_COLOUR - 1 / OTHER_COLOUR)
    known = (first["colour_weight"] > 0)[:, None] & (second["colour_weight"] > 0)[None]
    return np.asarray(
        np.clip(ratio, -_MOST, _MOST)
        + np.log(np.maximum(kind, 1e-4))
        + np.where(known, np.clip(colour, -_MOST, _MOST), 0)
    )
