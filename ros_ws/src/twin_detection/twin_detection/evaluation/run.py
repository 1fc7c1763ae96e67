"""``./twin eval detection`` on simulated scenes: scores every source of detections on what nobody trained on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from twin_detection.evaluation import tables
from twin_detection.evaluation.fusion_sources import VEHICLE_SCENES, evaluate_cameras
from twin_detection.evaluation.lidar_sources import PoleLidar, VehicleLidar
from twin_detection.evaluation.parked import with_parked
from twin_detection.evaluation.scenes import POLES, VEHICLES, Scenes, SceneSpec, Source, answers, wanted_platforms
from twin_detection.evaluation.scoring import Rows, joined, score_frame, truth_of

SCENARIOS = "config/scenarios"


def scored(specs: Sequence[SceneSpec], sources: Sequence[Source], scenes: Scenes) -> dict[str, Rows]:
    """Run scenes, and return the rows of every source by its name.

    The truth of every view is asked of every source, so that their figures can be set side by side.
    """
    console = Console(stderr=True)
    rows: dict[str, list[Rows]] = {source.name: [] for source in sources}
    for number, spec in enumerate(specs):
        console.print(f"scene {number + 1} of {len(specs)}: {spec.name}", style="dim")
        for view, counts, found in answers(spec, sources, scenes):
            if not counts:
                continue
            position = view.map_from_lidar[:3, 3]
            seen = view.frame, view.points, view.pixels
            if view.sensors.platform.kind == "vehicle":
                assert scenes.current is not None
                seen = with_parked(view, scenes.current.world)
            truth = truth_of(seen[0], position, *seen[1:])
            for name, detections in found.items():
                rows[name].append(score_frame(detections, truth, position, number))
    return {name: joined(parts) for name, parts in rows.items()}


def pole_sources(scenes: Scenes, specs: Sequence[SceneSpec]) -> list[Source]:
    """Return the sources on poles; what is added here has its rows in every table."""
    lidar = PoleLidar()
    lidar.learn(scenes, wanted_platforms(specs))
    return [lidar]


def evaluate_simulated(
    folder: Path, out: Path, *, long: bool = False, vehicles: bool = True, cameras: bool = True
) -> dict[str, Any]:
    """Score detectors on the held-out scenes; print the figures, write them and plots to ``out``.

    Args:
        folder: of the scenarios.
        out: of metrics.json and plots.
        long: also an hour with a person who lies still, and an empty street in rain.
        vehicles: also the LiDAR of a sensor vehicle.
        cameras: also LiDAR, camera and both of poles, on what lies in the camera's view.

    Raises:
        ConfigError: a model is missing, or pictures cannot be drawn on this machine.

    """
    scenes = Scenes(folder)
    metrics: dict[str, Any] = {"scenes": [spec.name for spec in POLES], "protocol": tables.protocol()}
    try:
        rows = scored(POLES, pole_sources(scenes, POLES), scenes)
        metrics["poles"] = tables.report("poles", rows, POLES, out)
        if vehicles:
            rows = scored(VEHICLES, [VehicleLidar("rules"), VehicleLidar("learned")], scenes)
            metrics["vehicle"] = tables.report("vehicle", rows, VEHICLES, out)
        if cameras:
            metrics["camera's view"] = evaluate_cameras(folder, out)
        if cameras and vehicles:
            metrics["vehicle, camera's view"] = evaluate_cameras(folder, out, VEHICLE_SCENES)
        if long:
            from twin_detection.evaluation.long import long_runs

            metrics["long"] = long_runs(folder)
    finally:
        scenes.close()
    (out / "metrics.json").write_text(json.dumps(tables.rounded(metrics), indent=1) + "\n")
    return metrics
