"""Writes a district's folder: district.yaml and world.yaml, beside the SUMO network; the inverse of load_world."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from twin_common.config import Config, ConfigError
from twin_common.district import SIGNAL_USERS, DistrictConfig, SignalConfig
from twin_sim.core.signals import SignalHead
from twin_sim.world import WorldConfig

#: Fields that are written even where they hold only defaults.
_ALWAYS = ("mount",)


def plain(value: Any) -> Any:
    """Return a configuration as mappings, lists and scalars, what equals its default left out."""
    if isinstance(value, Config):
        found = {}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            default = field.default if field.default_factory is MISSING else field.default_factory()
            if item != default or field.name in _ALWAYS:
                found[field.name] = plain(item)
        return found
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return round(float(value), 9) if isinstance(value, float) else value


def _text(config: Config, head: str) -> str:
    body = yaml.safe_dump(plain(config), sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    return f"# {head}\n{body}"


def signal_configs(heads: Iterable[SignalHead]) -> tuple[SignalConfig, ...]:
    """Return signal heads as district.yaml lists them, places to 1 cm and headings to 0.1 degrees."""
    return tuple(
        SignalConfig(
            item.signal_id, round(item.x, 2), round(item.y, 2), round(item.z, 2),
            round(float(np.degrees(item.yaw)), 1) + 0.0, SIGNAL_USERS[item.users - 1],
        )
        for item in heads
    )  # fmt: skip


def write_district(folder: Path, district: DistrictConfig, world: WorldConfig, head: str) -> None:
    """Write district.yaml and world.yaml; ``head`` tells in one line where they come from.

    Raises:
        ConfigError: the network that the world names is not in the folder.

    """
    if not (folder / world.network).is_file():
        raise ConfigError(f"{folder / world.network}: no such file; expected the SUMO network of the district")
    (folder / "district.yaml").write_text(_text(district, head))
    (folder / "world.yaml").write_text(_text(world, head))
