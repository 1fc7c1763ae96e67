"""Make the shipped recordings, pin their references, and write their manifest.

    python bags/make_bags.py [NAME ...]

Without names all are made. The same command gives the same packets and the same truth.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from twin_replay.folders import whole_folder
from twin_sim.bag_files import write_yaml

BAGS = Path(__file__).parent
MANIFEST = BAGS / "manifest.yaml"
DOCKER = BAGS.parent / "docker/district.yaml"


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording: its name, what it shows, and how ``./twin sim run`` makes it."""

    name: str
    what: str
    arguments: tuple[str, ...]

    def command(self, out: Path | None = None) -> list[str]:
        """Return the arguments of ./twin; ``out``: in place of the folder that is shipped."""
        return ["sim", "run", *self.arguments, "--columns", "512", "--out", str(out or f"bags/{self.name}")]


RECORDINGS = (
    Recording(
        "near_miss", "Two poles at the main crossing: a pedestrian steps out against the red light, a car just stops",
        ("near_miss", "--platforms", "pole_01,pole_02", "--duration", "16"),
    ),
    Recording(
        "fall", "Two poles on the avenue: an old person trips on the sidewalk, lies, and is helped up",
        ("pedestrian_fall", "--platforms", "pole_01,pole_04", "--skip", "4", "--duration", "16"),
    ),
    Recording(
        "crowd", "A pole at the mouth of the alley: people stream in from both ends until nobody can move",
        ("crowd_crush", "--platforms", "pole_03", "--skip", "64", "--duration", "16"),
    ),
    Recording(
        "vehicle_pass", "The sensor vehicle drives past two poles in ordinary traffic",
        ("vehicle_pass", "--platforms", "pole_01,pole_02,vehicle_01", "--skip", "2", "--duration", "11"),
    ),
)  # fmt: skip


def _twin(arguments: list[str]) -> None:
    environment = {**os.environ, "TWIN_ROOT": str(BAGS.parent.resolve())}
    subprocess.run([sys.executable, "-m", "twin_bringup.cli", *arguments], cwd=BAGS.parent, env=environment, check=True)


def make(recording: Recording) -> None:
    """Make one recording anew, and pin its reference; the one that is there stays until the new one is whole."""
    folder = BAGS / recording.name
    with whole_folder(folder.resolve(), replace=True) as partial:
        made = partial / recording.name
        _twin(recording.command(made))
        if (folder / "tolerances.yaml").is_file():
            shutil.copy(folder / "tolerances.yaml", made)
        _twin(["replay", str(made), "--update-refs"])
        for item in sorted(made.iterdir()):
            item.rename(partial / item.name)
        made.rmdir()


def entry(recording: Recording) -> dict[str, Any]:
    """Return what the manifest says of a recording: origin, licence, and size and hash of every file."""
    folder = BAGS / recording.name
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    return {
        "path": recording.name,
        "what": recording.what,
        "command": "./twin " + " ".join(recording.command()),
        "licence": "Apache-2.0",
        "bytes": sum(path.stat().st_size for path in files.values()),
        "files": {name: {"bytes": path.stat().st_size, "sha256": _sha256(path)} for name, path in files.items()},
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_docker_district() -> None:
    """Write the district of docker/compose.yaml: poles that play their own packets over and over, as if live."""
    district = yaml.safe_load((BAGS / "near_miss/district.yaml").read_text())
    for platform in district["platforms"]:
        driver = platform["lidar"]["driver"]
        platform["lidar"]["driver"] = {
            "source": "bag", "path": "../bags/near_miss", "topic": f"/{platform['name']}/lidar/packets",
            "model": "ouster", "metadata": f"../bags/near_miss/{driver['metadata']}", "loop": True,
        }  # fmt: skip
    head = "Made by bags/make_bags.py: poles that play their own packets over and over, as if live."
    write_yaml(DOCKER, district, head)


def main() -> int:
    """Make the recordings that are named, and write the manifest of all."""
    names = sys.argv[1:] or [recording.name for recording in RECORDINGS]
    known = {recording.name: recording for recording in RECORDINGS}
    for name in names:
        if name not in known:
            print(f"{name}: no such recording; expected one of {', '.join(known)}", file=sys.stderr)
            return 2
    for name in names:
        make(known[name])
    made = [entry(recording) for recording in RECORDINGS if (BAGS / recording.name).is_dir()]
    write_docker_district()
    MANIFEST.write_text(yaml.safe_dump({"bags": made}, sort_keys=False, default_flow_style=None, width=110))
    return 0


if __name__ == "__main__":
    sys.exit(main())
