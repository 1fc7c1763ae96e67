"""Definitions of the installed message types, as bags and viewers want them.

A definition is the text of ``share/<package>/msg/<Name>.msg``, followed by that of every type in it, each
under a line of 80 equals signs and ``MSG: package/Name`` (the form ``ros2msg`` of the MCAP specification).
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from twin_replay.core.mcap_file import BagError

ENCODING = "ros2msg"
_SEPARATOR = "=" * 80
_PRIMITIVES = frozenset(
    ("bool", "byte", "char", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64",
     "uint64", "string", "wstring")
)  # fmt: skip
_FIELD = re.compile(r"^\s*(?P<type>[A-Za-z][\w/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[A-Za-z]\w*\s*(?P<rest>.*)$")


@cache
def definition(type_name: str) -> str:
    """Return the full definition of ``package/msg/Name``.

    Raises:
        BagError: the package or the type is not installed.

    """
    parts, seen, waiting = [_text(type_name)], {type_name}, _parts_of(type_name)
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            package, _, short = name.split("/")
            parts.append(f"{_SEPARATOR}\nMSG: {package}/{short}\n{_text(name)}")
            waiting += _parts_of(name)
    return "\n".join(part.rstrip("\n") for part in parts) + "\n"


@cache
def type_hash(type_name: str) -> str:
    """Return the RIHS01 hash of an installed type (REP-2011), "" if the installation has none."""
    path = _path(type_name).with_suffix(".json")
    if not path.is_file():
        return ""
    for entry in json.loads(path.read_text())["type_hashes"]:
        if entry["type_name"] == type_name:
            return str(entry["hash_string"])
    return ""


def is_installed(type_name: str) -> bool:
    """Return whether a type's definition can be found."""
    try:
        return _path(type_name).is_file()
    except BagError:
        return False


def _path(type_name: str) -> Path:
    parts = type_name.split("/")
    if len(parts) != 3:
        raise BagError(f"{type_name}: no message type; expected package/msg/Name")
    try:
        share = get_package_share_directory(parts[0])
    except (PackageNotFoundError, ValueError):
        raise BagError(f"{type_name}: package {parts[0]} is not installed") from None
    return Path(share) / parts[1] / f"{parts[2]}.msg"


@cache
def _text(type_name: str) -> str:
    path = _path(type_name)
    if not path.is_file():
        raise BagError(f"{type_name}: no such message type in {path.parent}")
    return path.read_text()


def _parts_of(type_name: str) -> list[str]:
    """Return the message types that the fields of a type have, in order."""
    package, kind, _ = type_name.split("/")
    found = []
    for line in _text(type_name).splitlines():
        match = _FIELD.match(line.split("#")[0])
        if match is None or match["rest"].startswith("=") or match["type"] in _PRIMITIVES:
            continue
        words = match["type"].split("/")
        if len(words) == 1:
            name = "std_msgs/msg/Header" if words[0] == "Header" else f"{package}/{kind}/{words[0]}"
        else:
            name = f"{words[0]}/msg/{words[-1]}"
        if name not in found:
            found.append(name)
    return found
