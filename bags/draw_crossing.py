"""Draw a recording from above: the clouds of all poles with the boxes of the truth.

python bags/draw_crossing.py bags/crossing picture.png --times 5 10 11.8 15
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import yaml
from ouster.sdk import core
from recording import TYPE, message_types
from rosbags.rosbag2 import Reader

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {
    "CAR": "tab:red", "TRUCK": "tab:brown", "BUS": "tab:purple", "BICYCLE": "tab:green", "SCOOTER": "tab:olive",
    "PEDESTRIAN": "tab:blue",
}  # fmt: skip


def clouds(bag: Path, scans: set[int]) -> dict[int, list[np.ndarray]]:
    """Return the points (N, 3), metres, map frame, of the chosen scans of every platform."""
    district = yaml.safe_load((bag / "district.yaml").read_text())
    types = message_types()
    poles = {f"/{item['name']}/lidar/packets": item for item in district["platforms"]}
    decoders = {topic: _Decoder(bag, pole) for topic, pole in poles.items()}
    counted = dict.fromkeys(poles, -1)
    found: dict[int, list[np.ndarray]] = {scan: [] for scan in scans}
    with Reader(bag) as reader:
        for connection, _, raw in reader.messages():
            topic = connection.topic
            counted[topic] += 1
            if counted[topic] in scans:
                found[counted[topic]].append(decoders[topic].points(types.deserialize_cdr(raw, TYPE)))
    return found


class _Decoder:
    def __init__(self, bag: Path, pole: dict[str, Any]) -> None:
        self._info = core.SensorInfo((bag / pole["lidar"]["driver"]["metadata"]).read_text())
        self._lut = core.XYZLut(self._info, use_extrinsics=False)
        yaw = np.radians(pole["pose"]["yaw_deg"])
        self._turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
        self._foot = np.array([pole["pose"]["x"], pole["pose"]["y"], pole["pose"]["z"] + pole["lidar"]["mount"]["z"]])

    def points(self, message: Any) -> np.ndarray:
        batch, scan = core.ScanBatcher(self._info), core.LidarScan(self._info)
        for payload in message.data.reshape(len(message.sizes), -1):
            packet = core.LidarPacket(len(payload))
            packet.buf[:] = payload
            packet.host_timestamp = 1
            batch(packet, scan)
        xyz = self._lut(scan)[scan.field(core.ChanField.RANGE) > 0]
        return xyz @ self._turn.T + self._foot


def _draw(axes: Any, bag: Path, row: dict[str, Any], parts: list[np.ndarray], area: tuple[float, float, float]) -> None:
    for zone in yaml.safe_load((bag / "district.yaml").read_text())["zones"]:
        axes.plot(*np.array([*zone["polygon"], zone["polygon"][0]]).T, color="0.8", linewidth=0.6, zorder=0)
    for points, colour in zip(parts, ("0.25", "tab:cyan"), strict=False):
        axes.scatter(points[:, 0], points[:, 1], s=0.4, color=colour, linewidths=0)
    for item in row["objects"]:
        along, across = (
            np.array([1, -1, -1, 1, 1]) * item["length"] / 2,
            np.array([1, 1, -1, -1, 1]) * item["width"] / 2,
        )
        cos, sin = np.cos(item["yaw"]), np.sin(item["yaw"])
        axes.plot(item["x"] + along * cos - across * sin, item["y"] + along * sin + across * cos,
                  color=COLOURS[item["class"]], linewidth=0.9)  # fmt: skip
        axes.plot([item["x"], item["x"] + item["vx"]], [item["y"], item["y"] + item["vy"]],
                  color=COLOURS[item["class"]], linewidth=0.7)  # fmt: skip
    x, y, half = area
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")


def main() -> int:
    """Read the arguments and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("bag", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--times", type=float, nargs="+", default=[5.0, 10.0, 11.8, 15.0], help="seconds")
    parser.add_argument("--area", type=float, nargs=3, default=(0.0, 0.0, 42.0), help="x, y of the middle, half width")
    arguments = parser.parse_args()
    truth = [json.loads(line) for line in (arguments.bag / "truth.jsonl").read_text().splitlines()]
    scans = [round(time * 10) for time in arguments.times]
    found = clouds(arguments.bag, set(scans))
    columns = min(len(scans), 2)
    rows = -(-len(scans) // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(8 * columns, 8 * rows), squeeze=False)
    for axes, scan in zip(grid.flat, scans, strict=False):
        _draw(axes, arguments.bag, truth[scan], found[scan], tuple(arguments.area))
        axes.set_title(f"{scan / 10:.1f} s")
    figure.tight_layout()
    figure.savefig(arguments.picture, dpi=70)
    return 0


if __name__ == "__main__":
    sys.exit(main())
