"""Keeps arrays in a file from one run of a node to the next, whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from twin_common.config import ConfigError

#: What NumPy and zipfile raise on damaged files; RuntimeError: flags and methods that zipfile does not know.
_DAMAGED = (OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


def save_arrays(path: Path, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name, with what they belong to: ``version``, platform, mount and the like.

    Raises:
        ConfigError: the file cannot be written.

    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(part, about=np.array(json.dumps(dict(about))), **arrays)  # type: ignore[arg-type]
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; expected a file that can be written") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def load_arrays(path: Path, kind: str, about: Mapping[str, Any], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return arrays by name, as they were stored; ``kind``: what they are called, in messages.

    Raises:
        ConfigError: the file is damaged, or ``about`` differs from what was stored.

    """
    try:
        with np.load(path) as stored:
            values = {name: stored[name] for name in ("about", *names)}
        told = json.loads(str(values.pop("about")))
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(f"{path}: not a stored {kind} ({reason}); expected one of this node's") from None
    if not isinstance(told, dict) or told.get("version") != about["version"]:
        raise ConfigError(f"{path}: a {kind} of another version; expected version {about['version']}")
    for name, expected in about.items():
        if told.get(name) != expected:
            raise ConfigError(f"{path}: {kind} of {name} {told.get(name)!r}; expected {expected!r}")
    return values
