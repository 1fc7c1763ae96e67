"""The history against a plain list of everything that was appended."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import numpy as np
import pytest

from twin_common import cdr
from twin_state.core.duckdb_store import StoreError
from twin_state.core.history import History, HistoryLimits
from twin_state.core.window import Window

TRACK = cdr.record_dtype("twin_msgs/msg/Track")
START_NS = 1_700_000_000_000_000_000
STEP_NS = 100_000_000
LIMITS = HistoryLimits(flush_period=1.0, retention=86_400.0, max_states=10**9)


def random_tracks(count: int, rng: np.random.Generator) -> np.ndarray:
    tracks = np.zeros(count, TRACK)
    for name in TRACK.names:
        if name == "padding":
            continue
        column = tracks[name]
        column[...] = (
            rng.normal(scale=50, size=column.shape) if column.dtype.kind == "f" else rng.integers(0, 200, column.shape)
        )
    tracks["track_id"] = rng.integers(1, 40, count)
    tracks["track_id"][:1] = 2**64 - 5
    tracks["classification"] = rng.integers(0, 10, count)
    tracks["yaw_rate"][:1] = np.nan
    return tracks


def fill(history: History, steps: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    stamps, records = [], []
    for step in range(steps):
        tracks = random_tracks(int(rng.integers(0, 12)), rng)
        stamp_ns = START_NS + step * STEP_NS - (150_000_000 if step % 17 == 16 else 0)  # some come late
        history.append(stamp_ns, tracks)
        stamps.append(np.full(len(tracks), stamp_ns, np.int64))
        records.append(tracks)
    return np.concatenate(stamps), np.concatenate(records)


def at(seconds: float) -> int:
    return START_NS + round(seconds * 1e9)


WINDOWS = {
    "all": Window(),
    "inside one batch": Window(at(2.1), at(2.6)),
    "across batches": Window(at(0.95), at(3.05)),
    "what waits": Window(at(9.5)),
    "before": Window(None, at(0.3)),
    "tracks": Window(track_ids=(3, 7, 2**64 - 5)),
    "classes": Window(at(1), at(8), classes=(1, 7)),
    "box": Window(box=(-20.0, -30.0, 25.0, 40.0)),
    "everything at once": Window(at(2), at(9.9), tuple(range(1, 30)), (1, 2, 3, 4), (-60.0, -60.0, 60.0, 60.0)),
    "nothing": Window(at(100)),
}


@pytest.mark.parametrize("path", [None, "history.duckdb"], ids=["memory", "file"])
def test_answers_are_what_was_appended(tmp_path: Path, path: str | None) -> None:
    history = History(tmp_path / path if path else None, TRACK, LIMITS)
    stamps, records = fill(history, 60)
    history.flush()
    more = fill(history, 43, seed=1)
    stamps, records = np.concatenate([stamps, more[0]]), np.concatenate([records, more[1]])
    for name, window in WINDOWS.items():
        for limit in (10**6, 7):
            chosen = np.flatnonzero(window.selects(stamps, records))
            expected = chosen[np.argsort(stamps[chosen], kind="stable")][:limit]
            found_stamps, found = history.query(window, limit)
            np.testing.assert_array_equal(found_stamps, stamps[expected], err_msg=name)
            assert found.tobytes() == records[expected].tobytes(), name
    history.close()


def test_windows_select_what_they_say() -> None:
    tracks = np.zeros(4, TRACK)
    tracks["track_id"], tracks["classification"] = (1, 2, 3, 4), (1, 7, 7, 1)
    tracks["x"], tracks["y"] = (0, 1, 2, 3), (0, 10, 20, 30)
    stamps = np.array([10, 20, 30, 40])
    for window, expected in (
        (Window(), [True] * 4),
        (Window(20, 40), [False, True, True, False]),
        (Window(track_ids=(1, 4)), [True, False, False, True]),
        (Window(classes=(7,)), [False, True, True, False]),
        (Window(box=(1, 10, 2, 15)), [False, True, False, False]),
    ):
        assert window.selects(stamps, tracks).tolist() == expected


def test_a_file_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    history = History(path, TRACK, LIMITS)
    first = fill(history, 20)
    history.append_alert((at(1), "a-1", 0, "{}"))
    history.close()
    history = History(path, TRACK, LIMITS)
    second = fill(history, 20, seed=5)
    stamps, records = np.concatenate([first[0], second[0]]), np.concatenate([first[1], second[1]])
    order = np.argsort(stamps, kind="stable")
    assert history.query(Window(), 10**6)[1].tobytes() == records[order].tobytes()
    history.append_alert((at(2), "a-1", 3, '{"kind": "x"}'))
    assert history.alerts(at(0), at(3)) == [(at(1), "a-1", 0, "{}"), (at(2), "a-1", 3, '{"kind": "x"}')]
    assert history.alerts(at(0), at(2)) == [(at(1), "a-1", 0, "{}")]
    history.close()


def test_what_is_too_old_or_too_much_is_deleted_and_the_file_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    history = History(path, TRACK, HistoryLimits(3600.0, retention=5.0, max_states=10**9))
    rng = np.random.default_rng(0)
    base = random_tracks(4_000, rng)
    sizes = []
    for second in range(200):
        tracks = base.copy()
        tracks["x"], tracks["covariance"] = rng.normal(size=len(base)), rng.normal(size=(len(base), 16))
        history.append(at(second), tracks)
        history.flush()
        sizes.append(sum(file.stat().st_size for file in tmp_path.iterdir()))
    assert at(200 - 5 - 31) <= history.query(Window(), 1)[0][0]
    assert max(sizes[120:]) < 1.3 * max(sizes[:120]), "the space of what was deleted is used again"
    history.close()

    history = History(None, TRACK, HistoryLimits(0.1, retention=1e6, max_states=500))
    for step in range(200):
        history.append(at(step / 10), random_tracks(20, rng))
    assert len(history.query(Window(), 10**6)[0]) <= 500 + 31 * 20
    history.close()


def test_questions_while_writing_see_each_state_exactly_once(tmp_path: Path) -> None:
    history = History(tmp_path / "history.duckdb", TRACK, LIMITS)
    stop = threading.Event()

    def flush() -> None:
        while not stop.is_set():
            history.flush()

    thread = threading.Thread(target=flush)
    thread.start()
    rng = np.random.default_rng(0)
    appended = 0
    try:
        for step in range(150):
            history.append(at(step / 10), random_tracks(30, rng))
            appended += 30
            if step % 3 == 0:
                assert len(history.query(Window(), 10**6)[0]) == appended
    finally:
        stop.set()
        thread.join()
        history.close()


CRASH = """
import sys, time
from pathlib import Path
import numpy as np
from twin_common import cdr
from twin_state.core.history import History, HistoryLimits
dtype = cdr.record_dtype("twin_msgs/msg/Track")
history = History(Path(sys.argv[1]), dtype, HistoryLimits(0.2, 86400.0, 10**9))
for step in range(10**9):
    history.append(step * 100_000_000, np.zeros(50, dtype))
    if step % 10 == 0:
        print(step, flush=True)
    time.sleep(0.02)
