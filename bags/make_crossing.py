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


class Crossing:
    """The simulated crossing: its actors, and the sensors of its poles."""

    def __init__(self, poles: tuple[Pole, ...], seed: int) -> None:
        """Place the sensors in the empty scene."""
        self.poles = poles
        self.actors = cast()
        self.metadata = [lidar.metadata(992_600_000_001 + i) for i in range(len(poles))]
        self._seed = seed
        scenery = scene.scenery([(pole.x, pole.y, MOUNT_HEIGHT - 0.2) for pole in poles])
        self.sensors = [
            lidar.Lidar(core.SensorInfo(text), pole.map_from_sensor(), scenery)
            for text, pole in zip(self.metadata, poles, strict=True)
        ]
        for sensor in self.sensors:
            materials = sensor.still_materials
            painted = scene.painted(sensor.still_points().reshape(-1, 3), materials.reshape(-1))
            sensor.paint(painted.reshape(materials.shape))

    def start_ns(self, pole: int, frame: int) -> int:
        """Return when a pole's scan begins."""
        return START_NS + frame * lidar.PERIOD_NS + pole * PHASE_NS

    def scan(self, pole: int, frame: int) -> tuple[lidar.Sweep, dict[str, int]]:
        """Return one scan of a pole, and how many points each actor has in it."""
        start = (self.start_ns(pole, frame) - START_NS) * 1e-9
        present = [actor for actor, _ in _visible(self.actors, start)]
        rng = np.random.default_rng([self._seed, pole, frame])
        sweep = self.sensors[pole].sweep(_blocks(present, start), rng)
        hits = np.bincount(sweep.owners[sweep.owners >= 0], minlength=len(present))
        return sweep, {actor.name: int(n) for actor, n in zip(present, hits, strict=True)}

    def truth(self, frame: int, points: dict[str, dict[str, int]]) -> dict[str, Any]:
        """Return the truth at the stamp of the first pole's scan: the time of its last column."""
        stamps_ns = lidar.column_stamps_ns(self.sensors[0].info, self.start_ns(0, frame))
        return _truth_row(self.actors, int(stamps_ns[-1]), points)


def make(out: Path, poles: tuple[Pole, ...], duration: float, seed: int) -> None:
    """Write the whole recording to ``out``, which must not exist."""
    world = Crossing(poles, seed)
    bag = recording.Recording(out, [pole.name for pole in poles], lidar.MODEL)
    truth = []
    for frame in range(round(duration * 10)):
        points = {}
        for i, pole in enumerate(poles):
            sweep, points[pole.name] = world.scan(i, frame)
            bag.write(pole.name, world.sensors[i].packets(sweep, frame, world.start_ns(i, frame)))
        truth.append(world.truth(frame, points))
    bag.close()
    for pole, text in zip(poles, world.metadata, strict=True):
        (out / f"{pole.name}_lidar.json").write_text(text)
    (out / "truth.jsonl").write_text("".join(json.dumps(row, separators=(",", ":")) + "\n" for row in truth))
    recording.write_yaml(out / "district.yaml", district(poles), "Made by bags/make_crossing.py.")
    recording.write_yaml(
        out / "events.yaml", events.expected(truth, scene.STREETS, scene.CROSSWALKS, PAIR),
        "What the district should notice; start and end are seconds after the first scan, x and y metres in map.",
    )  # fmt: skip


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
