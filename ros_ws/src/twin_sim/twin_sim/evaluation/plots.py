"""Plots of simulated beside recorded figures, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.figure
import numpy as np

REAL, OURS, OTHER = "#2b6cb0", "#dd6b20", "#a0aec0"


def colour(name: str) -> str:
    """Return the colour of a series: recorded blue, simulated orange."""
    if name.startswith("simulated"):
        return OURS
    return OTHER if "student" in name else REAL


def figure(columns: int, width: float = 5.5, height: float = 4.2) -> tuple[matplotlib.figure.Figure, list]:
    """Return a figure with a row of axes."""
    made = matplotlib.figure.Figure(figsize=(width * columns, height), layout="constrained")
    axes = made.subplots(1, columns, squeeze=False)
    for one in axes[0]:
        one.grid(alpha=0.3)
    return made, list(axes[0])


def save(made: matplotlib.figure.Figure, path: Path) -> None:
    """Write a figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made.savefig(path, dpi=110)


def distributions(path: Path, panels: Sequence[tuple[str, Mapping[str, np.ndarray], tuple[float, float]]]) -> None:
    """Draw cumulative shares: one panel per quantity (label, samples by name, range)."""
    made, axes = figure(len(panels))
    for one, (label, samples, span) in zip(axes, panels, strict=True):
        for name, sample in samples.items():
            ordered = np.sort(sample)
            share = (np.arange(len(ordered)) + 0.5) / max(len(ordered), 1)
            one.plot(ordered, share, color=colour(name), label=f"{name} ({len(ordered)})")
        one.set(xlabel=label, ylabel="share below", xlim=span, ylim=(0, 1))
        one.legend(loc="lower right")
    save(made, path)


def profiles(path: Path, panels: Mapping[str, Mapping[str, Sequence[np.ndarray]]], period: float) -> None:
    """Draw speed by time: every profile thin, their median thick; one panel per kind."""
    made, axes = figure(len(panels))
    for one, (title, series) in zip(axes, panels.items(), strict=True):
        for name, items in series.items():
            for profile in items:
                one.plot(np.arange(len(profile)) * period, profile, color=colour(name), lw=0.4, alpha=0.25)
        for name, items in series.items():
            if items:
                length = max(map(len, items))
                table = np.full((len(items), length), np.nan)
                for row, profile in zip(table, items, strict=True):
                    row[: len(profile)] = profile
                kept = np.isfinite(table).sum(axis=0) >= max(3, len(items) / 2)
                middle = np.nanmedian(table[:, kept], axis=0)
                one.plot(
                    np.flatnonzero(kept) * period, middle, color=colour(name), lw=2.5, label=f"{name} ({len(items)})"
                )
        one.set(title=title, xlabel="time from the stand, s", ylabel="speed, m/s", xlim=(0, 8), ylim=(0, 7))
        one.legend(loc="upper left")
    save(made, path)