"""


def test_a_killed_process_loses_no_more_than_the_last_batch(tmp_path: Path) -> None:
    path = tmp_path / "history.duckdb"
    process = subprocess.Popen([sys.executable, "-c", CRASH, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        while int(process.stdout.readline()) < 100:
            pass
        appended = 100 * 50
        time.sleep(1.0)  # several flush periods later all of that must be in the file
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=10)
        process.stdout.close()
    history = History(path, TRACK, LIMITS)
    stamps, _ = history.query(Window(), 10**6)
    history.close()
    assert len(stamps) >= appended and len(stamps) % 50 == 0
    np.testing.assert_array_equal(np.unique(np.diff(np.unique(stamps))), [100_000_000])


def test_a_write_that_fails_is_reported_and_tried_again() -> None:
    history = History(None, TRACK, HistoryLimits(3600.0, 86_400.0, 10**9, max_waiting=100))
    history._store._db.execute("ALTER TABLE states RENAME TO elsewhere")
    rng = np.random.default_rng(0)
    kept = [random_tracks(30, rng) for _ in range(5)]
    for step, tracks in enumerate(kept):
        history.append(at(step), tracks)
    history.flush()
    assert "history cannot be written" in history.problem
    assert history.lost == 60
    history._store._db.execute("ALTER TABLE elsewhere RENAME TO states")
    history.flush()
    assert history.problem is None
    assert history.query(Window(), 100)[1].tobytes() == np.concatenate(kept[2:]).tobytes()
    history.close()


def test_files_that_are_no_history_are_refused(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a database " * 1000)
    with pytest.raises(StoreError, match="text: cannot be used as history"):
        History(text, TRACK, LIMITS)
    other = tmp_path / "other.duckdb"
    with duckdb.connect(str(other)) as database:
        database.execute("CREATE TABLE states (id BIGINT)")
    with pytest.raises(StoreError, match="other columns"):
        History(other, TRACK, LIMITS)
    history = History(None, TRACK, LIMITS)
    with pytest.raises(ValueError, match="records: expected"):
        history.append(0, np.zeros((2, 2), TRACK))
    history.close()
