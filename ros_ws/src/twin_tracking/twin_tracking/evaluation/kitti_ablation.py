"""What each ingredient of the tracker is worth on KITTI: every one off in turn, all else the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from twin_tracking.config import TrackerConfig
from twin_tracking.evaluation.kitti import judged, read_all, scores, track_with
from twin_tracking.evaluation.kitti_data import KittiDetections
from twin_tracking.evaluation.kitti_tracks import track_with_peer
from twin_tracking.kitti_config import KITTI, BoxConfig

Setting = tuple[BoxConfig, TrackerConfig]
Change = Callable[[Setting], Setting]
_NEVER, _AT_ONCE = 1e-3, 10.0


def _boxes(**values: Any) -> Change:
    return lambda setting: (replace(setting[0], **values), setting[1])


def _tracker(**values: Any) -> Change:
    return lambda setting: (setting[0], replace(setting[1], **values))


def _same_noise_all_round(setting: Setting) -> Setting:
    return replace(setting[0], sigma_per_metre=0.0, along_sigma=setting[0].across_sigma), setting[1]


#: What is changed, by name.
VARIANTS: dict[str, Change] = {
    "all": lambda setting: setting,
    "one motion model (no standing, no turning)": _tracker(
        start_rate=_AT_ONCE, stop_rate=_NEVER, turn_begin_rate=_NEVER, turn_end_rate=_AT_ONCE
    ),
    "no low scores (below even odds)": _tracker(low_existence=0.5, high_existence=0.5),
    "low scores begin no tracks (second stage only)": _tracker(high_existence=0.5),
    "no size filter (last box)": _tracker(size_memory=1.0, size_expectile=0.5),
    "no heading filter (last box)": _tracker(heading_density=(10.0,) * 10, box_yaw_sigma=(0.01,) * 10),
    "detection rate the same for all tracks": _tracker(detection_memory=1e6),
    "gate by covariance alone": _tracker(min_gate=0.0),
    "the same error along the line of sight and across": _same_noise_all_round,
    "ids handed over through gaps": _tracker(handover_reach=10.0, handover_group_reach=30.0),
    "scores count from one box to the next (no average)": _tracker(score_memory=0.05),
    "nothing is ever hidden: every miss speaks against the object": _tracker(hide_rate=1e-3),
    "nothing told without a box": _boxes(shown_coast=0.0),
    "told without a box at the image's edge too": _boxes(inside_image=0.0),
}
NO_POSE = "no ego pose"
PEER = "peer"


def ablate(data: Path, out: Path) -> dict[str, Any]:
    """Score every variant on the labelled sequences; print a table, write and return the figures.

    Raises:
        KittiError: ``data`` has no detections, or none that can be read.

    """
    sequences = [one for one in read_all(data)[0] if one.labels is not None]
    figures: dict[str, Any] = {}
    for name, change in VARIANTS.items():
        settings = {kind: change(setting) for kind, setting in KITTI.items()}
        figures[name] = _scores(sequences, track_with(settings))
    figures[NO_POSE] = _scores([replace(one, map_from_lidar=None) for one in sequences], track_with(KITTI))
    figures[PEER] = _scores(sequences, track_with_peer)
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    title = "ablation on KITTI, 3D IoU 0.25: " + ", ".join(KITTI)
    table = Table("variant", title=title, title_justify="left")
    for _ in KITTI:
        for what in ("sAMOTA", "MOTA", "IDS", "FRAG"):
            table.add_column(what, justify="right")
    for name, kinds in figures.items():
        cells = [
            text
            for row in kinds.values()
            for text in (
                f"{100 * row['samota']:.2f}", f"{100 * row['mota']:.2f}", str(row["switches"]),
                str(row["fragmentations"]),
            )
        ]  # fmt: skip
        table.add_row(name, *cells)
    Console(width=180).print(table)
    return figures


def _scores(sequences: list[KittiDetections], track: Any) -> dict[str, dict[str, float]]:
    result = {}
    for kind in KITTI:
        known = [one for one in sequences if kind in one.boxes]
        result[kind] = scores(judged(known, kind, [track(one, kind) for one in known]), 0.25)
    return result
