"""What takes hours on a street: somebody who lies still for an hour, and an empty street in rain and fog."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from twin_common.core.object_class import ObjectClass
from twin_detection.convert import arrays_from_cloud
from twin_detection.core.detector import LidarDetector
from twin_detection.evaluation.lidar_sources import in_map, new_detector
from twin_detection.evaluation.virtual import Place, Theatre, VirtualLidar, theatre_of
from twin_sim.core.frame import ACTOR, STEP_NS, Activity, Frame, Weather, no_actors
from twin_sim.scenario import load_scenario, visibility_in_rain
from twin_sim.world import World

POLE = "pole_01"
SECOND_NS = 1_000_000_000
FOUND_WITHIN = 1.0  # m: a person who lies is 1.7 m long
#: Where people lie: so many metres from the pole, on the crossing, in a direction in which nothing hides them, radians.
LYING_AT, TOWARDS = (10.0, 15.0, 20.0, 25.0), np.radians(220.0)
WEATHERS = {
    "dry": Weather(), "rain, 8 mm/h": Weather(rain=8.0, visibility=visibility_in_rain(8.0)),
    "rain, 30 mm/h": Weather(rain=30.0, visibility=visibility_in_rain(30.0)), "fog, 90 m": Weather(visibility=90.0),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Posed:
    """How people lie: turned from one yaw to another (radians) from the nearest to the farthest, and their looks."""

    first: float
    last: float
    appearance: int


#: Across the view and along it, in clothes of their own.
POSES = (Posed(0.3, 2.6, 11), Posed(1.9, 2.9, 70))


@dataclass(frozen=True, slots=True)
class Watch:
    """A pole of the district whose background was learned without anybody."""

    lidar: VirtualLidar
    detector: LidarDetector
    start_ns: int

    def found(self, actors: np.ndarray, seconds: float, before: np.ndarray | None = None) -> Any:
        """Return the detections of the scan at a time, map frame; ``before``: the actors a tenth of a second ago."""
        stamp_ns = self.start_ns + round(seconds * 1e9)
        previous = Frame(stamp_ns - STEP_NS, actors if before is None else before, np.zeros(0))
        cloud, _ = self.lidar.scan(Frame(stamp_ns, actors, np.zeros(0)), previous)
        detections, _ = self.detector.step(*arrays_from_cloud(cloud), cloud.stamp_ns)
        return in_map(detections, self.lidar.place.map_from_lidar())


def watch(theatre: Theatre, world: World, weather: Weather, seed: int = 10_000) -> Watch:
    """Return a pole that has learned its background in dry weather and now sees another."""
    platform = world.district.platform(POLE)
    assert platform.lidar is not None
    pose, mount = platform.pose, platform.lidar.mount
    place = Place(pose.x, pose.y, pose.z, mount.z, pose.yaw_deg)
    detector, start_ns = new_detector(platform), 1_800_000_000 * SECOND_NS
    for cloud in VirtualLidar(theatre, place, "OS0-64", 1024, Weather(), seed).empty_scans(start_ns, 12):
        detector.step(*arrays_from_cloud(cloud), cloud.stamp_ns)
    return Watch(VirtualLidar(theatre, place, "OS0-64", 1024, weather, seed), detector, start_ns)


def people(pole: Watch, away: tuple[float, ...], activity: Activity, posed: Posed = POSES[0]) -> np.ndarray:
    """Return people on the crossing at distances from a pole, (N,) ACTOR."""
    place = pole.lidar.place
    rows = np.zeros(len(away), ACTOR)
    rows["actor_id"] = 7_000_000 + np.arange(len(away))
    lies = activity == Activity.LYING
    rows["x"], rows["y"] = place.x + np.array(away) * np.cos(TOWARDS), place.y + np.array(away) * np.sin(TOWARDS)
    rows["length"], rows["width"], rows["height"] = (1.68, 0.7, 0.35) if lies else (0.72, 0.55, 1.68)
    rows["stature"], rows["yaw"] = 1.68, np.linspace(posed.first, posed.last, len(away))
    rows["classification"], rows["activity"] = ObjectClass.PEDESTRIAN, activity
    rows["appearance"] = posed.appearance + np.arange(len(away))
    return rows


def lying_still(
    pole: Watch, minutes: float, every: float = 1.0, posed: Posed = POSES[0]
) -> dict[float, dict[str, float]]:
    """Return, for each distance, the share of scans in which somebody who lies there is found, and as what.

    People walk there, fall, and lie for ``minutes``; the pole takes a scan every ``every`` seconds.
    """
    for step in range(20):
        walking = people(pole, LYING_AT, Activity.WALKING, posed)
        walking["y"] += 2.0 - 0.1 * step
        pole.found(walking, 0.1 * step)
    lying = people(pole, LYING_AT, Activity.LYING, posed)
    seen, person, down = np.zeros(len(lying)), np.zeros(len(lying)), np.zeros(len(lying))
    scans = round(minutes * 60 / every)
    for number in track(range(scans), "lying still", console=Console(stderr=True), transient=True):
        found = pole.found(lying, 2.0 + number * every)
        if not len(found):
            continue
        place = np.column_stack([lying["x"], lying["y"]])
        apart = np.hypot(*(found.centre[:, None, :2] - place[None]).transpose(2, 0, 1))
        nearest = apart.argmin(axis=0)
        close = apart.min(axis=0) < FOUND_WITHIN
        seen += close
        person += close & (found.label[nearest] == ObjectClass.PEDESTRIAN)
        down += close & (found.posture[nearest] == 3)
    shares = zip(LYING_AT, seen / scans, person / scans, down / scans, strict=True)
    return {at: {"found": float(a), "as a person": float(b), "as lying": float(c)} for at, a, b, c in shares}


def empty_street(pole: Watch, minutes: float) -> float:
    """Return how many objects a minute are reported of an empty street, ten scans a second, each time it is."""
    scans = round(minutes * 600)
    reported = [
        len(pole.found(no_actors(), 0.1 * number))
        for number in track(range(scans), "empty street", console=Console(stderr=True), transient=True)
    ]
    return float(np.sum(reported) / minutes)


def long_runs(folder: Path) -> dict[str, Any]:
    """Run both; print and return the figures."""
    world = load_scenario(folder / "normal_day.yaml").world
    theatre = theatre_of(world)
    hours = [lying_still(watch(theatre, world, WEATHERS["dry"]), minutes=60.0, posed=posed) for posed in POSES]
    title = "lying still for 60 min, 3,600 scans, people who are turned in different ways"
    table = Table("turned deg", "distance m", *hours[0][LYING_AT[0]], title=title, title_justify="left")
    for posed, hour in zip(POSES, hours, strict=True):
        turned = f"{np.degrees(posed.first):.0f} to {np.degrees(posed.last):.0f}"
        for away, shares in hour.items():
            table.add_row(turned, f"{away:g}", *(f"{share:.4f}" for share in shares.values()))
    empty = {name: empty_street(watch(theatre, world, weather), minutes=3.0) for name, weather in WEATHERS.items()}
    false = Table("weather", "objects a minute", title="an empty street, 1,800 scans each", title_justify="left")
    for name, number in empty.items():
        false.add_row(name, f"{number:.2f}")
    console = Console(width=100)
    console.print(table)
    console.print(false)
    lying = [{str(away): shares for away, shares in hour.items()} for hour in hours]
    return {"lying": lying, "false objects a minute": empty}
