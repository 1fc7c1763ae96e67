"""Frames of the simulated district to messages and back."""

from __future__ import annotations

import numpy as np

from twin_common.cdr import ArrayMessage, record_dtype
from twin_sim.core.crowding import CELL, density_cells
from twin_sim.core.frame import ACTOR, SIGNAL, Event, Frame

MAP = "map"
EVENT_TYPE = "twin_msgs/msg/SimEvent"
VISIBILITY_TYPE = "twin_msgs/msg/SimVisibility"
DENSITY_TYPE, TRACK_TYPE, BEHAVIOR_TYPE = (f"twin_msgs/msg/{name}" for name in ("DensityCell", "Track", "Behavior"))
_IDS = 8  # actors in one SimEvent


def actors_to_message(frame: Frame) -> ArrayMessage:
    """Return every actor of a frame."""
    return ArrayMessage(frame.stamp_ns, MAP, {"actors": frame.actors})


def actors_of(message: ArrayMessage) -> np.ndarray:
    """Return the actors of a message, (N,) ACTOR."""
    return np.asarray(message["actors"]).view(ACTOR)


def signals_to_message(frame: Frame) -> ArrayMessage:
    """Return every signal head of a frame."""
    return ArrayMessage(frame.stamp_ns, MAP, {"signals": frame.signals})


def signals_of(message: ArrayMessage) -> np.ndarray:
    """Return the signal heads of a message, (S,) SIGNAL."""
    return np.asarray(message["signals"]).view(SIGNAL)


def events_to_message(frame: Frame) -> ArrayMessage:
    """Return every event that has begun."""
    return ArrayMessage(frame.stamp_ns, MAP, {"events": events_to_records(frame.events)})


def events_to_records(events: tuple[Event, ...]) -> np.ndarray:
    """Return events as records of twin_msgs/SimEvent; of more than eight actors the first eight."""
    records = np.zeros(len(events), record_dtype(EVENT_TYPE))
    for record, event in zip(records, events, strict=True):
        for name in ("event_id", "start_ns", "end_ns", "x", "y", "z", "severity", "casualties", "leads_to", "kind"):
            record[name] = getattr(event, name)
        ids = event.actors[:_IDS]
        record["actor_ids"][: len(ids)] = ids
    return records


def density_to_message(frame: Frame) -> ArrayMessage:
    """Return how many people are in each cell of a square metre that is not empty."""
    corners, counts = density_cells(frame.actors)
    cells = np.zeros(len(counts), record_dtype(DENSITY_TYPE))
    cells["x"], cells["y"] = (corners + CELL / 2).T
    cells["size"], cells["persons"], cells["density"] = CELL, counts, counts / CELL**2
    nobody = {"tracks": np.zeros(0, record_dtype(TRACK_TYPE)), "behaviors": np.zeros(0, record_dtype(BEHAVIOR_TYPE))}
    return ArrayMessage(frame.stamp_ns, MAP, {"sequence": 0, **nobody, "density": cells})


def visibility_to_message(stamp_ns: int, frame_id: str, points: dict[int, int], pixels: dict[int, int]) -> ArrayMessage:
    """Return how many points and pixels each actor got; by actor_id."""
    ids = sorted(points.keys() | pixels.keys())
    records = np.zeros(len(ids), record_dtype(VISIBILITY_TYPE))
    records["actor_id"] = ids
    records["points"] = [points.get(i, 0) for i in ids]
    records["pixels"] = [pixels.get(i, 0) for i in ids]
    return ArrayMessage(stamp_ns, frame_id, {"actors": records})
