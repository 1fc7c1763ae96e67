"""How far the parameters for KITTI fit the sequences they were chosen on: choosing again without each sequence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from twin_common.config import Config
from twin_tracking.config import TrackerConfig
from twin_tracking.evaluation.kitti import judged, read_all
from twin_tracking.evaluation.kitti_data import KittiDetections
from twin_tracking.evaluation.kitti_tracks import track_boxes
from twin_tracking.evaluation.metrics_kitti import KittiSequence, ab3dmot
from twin_tracking.kitti_config import KITTI, BoxConfig

Varied = TypeVar("Varied", bound=Config)
Setting = tuple[BoxConfig, TrackerConfig]
#: What is varied of the boxes' and of the tracker's parameters.
VARIED = (
    ("score_slope", "along_sigma", "across_sigma", "shown_coast", "shown_existence"),
    ("high_existence", "detection_probability", "detection_memory", "hide_rate", "min_gate", "max_gate"),
)
SETTINGS = 20
_SPREAD = 0.35  # standard deviation of the logarithm of a varied parameter
_OVERLAP = 0.25
_SHARES = ("shown_existence", "high_existence", "detection_probability")


@dataclass(frozen=True, slots=True)
class Choice:
    """sAMOTA of one class.

    ``shipped``: with the shipped parameters; ``low``, ``high``: of all settings; ``honest``: each sequence with the
    best setting for the others; ``chosen``: different settings among these.
    """

    shipped: float
    low: float
    high: float
    honest: float
    chosen: int


def cross_validate(data: Path, out: Path, settings: int = SETTINGS) -> dict[str, Any]:
    """Choose among random settings without each sequence in turn, score it with them; print and return the figures.

    Raises:
        KittiError: ``data`` has no detections, or none that can be read.
        ValueError: fewer than two labelled sequences.

    """
    sequences = [one for one in read_all(data)[0] if one.labels is not None]
    if len(sequences) < 2:
        raise ValueError(f"{data}: {len(sequences)} labelled sequences; expected at least 2 to leave one out")
    figures: dict[str, Any] = {}
    table = Table(
        "class", "shipped", "least", "most", "each chosen without it", "different choices",
        title=f"sAMOTA at 3D IoU {_OVERLAP}, {settings} settings a class", title_justify="left",
    )  # fmt: skip
    for kind in KITTI:
        known = [one for one in sequences if kind in one.boxes]
        if len(known) < 2:
            continue
        choice = _choose(known, kind, settings_around(KITTI[kind], settings, np.random.default_rng(0)))
        figures[kind] = {name: getattr(choice, name) for name in Choice.__dataclass_fields__}
        shares = (choice.shipped, choice.low, choice.high, choice.honest)
        table.add_row(kind, *(f"{100 * share:.2f}" for share in shares), str(choice.chosen))
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n")
    Console(width=120).print(table)
    return figures


def settings_around(setting: Setting, count: int, rng: np.random.Generator) -> list[Setting]:
    """Return ``setting`` and ``count`` - 1 others near it; probabilities vary in their odds."""
    return [setting] + [
        (_vary(setting[0], VARIED[0], rng), _vary(setting[1], VARIED[1], rng)) for _ in range(count - 1)
    ]


def _vary(config: Varied, names: Sequence[str], rng: np.random.Generator) -> Varied:
    values = {}
    for name in names:
        value, factor = float(getattr(config, name)), float(np.exp(rng.normal(0.0, _SPREAD)))
        odds = factor * value / (1 - value) if name in _SHARES else 0.0
        values[name] = odds / (1 + odds) if name in _SHARES else factor * value
    return replace(config, **values)


def _choose(sequences: Sequence[KittiDetections], kind: str, settings: Sequence[Setting]) -> Choice:
    """Track with every setting, and choose without each sequence that asks for any object."""
    pairs: list[list[KittiSequence]] = []
    for setting in track(settings, description=f"{kind}: settings", transient=True):
        pairs.append(judged(sequences, kind, [track_boxes(one, kind, *setting) for one in sequences]))
    whole = [ab3dmot(one, _OVERLAP).samota for one in pairs]
    honest, choices = [], set()
    for left in range(len(sequences)):
        asked = bool((~pairs[0][left].optional).any())
        others = [ab3dmot(one[:left] + one[left + 1 :], _OVERLAP).samota for one in pairs] if asked else whole
        choices.add(best := int(np.argmax(others)))
        honest.append(pairs[best][left])
    return Choice(whole[0], min(whole), max(whole), ab3dmot(honest, _OVERLAP).samota, len(choices))
