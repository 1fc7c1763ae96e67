"""What the script, its things and the detectors notice, before it becomes an event of the truth."""

from __future__ import annotations

from dataclasses import dataclass

from twin_sim.core.frame import EventKind


@dataclass(slots=True)
class Sighting:
    """Something that happens: begin and end (None while it lasts), seconds, place, metres, and actors."""

    kind: EventKind
    begun: float
    ended: float | None
    x: float
    y: float
    z: float
    actors: tuple[int, ...]
