"""Configuration of the twin."""

from __future__ import annotations

from dataclasses import dataclass

from twin_common.config import Config, setting


@dataclass(frozen=True, slots=True)
class TwinConfig(Config):
    """The live state of a district and its history."""

    history: str = setting("", doc="file of the history; empty: in memory, gone at the end; filled in by the graph")
    retention_hours: float = setting(24.0, "h", "older track states are deleted", low=0.01, high=8760.0)
    max_states: int = setting(
        50_000_000, "", "so many track states are kept in the file at most, about 120 B each", low=1000, high=10**10
    )
    max_memory_states: int = setting(
        1_000_000, "", "so many are kept in memory at most, about 250 B each", low=1000, high=10**8
    )
    flush_period: float = setting(1.0, "s", "how often the history is written; a crash loses no more", low=0.1, high=60)
    max_answer: int = setting(
        5_000, "", "states in one answer at most: the node does nothing else while it makes one", low=1, high=1_000_000
    )
    cell_size: float = setting(2.0, "m", "edge of a cell of crowd density", low=0.5, high=50.0)
    max_coast: float = setting(1.0, "s", "how long objects are shown without the tracker", low=0.0, high=10.0)
