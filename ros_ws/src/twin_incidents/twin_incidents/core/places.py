"""Rules on where things are: pedestrians on the carriageway, vehicles stopped in lane, crowds, lost platforms."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from twin_common.core.geometry import box_corners
from twin_incidents.core.ground import depth
from twin_incidents.core.queues import queues_of
from twin_incidents.core.scene import PEDESTRIAN, VEHICLES, Finding, Scene, TrackTable, in_view
from twin_incidents.table import SEVERITIES, CarriagewayLimits, CrowdLimits, IncidentRow, LostLimits, StoppedLimits

CUT = 3.0  # kernel and neighbourhoods end at this many standard deviations
SURE = 2.0  # standard deviations of its place by which something must be inside


def pedestrian_on_carriageway(scene: Scene, row: IncidentRow) -> list[Finding]:
    """Return the pedestrians inside a carriageway and not on or beside a crosswalk.

    Who has not been measured just now is found as ``held``: it may go on, but not begin.
    """
    limits: CarriagewayLimits = row.thresholds
    tracks = scene.tracks
    probability = tracks.class_probability[:, PEDESTRIAN]
    walking = (tracks.classification == PEDESTRIAN) & (probability >= limits.class_probability)
    people = np.flatnonzero(walking & (tracks.speed <= limits.max_speed))
    people = people[in_view(scene, tracks.position[people], limits.view)]
    found, inside = _on_street(scene, people, limits.edge_margin, limits.crosswalk_margin)
    return [
        _at_track(
            scene, row, k, float(probability[k]),
            f"{tracks.name(k)} {metres:.1f} m > {limits.edge_margin:.1f} m inside the carriageway, no crosswalk",
            limits.max_unseen,
        )
        for k, metres in zip(found, inside, strict=True)
    ]  # fmt: skip


def vehicle_stopped_in_lane(scene: Scene, row: IncidentRow) -> list[Finding]:
    """Return the vehicles at rest that reach into a lane and have a reason of their own.

    Who stands behind another one queues; who stands first is told of unless a crosswalk is near, where it may wait for
    a signal or for pedestrians, or nobody sees whether another one is before it. Both ends of a queue count at
    crosswalks, for which is the front of a vehicle that nobody has seen moving is not sure. Who stands where one may
    park, and does not reach out of it, is parked and in no queue.
    """
    limits: StoppedLimits = row.thresholds
    tracks = scene.tracks
    probability = tracks.class_probability[:, VEHICLES].sum(axis=1)
    resting = np.isin(tracks.classification, VEHICLES) & (probability >= limits.class_probability)
    resting &= tracks.speed < limits.max_speed
    reach = _lane_reach(scene, np.flatnonzero(tracks.speed < max(limits.queue_speed, limits.max_speed)))
    in_lane = reach >= np.where(np.isin(tracks.classification, VEHICLES), limits.lane_reach, 0.0)
    queues = queues_of(tracks, in_lane, limits.queue_speed, limits.queue_gap, limits.queue_offset)
    sure = in_lane & (reach >= SURE * tracks.position_sigma)
    rows = np.flatnonzero(resting & sure & (queues.head == np.arange(len(tracks))))
    front, rear = queues.ends[rows, 0], queues.ends[rows, 1]
    waits = np.maximum(depth(front, scene.zones.crosswalks), depth(rear, scene.zones.crosswalks))
    ahead = limits.queue_gap * (front - rear) / np.linalg.norm(front - rear, axis=1, keepdims=True)
    rows = rows[(waits < -limits.crosswalk_distance) & in_view(scene, front + ahead, limits.view)]
    behind = np.bincount(queues.head, minlength=len(tracks)) - 1
    return [
        _at_track(
            scene, row, k, float(min(probability[k], 1.0)),
            f"{tracks.name(k)} at {tracks.speed[k]:.1f} m/s < {limits.max_speed:.1f} m/s for more than "
            f"{row.min_duration:.0f} s{f', {behind[k]} behind it' if behind[k] else ''}", limits.max_unseen,
        )
        for k in rows
    ]  # fmt: skip


def _lane_reach(scene: Scene, rows: np.ndarray) -> np.ndarray:
    """Return how far the footprints of some tracks reach into a lane, a carriageway without its parking bays, (N,) m.

    Taken at the corners and in the middle between them. Negative, or minus infinity, outside and for all other tracks.
    """
    tracks: TrackTable = scene.tracks
    reach = np.full(len(tracks), -np.inf)
    reach[rows] = depth(tracks.position[rows], scene.zones.lanes)
    edge = rows[np.abs(reach[rows]) <= 0.5 * np.hypot(*tracks.size[rows].T)]  # others lie inside or outside as a whole
    (x, y), (length, width) = tracks.position[edge].T, tracks.size[edge].T
    corners = box_corners(x, y, length, width, tracks.yaw[edge])
    outline = np.concatenate([corners, 0.5 * (corners + np.roll(corners, -1, axis=1))], axis=1)
    deep = depth(outline.reshape(-1, 2), scene.zones.lanes).reshape(outline.shape[:2])
    reach[edge] = np.maximum(reach[edge], deep.max(axis=1))
    return reach


def _on_street(scene: Scene, rows: np.ndarray, edge: float, clearance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return which of some tracks are this deep in a carriageway and this far from crosswalks, and how deep, m.

    Where the place is not well known, deeper: inside for sure.
    """
    inside = depth(scene.tracks.position[rows], scene.zones.carriageways)
    deep = inside >= np.maximum(edge, SURE * scene.tracks.position_sigma[rows])
    rows, inside = rows[deep], inside[deep]
    clear = depth(scene.tracks.position[rows], scene.zones.crosswalks) < -clearance
    return rows[clear], inside[clear]


