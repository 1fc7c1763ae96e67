"""Figures of the simulator beside those of recordings: how far apart they may be, and whether they are."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, ``ours`` beside ``real``, and by how much they may differ.

    ``relative``: the tolerance is a share of ``real``. A figure that could not be measured is NaN and has not passed.
    ``of``: what it was measured on, e.g. how many samples.
    """

    topic: str
    name: str
    ours: float
    real: float
    unit: str
    tolerance: float
    relative: bool = True
    of: str = ""

    @property
    def deviation(self) -> float:
        """Difference to the recording, as a share of it where the tolerance is one."""
        off = self.ours - self.real
        if not self.relative:
            return off
        return off / abs(self.real) if self.real else math.nan

    @property
    def measured(self) -> bool:
        """Whether there was anything to compare."""
        return not math.isnan(self.deviation)

    @property
    def passed(self) -> bool:
        """Whether the two agree within the tolerance."""
        return bool(abs(self.deviation) <= self.tolerance)

    def row(self) -> dict[str, Any]:
        """Return the figure with its verdict, for JSON."""
        return {
            "topic": self.topic, "name": self.name, "ours": _rounded(self.ours), "real": _rounded(self.real),
            "unit": self.unit, "deviation": _rounded(self.deviation), "tolerance": self.tolerance,
            "relative": self.relative, "of": self.of, "measured": self.measured, "passed": self.passed,
        }  # fmt: skip


def distance(topic: str, name: str, ours: np.ndarray, real: np.ndarray, tolerance: float) -> Figure:
    """Return the Kolmogorov-Smirnov distance of two samples, beside 0."""
    value = float(stats.ks_2samp(ours, real).statistic) if len(ours) and len(real) else math.nan
    return Figure(topic, f"{name}: distance of distributions (KS)", value, 0.0, "1", tolerance, relative=False,
                  of=f"{len(ours)} / {len(real)} samples")  # fmt: skip


def quantile(
    topic: str, name: str, ours: np.ndarray, real: np.ndarray, share: float, unit: str, tolerance: float
) -> Figure:
    """Return one quantile of two samples; the tolerance is relative."""
    label = {0.25: "lower quartile", 0.5: "median", 0.75: "upper quartile"}.get(share, f"{share:.0%} quantile")
    values = [float(np.quantile(sample, share)) if len(sample) else math.nan for sample in (ours, real)]
    return Figure(
        topic, f"{name}: {label}", values[0], values[1], unit, tolerance, of=f"{len(ours)} / {len(real)} samples"
    )


def publish(figures: Sequence[Figure], out: Path) -> None:
    """Write ``metrics.json`` and print a table of all figures."""
    out.mkdir(parents=True, exist_ok=True)
    rows = [figure.row() for figure in figures]
    passed, compared = (sum(getattr(figure, name) for figure in figures) for name in ("passed", "measured"))
    summary = {"passed": passed, "measured": compared, "of": len(figures), "figures": rows}
    (out / "metrics.json").write_text(json.dumps(summary, indent=2) + "\n")
    columns = ("topic", "figure", "simulated", "recorded", "unit", "off by", "allowed", "verdict", "of")
    silent = len(figures) - compared
    title = f"fidelity: {passed} of {compared} figures within tolerance, {silent} without data"
    table = Table(*columns, title=title, title_justify="left")
    before = ""
    for figure in figures:
        table.add_row(
            figure.topic if figure.topic != before else "", figure.name, f"{figure.ours:.3g}", f"{figure.real:.3g}",
            figure.unit, _shown(figure.deviation, figure.relative), _shown(figure.tolerance, figure.relative, ""),
            _verdict(figure), figure.of,
        )  # fmt: skip
        before = figure.topic
    Console(width=160).print(table)


def _verdict(figure: Figure) -> str:
    if not figure.measured:
        return "[yellow]no data"
    return "[green]good" if figure.passed else "[red]misses"


def _shown(value: float, relative: bool, sign: str = "+") -> str:
    if math.isnan(value):
        return "no data"
    return format(value, f"{sign}.0%") if relative else format(value, f"{sign}.3g")


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.5g}")
