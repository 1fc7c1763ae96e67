"""One frame of each kind of sensor as a picture: camera with boxes, LiDAR as range image and from above, GNSS/IMU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from twin_sim.birdseye import CLASSES
from twin_sim.core.camera_truth import corners, seen
from twin_sim.core.frame import Frame
from twin_sim.core.gnss_imu import Position
from twin_sim.core.imu import Inertial
from twin_sim.platform_sensors import Output, PlatformSensors, Scan, Shot
from twin_sim.world import World

LARGER = 2  # times the camera's own size
_EDGES = ((0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 3), (2, 6), (3, 7), (4, 5), (4, 6), (5, 7), (6, 7))


def draw_shot(shot: Shot, frame: Frame, name: str, out: Path) -> Path:
    """Write a picture with the boxes of what it shows: visible ones in colour, three-dimensional ones thin."""
    picture = shot.picture
    actors = frame.actors
    found = seen(picture, actors, min_pixels=8)
    size = picture.rgb.shape[1] * LARGER, picture.rgb.shape[0] * LARGER
    image = Image.fromarray(picture.rgb).resize(size, Image.Resampling.BICUBIC)
    draw, font = ImageDraw.Draw(image, "RGBA"), ImageFont.load_default(11)
    for row, box in zip(found, corners(found), strict=True):
        colour, kind = CLASSES[int(row["classification"])]
        light = tuple(min(255, channel + 70) for channel in colour)
        spots = (picture.model.project(box.astype(float)) + 0.5) * LARGER
        for start, end in _EDGES:
            if np.isfinite(spots[[start, end]]).all():
                draw.line((*spots[start].tolist(), *spots[end].tolist()), fill=(*light, 110), width=1)
        edges = ((row["visible"] + 0.5) * LARGER).tolist()
        draw.rectangle(edges, outline=(*light, 255), width=1)
        if edges[3] - edges[1] > 50:
            draw.text((edges[0], edges[1] - 13), f"{kind} {row['pixels']} px", fill=(*light, 255), font=font)
    path = out / f"{name}_camera.png"
    image.save(path, optimize=True)
    return path


def draw_scan(scan: Scan, sensors: PlatformSensors, frame: Frame, name: str, out: Path) -> Path:
    """Write a scan: ranges by beam and column above, what was hit, and the cloud from above."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    sweep = scan.sweep
    figure = pyplot.figure(figsize=(14, 12), layout="constrained")
    top, below, plan = figure.subplots(3, 1, height_ratios=(1, 1, 4.2))
    ranges = np.where(sweep.ranges > 0, sweep.ranges, np.nan)
    shown = top.imshow(np.log10(np.clip(ranges, 1, None)), aspect="auto", cmap="turbo_r", interpolation="nearest")
    figure.colorbar(shown, ax=top, label="log10 range [m]", pad=0.01)
    beams, columns = sweep.ranges.shape
    top.set(title=f"{name}: range, {beams} beams x {columns} columns", xticks=[], ylabel="beam")
    hit = frame.actors["classification"].astype(int)[np.clip(sweep.owners, 0, None)]
    kinds = np.where(sweep.owners >= 0, hit, -1)
    colours = _colours(kinds, sweep.reflectivity, sweep.ranges > 0)
    below.imshow(colours, aspect="auto", interpolation="nearest")
    below.set(title="intensity, actors in colour", xticks=[], ylabel="beam")
    cloud = sensors.cloud(sweep)
    inks = colours[sweep.ranges > 0]
    plan.set_facecolor("black")
    plan.scatter(cloud["x"], cloud["y"], s=0.5, c=inks, linewidths=0)
    plan.set(title=f"{len(cloud)} points from above, sensor frame", aspect="equal", xlim=(-60, 60), ylim=(-40, 40),
             xlabel="x [m]", ylabel="y [m]")  # fmt: skip
    path = out / f"{name}_lidar.png"
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path


def _colours(kinds: np.ndarray, reflectivity: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Return (H, W, 3) colours 0..1: grey by intensity, classes in theirs, black where nothing returned."""
    grey = np.clip(0.25 + 0.75 * np.sqrt(reflectivity / 110.0), 0, 1)[..., None] * (0.80, 0.85, 0.95)
    table = np.array([CLASSES[kind][0] for kind in sorted(CLASSES)]) / 255.0
    classes = np.clip(table[np.clip(kinds, 0, None)] * 0.75 + 0.25, 0, 1)
    return np.asarray(np.where(there[..., None], np.where((kinds >= 0)[..., None], classes, grey), 0.0))


def draw_gnss_imu(outputs: Sequence[Output], frames: Sequence[Frame], name: str, world: World, out: Path) -> Path:
    """Write a vehicle's fixes beside its true way, and what its IMU measured."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    positions = [position for item in outputs if item.readings is not None for position in item.readings.positions]
    inertial = [item.readings.inertial for item in outputs if item.readings is not None]
    rows = [frame.actors[frame.actors["actor_id"] == frame.vehicles.get(name, 0)] for frame in frames]
    way = np.array([(row["x"][0], row["y"][0]) for row in rows if len(row)]).reshape(-1, 2)
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(15, 4.6), layout="constrained")
    left.plot(way[:, 0], way[:, 1], "-", color="0.5", label="true way of base_link")
    fixes = _fixes(positions, world)
    left.plot(fixes[:, 0], fixes[:, 1], ".", color="tab:red", label="GNSS fixes")
    left.set(title=f"{name}: position", xlabel="east [m]", ylabel="north [m]")
    left.axis("equal")
    left.legend()
    _draw_inertial(inertial, middle, right)
    path = out / f"{name}_gnss_imu.png"
    figure.savefig(path, dpi=90)
    pyplot.close(figure)
    return path


def _fixes(positions: Sequence[Position], world: World) -> np.ndarray:
    datum = world.district.origin()
    table = np.array([(item.latitude_deg, item.longitude_deg, item.altitude) for item in positions]).reshape(-1, 3)
    return datum.to_map(table[:, 0], table[:, 1], table[:, 2])


def _draw_inertial(inertial: Sequence[Inertial], middle: object, right: object) -> None:
    stamps = np.concatenate([item.stamps_ns for item in inertial] or [np.zeros(0)])
    seconds = (stamps - (stamps[0] if len(stamps) else 0)) / 1e9
    panels = ((middle, "acceleration", "specific force [m/s²]"), (right, "rates", "rate of turn [rad/s]"))
    for axes, field, label in panels:
        values = np.concatenate([getattr(item, field) for item in inertial] or [np.zeros((0, 3))])
        for axis, letter in enumerate("xyz"):
            axes.plot(seconds, values[:, axis], linewidth=0.8, label=letter)  # type: ignore[attr-defined]
        axes.set(title=label, xlabel="time [s]")  # type: ignore[attr-defined]
        axes.legend()  # type: ignore[attr-defined]
