"""Whether two sensors together are at least as good as the better of them, row by row, beyond chance.

Pictures of one pole within a few seconds show the same people and cars, so that chance is drawn block by block: a
block is all pictures of a pole within ``BLOCK`` seconds, and the blocks of all scenes are drawn with replacement (the
paired block bootstrap, Künsch 1989, Efron & Tibshirani 1993, ch. 8), for all sources alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from twin_common.core.precision_recall import average_precision
from twin_detection.evaluation.measures import Slice, partly_hidden, selected
from twin_detection.evaluation.scenes import SceneSpec
from twin_detection.evaluation.scoring import Rows
from twin_detection.evaluation.tables import slices_of

BLOCK = 4.0  # seconds
FEW = 20  # objects: fewer say nothing
_DRAWS = 200
_INTERVAL = (2.5, 97.5)  # percentiles


@dataclass(frozen=True, slots=True)
class Compared:
    """One row: ``value`` is the average precision of each source, ``gain`` that over the better one.

    ``low``, ``high``: between which the gain lies in 95 of 100 draws.
    """

    name: str
    objects: int
    value: dict[str, float]
    gain: float
    low: float
    high: float

    @property
    def below(self) -> bool:
        """Whether it is lower than the better sensor's, in three digits."""
        return round(self.gain, 3) < 0

    @property
    def worse(self) -> bool:
        """Whether the joint result is worse than one sensor, beyond chance."""
        return self.high < 0


def compare(rows: Mapping[str, Rows], joint: str, specs: Sequence[SceneSpec], draws: int = _DRAWS) -> list[Compared]:
    """Return every row of ``FEW`` objects and more.

    Args:
        rows: of every source, with the columns ``block`` (D,) and ``truth_block`` (T,).
        joint: the source that is compared with the others.
        specs: the scenes.
        draws: of the blocks.

    """
    hidden = {source: partly_hidden(columns) for source, columns in rows.items()}
    first = next(iter(rows))
    every = [columns[name] for columns in rows.values() for name in ("block", "truth_block")]
    blocks = np.unique(np.concatenate(every))
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(len(blocks), np.full(len(blocks), 1 / max(len(blocks), 1)), draws if len(blocks) else 0)
    found = []
    for name, part in slices_of(specs).items():
        objects = int(selected(rows[first], part, hidden[first]).objects.sum())
        if objects < FEW or part.every:
            continue
        values = {source: _values(columns, part, hidden[source], blocks, drawn) for source, columns in rows.items()}
        others = np.max([value for source, value in values.items() if source != joint], axis=0)
        gain = values[joint] - others
        low, high = np.nanpercentile(gain[1:], _INTERVAL)
        told = {source: float(value[0]) for source, value in values.items()}
        found.append(Compared(name, objects, told, float(gain[0]), float(low), float(high)))
    return found


def _values(rows: Rows, part: Slice, hidden: np.ndarray, blocks: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the average precision over all blocks (B,) and over each draw of them, (draws, B) counts: (1 + draws,)."""
    chosen = selected(rows, part, hidden)
    score, hit = rows["score"][chosen.counted], chosen.hit[chosen.counted]
    block = np.searchsorted(blocks, rows["block"][chosen.counted])
    there = np.bincount(np.searchsorted(blocks, rows["truth_block"][chosen.objects]), minlength=len(blocks))
    figures = []
    for count in [np.ones(len(blocks), int), *drawn]:
        weight, total = count[block].astype(float), float(there @ count)
        figures.append(average_precision(score, hit, total, weight))
    return np.array(figures)


def show(name: str, joint: str, compared: Sequence[Compared]) -> dict[str, dict[str, float]]:
    """Print the rows in which the joint result is below the better sensor, and how many there are; return all rows."""
    below = [row for row in compared if row.below]
    worse = [row for row in compared if row.worse]
    console = Console(width=150)
    if below:
        columns = ("row", "objects", *compared[0].value, "gain", "95 of 100 draws", "beyond chance")
        table = Table(*columns, title=f"{name}: {joint} below the better sensor", title_justify="left", padding=(0, 1))
        for row in sorted(below, key=lambda item: item.gain):
            values = (f"{value:.3f}" for value in row.value.values())
            table.add_row(row.name, str(row.objects), *values, f"{row.gain:+.3f}",
                          f"{row.low:+.3f} to {row.high:+.3f}", "worse" if row.worse else "–")  # fmt: skip
        console.print(table)
    console.print(
        f"{name}: {joint} is at least as good as the better sensor in {len(compared) - len(below)} of {len(compared)} "
        f"rows of {FEW} objects and more, and worse beyond chance in {len(worse)}"
    )
    return {
        row.name: {**row.value, "objects": float(row.objects), "gain": row.gain, "low": row.low, "high": row.high}
        for row in compared
    }
