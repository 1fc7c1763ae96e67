"""Serves the operator's view (Foxglove Studio, from local files) and recordings to a browser."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from twin_common.config import ConfigError

_RANGE = re.compile(r"bytes=(\d*)-(\d*)$")
_STUDIO = "node_modules/@foxglove/studio-base/assets"


def project_root() -> Path:
    """Return the folder that holds viewer/ and config/."""
    return Path(os.environ["TWIN_ROOT"]) if "TWIN_ROOT" in os.environ else Path(__file__).resolve().parents[4]


def routes(root: Path, recording: Path | None = None) -> dict[str, Path]:
    """Return what is served where: path of the URL to file, or to folder where it ends with a slash.

    Raises:
        ConfigError: a file is missing; says how to get it.

    """
    viewer = root / "viewer"
    table = {
        "/": viewer / "index.html",
        "/boot.js": viewer / "boot.js",
        "/alerts_panel.js": viewer / "alerts_panel.js",
        "/layout.json": root / "config/foxglove/district.json",
        "/react.js": viewer / "node_modules/react/umd/react.production.min.js",
        "/react-dom.js": viewer / "node_modules/react-dom/umd/react-dom.production.min.js",
        "/assets/": viewer / _STUDIO,
    }
    if recording is not None:
        table["/recording.mcap"] = recording
    for path in table.values():
        if not path.exists():
            hint = "expected a recording" if path == recording else "run ./twin setup, which installs the viewer"
            raise ConfigError(f"view: {path}: no such file; {hint}")
    return table


def byte_range(header: str, size: int) -> tuple[int, int] | None:
    """Return the first byte and the byte after the last that a Range header asks for; None: no such range.

    One range only, as RFC 9110 allows a server to choose.
    """
    match = _RANGE.match(header)
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".js": "text/javascript", ".wasm": "application/wasm"}

    def __init__(self, *arguments: Any, table: dict[str, Path]) -> None:
        self._table = table
        super().__init__(*arguments)

    def _file(self) -> Path | None:
        path = unquote(urlsplit(self.path).path)
        if path in self._table and not path.endswith("assets/"):
            return self._table[path]
        if path.startswith("/assets/"):
            base = self._table["/assets/"].resolve()
            found = (base / path.removeprefix("/assets/")).resolve()
            return found if found.is_relative_to(base) and found.is_file() else None
        return None

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        file = self._file()
        if file is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        size = file.stat().st_size
        start, end, status = 0, size, HTTPStatus.OK
        if "Range" in self.headers:
            wanted = byte_range(self.headers["Range"], size)
            if wanted is None:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            (start, end), status = wanted, HTTPStatus.PARTIAL_CONTENT
        self.send_response(status)
        self.send_header("Content-Type", self.guess_type(str(file)))
        self.send_header("Content-Length", str(end - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Cache-Control", "no-cache")
        if status is HTTPStatus.PARTIAL_CONTENT:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{size}")
        self.end_headers()
        if with_body:
            with contextlib.suppress(ConnectionError):
                self._send(file, start, end)

    def _send(self, file: Path, start: int, end: int) -> None:
        with file.open("rb") as stream:
            stream.seek(start)
            while start < end and (block := stream.read(min(1 << 20, end - start))):
                self.wfile.write(block)
                start += len(block)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the terminal belongs to the operator."""


def page_url(port: int, source: str, *, colors: str = "dark") -> str:
    """Return the page's address for a source: a ws:// URL or the one of a recording."""
    kind = "foxglove-websocket" if source.startswith(("ws://", "wss://")) else "remote-file"
    query = urlencode({"ds": kind, "ds.url": source, "colors": colors}, quote_via=quote)
    return f"http://127.0.0.1:{port}/?{query}"


@contextlib.contextmanager
def serve(port: int = 0, *, root: Path | None = None, recording: Path | None = None) -> Iterator[int]:
    """Serve the page on this machine only while the block runs; yields the port.

    Raises:
        ConfigError: a file is missing, or the port is in use.

    """
    table = routes(root or project_root(), recording)
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), functools.partial(_Handler, table=table))
    except OSError as error:
        raise ConfigError(
            f"view: port {port} on 127.0.0.1: {error.strerror}; expected a free port (--port N)"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="view", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=2.0)
