"""The static mesh of a district, kept between processes: it takes seconds to make and a moment to read."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from twin_sim.core import scenery as scenery_module
from twin_sim.core.meshes import MATERIAL_NAMES, Mesh
from twin_sim.world import World

KEPT = 8  # meshes; the oldest go


def cache_folder() -> Path:
    """Return the user's cache folder of this project (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "district-twin"


def cached_scenery(world: World) -> Mesh:
    """Return ``scenery(world)``, from the cache where the same code has made it of the same files before.

    A cache that cannot be read or written costs time and nothing else.
    """
    path = cache_folder() / f"scenery-{_key(world)}.npz"
    try:
        with np.load(path) as stored:
            return Mesh(stored["vertices"], stored["triangles"], stored["materials"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        mesh = scenery_module.scenery(world)
    with contextlib.suppress(OSError):
        _store(path, mesh)
    return mesh


def _key(world: World) -> str:
    """Hash everything that the mesh depends on: the district's files, the materials, and the code that makes it."""
    total = hashlib.sha256(" ".join(MATERIAL_NAMES).encode())
    core = Path(scenery_module.__file__).parent
    for path in (
        *sorted(core.glob("*.py")),
        world.folder / "district.yaml",
        world.folder / "world.yaml",
        world.network,
    ):
        total.update(path.read_bytes())
    return total.hexdigest()[:24]


def _store(path: Path, mesh: Mesh) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.{os.getpid()}.npz")
    try:
        np.savez(part, vertices=mesh.vertices, triangles=mesh.triangles, materials=mesh.materials)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    stored = sorted(path.parent.glob("scenery-*.npz"), key=lambda item: item.stat().st_mtime)
    for old in stored[:-KEPT]:
        old.unlink(missing_ok=True)
