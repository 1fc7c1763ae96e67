"""Speed of judging one scene, and of the life of alerts."""

from __future__ import annotations

import time

import numpy as np

from twin_incidents.core.alert_life import AlertLife, Observed, UpdatePolicy
from twin_incidents.core.book import IncidentBook
from twin_incidents.core.ground import united
from twin_incidents.core.rules import RULES
from twin_incidents.core.scene import PathTable, Scene, TrackTable, Zones
from twin_incidents.table import load_table

STEP = 100_000_000  # ns between scenes


def busy_scene(tracks: int, seed: int = 0) -> Scene:
    """Return a district of 600 m x 400 m: a third of the tracks are vehicles, the rest pedestrians, two modes each."""
    rng = np.random.default_rng(seed)
    kind = np.where(rng.random(tracks) < 0.33, 1, 7)
    position = rng.uniform((-300, -200), (300, 200), (tracks, 2))
    angle = rng.uniform(-np.pi, np.pi, tracks)
    speed = np.where(kind == 1, rng.uniform(0, 14, tracks), rng.uniform(0, 1.6, tracks))
    velocity = speed[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    size = np.where((kind == 1)[:, None], (4.5, 1.8), (0.6, 0.6))
    number = np.arange(1, tracks + 1, dtype=np.uint64)
    table = TrackTable(
        number, np.ones(tracks, np.uint64), position, velocity, size, angle, np.full(tracks, 5.0), np.zeros(tracks),
        np.ones(tracks), kind, np.eye(10)[kind] * 0.9, np.full(tracks, 0.1), np.zeros(tracks),
    )  # fmt: skip
    times = 0.4 * np.arange(1, 13)
    path = position[:, None] + times[:, None] * velocity[:, None]
    covariance = np.broadcast_to((0.05 + 0.1 * times[:, None, None] ** 2) * np.eye(2), (2 * tracks, 12, 2, 2))
    yaw = np.repeat(np.repeat(angle[:, None], 12, axis=1), 2, axis=0)
    paths = PathTable(
        np.repeat(number, 2), np.full(2 * tracks, 0.5), np.zeros(2 * tracks, bool), np.repeat(path, 2, axis=0),
        covariance, yaw, 0.4,
    )  # fmt: skip
    street = np.array([[-300.0, -8.0], [300.0, -8.0], [300.0, 8.0], [-300.0, 8.0]])
    walk = np.array([[-2.0, -8.0], [2.0, -8.0], [2.0, 8.0], [-2.0, 8.0]])
    streets, crossings = (tuple(zone + np.array([0.0, y]) for y in (-120, 0, 120)) for zone in (street, walk))
    return Scene(0, 0, table, paths, Zones(united(streets), united(crossings), united(())))


def run(tracks: int = 500, repeats: int = 20) -> dict[str, float]:
    """Return median times in ms: each rule on a scene of so many tracks, all of them, and one step of the alerts."""
    rows, scene = load_table(), busy_scene(tracks)
    book = IncidentBook(rows, 0.15)
    life = AlertLife(UpdatePolicy(1.0, 10.0, 0.2, 5.0))
    everything = f"all rules, {tracks} tracks"
    spent: dict[str, list[float]] = {f"{row.kind}, {tracks} tracks": [] for row in rows}
    spent |= {everything: [], "life of alerts": []}
    for k in range(repeats):
        findings, begun = [], time.perf_counter()
        for row in rows:
            started = time.perf_counter()
            findings += RULES[row.rule](scene, row)
            spent[f"{row.kind}, {tracks} tracks"].append(time.perf_counter() - started)
        incidents = book.step(findings, k * STEP)
        judged = time.perf_counter()
        life.step(
            [
                Observed(i.incident_id, i.finding.severity, i.finding.probability, *i.finding.position)
                for i in incidents
            ],
            k * STEP,
        )
        spent[everything].append(judged - begun)
        spent["life of alerts"].append(time.perf_counter() - judged)
    return {key: 1e3 * float(np.median(values)) for key, values in spent.items()}
