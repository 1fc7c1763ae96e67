"""Runs SUMO's netconvert, so that the same description always gives the same file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from twin_common.config import ConfigError

_RESULT = "made.net.xml"


def find_netconvert() -> str:
    """Return the path of netconvert: the one beside this Python, or the one on the path.

    Raises:
        ConfigError: there is none.

    """
    beside = Path(sys.executable).parent / "netconvert"
    found = str(beside) if beside.is_file() else shutil.which("netconvert")
    if found is None:
        raise ConfigError("netconvert: not installed; expected the package eclipse-sumo (run ./twin setup)")
    return found


def netconvert(arguments: Sequence[str], folder: Path, target: Path) -> list[str]:
    """Make a SUMO network from the files in a folder, and return the warnings.

    Raises:
        ConfigError: netconvert is not installed, or refuses; says its first error.

    """
    command = [find_netconvert(), *arguments, "--output-file", _RESULT]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    said = [line.strip() for line in (run.stderr + "\n" + run.stdout).splitlines() if line.strip()]
    if run.returncode or not (folder / _RESULT).is_file():
        errors = [line.removeprefix("Error: ") for line in said if line.startswith("Error")]
        raise ConfigError(f"netconvert: {errors[0] if errors else f'ended with {run.returncode}'}")
    text = (folder / _RESULT).read_text()
    # netconvert's own remarks hold a date and a folder: without them the file is always the same.
    start, end = text.find("<!--"), text.find("-->")
    target.write_text(text[:start] + text[end + 3 :].lstrip() if start >= 0 else text)
    return [line.removeprefix("Warning: ") for line in said if line.startswith("Warning")]
