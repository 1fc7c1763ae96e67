"""``./twin view``: the operator's view in a browser."""

from __future__ import annotations

import argparse
import contextlib
import signal
import threading
import webbrowser
from pathlib import Path
from typing import Any

from twin_common.config import ConfigError
from twin_viz import viewer


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("view", help="the operator's view in a browser")
    parser.add_argument("--port", type=int, default=0, help="of the page; 0: any free one (default)")
    parser.add_argument("--url", default="ws://127.0.0.1:8765", help="of the Foxglove server (default: %(default)s)")
    parser.add_argument(
        "--recording", type=Path, metavar="FILE", help="show an MCAP file instead of a running district"
    )
    parser.add_argument("--colors", choices=("dark", "light"), default="dark", help="(default: %(default)s)")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.set_defaults(func=view)


def view(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        ConfigError: the URL is no WebSocket's, a file is missing, or the port is in use.

    """
    if not arguments.url.startswith(("ws://", "wss://")):
        raise ConfigError(f"view: --url {arguments.url}; expected ws://HOST:PORT or wss://HOST:PORT")
    ended = threading.Event()
    previous = signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        with viewer.serve(arguments.port, recording=arguments.recording) as port:
            source = f"http://127.0.0.1:{port}/recording.mcap" if arguments.recording else arguments.url
            page = viewer.page_url(port, source, colors=arguments.colors)
            print(f"{page}\nCtrl-C ends it.", flush=True)
            if not arguments.no_browser and not webbrowser.open(page):
                print("No browser was found: open the address above in one.", flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                ended.wait()
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0
