"""``./twin calibrate``: where sensors are mounted, from recordings; a bad result is refused in one line."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.transform import Rotation

from twin_common.config import ConfigError
from twin_common.core import geometry
from twin_common.district import PoseConfig, load_district
from twin_fusion import calibration_data
from twin_fusion.calibration_files import require_new, write_mount
from twin_fusion.config import CalibrationLimits
from twin_fusion.core.camera_mount import fit_mount
from twin_fusion.core.cloud_map import CloudMap, SameSide
from twin_localization.core.registration import Registration, correction, register
from twin_localization.core.static_map import GROUND, WALL, StaticMap
from twin_localization.district_map import static_map

LIMITS = CalibrationLimits()
SCANS = 5
_NEAREST, _FARTHEST = 3.0, 70.0  # metres
_HIGH, _GROUND_POINTS, _HIGH_POINTS = 2.0, 24_000, 8_000
_PAIR_REACH = 45.0  # metres, between two LiDARs
_PAIR_GATES = (1.5, 1.0, 0.7, 0.5, 0.3, 0.2, 0.15, 0.12, 0.12)


def run(verb: str, args: argparse.Namespace) -> int:
    """Run one verb of the command.

    Raises:
        ConfigError: bad input, or a bad result.

    """
    if args.out is not None:
        require_new(args.out)
    return {"lidar-map": lidar_map, "lidar-lidar": lidar_lidar, "lidar-camera": lidar_camera}[verb](args)


def lidar_map(args: argparse.Namespace) -> int:
    """Calibrate a LiDAR by the district's static map."""
    path = calibration_data.district_of(args.bag, args.district)
    district = load_district(path)
    platform, sensor = calibration_data.sensor_of(district, args.platform, "lidar")
    if platform.kind != "pole":
        raise ConfigError(f"{args.platform}: is a vehicle; expected a pole, which stands still")
    before = platform.pose.matrix() @ sensor.mount.matrix()
    scans = calibration_data.clouds(args.bag, path, [args.platform], SCANS)[args.platform]
    points = chosen_points(np.concatenate([scan.xyz for scan in scans]), before)
    known = static_map(district, before[:2, 3], args.road, args.kerb, _FARTHEST)
    found = _registered(points, before, known, args.platform)
    share = known.share_of_ground(geometry.apply(found.pose, points))
    rows = {"points on the ground": f"{np.count_nonzero(found.kind == GROUND)}, {share:.0%} of those near its height",
            "points on walls": f"{np.count_nonzero(found.kind == WALL)}, {len(known.walls.start)} walls within reach",
            "residual": f"ground {found.rms(GROUND):.3f} m, walls {found.rms(WALL):.3f} m"}  # fmt: skip
    _show(f"{args.platform}/lidar by the map", before, found.pose, found.sigma, rows)
    problems = [
        _few("points on the ground", int(np.count_nonzero(found.kind == GROUND)), LIMITS.min_ground),
        _few("points on walls", int(np.count_nonzero(found.kind == WALL)), LIMITS.min_walls),
        _over("residual on the ground", found.rms(GROUND), LIMITS.max_ground_rms, "m"),
        _over("residual on walls", found.rms(WALL), LIMITS.max_wall_rms, "m"),
        "" if share >= LIMITS.min_share else f"only {share:.0%} of the ground fits; expected {LIMITS.min_share:.0%}",
    ]
    _accept(args.platform, before, found.pose, found.sigma, problems)
    return _write(args, path, "lidar", geometry.inverse(platform.pose.matrix()) @ found.pose)


def lidar_lidar(args: argparse.Namespace) -> int:
    """Calibrate a LiDAR by that of another pole."""
    path = calibration_data.district_of(args.bag, args.district)
    district = load_district(path)
    names = (args.platform, args.reference)
    if args.platform == args.reference:
        raise ConfigError(f"reference: {args.reference}; expected another platform than the one that is calibrated")
    platforms = {name: calibration_data.sensor_of(district, name, "lidar") for name in names}
    poses = {name: config.pose.matrix() @ sensor.mount.matrix() for name, (config, sensor) in platforms.items()}
    for name, (config, _) in platforms.items():
        if config.kind != "pole":
            raise ConfigError(f"{name}: is a vehicle; expected poles, which stand still")
    scans = calibration_data.clouds(args.bag, path, names, SCANS)
    both = {name: np.concatenate([scan.xyz for scan in scans[name]]).astype(float) for name in names}
    before, there = poses[args.platform], poses[args.reference]
    seen = _within(geometry.apply(there, _near(both[args.reference])), before)
    reference = CloudMap(seen, seen_from=there[:3, 3])
    own = CloudMap(_near(both[args.platform]), seen_from=np.zeros(3))
    points, surfaces = own.points, SameSide(reference, own.normals @ before[:3, :3].T)
    try:
        found = register(points, before, surfaces, _PAIR_GATES)
    except ValueError as error:
        raise ConfigError(f"{args.platform}: {error}; do both LiDARs see the same place?") from None
    rows = {"points on common surfaces": f"{len(found.residual)} of {len(points)}", "residual": f"{found.rms():.3f} m"}
    _show(f"{args.platform}/lidar by {args.reference}/lidar", before, found.pose, found.sigma, rows)
    problems = [
        _few("points on common surfaces", len(found.residual), LIMITS.min_ground),
        _over("residual", found.rms(), LIMITS.max_cloud_rms, "m"),
    ]
    _accept(args.platform, before, found.pose, found.sigma, problems)
    return _write(args, path, "lidar", geometry.inverse(platforms[args.platform][0].pose.matrix()) @ found.pose)


