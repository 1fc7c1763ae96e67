"""Districts that have been read: each is read once in a process, until its files change."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from twin_sim.core.network_zones import Network, read_network
from twin_sim.core.signals import SignalHead, signal_heads
from twin_sim.world import World, load_world


def _stamps(paths: tuple[Path, ...]) -> tuple[int, ...]:
    return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)


def world_of(folder: Path) -> World:
    """Return the district of a folder.

    Raises:
        ConfigError: a file is missing, or has a key or value that was not expected.

    """
    return _world(folder, _stamps((folder / "district.yaml", folder / "world.yaml")))


def network_of(world: World) -> Network:
    """Return the SUMO network of a district.

    Raises:
        ConfigError: it is not a SUMO network.

    """
    return _network(world.network, _stamps((world.network,)))


def heads_of(world: World) -> tuple[SignalHead, ...]:
    """Return the signal heads of a district.

    Raises:
        ConfigError: its network is not a SUMO network.

    """
    return _heads(world.network, _stamps((world.network,)))


@lru_cache(maxsize=4)
def _world(folder: Path, stamps: tuple[int, ...]) -> World:
    return load_world(folder)


@lru_cache(maxsize=4)
def _network(path: Path, stamps: tuple[int, ...]) -> Network:
    return read_network(path)


@lru_cache(maxsize=4)
def _heads(path: Path, stamps: tuple[int, ...]) -> tuple[SignalHead, ...]:
    return signal_heads(path)
