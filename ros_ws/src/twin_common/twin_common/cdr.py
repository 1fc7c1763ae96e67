"""Codec between NumPy arrays and the CDR bytes of ROS messages.

Covers messages of the form *header, then scalars and sequences of fixed-size records*: the whole
sequence is moved as one block instead of one Python object per element.

Encoding: OMG DDS-RTPS 2.5, clause 10 (encapsulation) and CORBA CDR (XCDR1): little endian, each
primitive aligned to its own size counted from the byte after the 4-byte encapsulation.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from twin_common import stamps

ENCAPSULATION = b"\x00\x01\x00\x00"
PRIMITIVES = {
    "boolean": "u1", "octet": "u1", "uint8": "u1", "int8": "i1", "uint16": "<u2", "int16": "<i2", "uint32": "<u4",
    "int32": "<i4", "uint64": "<u8", "int64": "<i8", "float": "<f4", "double": "<f8",
}  # fmt: skip
_ARRAY = re.compile(r"^(?P<item>[\w/]+)\[(?P<count>\d+)\]$")
_SEQUENCE = re.compile(r"^sequence<(?P<item>[\w/]+)>$")


class LayoutError(TypeError):
    """A message whose layout this codec does not cover, or bytes that do not fit it."""


@dataclass(slots=True)
class ArrayMessage:
    """A stamped message whose sequences are NumPy arrays.

    ``fields`` maps a field's name to a structured array (sequence of records), a plain array
    (sequence of primitives) or a number (scalar).
    """

    stamp_ns: int
    frame_id: str
    fields: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    dtype: np.dtype[Any]
    is_sequence: bool
    alignment: int


def message_class(type_name: str) -> type[Any]:
    """Return the Python class of ``package/msg/Name`` (or ``srv``).

    Raises:
        LayoutError: the package or the name does not exist.

    """
    parts = type_name.split("/")
    package, kind, name = (parts[0], "msg", parts[1]) if len(parts) == 2 else (parts[0], parts[1], parts[-1])
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), name)  # type: ignore[no-any-return]
    except (ImportError, AttributeError) as error:
        raise LayoutError(f"{type_name}: no such interface; expected package/msg/Name of a built package") from error


@cache
def record_dtype(type_name: str) -> np.dtype[Any]:
    """Return the NumPy dtype with the same bytes as one message of a fixed layout.

    Raises:
        LayoutError: a field has no fixed size, or alignment would leave gaps, inside the record or
            between records.

    """
    fields: list[tuple[Any, ...]] = []
    offset, widest = 0, 1
    for name, kind in message_class(type_name).get_fields_and_field_types().items():
        match = _ARRAY.match(kind)
        item, count = (match["item"], int(match["count"])) if match else (kind, 1)
        if item not in PRIMITIVES:
            raise LayoutError(f"{type_name}.{name}: {kind} has no fixed layout; expected primitives and fixed arrays")
        dtype = np.dtype(PRIMITIVES[item])
        if offset % dtype.itemsize:
            raise LayoutError(f"{type_name}.{name}: at byte {offset}, expected a multiple of {dtype.itemsize}")
        fields.append((name, dtype, (count,)) if match else (name, dtype))
        offset += dtype.itemsize * count
        widest = max(widest, dtype.itemsize)
    if offset % widest:
        raise LayoutError(f"{type_name}: {offset} bytes; expected a multiple of {widest}: add padding")
    return np.dtype(fields)


def _alignment(dtype: np.dtype[Any]) -> int:
    if dtype.names is None:
        return dtype.base.itemsize
    first = dtype[dtype.names[0]].base.itemsize
    widest = max(dtype[name].base.itemsize for name in dtype.names)
    if first != widest:
        raise LayoutError(f"record starting with {dtype.names[0]}: its first field must be its widest")
    return first


@cache
def _layout(type_name: str) -> tuple[_Field, ...]:
    """Return the fields after the header."""
    described = dict(message_class(type_name).get_fields_and_field_types())
    if described.pop("header", None) != "std_msgs/Header":
        raise LayoutError(f"{type_name}: expected std_msgs/Header header as the first field")
    layout = []
    for name, kind in described.items():
        sequence = _SEQUENCE.match(kind)
        item = sequence["item"] if sequence else kind
        if item in PRIMITIVES:
            dtype = np.dtype(PRIMITIVES[item])
        elif sequence:
            dtype = record_dtype(item)
        else:
            raise LayoutError(f"{type_name}.{name}: {kind}; expected a primitive or a sequence of fixed records")
        layout.append(_Field(name, dtype, sequence is not None, _alignment(dtype)))
    return tuple(layout)


def covers(type_name: str) -> bool:
    """Return whether the message has the form this codec covers."""
    try:
        _layout(type_name)
    except LayoutError:
        return False
    return True


class Writer:
    """Appends CDR values to a growing buffer."""

    def __init__(self) -> None:
        """Start with the little-endian encapsulation."""
        self._parts: list[bytes | memoryview] = [ENCAPSULATION]
        self._size = 0

    def align(self, size: int) -> None:
        """Pad to a multiple of ``size`` bytes."""
        gap = -self._size % size
        if gap:
            self.block(bytes(gap))

    def block(self, block: bytes | memoryview) -> None:
        """Append bytes as they are."""
        self._parts.append(block)
        self._size += len(block)

    def number(self, value: float, dtype: np.dtype[Any] | str) -> None:
        """Append one primitive, aligned."""
        dtype = np.dtype(dtype)
        self.align(dtype.itemsize)
        self.block(np.array(value, dtype).tobytes())

    def string(self, text: str) -> None:
        """Append a string with its length and terminating NUL."""
        encoded = text.encode() + b"\x00"
        self.number(len(encoded), "<u4")
        self.block(encoded)

    def array(self, items: np.ndarray, alignment: int) -> None:
        """Append a sequence: count, then the items as one block."""
        self.number(len(items), "<u4")
        if len(items):
            self.align(alignment)
            self.block(np.ascontiguousarray(items).view(np.uint8).reshape(-1).data)

    def header(self, stamp_ns: int, frame_id: str) -> None:
        """Append a std_msgs/Header."""
        seconds, nanoseconds = divmod(int(stamp_ns), stamps.NANOSECONDS)
        self.number(seconds, "<i4")
        self.number(nanoseconds, "<u4")
        self.string(frame_id)

    def finish(self) -> bytes:
        """Return the message's bytes, padded as Fast CDR does not require but accepts."""
        return b"".join(self._parts)


