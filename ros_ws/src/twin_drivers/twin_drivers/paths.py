"""Files that parameters name."""

from __future__ import annotations

from pathlib import Path

from twin_common.config import ConfigError


def resolve(path: str, district: str, parameter: str) -> Path:
    """Return the file or folder a parameter names; a relative path starts at the district file's folder.

    Raises:
        ConfigError: there is none.

    """
    found = Path(path).expanduser()
    if not found.is_absolute() and district:
        found = Path(district).expanduser().resolve().parent / found
    if not found.exists():
        raise ConfigError(f"{parameter}: {found}: no such file")
    return found


def read_text(given: str, district: str, parameter: str) -> str:
    """Return the text of the file a parameter names, or the parameter itself if it is JSON.

    Raises:
        ConfigError: no such file, or it is not text.

    """
    if given.lstrip().startswith("{"):
        return given
    path = resolve(given, district, parameter)
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{parameter}: {path}: {error}; expected a text file") from None
