"""Speed of the history: DuckDB, which is used, beside SQLite, which might have been.

Both get the same states, a second of them per transaction, and the same questions.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from twin_common import cdr
from twin_state.config import TwinConfig
from twin_state.core.duckdb_store import DuckDbStore
from twin_state.core.history import History, HistoryLimits
from twin_state.core.state import density
from twin_state.core.window import Window

TRACK = cdr.record_dtype("twin_msgs/msg/Track")
DENSITY_CELL = cdr.record_dtype("twin_msgs/msg/DensityCell")
START_NS = 1_700_000_000_000_000_000
SECOND_NS = 1_000_000_000
RATE = 10
LIFETIME = 60.0  # mean, seconds


class SqliteStore:
    """A row per state in SQLite (WAL): the columns that are asked for, with indices, and the record as a blob."""

    def __init__(self, path: Path, dtype: np.dtype) -> None:
        """Make the file."""
        self._dtype = dtype
        self._db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -65536"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.execute(
            "CREATE TABLE states (id INTEGER PRIMARY KEY, stamp_ns INTEGER, track_id INTEGER, classification INTEGER,"
            " x REAL, y REAL, record BLOB)"
        )
        self._db.execute("CREATE INDEX by_time ON states (stamp_ns)")
        self._db.execute("CREATE INDEX by_track ON states (track_id, stamp_ns)")

    def append(self, stamps_ns: np.ndarray, records: np.ndarray, first_id: int) -> None:
        """Add states as one transaction."""
        size, block = self._dtype.itemsize, records.tobytes()
        numbers = [records["track_id"].astype(np.int64), *(records[name] for name in ("classification", "x", "y"))]
        columns: list[Iterable[object]] = [range(first_id, first_id + len(records))]
        columns += [list(column) for column in (stamps_ns.tolist(), *(number.tolist() for number in numbers))]
        columns.append(block[offset : offset + size] for offset in range(0, len(block), size))
        rows = zip(*columns, strict=True)
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO states VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def query(self, window: Window, limit: int, before_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Return stamps and states of a window."""
        parts: list[str] = ["id < ?"]
        values: list[float] = [before_id]
        for text, value in (("stamp_ns >= ?", window.start_ns), ("stamp_ns < ?", window.end_ns)):
            if value is not None:
                parts.append(text)
                values.append(value)
        for name, chosen in (("track_id", window.track_ids), ("classification", window.classes)):
            if chosen:
                parts.append(f"{name} IN ({', '.join('?' * len(chosen))})")
                values += chosen
        if window.box is not None:
            parts.append("x BETWEEN ? AND ? AND y BETWEEN ? AND ?")
            values += [window.box[0], window.box[2], window.box[1], window.box[3]]
        question = f"SELECT stamp_ns, record FROM states WHERE {' AND '.join(parts)} ORDER BY stamp_ns, id LIMIT ?"
        rows = self._db.execute(question, [*values, limit]).fetchall()
        records = np.frombuffer(b"".join(row[1] for row in rows), self._dtype)
        return np.array([row[0] for row in rows], np.int64), records

    def close(self) -> None:
        """Release the file."""
        self._db.close()


