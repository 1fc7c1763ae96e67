"""Queues on the carriageway: vehicles at rest one behind the other, of which only the first has a reason of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from twin_incidents.core.scene import MOTORCYCLE, RIDERS, VEHICLES, TrackTable

ALIGNED = 0.5  # sine of the largest angle between the axes of two vehicles of one queue
OVERLAP = 1.5  # metres by which footprints of two may seem to overlap along the lane
BETWEEN_LANES = 0.7  # metres by which a two-wheeler may stand farther off the line: they wait between lanes
CREEPING = 0.5  # m/s from which the direction of motion says more than the box which end is the front


@dataclass(frozen=True, slots=True)
class Queues:
    """Who stands first: ``head`` (N,) row of the head of each track's queue, itself where it stands alone.

    ``ends`` (N, 2, 2): the middle of the bumpers at both ends of each head's queue, the front first.
    """

    head: np.ndarray
    ends: np.ndarray


def queues_of(tracks: TrackTable, on_street: np.ndarray, speed: float, gap: float, offset: float) -> Queues:
    """Return the queues among vehicles and riders slower than ``speed``, m/s, that are ``on_street`` (N,) bool.

    Two are neighbours in a queue with at most ``gap`` metres between their bumpers and ``offset`` metres between their
    lines; a gap of 0: there are no queues. Its head is the foremost vehicle: a rider may stand before it, or lie there
    and be the reason why it stands. Which way it faces is decided by all members: a box alone may be taken the
    wrong way round.
    """
    slow = on_street & (tracks.speed < speed) & (gap > 0)
    member = np.flatnonzero(slow & np.isin(tracks.classification, VEHICLES + RIDERS))
    i, j = _neighbours(tracks, member, gap, offset)
    graph = coo_matrix((np.ones(len(i)), (i, j)), shape=(len(tracks), len(tracks)))
    _, label = connected_components(graph, directed=False)
    heading = _heading(tracks)
    head, reach = np.arange(len(tracks)), 0.5 * tracks.size[:, :1] * heading
    ends = np.stack([tracks.position + reach, tracks.position - reach], axis=1)
    for number in np.unique(label[i]):
        rows = np.flatnonzero(label == number)
        axis = heading[rows[np.argmax(tracks.size[rows, 0])]]
        vehicle = np.isin(tracks.classification[rows], VEHICLES)
        weight = np.where(tracks.speed[rows] >= CREEPING, 3.0, 1.0) * vehicle
        axis = axis if (weight * (heading[rows] @ axis)).sum() >= 0 else -axis
        along = tracks.position[rows] @ axis
        first, last = rows[np.argmax(along)], rows[np.argmin(along)]
        head[rows] = rows[np.argmax(np.where(vehicle, along, -np.inf))]
        ends[head[first], 0] = tracks.position[first] + 0.5 * tracks.size[first, 0] * axis
        ends[head[first], 1] = tracks.position[last] - 0.5 * tracks.size[last, 0] * axis
    return Queues(head, ends)


def _heading(tracks: TrackTable) -> np.ndarray:
    """Return unit vectors (N, 2) along motion where there is some, else along the box."""
    creeping = tracks.speed >= CREEPING
    motion = tracks.velocity / np.maximum(tracks.speed, 1e-9)[:, None]
    return np.where(creeping[:, None], motion, np.stack([np.cos(tracks.yaw), np.sin(tracks.yaw)], axis=1))


def _neighbours(tracks: TrackTable, member: np.ndarray, gap: float, offset: float) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of rows, the first a vehicle, that stand one behind the other in one line."""
    vehicle = member[np.isin(tracks.classification[member], VEHICLES)]
    i, j = (item.ravel() for item in np.meshgrid(vehicle, member, indexing="ij"))
    axis = np.stack([np.cos(tracks.yaw[i]), np.sin(tracks.yaw[i])], axis=1)
    shift = tracks.position[j] - tracks.position[i]
    along, across = np.abs((shift * axis).sum(axis=1)), np.abs(shift[:, 1] * axis[:, 0] - shift[:, 0] * axis[:, 1])
    between = along - 0.5 * (tracks.size[i, 0] + tracks.size[j, 0])
    narrow = np.isin(tracks.classification, (MOTORCYCLE, *RIDERS))
    straight = np.abs(np.sin(tracks.yaw[i] - tracks.yaw[j])) <= ALIGNED
    straight |= narrow[j]  # which way a two-wheeler at rest points is not known
    offsets = offset + BETWEEN_LANES * (narrow[i] | narrow[j])
    good = (i != j) & (across <= offsets) & (between >= -OVERLAP) & (between <= gap) & straight
    return i[good], j[good]
