"""Runs jobs: in order, watched, restarted when they crash, and ended all together.

Each job is a process of its own session, so that one Ctrl-C in the terminal reaches the runner alone,
which then ends its jobs in reverse order. A job that outlives the runner gets SIGTERM from the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from twin_bringup.jobs import ENVIRONMENT, Job
from twin_common.config import Config, setting

BAD_INPUT = 2
LONGEST_LINE = 2**20  # bytes
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class RunnerConfig(Config):
    """How patient the runner is."""

    ready_timeout: float = setting(60.0, "s", "wait for processes to be ready before the next start", low=1)
    first_backoff: float = setting(0.5, "s", "pause before the first restart; doubles with each", low=0.01)
    longest_backoff: float = setting(10.0, "s", "longest pause before a restart", low=0.1)
    forgiven_after: float = setting(30.0, "s", "a process that ran so long starts with the first pause again", low=1)
    interrupt_wait: float = setting(
        5.0, "s", "time to end after SIGINT, then after SIGTERM; then it is killed", low=0.1
    )


@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    exit_code: int = 0
    reason: str = ""
    restarts: int = 0
    interrupted: bool = False


class Runner:
    """Runs a list of jobs until one that ends all has ended, one fails for good, or ``stop`` is called."""

    def __init__(
        self, jobs: Sequence[Job], environment: dict[str, str] | None = None, config: RunnerConfig | None = None,
        write: Callable[[str, str], None] | None = None,
    ) -> None:  # fmt: skip
        """Keep the jobs; ``write(name, line)`` gets every line they print (default: prefixed, to stderr)."""
        self._jobs = list(jobs)
        self._environment = {**os.environ, **ENVIRONMENT, **(environment or {})}
        self._config = config or RunnerConfig()
        self._write = write or _write_prefixed
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._ready: set[str] = set()
        self._stopping = asyncio.Event()
        self.outcome = Outcome()

    def pids(self) -> dict[str, int]:
        """Return the process id of each job that runs now."""
        return {name: process.pid for name, process in self._processes.items() if process.returncode is None}

    def stop(self, exit_code: int = 0, reason: str = "") -> None:
        """End all jobs; ``run`` returns when they have ended. The first call decides the outcome."""
        if not self._stopping.is_set():
            self.outcome.exit_code, self.outcome.reason = exit_code, reason
            self._stopping.set()

    def interrupt(self) -> None:
        """End all jobs because a person asked for it."""
        self.outcome.interrupted = True
        self.stop()

    async def run(self) -> Outcome:
        """Start the jobs in order, keep them running, end them in reverse order."""
        watchers = []
        starting: list[tuple[Job, asyncio.Event]] = []
        try:
            for job in self._jobs:
                if not job.beside:
                    await self._wait_ready(starting)
                    starting = []
                if self._stopping.is_set():
                    break
                ready = asyncio.Event()
                starting.append((job, ready))
                watchers.append(asyncio.create_task(self._watch(job, ready)))
            await self._wait_ready(starting)
            await self._stopping.wait()
        finally:
            self._stopping.set()
            for job in reversed(self._jobs):
                await self._end(job.name)
            await asyncio.gather(*watchers)
        return self.outcome

    async def _wait_ready(self, starting: Sequence[tuple[Job, asyncio.Event]]) -> None:
        """Wait until all these jobs are ready, or all is to end."""
        stopping = asyncio.create_task(self._stopping.wait())
        waiting = asyncio.gather(*(ready.wait() for _, ready in starting))
        done, _ = await asyncio.wait(
            {stopping, waiting}, timeout=self._config.ready_timeout, return_when=asyncio.FIRST_COMPLETED
        )
        for task in (stopping, waiting):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        if not done:
            late = next(job.name for job, ready in starting if not ready.is_set())
            self.stop(1, f"{late}: not ready after {self._config.ready_timeout:g} s")

    async def _watch(self, job: Job, ready: asyncio.Event) -> None:
        """Keep a job running; what goes wrong in that ends all instead of being lost in a task."""
        try:
            await self._keep_running(job, ready)
        except Exception as error:
            self.stop(1, f"{job.name}: {type(error).__name__}: {error}")
            ready.set()

    async def _keep_running(self, job: Job, ready: asyncio.Event) -> None:
        """Start a job, and again after each crash with a growing pause."""
        backoff = self._config.first_backoff
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            code = await self._run_once(job, ready)
            if self._stopping.is_set():
                return
            if code == BAD_INPUT:
                self.stop(BAD_INPUT, f"{job.name}: refused its input")
                return
            if job.ends_all:
                self.stop(code, "" if code == 0 else f"{job.name}: ended with exit code {code}")
                return
            if loop.time() - started > self._config.forgiven_after:
                backoff = self._config.first_backoff
            self._write("runner", f"{job.name} ended with exit code {code}; restarting in {backoff:g} s")
            self.outcome.restarts += 1
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), backoff)
            backoff = min(2 * backoff, self._config.longest_backoff)

    async def _run_once(self, job: Job, ready: asyncio.Event) -> int:
        """Run a job to its end; return its exit code, 128 + signal if one ended it."""
        read_end, write_end = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *job.command(), env={**self._environment, "TWIN_READY_FD": str(write_end)},
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
                pass_fds=(write_end,), start_new_session=True, preexec_fn=_prepare_child,
                limit=LONGEST_LINE,
            )  # fmt: skip
        finally:
            os.close(write_end)
        self._processes[job.name] = process
        ending = asyncio.create_task(self._end(job.name)) if self._stopping.is_set() else None
        loop = asyncio.get_running_loop()
        if job.reports_ready:
            loop.add_reader(read_end, lambda: self._note_ready(job, ready, read_end))
        else:
            self._ready.add(job.name)
            ready.set()
        assert process.stdout is not None
        async for line in process.stdout:
            self._write(job.name, line.decode(errors="replace").rstrip())
        code = await process.wait()
        self._ready.discard(job.name)
        if ending is not None:
            await ending
        loop.remove_reader(read_end)
        os.close(read_end)
        ready.set()
        return code if code >= 0 else 128 - code

    def _note_ready(self, job: Job, ready: asyncio.Event, read_end: int) -> None:
        self._ready.add(job.name)
        ready.set()
        asyncio.get_running_loop().remove_reader(read_end)

    async def _end(self, name: str) -> None:
        """End one job: SIGINT once it is ready and heeds it, then SIGTERM, then SIGKILL, to its whole session."""
        process = self._processes.get(name)
        if process is None or process.returncode is not None:
            return
        gently = (signal.SIGINT,) if name in self._ready and _heeds_interrupt(process.pid) else ()
        for number in (*gently, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.shield(process.wait()), self._config.interrupt_wait)
                return
        self._write("runner", f"{name} had to be killed")


def _heeds_interrupt(pid: int) -> bool:
    """Return whether a process no longer ignores SIGINT, as it does while it imports (``_prepare_child``)."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigIgn:"):
                return not int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1
    return True


def _prepare_child() -> None:
    """Ask the kernel for SIGTERM when the runner dies, and ignore SIGINT until the program handles it itself.

    Runs in the child. Python would turn a SIGINT that comes while it imports into a traceback.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _write_prefixed(name: str, line: str) -> None:
    print(f"[{name}] {line}", file=sys.stderr, flush=True)


def run_until_signal(runner: Runner) -> Outcome:
    """Run from the main thread; Ctrl-C or SIGTERM ends all jobs in order."""

    async def main() -> Outcome:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, runner.interrupt)
        return await runner.run()

    return asyncio.run(main())
