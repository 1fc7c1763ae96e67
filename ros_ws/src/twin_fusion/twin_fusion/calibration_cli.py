"""The command ``./twin calibrate``."""

from __future__ import annotations

import argparse
from pathlib import Path

VERBS = {
    "lidar-map": "a pole's LiDAR by the walls, road and kerbs of its district",
    "lidar-lidar": "a pole's LiDAR by another one's that sees the same place",
    "lidar-camera": "a camera by the objects that the LiDAR beside it sees too",
}


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; each parser sets ``func``."""
    calibrate = commands.add_parser("calibrate", help="where sensors are mounted: " + ", ".join([*VERBS, "camera"]))
    verbs = calibrate.add_subparsers(dest="verb", required=True, metavar="VERB")
    parsers = {name: _add_verb(verbs, name, text) for name, text in VERBS.items()}
    lidar_map = parsers["lidar-map"]
    lidar_map.add_argument("--road", type=float, default=0.0, metavar="M", help="height of the road (default: 0)")
    lidar_map.add_argument(
        "--kerb", type=float, default=0.15, metavar="M", help="height of kerbs (default: %(default)s)"
    )
    parsers["lidar-camera"].add_argument(
        "--shift-sigma", type=float, default=0.02, metavar="M",
        help="how well the place of the camera was measured (default: %(default)s)",
    )  # fmt: skip
    parsers["lidar-lidar"].add_argument("--reference", required=True, metavar="NAME", help="platform that stands right")
    camera = verbs.add_parser("camera", help="intrinsics from a folder of pictures of a chessboard")
    camera.add_argument("pictures", type=Path, metavar="FOLDER")
    camera.add_argument("--board", default="8x6", metavar="COLSxROWS", help="inner corners (default: %(default)s)")
    camera.add_argument(
        "--square", type=float, default=0.03, metavar="M", help="edge of a square (default: %(default)s)"
    )
    camera.add_argument("--name", default="camera", help="of the camera, in the file (default: %(default)s)")
    camera.add_argument("--out", type=Path, metavar="FILE", help="write a camera_info file as camera_calibration does")
    camera.set_defaults(func=_camera)


def _add_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, text: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text)
    parser.add_argument("bag", type=Path, metavar="BAG")
    parser.add_argument("--platform", required=True, metavar="NAME", help="whose sensor is calibrated")
    parser.add_argument("--district", type=Path, metavar="FILE", help="district file (default: the bag's own)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write a copy of the district file with the new mount")
    parser.set_defaults(func=_mount)
    return parser


def _mount(args: argparse.Namespace) -> int:
    from twin_fusion import calibration

    return calibration.run(args.verb, args)


def _camera(args: argparse.Namespace) -> int:
    from twin_fusion import calibration_camera

    return calibration_camera.run(args)
