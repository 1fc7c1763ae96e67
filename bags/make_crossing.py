"""Make the default demo recording: two smart poles at a crossing, with one near collision.

    python bags/make_crossing.py --out bags/crossing

The same arguments give the same packets and the same truth, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import events
import lidar
import numpy as np
import recording
import scene
from actors import Actor, State, cast
from ouster.sdk import core

BAGS = Path(__file__).parent
START = datetime(2026, 3, 2, 9, 0, 0, tzinfo=timezone(timedelta(hours=9)))
START_NS = int(START.timestamp()) * 1_000_000_000
PHASE_NS = 30_000_000  # by which the second pole's sweep is behind the first's
MOUNT_HEIGHT = 5.2
PAIR = ("car_1", "pedestrian_1")
WHAT = "Two smart poles at a crossing of Sangmu, Gwangju (simulated): 20 s of traffic with one near collision"


@dataclass(frozen=True, slots=True)
class Pole:
    """A pole: name, foot in the map frame, and heading of its sensor, degrees."""

    name: str
    x: float
    y: float
    yaw_deg: float

    def map_from_sensor(self) -> np.ndarray:
        """Return the pose of the level sensor, (4, 4)."""
        yaw = np.radians(self.yaw_deg)
        pose = np.eye(4)
        pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
        pose[:3, 3] = self.x, self.y, scene.KERB + MOUNT_HEIGHT
        return pose


POLES = (Pole("pole_01", -8.6, -9.2, 45.0), Pole("pole_02", 8.6, 9.2, -135.0))


def district(poles: tuple[Pole, ...]) -> dict[str, Any]:
    """Return the district as twin_common.district reads it."""
    return {
        "name": "Sangmu crossing",
        "datum": {"latitude": 35.1525, "longitude": 126.8510, "altitude": 30.0},
        "platforms": [
            {
                "name": pole.name,
                "kind": "pole",
                "pose": {"x": pole.x, "y": pole.y, "z": scene.KERB, "yaw_deg": pole.yaw_deg},
                "lidar": {
                    "mount": {"z": MOUNT_HEIGHT},
                    "driver": {"source": "packets", "model": lidar.MODEL, "metadata": f"{pole.name}_lidar.json"},
                },
            }
            for pole in poles
        ],
        "zones": [
            {"name": zone.name, "kind": zone.kind, "polygon": [list(corner) for corner in zone.polygon]}
            for zone in scene.zones()
        ],
    }


def _visible(actors: list[Actor], time: float) -> list[tuple[Actor, State]]:
    states = [(actor, actor.motion.at(time)) for actor in actors]
    return [(actor, state) for actor, state in states if actor.present(state)]


def _blocks(actors: list[Actor], start: float) -> list[list[Any]]:
    """Return the meshes of the same actors at the middle of every block of a sweep that begins at ``start``."""
    span = lidar.PERIOD_NS * 1e-9 / lidar.BLOCKS
    blocks = []
    for i in range(lidar.BLOCKS):
        states = [(actor, actor.motion.at(start + (i + 0.5) * span)) for actor in actors]
        blocks.append([actor.build(s.travelled, s.speed).placed(s.x, s.y, s.z, s.yaw) for actor, s in states])
    return blocks


def _truth_row(actors: list[Actor], stamp_ns: int, points: dict[str, dict[str, int]]) -> dict[str, Any]:
    objects = []
    for actor, state in _visible(actors, (stamp_ns - START_NS) * 1e-9):
        size = actor.size
        values = {
            "x": state.x, "y": state.y, "z": state.z + size.height / 2, "length": size.length, "width": size.width,
            "height": size.height, "yaw": state.yaw, "vx": state.speed * np.cos(state.yaw),
            "vy": state.speed * np.sin(state.yaw),
        }  # fmt: skip
        seen = {pole: counts.get(actor.name, 0) for pole, counts in points.items()}
        rounded = {key: round(float(value), 4) + 0.0 for key, value in values.items()}
        objects.append({"id": actor.name, "class": actor.kind, **rounded, "points": seen})
    return {"stamp_ns": stamp_ns, "objects": objects}


def make_lidar(pole: Pole, number: int, poles: tuple[Pole, ...]) -> lidar.Lidar:
    """Return the sensor of a pole in the empty scene."""
    info = core.SensorInfo(lidar.metadata(992_600_000_000 + number))
    masts = [(p.x, p.y, MOUNT_HEIGHT - 0.2) for p in poles]
    sensor = lidar.Lidar(info, pole.map_from_sensor(), scene.scenery(masts))
    shape = sensor.still_materials.shape
    sensor.paint(scene.painted(sensor.still_points().reshape(-1, 3), sensor.still_materials.reshape(-1)).reshape(shape))
    return sensor


def make(out: Path, poles: tuple[Pole, ...], duration: float, seed: int) -> list[dict[str, Any]]:
    """Write the whole recording to ``out``, which must not exist; return the truth."""
    bag = recording.Recording(out, [pole.name for pole in poles], lidar.MODEL)
    actors = cast()
    sensors = [make_lidar(pole, i + 1, poles) for i, pole in enumerate(poles)]
    truth = []
    for frame in range(round(duration * 10)):
        counts: dict[str, dict[str, int]] = {}
        for i, (pole, sensor) in enumerate(zip(poles, sensors, strict=True)):
            start_ns = START_NS + frame * lidar.PERIOD_NS + i * PHASE_NS
            start = (start_ns - START_NS) * 1e-9
            present = [actor for actor, _ in _visible(actors, start)]
            sweep = sensor.sweep(_blocks(present, start), np.random.default_rng([seed, i, frame]))
            bag.write(pole.name, sensor.packets(sweep, frame, start_ns))
            hits = np.bincount(sweep.owners[sweep.owners >= 0], minlength=len(present))
            counts[pole.name] = {actor.name: int(n) for actor, n in zip(present, hits, strict=True)}
        end_ns = int(lidar.column_stamps_ns(sensors[0].info, START_NS + frame * lidar.PERIOD_NS)[-1])
        truth.append(_truth_row(actors, end_ns, counts))
    bag.close()
    for i, pole in enumerate(poles):
        (out / f"{pole.name}_lidar.json").write_text(lidar.metadata(992_600_000_000 + i + 1))
    (out / "truth.jsonl").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in truth))
    recording.write_yaml(out / "district.yaml", district(poles), "Made by bags/make_crossing.py.")
    found = events.expected(truth, scene.STREETS, scene.CROSSWALKS, PAIR)
    recording.write_yaml(
        out / "events.yaml", found,
        "What the district should notice; start and end are seconds after the first scan, x and y metres in map.",
    )  # fmt: skip
    return truth


def main() -> int:
    """Read the arguments and make the recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=BAGS / "crossing", help="folder to make; must not exist")
    parser.add_argument("--poles", type=int, choices=range(1, len(POLES) + 1), default=len(POLES))
    parser.add_argument("--duration", type=float, default=20.0, help="seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--manifest", type=Path, help="manifest to write, with the hashes of the files made")
    arguments = parser.parse_args()
    if arguments.out.exists():
        print(f"{arguments.out}: exists already; expected a folder to make", file=sys.stderr)
        return 2
    try:
        make(arguments.out, POLES[: arguments.poles], arguments.duration, arguments.seed)
    except BaseException:
        shutil.rmtree(arguments.out, ignore_errors=True)
        raise
    if arguments.manifest:
        command = (
            f"python bags/make_crossing.py --out bags/{arguments.out.name} --poles {arguments.poles} "
            f"--duration {arguments.duration:g} --seed {arguments.seed} --manifest bags/manifest.yaml"
        )
        entry = recording.manifest_entry(arguments.out, WHAT, command, arguments.out.iterdir())
        recording.write_yaml(arguments.manifest, {"bags": [entry]})
    return 0


if __name__ == "__main__":
    sys.exit(main())
