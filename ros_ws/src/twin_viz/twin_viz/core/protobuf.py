"""Protocol-buffer messages of fixed size, many at a time.

Objects of a scene come by the hundred and each is a message of nothing but doubles: its tags and lengths are
the same every time. A ``Template`` lays them out once as a NumPy record, and a column is written for all
messages at once. Encoding: https://protobuf.dev/programming-guides/encoding/ (varint 0, 64-bit 1, length 2).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

import numpy as np

#: Constant bytes, or the name of a double.
Token = bytes | str


def varint(value: int) -> bytes:
    """Return a number of at least 0 in base 128."""
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def tag(number: int, kind: int) -> bytes:
    """Return the tag of a field."""
    return varint(number << 3 | kind)


def block(number: int, content: bytes) -> bytes:
    """Return a field of bytes, text or a message."""
    return tag(number, 2) + varint(len(content)) + content


def integer(number: int, value: int) -> bytes:
    """Return a field of a whole number or a truth value; 0 is left out, as it is the default."""
    return tag(number, 0) + varint(value) if value else b""


def double(number: int, value: float) -> bytes:
    """Return a field of a double."""
    return tag(number, 1) + struct.pack("<d", value)


def slot(number: int, name: str) -> list[Token]:
    """Return the tokens of a double whose value differs between messages."""
    return [tag(number, 1), name]


def slots(number: int, *names: str) -> list[Token]:
    """Return the tokens of a message of doubles in its fields 1, 2, 3 and so on."""
    return message(number, *(slot(i, name) for i, name in enumerate(names, start=1)))


def message(number: int, *parts: Sequence[Token]) -> list[Token]:
    """Return the tokens of a message within a message."""
    tokens = [token for part in parts for token in part]
    size = sum(len(token) if isinstance(token, bytes) else 8 for token in tokens)
    return [tag(number, 2) + varint(size), *tokens]


class Template:
    """Messages that differ in the values of their doubles only."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        """Lay out the record of one message."""
        merged: list[Token] = []
        for token in tokens:
            last = merged[-1] if merged else ""
            if isinstance(token, bytes) and isinstance(last, bytes):
                merged[-1] = last + token
            else:
                merged.append(token)
        self._constants: dict[str, bytes] = {}
        fields: list[tuple[str, str]] = []
        for i, token in enumerate(merged):
            if isinstance(token, bytes):
                self._constants[f"#{i}"] = token
                fields.append((f"#{i}", f"V{len(token)}"))
            else:
                fields.append((token, "<f8"))
        self.dtype = np.dtype(fields)

    def encode(self, count: int, columns: Mapping[str, np.ndarray | float]) -> bytes:
        """Return ``count`` messages, one after the other.

        Args:
            count: how many.
            columns: (count,) values, or one for all, of every double.

        Raises:
            ValueError: a double has no column, or a column belongs to none.

        """
        names = set(self.dtype.names or ()) - self._constants.keys()
        if names != columns.keys():
            raise ValueError(f"columns: expected {sorted(names)}, got {sorted(columns)}")
        records = np.zeros(count, self.dtype)
        for name, constant in self._constants.items():
            records[name] = np.void(constant)
        for name, column in columns.items():
            records[name] = column
        return records.tobytes()
