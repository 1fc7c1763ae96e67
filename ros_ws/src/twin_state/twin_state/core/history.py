"""What has been: track states and alerts, written behind the back of the live loop.

Appending only puts arrays on a list. A thread of its own (for a file) or every second of stamps (in memory)
makes a batch of them and stores it, so that a killed process loses no more than one batch. A question sees
all that has been appended, stored or not.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from twin_state.core.duckdb_store import DuckDbStore
from twin_state.core.window import Window

AlertRow = tuple[int, str, int, str]
_PRUNE_EVERY = 30  # flushes


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """How often to write (seconds), how long (seconds) and how many states to keep."""

    flush_period: float
    retention: float
    max_states: int
    max_waiting: int = 400_000


class History:
    """The history of one district.

    Args:
        path: its file; None: in memory.
        dtype: record type of the states.
        limits: how often to write and how much to keep.

    Raises:
        StoreError: the file cannot be used.

    """

    def __init__(self, path: Path | None, dtype: np.dtype, limits: HistoryLimits) -> None:
        """Open the file and start to write behind."""
        self._dtype = dtype
        self._limits = limits
        self._store = DuckDbStore(path, dtype)
        self._mutex = threading.Lock()  # guards the lists below; never held while the store works
        self._writing = threading.Lock()  # one batch at a time
        self._next_id = self._store.first_free_id
        self._waiting: list[tuple[int, np.ndarray]] = []
        self._waiting_states = 0
        self._alerts: list[AlertRow] = []
        self._newest_ns = 0
        self._flushed_ns: int | None = None
        self._flushes = 0
        self.lost = 0
        self.problem: str | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if path is not None:
            self._thread = threading.Thread(target=self._write_behind, name="history", daemon=True)
            self._thread.start()

    def append(self, stamp_ns: int, records: np.ndarray) -> None:
        """Keep the states (N,) of one moment; the array must not change afterwards."""
        if records.dtype != self._dtype or records.ndim != 1:
            raise ValueError(f"records: expected (N,) {self._dtype}, got {records.shape} {records.dtype}")
        with self._mutex:
            self._newest_ns = max(self._newest_ns, stamp_ns)
            if len(records):
                self._waiting.append((stamp_ns, records))
                self._waiting_states += len(records)
            while self._waiting_states > self._limits.max_waiting:
                dropped = len(self._waiting.pop(0)[1])
                self._waiting_states -= dropped
                self.lost += dropped
        if self._thread is None:
            self._flush_by_stamp(stamp_ns)

    def append_alert(self, row: AlertRow) -> None:
        """Keep one state of an alert: (stamp_ns, alert_id, state, content as JSON)."""
        with self._mutex:
            self._alerts.append(row)

    def query(self, window: Window, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Return stamps (M,) and states (M,) in order of time, then of appending; at most ``limit``."""
        with self._mutex:
            waiting = list(self._waiting)
            before_id = self._next_id
        stored = self._store.query(window, limit, before_id)
        if not waiting:
            return stored
        stamps_ns, records = _joined(waiting)
        chosen = window.selects(stamps_ns, records)
        stamps_ns = np.concatenate([stored[0], stamps_ns[chosen]])
        records = np.concatenate([stored[1], records[chosen]])
        order = np.argsort(stamps_ns, kind="stable")[:limit]
        return stamps_ns[order], records[order]

    def alerts(self, start_ns: int, end_ns: int) -> list[AlertRow]:
        """Return the alerts of a time window, in order of time; writes first what waits."""
        self.flush()
        return self._store.alerts(start_ns, end_ns)

    def flush(self) -> None:
        """Store what waits."""
        with self._writing:
            try:
                self._store_states()
                self._store_alerts()
                self._prune()
                self.problem = None
            except duckdb.Error as error:  # a full disk must not end the live loop: what waits is tried again
                self.problem = f"history cannot be written: {str(error).splitlines()[0]}"

    def _store_states(self) -> None:
        with self._mutex:
            waiting = list(self._waiting)
        if not waiting:
            return
        stamps_ns, records = _joined(waiting)
        self._store.append(stamps_ns, records, self._next_id)
        stored = {id(item) for item in waiting}
        with self._mutex:  # from here on a question finds the batch in the store and no longer on the list
            self._next_id += len(records)
            self._waiting = [item for item in self._waiting if id(item) not in stored]
            self._waiting_states = sum(len(item) for _, item in self._waiting)

    def _store_alerts(self) -> None:
        with self._mutex:
            alerts = list(self._alerts)
        if alerts:
            self._store.append_alerts(alerts)
            with self._mutex:
                del self._alerts[: len(alerts)]

    def _prune(self) -> None:
        self._flushes += 1
        if self._flushes % _PRUNE_EVERY == 0:
            horizon_ns = self._newest_ns - round(self._limits.retention * 1e9)
            self._store.prune(horizon_ns, self._next_id - self._limits.max_states)

    def _flush_by_stamp(self, stamp_ns: int) -> None:
        period_ns = self._limits.flush_period * 1e9
        if self._flushed_ns is None or not 0 <= stamp_ns - self._flushed_ns < period_ns:
            self._flushed_ns = stamp_ns
            self.flush()

    def _write_behind(self) -> None:
        while not self._ended.wait(self._limits.flush_period):
            self.flush()

    def close(self) -> None:
        """Store what waits and release the file."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()
        self._store.close()


def _joined(waiting: list[tuple[int, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    stamps_ns = np.repeat(np.array([stamp for stamp, _ in waiting], np.int64), [len(item) for _, item in waiting])
    return stamps_ns, np.concatenate([item for _, item in waiting])
