"""How things are called in front of people."""

from __future__ import annotations


def short_track_id(track_id: int) -> str:
    """Return the last four digits of a track's pseudonym: enough to tell the tracks in view apart, short to read."""
    return f"#{int(track_id) % 10_000:04d}"
