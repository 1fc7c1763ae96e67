"""Changes of a configuration by key path: ``weather.rain=5``, ``actors.driver.do.0.speed=14``."""

from __future__ import annotations

import copy
import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from twin_common.config import Config, ConfigError


def parsed(texts: Sequence[str]) -> dict[str, Any]:
    """Return values by key path of texts ``key=value``; values are YAML.

    Raises:
        ConfigError: a text without =, or whose value is not YAML.

    """
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set {text}: expected key=value, such as weather.rain=5")
        try:
            found[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--set {text}: {value!r} is not YAML; expected key=value") from None
    return found


def separated(text: str) -> tuple[str, ...]:
    """Return the texts ``key=value`` that a text names with commas; commas within a value's brackets or quotes stay."""
    found, depth, quote = [""], 0, ""
    for sign in text:
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        else:
            depth += (sign in "[{") - (sign in "]}")
        if sign == "," and depth <= 0 and not quote:
            found.append("")
        else:
            found[-1] += sign
    return tuple(item.strip() for item in found if item.strip())


def applied(raw: Mapping[str, Any], changes: Mapping[str, Any], cls: type[Config], where: str) -> dict[str, Any]:
    """Return a copy of a file's mapping with changes.

    A list's entry is named by its number, or by its ``name``, ``panel``, ``crane`` or ``platform``.

    Raises:
        ConfigError: a key path that leads nowhere.

    """
    result = copy.deepcopy(dict(raw))
    for path, value in changes.items():
        _apply(result, path.split("."), value, cls, f"{where}: {path}")
    return result


def _apply(node: Any, keys: list[str], value: Any, cls: type[Config] | None, where: str) -> None:
    key, rest = keys[0], keys[1:]
    if isinstance(node, list):
        index = _index(node, key, where)
        if not rest:
            node[index] = value
        else:
            _apply(node[index], rest, value, cls, where)
        return
    if not isinstance(node, dict):
        raise ConfigError(f"{where}: nothing to change below a {type(node).__name__}; expected a shorter key")
    hint: Any = None
    if cls is not None:
        fields = {item.name for item in dataclasses.fields(cls)}
        if key not in fields:
            raise ConfigError(f"{where}: unknown key {key!r}; expected one of {', '.join(sorted(fields))}")
        hint = typing.get_type_hints(cls)[key]
    if not rest:
        node[key] = value
        return
    inner = _config_of(hint)
    if node.get(key) is None:
        node[key] = {}
    elif isinstance(node[key], str) and inner is not None:  # weather: rain
        node[key] = {"kind": node[key]}
    _apply(node[key], rest, value, inner, where)


def _index(node: list[Any], key: str, where: str) -> int:
    if key.isdigit() and int(key) < len(node):
        return int(key)
    names = []
    for i, item in enumerate(node):
        found = [
            item[name] for name in ("name", "panel", "crane", "platform") if isinstance(item, dict) and name in item
        ]
        if key in found:
            return i
        names += found[:1]
    choice = ", ".join(map(str, names)) if names else f"0 to {len(node) - 1}"
    raise ConfigError(f"{where}: no entry {key!r}; expected one of {choice}")


def _config_of(hint: Any) -> type[Config] | None:
    """Return the configuration class within a type hint, if there is one."""
    if isinstance(hint, type) and issubclass(hint, Config):
        return hint
    for inner in typing.get_args(hint):
        found = _config_of(inner)
        if found is not None:
            return found
    return None
