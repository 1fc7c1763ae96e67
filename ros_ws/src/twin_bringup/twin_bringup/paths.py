"""Where the project's files are: beside the current folder, in a checkout, or in an installed share folder."""

from __future__ import annotations

import os
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

from twin_common.config import ConfigError


def root() -> Path:
    """Return the folder that holds config/, launch/ and bags/."""
    if "TWIN_ROOT" in os.environ:
        return Path(os.environ["TWIN_ROOT"])
    try:
        return Path(get_package_share_directory("twin_bringup"))
    except PackageNotFoundError:
        return Path.cwd()


def find(name: str, what: str) -> Path:
    """Return a file or folder named from the current folder or from the project's root.

    Raises:
        ConfigError: it is in neither.

    """
    for base in (Path.cwd(), root()):
        path = base / name
        if path.exists():
            return path
    raise ConfigError(f"{name}: no such file or folder; expected {what}")
