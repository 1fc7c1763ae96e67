"""Tables and plots of the figures of every source, side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from twin_detection.evaluation.measures import Slice, measured, partly_hidden, reliability
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
    _plot(name, rows, figures, out)
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


def _plot(name: str, rows: dict[str, Rows], figures: dict[str, dict[str, dict[str, float]]], out: Path) -> None:
    """Draw reliability, and average precision by distance."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5))
    for source, columns in rows.items():
        counted = columns["found"] != -2
        mean, right, count = reliability(columns["score"][counted], (columns["found"][counted] >= 0).astype(float))
        used = count > 20
        axes[0].plot(mean[used], right[used], marker="o", label=source)
        for group, style in (("car", "-"), ("pedestrian", "--"), ("two-wheelers", ":")):
            values = [figures[source][f"{group} | day {near:g}-{far:g}"]["AP"] for near, far in BANDS]
            axes[1].plot(
                [(near + far) / 2 for near, far in BANDS], values, style, marker="o", label=f"{group}, {source}"
            )
    axes[0].plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes[0].set(xlabel="score", ylabel="share that is right", title="Reliability", xlim=(0, 1), ylim=(0, 1))
    axes[1].set(xlabel="distance, m", ylabel="average precision", title="By day", ylim=(0, 1.02))
    for axis in axes:
        axis.legend(fontsize=8)
        axis.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(out / f"{name}.png", dpi=110)
    pyplot.close(figure)


def rounded(value: Any) -> Any:
    """Return figures with four digits, None in place of NaN."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return None if math.isnan(value) else round(float(value), 4)
    return value
