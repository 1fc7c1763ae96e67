"""Render the pictures that the camera's detector is trained on.

Frames of simulated scenarios, seen by cameras on poles and vehicles in all weathers, with people and vehicles of rare
kinds and postures put in among the others. Everything random comes from the seed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from twin_bringup.simulation import find_scenario
from twin_detection.camera_scenes import LABEL, labels
from twin_detection.camera_staging import leave_out_hidden, mixed, random_camera, random_fog, random_weather
from twin_sim.core.camera import CameraRenderer
from twin_sim.core.camera_model import CameraModel
from twin_sim.core.frame import Frame
from twin_sim.core.scenery import parked_actors
from twin_sim.core.zone_index import ZoneIndex
from twin_sim.scenario import load_scenario
from twin_sim.scenery_cache import cached_scenery
from twin_sim.simulation import Simulation

#: Scenarios and seeds whose frames are drawn; those that models are scored on have seeds from 10,000 on.
SOURCES = (
    ("normal_day", 101, ()), ("demo", 102, ()), ("car_hits_pedestrian", 103, ()), ("scooter_sidewalk", 104, ()),
    ("crowd_crush", 105, ()), ("pedestrian_fall", 106, ()), ("heat", 107, ()), ("fight", 108, ()),
)  # fmt: skip
FRAMES, APART = 12, 40  # of each source; tenths of a second from one to the next
VIEWS = (70.0, 70.0, 60.0, 80.0)  # fields of view of the cameras, degrees
HEIGHT_PX, WIDTH_PX = 360, 640
CLEAR, FOGGY = 4000, 800  # pictures in all weathers, and in fog besides


def frames_of(sources: tuple[tuple[str, int, tuple[str, ...]], ...]) -> list[Frame]:
    """Return frames of simulated scenarios."""
    found = []
    for name, seed, settings in sources:
        with Simulation(load_scenario(find_scenario(name), settings), seed) as simulation:
            for count in range(FRAMES * APART):
                frame = simulation.step()
                if count % APART == APART - 1:
                    found.append(frame)
        print(f"{name}, seed {seed}: {len(found)} frames", flush=True)
    return found


def pictures_of(seed: int, clear: int, foggy: int, frames: list[Frame]) -> Iterator[tuple[bytes, np.ndarray]]:
    """Yield pictures as JPEG with their labels: ``clear`` ones in all weathers, then ``foggy`` ones."""
    world = load_scenario(find_scenario("normal_day")).world
    index, parked = ZoneIndex(world.district.zones), parked_actors(world.config.parked)
    with CameraRenderer(cached_scenery(world), world, seed=seed) as renderer:
        views = [renderer.view(CameraModel(WIDTH_PX, HEIGHT_PX, angle), i) for i, angle in enumerate(VIEWS)]
        for count, stream, weather_of in ((clear, 41, random_weather), (foggy, 43, random_fog)):
            rng, made = np.random.default_rng((seed, stream)), 0
            while made < count:
                weather = weather_of(rng)
                camera, view = random_camera(rng, world, index), views[rng.integers(len(views))]
                for _ in range(2):  # what stands still is drawn once for both
                    frame = mixed(rng, frames[rng.integers(len(frames))], camera, index, weather)
                    picture = renderer.render(view, camera, frame, weather)
                    found = labels(picture, frame.actors, parked)
                    if not len(found) or made == count:
                        continue
                    leave_out_hidden(found, weather)
                    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 96))]
                    yield cv2.imencode(".jpg", picture.rgb[..., ::-1], quality)[1].tobytes(), found
                    made += 1


def main(arguments: list[str] | None = None) -> int:
    """Render a data set into a folder: JPEG files and ``labels.npz``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/camera_pictures"))
    parser.add_argument("--count", type=int, default=CLEAR, help="of pictures in all weathers")
    parser.add_argument("--fog", type=int, default=FOGGY, help="of pictures in fog besides")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    every: list[np.ndarray] = []
    for content, found in pictures_of(given.seed, given.count, given.fog, frames_of(SOURCES)):
        (given.out / f"{len(every):05d}.jpg").write_bytes(content)
        every.append(found)
        if len(every) % 100 == 0:
            print(f"{len(every)} pictures", flush=True)
    owners = np.repeat(np.arange(len(every)), [len(item) for item in every])
    np.savez(given.out / "labels.npz", labels=np.concatenate([*every, np.zeros(0, LABEL)]), picture=owners)
    return 0


if __name__ == "__main__":
    sys.exit(main())
