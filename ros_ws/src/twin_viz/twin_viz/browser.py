"""Drives a headless Chromium over its DevTools protocol: enough to take a picture of a page that lives on."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from twin_common.config import ConfigError

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--mute-audio", "--remote-debugging-port=0",
)  # fmt: skip


class BrowserError(RuntimeError):
    """The browser did not do what was asked; the message is one line for a person."""


def find_browser() -> str:
    """Return the path of an installed Chromium or Chrome.

    Raises:
        ConfigError: there is none.

    """
    for name in NAMES:
        path = shutil.which(name)
        if path:
            return path
    raise ConfigError(f"browser: none of {', '.join(NAMES)} is installed; run: sudo apt-get install chromium")


class Page:
    """One page of a running browser."""

    def __init__(self, connection: ClientConnection) -> None:
        """Collect what the page logs from now on."""
        self._connection = connection
        self._numbers = itertools.count(1)
        self.errors: list[str] = []
        self.command("Runtime.enable")
        self.command("Page.enable")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a DevTools command and return its result.

        Raises:
            BrowserError: the browser refuses it.

        """
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._connection.recv(timeout=60))
            if message.get("method") == "Runtime.exceptionThrown":
                details = message["params"]["exceptionDetails"]
                self.errors.append(details.get("exception", {}).get("description", details["text"]))
            if message.get("id") == number:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']['message']}")
                result: dict[str, Any] = message["result"]
                return result

    def open(self, url: str) -> None:
        """Go to an address."""
        answer = self.command("Page.navigate", url=url)
        if answer.get("errorText"):
            raise BrowserError(f"{url}: {answer['errorText']}")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; a promise is awaited."""
        answer = self.command("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise BrowserError(f"{expression[:80]}: {answer['exceptionDetails']['text']}")
        return answer["result"].get("value")

    def wait_for(self, expression: str, timeout: float) -> Any:
        """Return the value of a JavaScript expression as soon as it is true.

        Raises:
            BrowserError: it stays false for ``timeout`` seconds.

        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            value = self.evaluate(expression)
            if value:
                return value
            time.sleep(0.25)
        raise BrowserError(f"not within {timeout:g} s: {expression}")

    def picture(self) -> bytes:
        """Return what the page shows, PNG."""
        return base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])


@contextlib.contextmanager
def browser(width: int = 1600, height: int = 900) -> Iterator[Page]:
    """Run a headless browser with one page of this size, pixels, while the block runs.

    Raises:
        ConfigError: no browser is installed.
        BrowserError: it does not start.

    """
    with tempfile.TemporaryDirectory(prefix="twin-browser-", ignore_cleanup_errors=True) as profile:
        command = [
            find_browser(),
            *_FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "about:blank",
        ]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                with connect(_debugger(Path(profile), process), max_size=None) as connection:
                    page = Page(connection)
                    page.command(
                        "Emulation.setDeviceMetricsOverride",
                        width=width,
                        height=height,
                        deviceScaleFactor=1,
                        mobile=False,
                    )
                    yield page
            finally:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()


def _debugger(profile: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address of the first page's debugger."""
    import urllib.request

    deadline = time.monotonic() + 30
    ports = profile / "DevToolsActivePort"
    while time.monotonic() < deadline and process.poll() is None:
        if ports.is_file() and ports.read_text().count("\n"):
            port = ports.read_text().splitlines()[0]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=10) as answer:
                pages = [item for item in json.load(answer) if item["type"] == "page"]
            if pages:
                address: str = pages[0]["webSocketDebuggerUrl"]
                return address
        time.sleep(0.1)
    raise BrowserError("browser: did not start within 30 s")