def _at_track(
    scene: Scene, row: IncidentRow, k: int, class_probability: float, cause: str, max_unseen: float
) -> Finding:  # fmt: skip
    tracks = scene.tracks
    probability = float(tracks.existence[k]) * class_probability
    x, y = tracks.position[k]
    return Finding(
        row.kind, row.severity_level, probability, 0.0, (float(x), float(y)), float(0.5 * tracks.size[k].max() + 1.0),
        cause, (int(tracks.track_id[k]),), int(tracks.platforms[k]), stamp_ns=scene.stamp_ns,
        held=bool(tracks.unseen[k] > max_unseen),
    )  # fmt: skip


def crowd_density(scene: Scene, row: IncidentRow) -> list[Finding]:
    """Return the crowds whose density at some person reaches the lowest step; each with the step it reaches.

    Density at a person is the sum of normalised Gaussian kernels over all persons (Helbing, Johansson and
    Al-Abideen 2007, eq. 1), so it does not depend on where a grid happens to lie. A crowd is a set of persons in
    dense places that are linked by less than two standard deviations of the kernel.
    """
    limits: CrowdLimits = row.thresholds
    people = np.flatnonzero(scene.tracks.classification == PEDESTRIAN)
    if len(people) < limits.min_persons:
        return []
    position = scene.tracks.position[people]
    density, pairs = local_density(position, limits.kernel_sigma)
    dense = density >= limits.steps[0].density
    linked = pairs[dense[pairs].all(axis=1)]
    apart = np.linalg.norm(position[linked[:, 0]] - position[linked[:, 1]], axis=1)
    linked = linked[apart <= 2 * limits.kernel_sigma]
    graph = coo_matrix((np.ones(len(linked)), (linked[:, 0], linked[:, 1])), shape=(len(people), len(people)))
    _, label = connected_components(graph, directed=False)
    crowds = [np.flatnonzero((label == number) & dense) for number in np.unique(label[dense])]
    return [_crowd(scene, row, people[c], density[c]) for c in crowds if len(c) >= limits.min_persons]


def local_density(position: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the density at each of (N, 2) positions, (N,) 1/m^2, and the pairs (P, 2) that the kernel links."""
    pairs = cKDTree(position).query_pairs(CUT * sigma, output_type="ndarray")
    squared = ((position[pairs[:, 0]] - position[pairs[:, 1]]) ** 2).sum(axis=1)
    peak = 1.0 / (2 * np.pi * sigma**2 * -np.expm1(-0.5 * CUT**2))  # unit mass within the cut
    weight = peak * np.exp(-0.5 * squared / sigma**2)
    density = peak + sum(np.bincount(pairs[:, side], weight, minlength=len(position)) for side in (0, 1))
    return np.asarray(density), pairs


def _crowd(scene: Scene, row: IncidentRow, members: np.ndarray, density: np.ndarray) -> Finding:
    limits: CrowdLimits = row.thresholds
    highest = float(density.max())
    step = max(k for k, item in enumerate(limits.steps) if highest >= item.density)
    position = scene.tracks.position[members]
    centre = position.mean(axis=0)
    radius = float(np.linalg.norm(position - centre, axis=1).max() + 0.5)
    return Finding(
        row.kind, SEVERITIES.index(limits.steps[step].severity), 1.0, 0.0, (float(centre[0]), float(centre[1])), radius,
        f"density {highest:.1f} persons/m² >= {limits.steps[step].density:.1f} persons/m² "
        f"(step {step + 1} of {len(limits.steps)}, {len(members)} persons)",
        tuple(sorted(int(track) for track in scene.tracks.track_id[members])),
        int(np.bitwise_or.reduce(scene.tracks.platforms[members])), stamp_ns=scene.stamp_ns,
    )  # fmt: skip


def platform_lost(scene: Scene, row: IncidentRow) -> list[Finding]:
    """Return the platforms that are silent for too long, or say themselves that they are lost."""
    limits: LostLimits = row.thresholds
    findings = []
    for platform in scene.platforms:
        since = platform.waiting_since_ns if platform.last_ns is None else platform.last_ns
        silent = (scene.now_ns - since) / 1e9
        limit = limits.startup if platform.last_ns is None else limits.silence
        if not platform.lost and silent <= limit:
            continue
        cause = f"{platform.name} reports itself lost" if platform.lost and silent <= limit else (
            f"no status of {platform.name} for {silent:.1f} s > {limit:.1f} s"
        )  # fmt: skip
        findings.append(
            Finding(row.kind, row.severity_level, 1.0, 0.0, platform.position, 5.0, cause, (), 1 << platform.bit,
                    platform.name, scene.now_ns)
        )  # fmt: skip
    return findings
