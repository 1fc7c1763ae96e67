"""Pictures of the figures of every source: reliability, average precision by distance, gain of joined sensors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from twin_detection.evaluation.measures import reliability
from twin_detection.evaluation.scoring import Rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = {"car": "cars", "pedestrian": "pedestrians", "two-wheelers": "two-wheelers"}
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7")  # Okabe & Ito: told apart by everybody
_MARKS = ("o", "s", "D", "^")
_FEWEST = 20  # detections in a bin of scores, or objects in a band, without which no point is drawn


class Gain(Protocol):
    """One row of a comparison; see ``comparison.Compared``."""

    @property
    def name(self) -> str:
        """Class and conditions."""

    @property
    def objects(self) -> int:
        """How many."""

    @property
    def gain(self) -> float:
        """Of average precision."""

    @property
    def low(self) -> float:
        """Lower end of the interval."""

    @property
    def high(self) -> float:
        """Upper end."""

    @property
    def below(self) -> bool:
        """Whether it is below the better sensor."""


def file_name(name: str) -> str:
    """Return a name as part of a file's: "poles, in the camera's view" is ``poles_in_the_cameras_view``."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower().replace("'", "")).strip("_")


def draw_figures(
    name: str, rows: Mapping[str, Rows], figures: Mapping[str, Mapping[str, Mapping[str, float]]],
    bands: Sequence[tuple[float, float]], out: Path,
) -> None:  # fmt: skip
    """Draw reliability, and average precision by distance for some classes, every source in its own colour."""
    figure, axes = _subplots(1, 1 + len(_SHOWN), (4.1 * (1 + len(_SHOWN)), 4.6))
    for number, (source, columns) in enumerate(rows.items()):
        style: dict[str, Any] = {
            "color": _COLOURS[number % 4],
            "marker": _MARKS[number % 4],
            "label": source,
            "linewidth": 2,
        }
        counted = columns["found"] != -2
        mean, right, count = reliability(columns["score"][counted], (columns["found"][counted] >= 0).astype(float))
        axes[0].plot(mean[count > _FEWEST], right[count > _FEWEST], **style)
        for axis, group in zip(axes[1:], _SHOWN, strict=True):
            part = [figures[source][f"{group} | day {near:g}-{far:g}"] for near, far in bands]
            values = [row["AP"] if row["objects"] >= _FEWEST else np.nan for row in part]
            axis.plot(range(len(bands)), values, **style)
    first = next(iter(figures.values()))
    axes[0].plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    axes[0].set(xlabel="score", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    axes[0].set_title("Reliability, all classes\n(below the line: too sure)", fontsize=10)
    for axis, (group, title) in zip(axes[1:], _SHOWN.items(), strict=True):
        counts = [int(first[f"{group} | day {near:g}-{far:g}"]["objects"]) for near, far in bands]
        axis.set_xticks(range(len(bands)), [f"{near:g} to {far:g} m\n{count} objects"
                                            for (near, far), count in zip(bands, counts, strict=True)])  # fmt: skip
        axis.set(xlim=(-0.3, len(bands) - 0.7), ylim=(0, 1.02), ylabel="average precision")
        axis.set_title(f"{title} by day", fontsize=10)
    for axis in axes:
        axis.grid(alpha=0.3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower center", ncols=len(labels), frameon=False)
    figure.suptitle(name)
    figure.tight_layout(rect=(0, 0.06, 1, 1))
    figure.savefig(out / f"{file_name(name)}.png", dpi=110)


def draw_gains(name: str, joint: str, rows: Sequence[Gain], out: Path) -> None:
    """Draw by how much the joint result is better than the better sensor, row by row, with what chance allows."""
    if not rows:
        return
    figure, (axis,) = _subplots(1, 1, (8.5, 1.5 + 0.2 * len(rows)))
    place = np.arange(len(rows))[::-1]
    for y, row in zip(place, rows, strict=True):
        colour = "#d55e00" if row.high < 0 else "grey" if row.below else "#0072b2"
        axis.plot([row.low, row.high], [y, y], color=colour, linewidth=1.5)
        axis.plot([row.gain], [y], "o", color=colour, markersize=4)
    axis.axvline(0.0, color="black", linewidth=0.8)
    axis.set_yticks(place, [f"{row.name} ({row.objects})" for row in rows], fontsize=7)
    axis.set(
        ylim=(-1, len(rows)), xlabel=f"average precision of {joint} less that of the better sensor, 95 of 100 draws"
    )
    axis.set_title(f"{name}\nblue: at least as good; grey: below, as by chance; red: below beyond chance", fontsize=10)
    axis.grid(axis="x", alpha=0.3)
    figure.tight_layout()
    figure.savefig(out / f"{file_name(name)}_gain.png", dpi=110)


def _subplots(height: int, width: int, inches: tuple[float, float]) -> tuple[Any, list[Axes]]:
    """Return a figure of its own and its axes; nothing of it is kept by pyplot."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=inches)
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(height, width, number + 1) for number in range(height * width)]
