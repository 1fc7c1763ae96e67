"""Configuration dataclasses as command-line options."""

from __future__ import annotations

import argparse
import dataclasses
import typing
from typing import TypeVar

from twin_common.config import Config, allowed, from_mapping

C = TypeVar("C", bound=Config)


def add_options(parser: argparse.ArgumentParser, cls: type[Config]) -> None:
    """Add one option per field of ``cls``: a flag for bool, several words for a tuple, else one value."""
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        option = "--" + field.name.replace("_", "-")
        unit = f" [{field.metadata['unit']}]" if field.metadata.get("unit") else ""
        limits = "" if allowed(field) == "any" else f", {allowed(field)}"
        text = f"{field.metadata.get('doc', '')}{unit}{limits} (default {field.default!r})".replace("%", "%%")
        kind = hints[field.name]
        if kind is bool:
            parser.add_argument(option, action="store_true", help=text)
        elif typing.get_origin(kind) is tuple:
            parser.add_argument(option, nargs="+", default=None, metavar="NAME", help=text)
        else:
            parser.add_argument(option, type=kind, default=None, metavar=field.name.upper(), help=text)


def config_of(args: argparse.Namespace, cls: type[C]) -> C:
    """Return the configuration that parsed options give.

    Raises:
        ConfigError: a value is out of its range.

    """
    values = {field.name: getattr(args, field.name) for field in dataclasses.fields(cls)}
    return from_mapping(cls, {name: value for name, value in values.items() if value is not None}, "option")
