import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twin_bringup.jobs import Job
from twin_bringup.runner import Outcome, Runner, RunnerConfig

HERE = Path(__file__).parent
QUICK = RunnerConfig(ready_timeout=5.0, first_backoff=0.1, longest_backoff=0.4, interrupt_wait=0.5)


def job(mode: str, log: Path, *, reports_ready: bool = False, ends_all: bool = False) -> Job:
    return Job(mode, "test", mode, "toy_program", (mode, str(log)), reports_ready, ends_all)


def run(jobs: list[Job], stop_after: float | None = None, config: RunnerConfig = QUICK) -> tuple[Outcome, list[str]]:
    lines: list[str] = []
    environment = {"PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
    runner = Runner(jobs, environment, config, write=lambda name, line: lines.append(f"[{name}] {line}"))

    async def main() -> Outcome:
        if stop_after is not None:
            asyncio.get_running_loop().call_later(stop_after, runner.stop)
        return await asyncio.wait_for(runner.run(), 30)

    return asyncio.run(main()), lines


def gone(log: Path) -> bool:
    pids = [int(line.split()[-1]) for line in log.read_text().splitlines() if " started " in line]
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_jobs_start_in_order_each_after_the_one_before_is_ready(tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcome, _ = run([job("slow", log, reports_ready=True), job("finish", log, ends_all=True)])
    words = [" ".join(line.split()[:2]) for line in log.read_text().splitlines()]
    assert words == ["slow started", "slow ready", "finish started", "slow ended"]
    assert (outcome.exit_code, outcome.restarts) == (0, 0)
    assert gone(log)


def test_a_crashing_job_is_restarted_with_growing_pauses(tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcome, lines = run([job("crash", log)], stop_after=3.0)
    pauses = [line.split("restarting in ")[1] for line in lines if "restarting" in line]
    assert pauses[:3] == ["0.1 s", "0.2 s", "0.4 s"]
    assert "crash ended with exit code 139" in lines[0]
    assert outcome.restarts >= 3
    assert gone(log)


def test_refused_input_ends_all_with_code_2_and_is_not_tried_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcome, lines = run([job("wait", log), job("refuse", log)])
    assert (outcome.exit_code, outcome.reason) == (2, "refuse: refused its input")
    assert "[refuse] config.yaml: unknown key 'x'" in lines
    assert log.read_text().count("refuse started") == 1
    assert gone(log)


def test_a_job_that_ignores_signals_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "log"
    _, lines = run([job("stubborn", log)], stop_after=1.0)
    assert "ignored SIGINT" in log.read_text()
    assert "ignored SIGTERM" in log.read_text()
    assert gone(log)
    assert not any("restarting" in line for line in lines)


def test_a_job_that_does_not_listen_yet_is_not_waited_for(tmp_path: Path) -> None:
    """As while a program imports: SIGINT is ignored, and SIGTERM ends it."""
    log = tmp_path / "log"
    patient = RunnerConfig(ready_timeout=5.0, interrupt_wait=60.0)
    _, lines = run([job("early", log)], stop_after=1.0, config=patient)  # fails after 30 s
    assert gone(log) and not lines


def test_jobs_beside_each_other_start_together(tmp_path: Path) -> None:
    log = tmp_path / "log"
    jobs = [
        job("slow", log, reports_ready=True),
        dataclasses.replace(job("slow", log, reports_ready=True), name="other", beside=True),
        job("finish", log, ends_all=True),
    ]
    run(jobs)
    words = [" ".join(line.split()[:2]) for line in log.read_text().splitlines()]
    assert words[:5] == ["slow started", "slow started", "slow ready", "slow ready", "finish started"]


def test_a_job_that_never_gets_ready_ends_all(tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcome, _ = run([job("wait", log, reports_ready=True)], config=RunnerConfig(ready_timeout=1.0, interrupt_wait=0.5))
    assert (outcome.exit_code, outcome.reason) == (1, "wait: not ready after 1 s")
    assert gone(log)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda n: n.name)
def test_nothing_outlives_the_runner(number: signal.Signals, tmp_path: Path) -> None:
    log = tmp_path / "log"
    program = (
        "from test_runner import *; from twin_bringup.runner import run_until_signal;"
        f"run_until_signal(Runner([job('wait', Path({str(log)!r}))], {{}}, QUICK))"
    )
    environment = {**os.environ, "PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
    process = subprocess.Popen([sys.executable, "-c", program], env=environment)
    deadline = time.monotonic() + 15
    while not (log.exists() and "started" in log.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    process.send_signal(number)
    process.wait(timeout=15)
    deadline = time.monotonic() + 5
    while not gone(log) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert gone(log)
    assert process.returncode == (-9 if number == signal.SIGKILL else 0)
