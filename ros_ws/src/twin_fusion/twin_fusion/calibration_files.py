"""District files with a new mount."""

from __future__ import annotations

import dataclasses
import os
import tempfile
from pathlib import Path

import yaml

from twin_common.config import ConfigError, from_mapping, load_yaml
from twin_common.district import DistrictConfig, PoseConfig


def write_mount(source: Path, target: Path, platform: str, sensor: str, mount: PoseConfig) -> None:
    """Write a copy of a district file in which one sensor is mounted otherwise; all of it or nothing.

    Raises:
        ConfigError: the target exists, or its folder does not.

    """
    require_new(target)
    content = load_yaml(source)
    entry = next(item for item in content["platforms"] if item["name"] == platform)
    entry[sensor]["mount"] = {key: value for key, value in dataclasses.asdict(mount).items() if value}
    from_mapping(DistrictConfig, content, str(target))
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, default_flow_style=None, width=110)
    write_whole(target, f"# {source.name} with the mount of {platform}/{sensor} as calibrated.\n{text}")


def require_new(target: Path) -> None:
    """Refuse to overwrite a file, and a folder that is not there.

    Raises:
        ConfigError: in one line.

    """
    if target.exists():
        raise ConfigError(f"{target}: exists already; expected the name of a new file")
    if not target.parent.is_dir():
        raise ConfigError(f"{target.parent}: no such folder; expected one for {target.name}")


def write_whole(target: Path, text: str) -> None:
    """Write a file at once, or not at all."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
