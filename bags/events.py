"""What a district should have noticed, computed from the truth of a recording.

A truth row is a mapping: ``stamp_ns`` and ``objects``, each with id, class, x, y, z (centre), length, width,
height, yaw, vx, vy and points; metres, radians, map frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scene import Rectangle

Row = Mapping[str, Any]

VEHICLES = ("CAR", "TRUCK", "BUS")
TTC_LIMIT = 3.0  # an encounter counts from this time to collision downwards, seconds
STOP_SPEED, STOP_TIME = 0.3, 6.0


def _corners(item: Mapping[str, Any], shift: np.ndarray) -> np.ndarray:
    """Return the corners of a box moved by each of ``shift`` (T, 2), (T, 4, 2)."""
    along, across = np.array([1, -1, -1, 1]) * item["length"] / 2, np.array([1, 1, -1, -1]) * item["width"] / 2
    cos, sin = np.cos(item["yaw"]), np.sin(item["yaw"])
    ring = np.column_stack([item["x"] + along * cos - across * sin, item["y"] + along * sin + across * cos])
    return ring[None] + shift[:, None]


def _to_edges(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Return the least distance of (T, 4, 2) points to the edges of (T, 4, 2) rings, (T,)."""
    start, edge = ring[:, None], (np.roll(ring, -1, axis=1) - ring)[:, None]
    offset = points[:, :, None] - start
    fraction = np.clip((offset * edge).sum(-1) / (edge**2).sum(-1), 0.0, 1.0)
    return np.linalg.norm(offset - fraction[..., None] * edge, axis=-1).min(axis=(1, 2))


def _apart(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return whether an edge of either ring separates the two (separating axis theorem), (T,)."""
    separated = np.zeros(len(first), bool)
    for ring in (first, second):
        for i in (0, 1):
            axis = ring[:, i + 1] - ring[:, i]
            a, b = (np.einsum("tik,tk->ti", corners, axis) for corners in (first, second))
            separated |= (a.max(1) < b.min(1)) | (b.max(1) < a.min(1))
    return separated


def gaps(first: Mapping[str, Any], second: Mapping[str, Any], times: np.ndarray) -> np.ndarray:
    """Return the distance of two boxes after each of ``times`` (T,) at constant velocity, 0 where they overlap."""
    rings = [_corners(item, times[:, None] * np.array([item["vx"], item["vy"]])) for item in (first, second)]
    distance = np.minimum(_to_edges(rings[0], rings[1]), _to_edges(rings[1], rings[0]))
    return np.where(_apart(rings[0], rings[1]), distance, 0.0)


def time_to_collision(first: Mapping[str, Any], second: Mapping[str, Any], horizon: float = 5.0) -> float:
    """Return when two boxes meet at constant velocity, seconds; inf if not within ``horizon``."""
    times = np.arange(0.0, horizon, 0.02)
    met = np.flatnonzero(gaps(first, second, times) == 0.0)
    return float(times[met[0]]) if len(met) else float("inf")


def encounter(truth: Sequence[Row], first: str, second: str) -> list[tuple[int, float, float]]:
    """Return (stamp_ns, gap, time to collision) of two actors at every stamp that has both."""
    series = []
    for row in truth:
        found = {item["id"]: item for item in row["objects"]}
        if first in found and second in found:
            a, b = found[first], found[second]
            series.append((row["stamp_ns"], float(gaps(a, b, np.zeros(1))[0]), time_to_collision(a, b)))
    return series


def _inside(item: Mapping[str, Any], areas: Sequence[Rectangle]) -> bool:
    return any(x0 <= item["x"] <= x1 and y0 <= item["y"] <= y1 for x0, x1, y0, y1 in areas)


def _spans(truth: Sequence[Row], holds: Any) -> dict[str, list[tuple[int, int]]]:
    """Return the unbroken stretches (first and last stamp) in which ``holds(object)``, by actor."""
    spans: dict[str, list[tuple[int, int]]] = {}
    before: set[str] = set()
    for row in truth:
        now = {item["id"] for item in row["objects"] if holds(item)}
        for name in now:
            known = spans.setdefault(name, [])
            start = known.pop()[0] if name in before else row["stamp_ns"]
            known.append((start, row["stamp_ns"]))
        before = now
    return spans


def expected(
    truth: Sequence[Row], streets: Mapping[str, Rectangle], crosswalks: Mapping[str, Rectangle], pair: tuple[str, str]
) -> list[dict[str, Any]]:
    """Return the incidents that the truth contains, each with kind, stamps, actors, place and figures."""
    found: list[dict[str, Any]] = []
    near = [entry for entry in encounter(truth, *pair) if entry[2] <= TTC_LIMIT]
    if near:
        closest = min(encounter(truth, *pair), key=lambda entry: entry[1])
        found.append(
            _event("predicted_collision", (near[0][0], near[-1][0]), pair, truth)
            | {"min_time_to_collision": round(min(entry[2] for entry in near), 2), "min_gap": round(closest[1], 2)}
        )
    road, stripes = list(streets.values()), list(crosswalks.values())

    def on_road(item: Mapping[str, Any]) -> bool:
        return item["class"] == "PEDESTRIAN" and _inside(item, road) and not _inside(item, stripes)

    def stopped(item: Mapping[str, Any]) -> bool:
        return item["class"] in VEHICLES and _inside(item, road) and np.hypot(item["vx"], item["vy"]) < STOP_SPEED

    for name, spans in _spans(truth, on_road).items():
        found += [_event("pedestrian_on_carriageway", span, (name,), truth) for span in spans]
    for name, spans in _spans(truth, stopped).items():
        found += [
            _event("vehicle_stopped_in_lane", span, (name,), truth)
            for span in spans
            if span[1] - span[0] >= STOP_TIME * 1e9
        ]
    return found


def _event(kind: str, span: tuple[int, int], actors: tuple[str, ...], truth: Sequence[Row]) -> dict[str, Any]:
    """Return one event; its place is where the last of its actors is at its start."""
    row = next(row for row in truth if row["stamp_ns"] == span[0])
    item = next(item for item in row["objects"] if item["id"] == actors[-1])
    return {
        "kind": kind,
        "start_ns": span[0],
        "end_ns": span[1],
        "start": round((span[0] - truth[0]["stamp_ns"]) / 1e9, 1),
        "end": round((span[1] - truth[0]["stamp_ns"]) / 1e9, 1),
        "actors": list(actors),
        "x": item["x"],
        "y": item["y"],
    }
