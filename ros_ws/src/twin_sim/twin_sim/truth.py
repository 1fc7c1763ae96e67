"""Ground truth of a run as files: Parquet or JSON lines, readable even where the run was cut short.

``run.parquet`` (or ``run.jsonl``) holds the tracks; beside it stand ``run.events.parquet``, ``run.densities.parquet``,
``run.visibility.parquet``, ``run.signals.parquet``, ``run.map.parquet`` and ``run.run.json``. Schema:
docs/simulator/truth.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import duckdb
import numpy as np

from twin_common.config import ConfigError
from twin_sim.core.frame import Event, Frame
from twin_sim.simulation import Simulation
from twin_sim.truth_tables import (
    GROWING,
    TABLES,
    Columns,
    density_columns,
    event_rows,
    map_rows,
    signal_columns,
    track_columns,
)

#: Frames that are gathered before they are written, and between two grids of densities.
PART_FRAMES, DENSITY_FRAMES = 100, 10
DECIMALS = 4  # of numbers in JSON lines: 0.1 mm


def table_path(path: Path, table: str) -> Path:
    """Return the file of a table beside that of the tracks."""
    return path if table == "tracks" else path.with_name(f"{path.stem}.{table}{path.suffix}")


def check_ending(path: Path) -> None:
    """Refuse a file whose format its ending does not tell.

    Raises:
        ConfigError: it ends neither in .parquet nor in .jsonl.

    """
    if path.suffix not in (".parquet", ".jsonl"):
        raise ConfigError(f"{path}: ends in {path.suffix or 'nothing'}; expected .parquet or .jsonl")


class TruthWriter:
    """Writes the truth of a simulation as it runs.

    Raises:
        ConfigError: the file's ending is neither .parquet nor .jsonl, or its folder cannot be written.

    """

    def __init__(self, path: Path, simulation: Simulation) -> None:
        """Write the static map, and begin the other tables; files of an earlier run are replaced."""
        check_ending(path)
        self._path, self._simulation = path, simulation
        expected = simulation.scenario.config.expected()
        self._event_names = {i + 1: event.name for i, event in enumerate(expected)}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            for table in TABLES:
                table_path(path, table).unlink(missing_ok=True)
            self._sink: _ParquetSink | _JsonSink = _ParquetSink(path) if path.suffix == ".parquet" else _JsonSink(path)
            self._sink.whole("map", map_rows(simulation.world))
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}; expected a file that can be written") from None
        self._events: tuple[Event, ...] = ()
        self._signals: np.ndarray | None = None
        self._frames = 0
        self._note_run(complete=False)

    def write(self, frame: Frame) -> None:
        """Add a frame."""
        self._sink.grow("tracks", track_columns(frame, self._simulation.names))
        self._sink.grow("signals", signal_columns(frame, self._signals))
        self._signals = frame.signals
        if self._frames % DENSITY_FRAMES == 0:
            self._sink.grow("densities", density_columns(frame))
        if frame.events != self._events or self._frames == 0:
            self._events = frame.events
            self._sink.whole("events", event_rows(frame.events, self._event_names))
        self._frames += 1
        if self._frames % PART_FRAMES == 0:
            self._sink.flush()

    def see(self, stamp_ns: int, platform: str, actor_ids: np.ndarray, points: np.ndarray, pixels: np.ndarray) -> None:
        """Add what a platform saw of actors: arrays (N,), LiDAR points and camera pixels on each."""
        seen = (points > 0) | (pixels > 0)
        count = int(seen.sum())
        self._sink.grow(
            "visibility",
            {
                "stamp_ns": np.full(count, stamp_ns, np.int64), "platform": np.full(count, platform, dtype=object),
                "actor_id": actor_ids[seen].astype(np.uint64), "points": points[seen].astype(np.uint32),
                "pixels": pixels[seen].astype(np.uint32),
            },
        )  # fmt: skip

    def close(self, *, complete: bool = True) -> None:
        """Finish all files; ``complete``: whether the run ended as it should, or was interrupted between two frames."""
        self._sink.close()
        self._note_run(complete=complete)

    def __enter__(self) -> TruthWriter:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close; after an error the run does not count as complete."""
        self.close(complete=kind is None or issubclass(kind, KeyboardInterrupt))

    def _note_run(self, complete: bool) -> None:
        simulation = self._simulation
        weather, scenario = simulation.weather, simulation.scenario
        note = {
            "scenario": scenario.name, "description": scenario.config.description, "kind": scenario.config.kind,
            "district": scenario.world.district.name, "seed": simulation.seed, "overrides": scenario.overrides,
            "start_ns": simulation.start_ns, "frames": self._frames,
            "weather": {name: getattr(weather, name) for name in weather.__slots__},
            "complete": complete, "missing": [event.name for event in simulation.missing()],
        }  # fmt: skip
        text = json.dumps(note, indent=2, default=str) + "\n"
        _replace(self._path.with_name(f"{self._path.stem}.run.json"), lambda part: part.write_text(text))


