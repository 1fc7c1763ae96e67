"""Names of Sangmu's ground for people: of the ids of streets and crossings."""

from __future__ import annotations

import re

STREETS = {"avenue": "Sangmu Avenue", "north": "North Road", "south": "South Road"}
EDGES = {"n": "north edge", "s": "south edge", "e": "east edge", "w": "west edge"}
_PART = re.compile(r"^(?P<kind>crosswalk|corner) (?P<place>\w+)_[cw](?P<number>\d+)(?P<rest>.*)$")


def _street(word: str) -> str:
    return STREETS.get(word) or EDGES.get(word) or word.replace("street", "Street ")


def _crossing(words: list[str]) -> str:
    return " and ".join(_street(word) for word in words)


def title(name: str) -> str:
    """Return a zone's name for people, e.g. ``avenue_street3_street4`` as ``Sangmu Avenue, Street 3 to Street 4``."""
    part = _PART.match(name)
    if part:
        number = int(part["number"]) + 1
        return f"{part['kind']} {number}{part['rest']} of {_crossing(part['place'].split('_'))}"
    kind, _, place = name.rpartition(" ")
    if kind == "junction":
        return _crossing(place.split("_"))
    beside = next((word for word in ("sidewalk", "parking") if name.startswith(f"{word} ")), "")
    words = name.split()[1 if beside else 0].split("_")
    if len(words) != 3 or not set(words) & {*STREETS, *(f"street{i}" for i in range(1, 6))}:
        return name
    way = f"{_street(words[0])}, {_street(words[1])} to {_street(words[2])}"
    return f"{beside} of {way}" if beside else way
