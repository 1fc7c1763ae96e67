"""Track states and alerts in DuckDB, one column per number of a state.

DuckDB was measured against SQLite, see the README. Its own write-ahead log keeps what has been committed
when the process is killed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from twin_state.core.window import Window

_TYPES = {"f4": "FLOAT", "f8": "DOUBLE", "u8": "UBIGINT", "i8": "BIGINT", "u4": "UINTEGER", "u1": "UTINYINT"}
_PADDING = "padding"
_SETTINGS = ("SET threads = 1", "SET memory_limit = '512MB'", "SET checkpoint_threshold = '32MB'")


class StoreError(RuntimeError):
    """A file that cannot be used as history; the message is one line for a person."""


class DuckDbStore:
    """Keeps states of a fixed record type.

    Args:
        path: the file; None: in memory.
        dtype: record type of the states, with the fields of twin_msgs/Track.

    Raises:
        StoreError: the file is in use, broken, or has other columns.

    """

    def __init__(self, path: Path | None, dtype: np.dtype) -> None:
        """Open or make the file."""
        self._dtype = dtype
        self._columns = _columns(dtype)
        where = ":memory:" if path is None else str(path)
        try:
            self._db = duckdb.connect(where)
            for statement in _SETTINGS:
                self._db.execute(statement)
            self._make_tables(where)
            # fetchall: an answer that is not read to its end would keep deleted rows alive for ever.
            ((newest,),) = self._db.execute("SELECT max(id) FROM states").fetchall()
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{where}: cannot be used as history: {str(error).splitlines()[0]}") from error
        self.first_free_id = 0 if newest is None else newest + 1

    def _make_tables(self, where: str) -> None:
        wanted = [("id", "BIGINT"), ("stamp_ns", "BIGINT"), *((name, kind) for name, kind, _, _ in self._columns)]
        described = ", ".join(f"{name} {kind}" for name, kind in wanted)
        self._db.execute(f"CREATE TABLE IF NOT EXISTS states ({described})")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS alerts (stamp_ns BIGINT, alert_id VARCHAR, state UTINYINT, content VARCHAR)"
        )
        found = [(row[0], row[1]) for row in self._db.execute("DESCRIBE states").fetchall()]
        if found != wanted:
            self._db.close()
            raise StoreError(f"{where}: has other columns than expected; move it away to begin a new history")

    def append(self, stamps_ns: np.ndarray, records: np.ndarray, first_id: int) -> None:
        """Add states (N,) with their stamps (N,) int64, as one transaction; their ids start at ``first_id``."""
        batch = {"id": np.arange(first_id, first_id + len(records)), "stamp_ns": np.ascontiguousarray(stamps_ns)}
        for name, _, field, index in self._columns:
            column = records[field] if index is None else records[field][:, index]
            batch[name] = np.ascontiguousarray(column)
        cursor = self._db.cursor()
        cursor.register("batch", batch)
        cursor.execute("INSERT INTO states SELECT * FROM batch")
        cursor.close()

    def append_alerts(self, rows: list[tuple[int, str, int, str]]) -> None:
        """Add alerts: (stamp_ns, alert_id, state, content as JSON)."""
        cursor = self._db.cursor()
        cursor.execute("BEGIN")
        cursor.executemany("INSERT INTO alerts VALUES (?, ?, ?, ?)", rows)
        cursor.execute("COMMIT")
        cursor.close()

    def alerts(self, start_ns: int, end_ns: int) -> list[tuple[int, str, int, str]]:
        """Return the alerts of a time window, in order of time."""
        question = "SELECT * FROM alerts WHERE stamp_ns >= ? AND stamp_ns < ? ORDER BY stamp_ns, rowid"
        cursor = self._db.cursor()
        rows: list[tuple[int, str, int, str]] = cursor.execute(question, [start_ns, end_ns]).fetchall()
        cursor.close()
        return rows

    def query(self, window: Window, limit: int, before_id: int) -> tuple[np.ndarray, np.ndarray]:
        """Return stamps (M,) and states (M,) in order of time, then of appending; at most ``limit``.

        Only states with ids before ``before_id`` are looked at.
        """
        conditions, values = _conditions(window, before_id)
        cursor = self._db.cursor()
        # First which, from a few columns; then all columns of a narrow range of ids.
        inner = f"SELECT id FROM states WHERE {conditions} ORDER BY stamp_ns, id LIMIT {limit}"
        (found,) = cursor.execute(f"SELECT min(id), max(id) FROM ({inner})", values).fetchall()
        if found[0] is None:
            cursor.close()
            return np.zeros(0, np.int64), np.zeros(0, self._dtype)
        question = f"SELECT * FROM states WHERE {conditions} AND id BETWEEN ? AND ? ORDER BY stamp_ns, id LIMIT {limit}"
        columns = cursor.execute(question, [*values, *found]).fetchnumpy()
        cursor.close()
        records = np.zeros(len(columns["stamp_ns"]), self._dtype)
        for name, _, field, index in self._columns:
            target = records[field] if index is None else records[field][:, index]
            column = columns[name]
            target[...] = column
            if isinstance(column, np.ma.MaskedArray):  # DuckDB takes NaN for a missing value
                target[column.mask] = np.nan
        return np.asarray(columns["stamp_ns"], np.int64), records

    def prune(self, horizon_ns: int, first_id: int) -> None:
        """Delete states and alerts before a stamp, and states with ids before ``first_id``."""
        cursor = self._db.cursor()
        cursor.execute("DELETE FROM states WHERE stamp_ns < ? OR id < ?", [horizon_ns, first_id])
        cursor.execute("DELETE FROM alerts WHERE stamp_ns < ?", [horizon_ns])
        with contextlib.suppress(duckdb.TransactionException):  # somebody reads: next time
            cursor.execute("CHECKPOINT")  # only this gives the space of deleted rows free for new ones
        cursor.close()

    def close(self) -> None:
        """Release the file."""
        self._db.close()


def _columns(dtype: np.dtype) -> list[tuple[str, str, str, int | None]]:
    """Return (column, SQL type, field, index in the field) of every number of a record."""
    columns: list[tuple[str, str, str, int | None]] = []
    for field in dtype.names or ():
        if field == _PADDING:
            continue
        kind = _TYPES[dtype[field].base.str[1:]]
        count = int(np.prod(dtype[field].shape, dtype=int))
        if dtype[field].shape:
            columns += [(f"{field}_{index}", kind, field, index) for index in range(count)]
        else:
            columns.append((field, kind, field, None))
    return columns


def _conditions(window: Window, before_id: int) -> tuple[str, list[Any]]:
    """Return a window as SQL with its values."""
    parts: list[str] = ["id < ?"]
    values: list[Any] = [before_id]
    for text, value in (("stamp_ns >= ?", window.start_ns), ("stamp_ns < ?", window.end_ns)):
        if value is not None:
            parts.append(text)
            values.append(value)
    for name, chosen in (("track_id", window.track_ids), ("classification", window.classes)):
        if chosen:
            parts.append(f"{name} IN ({', '.join('?' * len(chosen))})")
            values += chosen
    if window.box is not None:
        x_min, y_min, x_max, y_max = window.box
        parts.append("x BETWEEN ? AND ? AND y BETWEEN ? AND ?")
        values += [x_min, x_max, y_min, y_max]
    return " AND ".join(parts), values