class Reader:
    """Reads CDR values one after the other."""

    def __init__(self, buffer: bytes | memoryview, what: str) -> None:
        """Check the encapsulation; ``what`` names the message in errors."""
        if len(buffer) < 4 or bytes(buffer[:2]) != ENCAPSULATION[:2]:
            raise LayoutError(f"{what}: expected little-endian CDR, got {bytes(buffer[:4]).hex() or 'nothing'}")
        self._buffer = memoryview(buffer)[4:]
        self._offset = 0
        self._what = what

    def align(self, size: int) -> None:
        """Skip the padding before a value of ``size`` bytes."""
        self._offset += -self._offset % size

    def block(self, size: int) -> memoryview:
        """Return the next ``size`` bytes without a copy."""
        end = self._offset + size
        if end > len(self._buffer):
            raise LayoutError(f"{self._what}: {len(self._buffer) + 4} bytes, expected at least {end + 4}")
        block = self._buffer[self._offset : end]
        self._offset = end
        return block

    def number(self, dtype: np.dtype[Any] | str) -> Any:
        """Return one primitive."""
        dtype = np.dtype(dtype)
        self.align(dtype.itemsize)
        return np.frombuffer(self.block(dtype.itemsize), dtype)[0].item()

    def string(self) -> str:
        """Return one string."""
        return bytes(self.block(self.number("<u4"))[:-1]).decode()

    def array(self, dtype: np.dtype[Any], alignment: int) -> np.ndarray:
        """Return a sequence as a read-only view of the buffer."""
        count = self.number("<u4")
        if not count:
            return np.zeros(0, dtype)
        self.align(alignment)
        return np.frombuffer(self.block(count * dtype.itemsize), dtype)

    def header(self) -> tuple[int, str]:
        """Return (stamp_ns, frame_id)."""
        seconds, nanoseconds = self.number("<i4"), self.number("<u4")
        return seconds * stamps.NANOSECONDS + nanoseconds, self.string()


def encode(type_name: str, message: ArrayMessage) -> bytes:
    """Return the CDR bytes of ``message``.

    Raises:
        LayoutError: a field is missing, unknown or of another dtype.

    """
    layout = _layout(type_name)
    unknown = message.fields.keys() - {item.name for item in layout}
    if unknown:
        raise LayoutError(f"{type_name}: unknown fields {sorted(unknown)}; expected {[item.name for item in layout]}")
    writer = Writer()
    writer.header(message.stamp_ns, message.frame_id)
    for item in layout:
        if item.name not in message.fields:
            raise LayoutError(f"{type_name}.{item.name}: missing")
        value = message.fields[item.name]
        if not item.is_sequence:
            writer.number(value, item.dtype)
            continue
        array = np.asarray(value)
        if array.dtype != item.dtype or array.ndim != 1:
            raise LayoutError(
                f"{type_name}.{item.name}: expected (N,) of its record dtype, got {array.shape} {array.dtype}"
            )
        writer.array(array, item.alignment)
    return writer.finish()


def decode(type_name: str, buffer: bytes | memoryview) -> ArrayMessage:
    """Return the message in ``buffer``; its arrays are read-only views.

    Raises:
        LayoutError: the bytes end early or are no little-endian CDR.

    """
    reader = Reader(buffer, type_name)
    stamp_ns, frame_id = reader.header()
    message = ArrayMessage(stamp_ns, frame_id)
    for item in _layout(type_name):
        message.fields[item.name] = (
            reader.array(item.dtype, item.alignment) if item.is_sequence else reader.number(item.dtype)
        )
    return message
