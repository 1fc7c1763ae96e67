"""Pictures of a scenario for ``./twin sim preview``: from above, moving, and one frame of each kind of sensor."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from twin_common.core.geometry import inverse
from twin_common.district import PlatformConfig
from twin_sim import preview_sensors
from twin_sim.birdseye import Area, Ground, whole
from twin_sim.core.frame import Frame
from twin_sim.platform_sensors import Output, PlatformSensors, Stage
from twin_sim.scenario import Scenario, load_scenario
from twin_sim.sensor_config import camera_of
from twin_sim.simulation import Simulation

BEFORE, AFTER = 4.0, 6.0  # seconds of the animation about the event
WITHOUT_EVENT = 12.0  # seconds after the start that stand for a scenario without events
UNDER_WAY = 8  # frames after its begin at which an event is shown, or when it is known, if that is later
IN_VIEW = 60.0  # metres at which a pole's camera still shows what happens
CLOSE_UP = 70.0  # side of the square about the event, metres
GIF_STEP = 2  # frames from one picture of the animation to the next
GIF_PIXELS = 440


@dataclass(frozen=True, slots=True)
class Stretch:
    """The frames about a scenario's first event, when it is under way (index in ``frames``) and where."""

    frames: list[Frame]
    moment: int
    x: float
    y: float

    @property
    def at(self) -> Frame:
        """The frame in which the event is shown."""
        return self.frames[self.moment]


def preview(scenario: Path, out: Path, *, seed: int | None = None, settings: Sequence[str] = ()) -> Iterator[Path]:
    """Run a scenario up to some seconds after its first event; yield the pictures as they are made.

    Raises:
        ConfigError: the scenario is not right, or there is no OpenGL for the camera's picture, which comes last.

    """
    loaded = load_scenario(scenario, settings)
    out.mkdir(parents=True, exist_ok=True)
    stretch = run_to_event(loaded, seed)
    yield _overview(loaded, stretch, out)
    yield _animation(loaded, stretch, out)
    yield from _sensors(loaded, stretch, out, loaded.seed if seed is None else seed)


def run_to_event(scenario: Scenario, seed: int | None = None) -> Stretch:
    """Return the frames from before to after the first event that happens, the expected time if none does."""
    expected = min((event.time for event in scenario.config.events), default=None)
    moment = WITHOUT_EVENT if expected is None else expected
    frames: list[Frame] = []
    last = min(scenario.duration, moment + AFTER)
    with Simulation(scenario, seed) as simulation:
        while not frames or simulation.time <= last + 1e-6:
            frames.append(simulation.step())
            begun = [event for event in frames[-1].events if not event.leads_to]
            if begun:
                moment = (begun[0].start_ns - scenario.start_ns) / 1e9
                last = min(scenario.duration, moment + AFTER)
            elif expected is not None and simulation.time > last:
                last = min(scenario.duration, expected + 2 * AFTER)  # it may come late
                if simulation.time > last:
                    break
            frames = frames[-round(10 * (BEFORE + 2 * AFTER)) :]
    x, y = _place(scenario, frames)
    stamps = np.array([frame.stamp_ns for frame in frames])
    index = int(np.abs(stamps - (scenario.start_ns + moment * 1e9)).argmin())
    begin, end = max(index - round(10 * BEFORE), 0), index + round(10 * AFTER) + 1
    known = (i for i in range(index, len(frames)) if any(not event.leads_to for event in frames[i].events))
    shown = min(max(index + UNDER_WAY, next(known, index)), len(frames[:end]) - 1)
    return Stretch(frames[begin:end], shown - begin, x, y)


def _place(scenario: Scenario, frames: list[Frame]) -> tuple[float, float]:
    """Return where to look: at the first event, else at a scripted actor, else at the first pole."""
    events = [event for event in frames[-1].events if not event.leads_to] or list(frames[-1].events)
    if events:
        return events[0].x, events[0].y
    poles = [item for item in scenario.world.district.platforms if item.kind == "pole"]
    return (poles[0].pose.x, poles[0].pose.y) if poles else (0.0, 0.0)


def _overview(scenario: Scenario, stretch: Stretch, out: Path) -> Path:
    """Write the whole district and a close-up of the event, side by side, at the moment of the event."""
    from PIL import Image

    frame = stretch.at
    left = Ground(scenario.world, whole(scenario.world, 1280)).with_frame(frame, _caption(scenario, frame))
    area = Area(stretch.x, stretch.y, CLOSE_UP, left.height)
    right = Ground(scenario.world, area).with_frame(frame, "", legend=False)
    both = Image.new("RGB", (left.width + right.width + 8, left.height), (255, 255, 255))
    both.paste(left, (0, 0))
    both.paste(right, (left.width + 8, 0))
    path = out / "overview.png"
    both.save(path, optimize=True)
    return path


