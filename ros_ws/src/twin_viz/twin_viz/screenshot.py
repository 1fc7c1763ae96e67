"""Takes a picture of the operator's view of a running district."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from twin_common.config import ConfigError
from twin_viz import viewer
from twin_viz.browser import BrowserError, browser

CANVAS = "document.querySelector('canvas') && document.querySelectorAll('canvas').length"


def take(source: str, seconds: float, *, width: int = 1600, height: int = 900, colors: str = "dark") -> bytes:
    """Return the view as PNG, ``seconds`` after it has appeared."""
    with viewer.serve() as port, browser(width, height) as page:
        page.open(viewer.page_url(port, source, colors=colors))
        page.wait_for(CANVAS, 120)  # a busy machine draws in software
        time.sleep(seconds)
        return page.picture()


def main() -> int:
    """Write the picture: ``screenshot URL OUT.png [--seconds S] [--size WxH] [--colors dark|light]``."""
    parser = argparse.ArgumentParser(prog="screenshot", description=__doc__)
    parser.add_argument("url", help="of the Foxglove server, e.g. ws://127.0.0.1:8765")
    parser.add_argument("out", type=Path, help="PNG file to write")
    parser.add_argument("--seconds", type=float, default=8.0, help="to wait after the view has appeared (default: 8)")
    parser.add_argument("--size", default="1600x900", help="pixels (default: %(default)s)")
    parser.add_argument("--colors", choices=("dark", "light"), default="dark")
    arguments = parser.parse_args()
    try:
        width, height = map(int, arguments.size.split("x"))
    except ValueError:
        print(f"screenshot: --size {arguments.size!r}; expected WIDTHxHEIGHT", file=sys.stderr)
        return 2
    try:
        picture = take(arguments.url, arguments.seconds, width=width, height=height, colors=arguments.colors)
    except (ConfigError, BrowserError) as error:
        print(f"screenshot: {error}", file=sys.stderr)
        return 2
    arguments.out.write_bytes(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
