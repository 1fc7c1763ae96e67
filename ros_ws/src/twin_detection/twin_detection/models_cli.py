"""The command ``./twin models``: list, check, fetch, stamp."""

from __future__ import annotations

import argparse
import shutil
import sys
import urllib.error
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

from twin_common.config import ConfigError
from twin_detection import models

TIMEOUT = 20.0  # of a connection, seconds


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; each parser sets ``func``."""
    parser = commands.add_parser("models", help="learned models: list, check, fetch, stamp")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="the models there are").set_defaults(func=_list)
    verbs.add_parser("check", help="hash and shapes of every model that is here").set_defaults(func=_check)
    fetch = verbs.add_parser("fetch", help="download a model, or take it from a file, checked by hash")
    fetch.add_argument("name", help="in models/manifest.yaml")
    fetch.add_argument("--file", type=Path, help="take it from this file")
    fetch.set_defaults(func=lambda given: _fetch(given.name, given.file))
    stamped = verbs.add_parser("stamp", help="write hash and shapes of a newly trained model into the manifest")
    stamped.add_argument("name", help="in models/manifest.yaml")
    stamped.set_defaults(func=lambda given: _stamp(given.name))


def _list(_arguments: argparse.Namespace) -> int:
    table = Table("model", "bytes", "licence", "here", "source", header_style="bold")
    for item in models.manifest().values():
        table.add_row(item.name, f"{item.bytes:,}", item.licence, "yes" if _is_here(item) else "no", item.source)
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(table)
    return 0


def _is_here(item: models.ModelEntry) -> bool:
    try:
        models.locate(item)
    except ConfigError:
        return False
    return True


def _check(_arguments: argparse.Namespace) -> int:
    """Open every model that is here; models that are only fetched may be missing, shipped ones may not."""
    failed = 0
    for item in models.manifest().values():
        if not _is_here(item) and not models.shipped(item):
            print(f"{item.name}: not here")
            continue
        try:
            models.open_model(item.name)
            print(f"{item.name}: good")
        except ConfigError as error:
            failed += 1
            print(error, file=sys.stderr)
    return 2 if failed else 0


def _stamp(name: str) -> int:
    item = models.stamp(name)
    print(f"{name}: {item.bytes} bytes, SHA-256 {item.sha256}")
    return 0


def _fetch(name: str, file: Path | None) -> int:
    print(f"{name}: {fetch(name, file)}")
    return 0


def fetch(name: str, file: Path | None = None, folder: Path | None = None) -> Path:
    """Put a model into the user's cache folder, and return where it lies; one that is there already stays.

    Raises:
        ConfigError: it is shipped, cannot be reached, or is not the file that the manifest describes.

    """
    item = models.entry(name, folder)
    if models.shipped(item):
        if file is not None:
            raise ConfigError(f"model {name}: is shipped; expected no --file")
        return models.locate(item, folder)
    target = models.fetched_folder() / item.file
    if target.is_file() and file is None:
        models.check_file(item, target)
        return target
    if file is None and not item.url:
        raise ConfigError(f"model {name}: no address is known; expected --file FILE with SHA-256 {item.sha256}")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    try:
        if file is not None:
            models.check_file(item, file)
            shutil.copyfile(file, part)
        else:
            _download(item, part)
        models.check_file(item, part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _download(item: models.ModelEntry, part: Path) -> None:
    """Write what an address gives, and no more of it than the manifest says."""
    try:
        with urllib.request.urlopen(item.url, timeout=TIMEOUT) as answer, part.open("wb") as out:
            left = item.bytes + 1
            while left > 0 and (block := answer.read(min(left, 1 << 16))):
                out.write(block)
                left -= len(block)
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise ConfigError(f"model {item.name}: {item.url}: {reason}; expected a network, or --file FILE") from None
