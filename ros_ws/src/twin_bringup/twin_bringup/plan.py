"""What a launch description runs, and the jobs that several of them have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from twin_bringup.jobs import Job
from twin_common.node_spec import ProcessSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """What a description runs: the processes of the graph, and every job, those processes among them."""

    processes: tuple[ProcessSpec, ...]
    jobs: tuple[Job, ...]


def foxglove_job(district: Path, host: str, port: int, *, use_sim_time: bool) -> list[Job]:
    """Return the operator's server; none for port 0."""
    if not port:
        return []
    arguments = ["--district", str(district.resolve()), "--host", host, "--port", str(port)]
    arguments += ["--ros-args", "-p", "use_sim_time:=true"] if use_sim_time else []
    return [Job("foxglove", "twin_viz", "foxglove", "twin_viz.foxglove_node", tuple(arguments))]


def recorder_job(folder: str, *, use_sim_time: bool) -> list[Job]:
    """Return the recorder; none without a folder."""
    if not folder:
        return []
    arguments = ["--out", folder] + (["--ros-args", "-p", "use_sim_time:=true"] if use_sim_time else [])
    return [Job("recorder", "twin_replay", "recorder", "twin_replay.recorder_node", tuple(arguments))]


def names_of(platforms: str) -> tuple[str, ...] | None:
    """Return the platforms named in an option; None: all."""
    if platforms == "all":
        return None
    return () if platforms == "none" else tuple(dict.fromkeys(name.strip() for name in platforms.split(",")))