def _caption(scenario: Scenario, frame: Frame) -> str:
    return f"{scenario.name.replace('_', ' ')}, {(frame.stamp_ns - scenario.start_ns) / 1e9:.1f} s"


def _animation(scenario: Scenario, stretch: Stretch, out: Path) -> Path:
    """Write the stretch as a GIF, in real time."""
    from PIL import Image

    ground = Ground(scenario.world, Area(stretch.x, stretch.y, CLOSE_UP, GIF_PIXELS))
    shown = stretch.frames[::GIF_STEP]
    pictures = [ground.with_frame(frame, _caption(scenario, frame), legend=False) for frame in shown]
    palette = pictures[len(pictures) // 2].quantize(128, Image.Quantize.MAXCOVERAGE)
    reduced = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    path = out / "animation.gif"
    reduced[0].save(path, save_all=True, append_images=reduced[1:], duration=100 * GIF_STEP, loop=0, optimize=False)
    return path


def _sensors(scenario: Scenario, stretch: Stretch, out: Path, seed: int) -> Iterator[Path]:
    stage = Stage(scenario.world, scenario.weather, seed)
    try:
        shots = []
        for platform in _chosen(scenario, stretch):
            if platform.gnss_imu is not None:
                yield preview_sensors.draw_gnss_imu(
                    _readings(stage, platform, stretch), stretch.frames, platform.name, scenario.world, out
                )
            frames = stretch.frames[max(stretch.moment - 1, 0) :]
            output = _last_output(stage, dataclasses.replace(platform, camera=None, gnss_imu=None), frames[:8])
            if output is not None and output[1].scan is not None:
                yield preview_sensors.draw_scan(output[1].scan, output[2], output[0], platform.name, out)
            shots.append((platform, frames[:8]))
        for platform, frames in shots:
            taken = _last_output(stage, dataclasses.replace(platform, lidar=None, gnss_imu=None), frames, picture=True)
            if taken is not None and taken[1].shot is not None:
                yield preview_sensors.draw_shot(taken[1].shot, taken[0], platform.name, out)
    finally:
        stage.close()


def _chosen(scenario: Scenario, stretch: Stretch) -> list[PlatformConfig]:
    """Return the pole that sees the event best, and the sensor vehicle that is nearest to it; living ones only."""
    district, frame = scenario.world.district, stretch.at
    place = np.array([stretch.x, stretch.y, 1.0])

    def far(platform: PlatformConfig) -> tuple[bool, float]:
        if platform.kind == "pole":
            return not _in_sight(platform, place), float(
                np.hypot(platform.pose.x - place[0], platform.pose.y - place[1])
            )
        row = frame.actors[frame.actors["actor_id"] == frame.vehicles[platform.name]][0]
        return False, float(np.hypot(row["x"] - place[0], row["y"] - place[1]))

    present = set(frame.actors["actor_id"].tolist())
    poles = [item for item in district.platforms if item.kind == "pole" and item.name not in frame.lost]
    vehicles = [item for item in district.platforms if frame.vehicles.get(item.name, 0) in present]
    return [min(group, key=far) for group in (poles, vehicles) if group]


def _in_sight(platform: PlatformConfig, place: np.ndarray) -> bool:
    """Return whether a pole's camera looks towards a place (3,), metres, map frame, and is near enough."""
    camera = camera_of(platform)
    far = np.hypot(platform.pose.x - place[0], platform.pose.y - place[1])
    if camera is None or platform.camera is None or far > IN_VIEW:
        return False
    camera_from_map = inverse(platform.pose.matrix() @ platform.camera.mount.matrix())
    pixel = camera.image.project((camera_from_map[:3, :3] @ place + camera_from_map[:3, 3])[None])[0]
    return bool((pixel >= 0).all() and (pixel < (camera.image.width, camera.image.height)).all())


def _last_output(
    stage: Stage, platform: PlatformConfig, frames: Sequence[Frame], *, picture: bool = False
) -> tuple[Frame, Output, PlatformSensors] | None:
    """Return what a platform gave for the first of ``frames`` that gave something, with that frame."""
    sensors = PlatformSensors(stage, platform)
    for frame in frames:
        output = sensors.push(frame, picture=picture)
        if output.scan is not None or output.shot is not None:
            return frame, output, sensors
    return None


def _readings(stage: Stage, platform: PlatformConfig, stretch: Stretch) -> list[Output]:
    sensors = PlatformSensors(stage, dataclasses.replace(platform, lidar=None, camera=None))
    return [sensors.push(frame) for frame in stretch.frames]
