"""Scores the tracker on given detections of the KITTI tracking benchmark, beside a peer in the same run.

``docs/tracking.md`` says what runs and what counts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from twin_replay.core import kitti_results
from twin_replay.core.kitti import Boxes, KittiError
from twin_tracking.config import TrackerConfig
from twin_tracking.evaluation.kitti_data import KittiDetections, read_sequence, sequence_names
from twin_tracking.evaluation.kitti_tracks import Told, track_boxes, track_with_peer
from twin_tracking.evaluation.metrics import hota, identity
from twin_tracking.evaluation.metrics_kitti import KittiSequence, ab3dmot, kitti_sequence, tracked_sequence
from twin_tracking.kitti_config import KITTI, BoxConfig
from twin_tracking.warm_up import warm_up

OVERLAPS = (0.25, 0.5, 0.7)
OURS, PEER = "ours", "peer"
Settings = dict[str, tuple[BoxConfig, TrackerConfig]]
Track = Callable[[KittiDetections, str], Told]
#: Figures that are shares, printed in percent.
_SHARES = ("samota", "amota", "amotp", "mota", "motp", "hota", "idf1")


def evaluate_kitti(data: Path, out: Path) -> dict[str, Any]:
    """Track every sequence found, write the tracks, score them where there are labels; print and return the figures.

    Raises:
        KittiError: ``data`` has no detections, or a sequence cannot be read; the others are done by then.

    """
    sequences, broken = read_all(data)
    missing = [kind for kind in KITTI if not any(kind in one.boxes for one in sequences)]
    if missing:
        print(f"no detections of {', '.join(missing)}: empty files, not scored")
    warm_up()
    metrics: dict[str, Any] = {"sequences": [one.name for one in sequences], "broken": broken, "classes": {}}
    for kind in KITTI:
        told = {OURS: _told(sequences, kind, track_with(KITTI)), PEER: _told(sequences, kind, track_with_peer)}
        for one, result in zip(sequences, told[OURS], strict=True):
            kitti_results.write_labels(out / kind / "data" / f"{one.name}.txt", result.rows)
        metrics["classes"][kind] = {method: _figures(sequences, kind, results) for method, results in told.items()}
    (out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    _print(metrics)
    if broken:
        raise KittiError(f"{len(broken)} of {len(broken) + len(sequences)} sequences not tracked: {', '.join(broken)}")
    return metrics


def read_all(data: Path) -> tuple[list[KittiDetections], dict[str, str]]:
    """Read every sequence that has detections; return those that can be read, and why others cannot; print both.

    Raises:
        KittiError: there is none, or none can be read.

    """
    sequences, broken = [], {}
    for name in sequence_names(data, tuple(KITTI)):
        try:
            sequences.append(read_sequence(data, name, tuple(KITTI)))
        except KittiError as error:
            broken[name] = str(error)
    if not sequences:
        raise KittiError(next(iter(broken.values())))
    for line in [note for one in sequences for note in one.notes] + list(broken.values()):
        print(line, file=sys.stderr)
    return sequences, broken


def track_with(settings: Settings) -> Track:
    """Return how our tracker tracks with ``settings`` by class."""
    return lambda sequence, kind: track_boxes(sequence, kind, *settings[kind])


def _told(sequences: Sequence[KittiDetections], kind: str, track: Track) -> list[Told]:
    return [track(one, kind) if kind in one.boxes else Told(_no_rows(), 0.0) for one in sequences]


def _no_rows() -> Boxes:
    none = np.zeros(0)
    return Boxes(
        none.astype(int), none.astype(int), none.astype("U16"), none, none.astype(int), none, np.zeros((0, 4)),
        np.zeros((0, 3)), np.zeros((0, 3)), none, none,
    )  # fmt: skip


def judged(sequences: Sequence[KittiDetections], kind: str, told: Sequence[Told]) -> list[KittiSequence]:
    """Return what the metrics need of the labelled sequences."""
    return [
        kitti_sequence(one.labels, result.rows, kind)
        for one, result in zip(sequences, told, strict=True)
        if one.labels is not None
    ]


def scores(pairs: Sequence[KittiSequence], overlap: float) -> dict[str, float]:
    """Return the figures over all sequences at one least 3D intersection over union."""
    figures = asdict(ab3dmot(pairs, overlap))
    tracked = [tracked_sequence(one, overlap, figures["threshold"]) for one in pairs]
    figures |= {"hota": hota(tracked).hota, "idf1": identity(tracked, overlap).idf1}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in figures.items()}


def _figures(sequences: Sequence[KittiDetections], kind: str, told: Sequence[Told]) -> dict[str, Any]:
    """Return frames per second, the figures at every overlap, and the spread over the sequences."""
    frames = sum(one.frames for one in sequences if kind in one.boxes)
    if not frames:
        return {"fps": 0.0}
    figures: dict[str, Any] = {"fps": round(frames / max(sum(one.seconds for one in told), 1e-9), 1)}
    pairs = judged(sequences, kind, told)
    if not sum(int((~one.optional).sum()) for one in pairs):
        return figures
    figures |= {str(overlap): scores(pairs, overlap) for overlap in OVERLAPS}
    without = [
        ab3dmot([other for other in pairs if other is not one], OVERLAPS[0]).samota
        for one in pairs
        if (~one.optional).any() and len(pairs) > 1
    ]
    figures["samota_leaving_one_sequence_out"] = (
        [round(value, 4) for value in (min(without), max(without))] if without else []
    )
    return figures


def _print(metrics: dict[str, Any]) -> None:
    """Print one row per class, overlap and method."""
    table = Table(
        "class", "3D IoU", "method", "sAMOTA", "without one sequence", "AMOTA", "AMOTP", "MOTA", "MOTP", "IDS", "FRAG",
        "HOTA", "IDF1", "frames/s", title=f"tracking on KITTI {', '.join(metrics['sequences'])}", title_justify="left",
    )  # fmt: skip
    for kind, methods in metrics["classes"].items():
        for overlap in OVERLAPS:
            for method, figures in methods.items():
                row, speed = figures.get(str(overlap)), f"{figures['fps']:.0f}"
                if row is None:
                    table.add_row(kind, f"{overlap:g}", method, *["–"] * 10, speed)
                    continue
                shares = {name: f"{100 * row[name]:.2f}" for name in _SHARES}
                spread = figures["samota_leaving_one_sequence_out"] if overlap == OVERLAPS[0] else []
                table.add_row(
                    kind, f"{overlap:g}", method, shares["samota"],
                    " to ".join(f"{100 * value:.1f}" for value in spread), shares["amota"], shares["amotp"],
                    shares["mota"], shares["motp"], str(row["switches"]), str(row["fragmentations"]), shares["hota"],
                    shares["idf1"], speed,
                )  # fmt: skip
    Console(width=150).print(table)
