import urllib.error
import urllib.request
from pathlib import Path

import pytest

from twin_common.config import ConfigError
from twin_viz import viewer


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A project with a viewer of a few bytes."""
    for name in (
        "viewer/index.html", "viewer/boot.js", "viewer/alerts_panel.js", "config/foxglove/district.json",
        "viewer/node_modules/react/umd/react.production.min.js",
        "viewer/node_modules/react-dom/umd/react-dom.production.min.js",
        "viewer/node_modules/@foxglove/studio-base/assets/index.js",
    ):  # fmt: skip
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {name}")
    return tmp_path


def get(port: int, path: str, **headers: str):
    return urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers), timeout=5)


def test_the_page_and_its_parts_are_served(installed: Path) -> None:
    with viewer.serve(root=installed) as port:
        assert get(port, "/?ds=x").read() == b"this is viewer/index.html"
        assert get(port, "/layout.json").read() == b"this is config/foxglove/district.json"
        answer = get(port, "/assets/index.js")
        assert answer.read().endswith(b"assets/index.js")
        assert answer.headers["Content-Type"] == "text/javascript"


@pytest.mark.parametrize(
    "path", ["/nothing", "/assets/nothing.js", "/assets/../../../react/umd", "/recording.mcap", "/assets/"]
)
def test_nothing_else_is(installed: Path, path: str) -> None:
    with viewer.serve(root=installed) as port, pytest.raises(urllib.error.HTTPError, match="404"):
        get(port, path)


@pytest.mark.parametrize(
    ("header", "expected", "place"),
    [
        ("bytes=0-3", b"0123", "bytes 0-3/10"), ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-2", b"89", "bytes 8-9/10"),
        ("bytes=4-400", b"456789", "bytes 4-9/10"),
    ],
)  # fmt: skip
def test_parts_of_a_recording_are_served(installed: Path, header: str, expected: bytes, place: str) -> None:
    recording = installed / "a.mcap"
    recording.write_bytes(b"0123456789")
    with viewer.serve(root=installed, recording=recording) as port:
        answer = get(port, "/recording.mcap", Range=header)
        assert (answer.status, answer.read(), answer.headers["Content-Range"]) == (206, expected, place)


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=5-2", "bytes=-", "lines=1-2", "bytes=0-1,3-4"])
def test_a_range_that_is_none_is_refused(header: str) -> None:
    assert viewer.byte_range(header, 10) is None


def test_a_missing_viewer_and_a_busy_port_are_named(installed: Path) -> None:
    with viewer.serve(root=installed) as port, pytest.raises(ConfigError, match=f"port {port} .*expected a free port"):
        with viewer.serve(port, root=installed):
            pass
    with pytest.raises(ConfigError, match=r"gone.mcap"):
        viewer.routes(installed, installed / "gone.mcap")
    (installed / "viewer/node_modules/@foxglove/studio-base/assets/index.js").unlink()
    (installed / "viewer/node_modules/@foxglove/studio-base/assets").rmdir()
    with pytest.raises(ConfigError, match=r"assets: no such file; run \./twin setup"):
        viewer.routes(installed)


def test_the_address_names_the_source() -> None:
    live = viewer.page_url(80, "ws://127.0.0.1:8765")
    assert "ds=foxglove-websocket&ds.url=ws%3A%2F%2F127.0.0.1%3A8765" in live
    assert "ds=remote-file" in viewer.page_url(80, "http://127.0.0.1/a.mcap")
