"""Configuration as frozen dataclasses: the only home of a default, its unit and its allowed range.

@dataclass(frozen=True, slots=True)
class TrackerConfig(Config):
max_coast: float = setting(1.0, "s", "time without a measurement before a track ends", low=0.1, high=10.0)
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

C = TypeVar("C", bound="Config")


class ConfigError(ValueError):
    """A value, key or file that is not what was expected; the message is one line for a person."""


def setting(
    default: Any = MISSING, unit: str = "", doc: str = "", *, low: float | None = None, high: float | None = None,
    choices: tuple[Any, ...] | None = None, factory: Any = MISSING,
) -> Any:  # fmt: skip
    """Declare a field with its default, unit, meaning and allowed range or choices."""
    metadata = {"unit": unit, "doc": doc, "low": low, "high": high, "choices": choices}
    if factory is not MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def allowed(field: dataclasses.Field[Any]) -> str:
    """Return the allowed values of a field as text, e.g. ``0.1 to 10.0``."""
    meta = field.metadata
    if meta.get("choices"):
        return "one of " + ", ".join(map(str, meta["choices"]))
    low, high = meta.get("low"), meta.get("high")
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"at least {low}"
    return f"at most {high}" if high is not None else "any"


@dataclass(frozen=True, slots=True)
class Config:
    """Base of every configuration: checks types, ranges and choices; rejects, never repairs."""

    def __post_init__(self) -> None:
        """Check every field against its declaration."""
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            _check_type(type(self).__name__, field, hints[field.name], value)
            _check_range(type(self).__name__, field, value)


def _check_type(owner: str, field: dataclasses.Field[Any], hint: Any, value: Any) -> None:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options: tuple[Any, ...] = tuple(typing.get_origin(item) or item for item in typing.get_args(hint))
    else:
        options = (origin or hint,)
    if Any in options:
        return
    good = isinstance(value, options) or (float in options and isinstance(value, int))
    if isinstance(value, bool) and bool not in options:
        good = False
    if not good:
        names = " or ".join(getattr(item, "__name__", str(item)) for item in options)
        raise ConfigError(f"{owner}.{field.name}: {value!r} is {type(value).__name__}; expected {names}")


def _check_range(owner: str, field: dataclasses.Field[Any], value: Any) -> None:
    meta = field.metadata
    low, high, choices = meta.get("low"), meta.get("high"), meta.get("choices")
    for item in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            if (low is not None and not item >= low) or (high is not None and not item <= high):
                raise ConfigError(f"{owner}.{field.name}: {item!r} is out of range; expected {allowed(field)}")
        if choices is not None and item not in choices:
            raise ConfigError(f"{owner}.{field.name}: {item!r}; expected {allowed(field)}")


def from_mapping(cls: type[C], values: Mapping[str, Any] | None, where: str) -> C:
    """Build a configuration from a mapping, nested ones included.

    Raises:
        ConfigError: an unknown or missing key, or a value of the wrong type or range; names ``where``.

    """
    values = {} if values is None else values
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: {values!r} is {type(values).__name__}; expected a mapping of {cls.__name__}")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key in values:
        if key not in fields:
            close = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"; did you mean {close[0]}?" if close else f"; expected one of {', '.join(fields)}"
            raise ConfigError(f"{where}: unknown key {key!r}{hint}")
    hints = typing.get_type_hints(cls)
    built = {}
    for name, field in fields.items():
        if name in values:
            built[name] = _convert(hints[name], values[name], f"{where}.{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise ConfigError(f"{where}: missing key {name!r} ({field.metadata.get('doc', '')})")
    try:
        return cls(**built)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Turn YAML lists into tuples and mappings into nested configurations, as ``hint`` asks."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = [item for item in arguments if item is not type(None)]
        return None if value is None else _convert(inner[0], value, where)
    if isinstance(hint, type) and issubclass(hint, Config):
        return from_mapping(hint, value, where)
    if origin is tuple and isinstance(value, (list, tuple)):
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
        if len(value) != len(arguments):
            raise ConfigError(f"{where}: {len(value)} values; expected {len(arguments)}")
        pairs = enumerate(zip(arguments, value, strict=True))
        return tuple(_convert(kind, item, f"{where}[{i}]") for i, (kind, item) in pairs)
    if origin is dict and isinstance(value, Mapping):
        return {key: _convert(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and hint in (float, int, str, bool):
        if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
            raise ConfigError(f"{where}: {value!r} is {type(value).__name__}; expected {hint.__name__}")
    return value


def load_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        ConfigError: the file is missing or is not YAML; names the file and the line.

    """
    if not path.is_file():
        raise ConfigError(f"{path}: no such file; expected a YAML configuration")
    try:
        return yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(f"{path}:{line} not YAML: {getattr(error, 'problem', error)}") from None


def table(cls: type[Config]) -> str:
    """Return the parameters of ``cls`` as a Markdown table, for a README."""
    rows = ["| parameter | default | unit | allowed | meaning |", "| --- | --- | --- | --- | --- |"]
    for field in dataclasses.fields(cls):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        shown = "required" if default is MISSING else str(list(default) if isinstance(default, tuple) else default)
        meta = field.metadata
        rows.append(f"| `{field.name}` | {shown} | {meta['unit'] or '–'} | {allowed(field)} | {meta['doc']} |")
    return "\n".join(rows)