def lidar_camera(args: argparse.Namespace) -> int:
    """Calibrate a camera by what the LiDAR of its platform sees."""
    if not args.shift_sigma > 0:
        raise ConfigError(f"shift-sigma: {args.shift_sigma:g} m; expected more than 0")
    path = calibration_data.district_of(args.bag, args.district)
    _, sensor = calibration_data.sensor_of(load_district(path), args.platform, "camera")
    seen, lens = calibration_data.sightings(args.bag, path, args.platform)
    before = sensor.mount.matrix()
    try:
        found = fit_mount(seen, lens, before, args.shift_sigma)
    except ValueError as error:
        raise ConfigError(f"{args.platform}: {error}") from None
    rows = {"pairs": f"{len(found.residual)} in {found.frames} of {len(seen)} frames, {found.share:.0%} of the boxes",
            "residual": f"{found.rms_px:.1f} px"}  # fmt: skip
    _show(f"{args.platform}/camera by its LiDAR", before, found.base_from_camera, found.sigma, rows)
    problems = [
        _few("pairs", len(found.residual), LIMITS.min_pairs),
        _over("residual", found.rms_px, LIMITS.max_box_rms_px, "px"),
    ]
    _accept(args.platform, before, found.base_from_camera, found.sigma, problems)
    return _write(args, path, "camera", found.base_from_camera)


def chosen_points(points: np.ndarray, map_from_lidar: np.ndarray) -> np.ndarray:
    """Return points (M, 3) of a cloud (N, 3) to register: all heights have their share; the same for the same cloud."""
    points = _near(points.astype(float), _FARTHEST)
    high = geometry.apply(map_from_lidar, points)[:, 2] > _HIGH
    rng = np.random.default_rng(0)
    parts = [(points[high], _HIGH_POINTS), (points[~high], _GROUND_POINTS)]
    return np.concatenate([part[rng.permutation(len(part))[:count]] for part, count in parts])


def _near(points: np.ndarray, farthest: float = _PAIR_REACH) -> np.ndarray:
    distance = np.linalg.norm(points, axis=1)
    return np.asarray(points[np.isfinite(distance) & (distance > _NEAREST) & (distance < farthest)])


def _within(points: np.ndarray, map_from_lidar: np.ndarray) -> np.ndarray:
    """Return the points (N, 3), map frame, that another LiDAR may see too."""
    near = np.linalg.norm(points - map_from_lidar[:3, 3], axis=1) < _PAIR_REACH + 5.0
    return np.asarray(points[near])


def _registered(points: np.ndarray, before: np.ndarray, known: StaticMap, platform: str) -> Registration:
    try:
        return register(points, before, known)
    except ValueError as error:
        raise ConfigError(f"{platform}: {error}; is it the right district?") from None


def _few(what: str, number: int, least: int) -> str:
    return "" if number >= least else f"{number} {what}; expected {least} or more"


def _over(what: str, value: float, most: float, unit: str) -> str:
    return "" if value <= most else f"{what} {value:.3g} {unit}; expected at most {most:g} {unit}"


def _accept(platform: str, before: np.ndarray, after: np.ndarray, sigma: np.ndarray, problems: list[str]) -> None:
    """Refuse a bad result.

    Raises:
        ConfigError: the first thing that is wrong.

    """
    turn, shift = correction(before, after)
    turn_deg, metres = float(np.degrees(np.linalg.norm(turn))), float(np.linalg.norm(shift))
    problems = [
        *problems,
        _over("uncertainty of the turn", float(np.degrees(sigma[:3].max())), LIMITS.max_turn_sigma_deg, "deg"),
        _over("uncertainty of the shift", float(sigma[3:].max()), LIMITS.max_shift_sigma, "m"),
        _over("turn", turn_deg, LIMITS.max_turn_deg, "deg"),
        _over("shift", metres, LIMITS.max_shift, "m"),
    ]
    for problem in filter(None, problems):
        raise ConfigError(f"{platform}: refused: {problem}")


def _show(title: str, before: np.ndarray, after: np.ndarray, sigma: np.ndarray, rows: dict[str, str]) -> None:
    """Print what was found."""
    turn, shift = correction(before, after)
    table = Table("what", "value", title=title, title_justify="left")
    for name, value in rows.items():
        table.add_row(name, value)
    for axis, value, error in zip("xyz", np.degrees(turn), np.degrees(sigma[:3]), strict=True):
        table.add_row(f"turn about {axis}", f"{value:+.3f} ± {error:.3f} deg")
    for axis, value, error in zip("xyz", shift, sigma[3:], strict=True):
        table.add_row(f"shift along {axis}", f"{value:+.3f} ± {error:.3f} m")
    Console(highlight=False).print(table)


def _write(args: argparse.Namespace, path: Path, sensor: str, mount: np.ndarray) -> int:
    """Print the new mount, and write it where asked to."""
    roll, pitch, yaw = Rotation.from_matrix(mount[:3, :3]).as_euler("xyz", degrees=True)
    x, y, z = (round(float(value), 4) for value in mount[:3, 3])
    angles = (round(float(value), 3) for value in (roll, pitch, yaw))
    pose = PoseConfig(x, y, z, *angles)
    print(f"mount: {{x: {pose.x}, y: {pose.y}, z: {pose.z}, roll_deg: {pose.roll_deg}, pitch_deg: {pose.pitch_deg}, "
          f"yaw_deg: {pose.yaw_deg}}}")  # fmt: skip
    if args.out is not None:
        write_mount(path, args.out, args.platform, sensor, pose)
        print(f"written: {args.out}")
    return 0
