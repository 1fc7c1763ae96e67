"""What there is to run, as data: the processes of the graph and the tools beside it."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from twin_common.node_spec import ProcessSpec, as_mapping

DISTRICT = "district"  # name of the process that the platforms report to
#: Every process has one thread of linear algebra: the cores are shared by many processes with small matrices.
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True, slots=True)
class Job:
    """One program to run.

    Args:
        name: prefix in logs.
        package, executable: as ``ros2 run`` names it; ``module`` is the same program for ``python -m``.
        arguments: its command line.
        reports_ready: whether it tells through TWIN_READY_FD when it is ready.
        beside: it starts together with the job before it, and not only when that one is ready.
        ends_all: the others are stopped when it ends well; it is not restarted.

    """

    name: str
    package: str
    executable: str
    module: str
    arguments: tuple[str, ...] = ()
    reports_ready: bool = False
    ends_all: bool = False
    beside: bool = False

    def command(self) -> list[str]:
        """Return the command line that runs it with this interpreter."""
        return [sys.executable, "-m", self.module, *self.arguments]


def container_jobs(processes: Iterable[ProcessSpec], folder: Path) -> list[Job]:
    """Write the specifications of processes into ``folder`` and return the jobs that run them.

    The district starts first; the platforms, which depend on nothing of each other, start together.
    """
    jobs = [_container_job(process, folder) for process in processes if process.nodes]
    platforms = [job for job in jobs if job.name != DISTRICT]
    return [dataclasses.replace(job, beside=job in platforms[1:]) for job in jobs]


def _container_job(process: ProcessSpec, folder: Path) -> Job:
    path = folder / f"{process.name}.yaml"
    path.write_text(yaml.safe_dump(as_mapping(process), sort_keys=False))
    return Job(
        process.name, "twin_bringup", "container", "twin_bringup.container", ("--spec", str(path)), reports_ready=True
    )


def run_folder() -> Path:
    """Make a folder for the files of one run: specifications, history, logs."""
    return Path(tempfile.mkdtemp(prefix="district-twin-"))