def _replace(path: Path, write: Any) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    write(part)
    part.replace(path)


class _ParquetSink:
    """Parts of each table in a folder while the run goes on, one file in the end."""

    def __init__(self, path: Path) -> None:
        self._path, self._folder = path, path.with_name(f"{path.name}.parts")
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._db = duckdb.connect()
        self._db.execute("SET threads = 1")
        self._waiting: dict[str, list[Columns]] = {name: [] for name in GROWING}
        self._parts = 0

    def grow(self, table: str, columns: Columns) -> None:
        """Add rows to a table."""
        if len(columns["stamp_ns"]):
            self._waiting[table].append({name: np.array(values) for name, values in columns.items()})

    def flush(self) -> None:
        """Write what waits as parts."""
        for table, waiting in self._waiting.items():
            if waiting:
                rows = {name: np.concatenate([part[name] for part in waiting]) for name in TABLES[table]}
                casts = ", ".join(f'CAST("{name}" AS {kind}) AS "{name}"' for name, kind in TABLES[table].items())
                self._db.register("waiting", rows)
                self._copy(f"SELECT {casts} FROM waiting", self._folder / f"{table}-{self._parts:05d}.parquet")
                self._db.unregister("waiting")
                waiting.clear()
        self._parts += 1

    def whole(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Write a table anew."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in TABLES[table].items())
        self._db.execute(f"CREATE OR REPLACE TEMP TABLE whole ({columns})")
        if rows:
            self._db.executemany(f"INSERT INTO whole VALUES ({', '.join('?' * len(TABLES[table]))})", rows)
        self._copy("SELECT * FROM whole", table_path(self._path, table))

    def close(self) -> None:
        """Join the parts of each table."""
        self.flush()
        for table in GROWING:
            parts = sorted(str(part) for part in self._folder.glob(f"{table}-*.parquet"))
            casts = ", ".join(f'CAST(NULL AS {kind}) AS "{name}"' for name, kind in TABLES[table].items())
            query = f"SELECT * FROM read_parquet({parts})" if parts else f"SELECT {casts} LIMIT 0"
            self._copy(query, table_path(self._path, table))
        shutil.rmtree(self._folder)
        self._db.close()

    def _copy(self, query: str, path: Path) -> None:
        def write(part: Path) -> None:
            self._db.execute(f"COPY ({query}) TO '{_quoted(part)}' (FORMAT parquet, COMPRESSION zstd)")

        _replace(path, write)


class _JsonSink:
    """One line for each row."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, TextIO] = {name: table_path(path, name).open("w") for name in GROWING}

    def grow(self, table: str, columns: Columns) -> None:
        """Add rows to a table."""
        lists = [_plain(columns[name]) for name in TABLES[table]]
        rows = (dict(zip(TABLES[table], row, strict=True)) for row in zip(*lists, strict=True))
        self._files[table].writelines(json.dumps(row) + "\n" for row in rows)

    def flush(self) -> None:
        """Hand what waits to the system."""
        for file in self._files.values():
            file.flush()

    def whole(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Write a table anew."""
        text = "".join(json.dumps(dict(zip(TABLES[table], row, strict=True))) + "\n" for row in rows)
        _replace(table_path(self._path, table), lambda part: part.write_text(text))

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()


def _plain(values: np.ndarray) -> list[Any]:
    """Return an array as a list that JSON can hold."""
    if values.dtype.kind == "f":
        return list(np.round(values.astype(np.float64), DECIMALS).tolist())
    return list(values.tolist())


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def load_truth(path: Path) -> dict[str, Columns]:
    """Read the truth of a run: columns, (N,) arrays, by table; a run that was cut short gives what it had written.

    Raises:
        ConfigError: there is no truth at this path.

    """
    found = {table: _read(path, table) for table in TABLES}
    if all(columns is None for columns in found.values()):
        raise ConfigError(f"{path}: no truth there; expected the file that --truth has written")
    empty: Mapping[str, Columns] = {table: {name: np.zeros(0) for name in TABLES[table]} for table in TABLES}
    return {table: columns if columns is not None else empty[table] for table, columns in found.items()}


def _read(path: Path, table: str) -> Columns | None:
    file, parts = table_path(path, table), path.with_name(f"{path.name}.parts")
    files = [file] if file.is_file() else sorted(parts.glob(f"{table}-*.parquet"))
    if not files:
        return None
    names = [str(item) for item in files]
    if path.suffix == ".parquet":
        query = f"SELECT * FROM read_parquet({names})"
    else:
        kinds = {name: "DOUBLE[][]" if name == "polygon" else kind for name, kind in TABLES[table].items()}
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
        query = (
            f"SELECT * FROM read_json({names}, format='newline_delimited', columns={{{columns}}}, ignore_errors=true)"
            f" WHERE {'stamp_ns' if table in GROWING else 'kind'} IS NOT NULL"  # a torn last line
        )
    with duckdb.connect() as db:
        db.execute("SET threads = 1")
        return {name: np.asarray(values) for name, values in db.execute(query).fetchnumpy().items()}