def traffic(objects: int, seed: int = 0) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (stamp_ns, tracks) ten times a second: objects that move, turn, end and begin."""
    rng = np.random.default_rng(seed)
    tracks = np.zeros(objects, TRACK)
    tracks["track_id"] = np.arange(objects) + 1
    tracks["x"], tracks["y"] = rng.uniform(0, 600, objects), rng.uniform(0, 400, objects)
    tracks["velocity_x"], tracks["velocity_y"] = rng.normal(scale=3, size=(2, objects))
    tracks["length"], tracks["width"], tracks["height"] = rng.uniform(0.5, 4, (3, objects))
    tracks["classification"], tracks["state"] = rng.choice([1, 6, 7], objects), 1
    tracks["class_probability"] = rng.dirichlet(np.ones(10), objects)
    tracks["covariance"], tracks["existence"] = (0.1 * np.eye(4)).reshape(-1), 0.99
    stamp_ns, free_id = START_NS, objects + 1
    while True:
        for name, velocity in (("x", "velocity_x"), ("y", "velocity_y")):
            tracks[velocity] += rng.normal(scale=0.1, size=objects)
            tracks[name] += tracks[velocity] / RATE
        tracks["yaw"] = np.arctan2(tracks["velocity_y"], tracks["velocity_x"])
        tracks["yaw_rate"] = rng.normal(scale=0.1, size=objects)
        tracks["covariance"] *= 1 + rng.normal(scale=0.02, size=(objects, 1))
        tracks["class_probability"] += rng.normal(scale=1e-3, size=(objects, 10))
        tracks["age"] += 1 / RATE
        tracks["last_seen_ns"] = stamp_ns
        ended = np.flatnonzero(rng.random(objects) < 1 / (LIFETIME * RATE))
        tracks["track_id"][ended] = free_id + np.arange(len(ended))
        tracks["first_seen_ns"][ended], tracks["age"][ended] = stamp_ns, 0
        free_id += len(ended)
        yield stamp_ns, tracks.copy()
        stamp_ns += SECOND_NS // RATE


def _second(source: Iterator[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    moments = [next(source) for _ in range(RATE)]
    stamps_ns = np.repeat([stamp for stamp, _ in moments], [len(tracks) for _, tracks in moments])
    return stamps_ns, np.concatenate([tracks for _, tracks in moments])


def _measure(store: DuckDbStore | SqliteStore, folder: Path, objects: int, seconds: int) -> dict[str, float]:
    """Return the times of appending and asking, ms, and bytes per state."""
    source, appends, count = traffic(objects), [], 0
    for _ in range(seconds):
        stamps_ns, records = _second(source)
        started = time.perf_counter()
        store.append(stamps_ns, records, count)
        appends.append(time.perf_counter() - started)
        count += len(records)
    middle_ns = START_NS + seconds // 2 * SECOND_NS
    span_ns = seconds // 4 * SECOND_NS
    windows = {
        "1 s, all": Window(middle_ns, middle_ns + SECOND_NS),
        f"{seconds // 2} s, 50 m box": Window(
            middle_ns - span_ns, middle_ns + span_ns, box=(100.0, 100.0, 150.0, 150.0)
        ),
        "one track": Window(track_ids=(5,)),
    }
    figures = {
        "append 1 s, median ms": 1e3 * float(np.median(appends)),
        "append 1 s, mean ms": 1e3 * float(np.mean(appends)),
    }
    for name, window in windows.items():
        times = []
        for _ in range(5):
            started = time.perf_counter()
            store.query(window, 100_000, count)
            times.append(time.perf_counter() - started)
        figures[f"ask {name}, median ms"] = 1e3 * float(np.median(times))
    figures["bytes per state"] = sum(file.stat().st_size for file in folder.iterdir()) / count
    return figures


def _measure_live(folder: Path, objects: int, seconds: int) -> dict[str, float]:
    """Return what the live loop itself pays per moment, ms: history, and crowd density."""
    defaults = TwinConfig()
    limits = HistoryLimits(0.2, defaults.retention_hours * 3600, defaults.max_states)
    history = History(folder / "live.duckdb", TRACK, limits)
    appends, cells = [], []
    for _, (stamp_ns, tracks) in zip(range(seconds * RATE), traffic(objects), strict=False):
        started = time.perf_counter()
        history.append(stamp_ns, tracks)
        appended = time.perf_counter()
        density(tracks, defaults.cell_size, DENSITY_CELL)
        appends.append(appended - started)
        cells.append(time.perf_counter() - appended)
        time.sleep(0.02)
    history.close()
    return {
        "live: history.append, median ms": 1e3 * float(np.median(appends)),
        "live: history.append, max ms": 1e3 * float(np.max(appends)),
        "live: crowd density, median ms": 1e3 * float(np.median(cells)),
    }


def run(seconds: int = 40) -> dict[str, float]:
    """Return medians for DuckDB and SQLite, for 100, 500 and 2000 objects at 10 Hz."""
    figures: dict[str, float] = {}
    for objects in (100, 500, 2000):
        for name in ("duckdb", "sqlite"):
            with tempfile.TemporaryDirectory() as temporary:
                folder = Path(temporary)
                kind = DuckDbStore if name == "duckdb" else SqliteStore
                store = kind(folder / f"history.{name}", TRACK)
                measured = _measure(store, folder, objects, seconds)
                store.close()
            figures |= {f"{objects} objects, {name}: {what}": value for what, value in measured.items()}
    with tempfile.TemporaryDirectory() as temporary:
        figures |= _measure_live(Path(temporary), 2000, 5)
    return figures
