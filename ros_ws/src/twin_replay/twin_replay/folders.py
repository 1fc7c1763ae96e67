"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from twin_replay.core.mcap_file import BagError


@contextmanager
def whole_folder(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Give a folder beside ``target`` to fill; it gets that name at the end and is removed if anything goes wrong.

    Ctrl-C and SIGTERM count as something going wrong.

    Raises:
        BagError: ``target`` exists and is not to be replaced, or its parent cannot be written.

    """
    target = Path(target)
    if target.exists() and not replace:
        raise BagError(f"{target}: exists already; expected the name of a new folder (or --force)")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise BagError(f"{target}: cannot be made: {error.strerror}") from None
    try:
        with terminate_as_interrupt():
            yield partial
            _put(partial, target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _put(partial: Path, target: Path) -> None:
    """Move ``partial`` to ``target``; what stands there is removed only once the new one is in its place."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    partial.rename(target)
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        old.unlink()


@contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """Let SIGTERM too raise KeyboardInterrupt, where this thread may say so; other errors that follow from it as well.

    A compiled module whose import is interrupted raises ImportError; a callback of one may lose the interrupt, which is
    then raised at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = threading.Event()

    def interrupt(_number: int, _frame: Any) -> None:
        asked.set()
        raise KeyboardInterrupt

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    except Exception:
        if asked.is_set():
            raise KeyboardInterrupt from None
        raise
    else:
        if asked.is_set():
            raise KeyboardInterrupt
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
