"""Tables and plots of the figures of every source, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from twin_detection.evaluation.measures import Slice, measured, partly_hidden
from twin_detection.evaluation.plots import draw_figures
from twin_detection.evaluation.scenes import SceneSpec
from twin_detection.evaluation.scoring import GROUPS, LEAST_PIXELS, LEAST_POINTS, REACH, USUAL_GATE, Rows

#: LiDAR points from which on an object is well seen.
WELL_SEEN = 30
BANDS = ((0.0, 20.0), (20.0, 35.0), (35.0, 50.0))
SHOWN = ("objects", "AP", "recall", "precision", "position m", "heading deg", "length m", "width m", "NEES",
         "within 95 %", "ECE")  # fmt: skip
#: Figures that are errors or probabilities have two digits, and numbers none.
DIGITS = {"objects": 0, "heading deg": 1, "NEES": 2}


def protocol() -> dict[str, Any]:
    """Return what is asked for, and what counts as found."""
    return {
        "asked for": f"{LEAST_POINTS} LiDAR points or {LEAST_PIXELS} camera pixels, within {REACH:g} m of the sensor",
        "found within": f"1 m of cars, trucks and buses, {USUAL_GATE} m of others, seen from above, class by class",
        "score": "existence times the probability of the class",
    }


def report(name: str, rows: dict[str, Rows], specs: Sequence[SceneSpec], out: Path) -> dict[str, Any]:
    """Print the tables of all sources, draw their plots into ``out``, and return the figures."""
    figures = {source: figures_of(columns, specs) for source, columns in rows.items()}
    console = Console(width=150)
    for title, keys in _groups(specs):
        table = Table("class", "source", *SHOWN, title=f"{name}: {title}", title_justify="left", padding=(0, 1))
        for group in GROUPS:
            for source, found in figures.items():
                row = found.get(f"{group} | {keys}")
                if row is not None and row["objects"] > 0:
                    table.add_row(group, source, *(_text(key, row[key]) for key in SHOWN))
        if table.row_count:
            console.print(table)
    out.mkdir(parents=True, exist_ok=True)
    draw_figures(name, rows, figures, BANDS, out)
    return figures


def _text(key: str, value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.{DIGITS.get(key, 2)}f}"


def _groups(specs: Sequence[SceneSpec]) -> list[tuple[str, str]]:
    weathers = list(dict.fromkeys(spec.weather for spec in specs))
    found = [("by day, 0 to 50 m", "day")]
    found += [(f"by day, {near:g} to {far:g} m", f"day {near:g}-{far:g}") for near, far in BANDS]
    found += [(f"in {weather}, 0 to 50 m", weather) for weather in weathers if weather != "day"]
    return [*found, ("by day, partly hidden", "day hidden"), ("by day, in full view", "day open"),
            (f"by day, {WELL_SEEN} points and more", "day well seen"),
            ("by day, all within 50 m, however little is seen of them", "day every")]  # fmt: skip


def slices_of(specs: Sequence[SceneSpec]) -> dict[str, Slice]:
    """Return the slices of all tables by "class | conditions"."""
    weathers: dict[str, tuple[int, ...]] = {}
    for number, spec in enumerate(specs):
        weathers[spec.weather] = (*weathers.get(spec.weather, ()), number)
    day = weathers.get("day", ())
    found: dict[str, Slice] = {}
    for group, labels in GROUPS.items():
        for weather, scenes in weathers.items():
            found[f"{group} | {weather}"] = Slice(labels, scenes=scenes)
        for near, far in BANDS:
            found[f"{group} | day {near:g}-{far:g}"] = Slice(labels, near, far, day)
        found[f"{group} | day hidden"] = Slice(labels, scenes=day, hidden=True)
        found[f"{group} | day open"] = Slice(labels, scenes=day, hidden=False)
        found[f"{group} | day well seen"] = Slice(labels, scenes=day, least=WELL_SEEN)
        found[f"{group} | day every"] = Slice(labels, scenes=day, every=True)
    return found


def figures_of(rows: Rows, specs: Sequence[SceneSpec]) -> dict[str, dict[str, float]]:
    """Return the figures of one source by class and slice."""
    hidden = partly_hidden(rows)
    return {key: measured(rows, part, hidden) for key, part in slices_of(specs).items()}


def rounded(value: Any) -> Any:
    """Return figures with four digits, None in place of NaN."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else round(float(value), 4)
    return value
