"""Models: what the manifest says is proven before a model is used, and fetched whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from twin_common.config import ConfigError
from twin_detection import models, models_cli


def small_model(columns: int = 2) -> bytes:
    """Return a model that adds one to what it gets, (1, 2) float32."""
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, columns]) for name in ("x", "y")]
    one = helper.make_tensor("one", TensorProto.FLOAT, [1], [1.0])
    graph = helper.make_graph([helper.make_node("Add", ["x", "one"], ["y"])], "g", ports[:1], ports[1:], [one])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    made.ir_version = 9
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())


def described(content: bytes, **changes: Any) -> dict[str, Any]:
    return {
        "file": "small.onnx", "licence": "Apache-2.0", "source": "a test", "made": "by a test",
        "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "inputs": {"x": [1, 2]},
        "outputs": {"y": [1, 2]}, "classes": ["car"], **changes,
    }  # fmt: skip


def folder_of(tmp_path: Path, content: bytes | None, **changes: Any) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    stated = described(content or small_model(), **changes)
    (folder / "manifest.yaml").write_text(yaml.safe_dump({"models": {"small": stated}}))
    if content is not None:
        (folder / "small.onnx").write_bytes(content)
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_model_that_is_as_described_runs(tmp_path: Path) -> None:
    session = models.open_model("small", folder=folder_of(tmp_path, small_model()))
    assert session.run(None, {"x": np.zeros((1, 2), np.float32)})[0].tolist() == [[1.0, 1.0]]
    assert session.get_session_options().intra_op_num_threads == 1


@pytest.mark.parametrize(
    ("content", "changes", "expected"),
    [
        (None, {}, "small.onnx: no such file; it is shipped with the project"),
        (None, {"url": "http://x/y"}, "no such file; expected it from `twin models fetch small`"),
        (b"other", {"sha256": "0" * 64}, "SHA-256 d9298a10d1b0…, 5 bytes; expected 000000000000…"),
        (b"no model", {}, "not a model that onnxruntime runs"),
        (small_model(3), {}, r"input 'x' is of shape \[1, 3\]; expected \[1, 2\]"),
        (small_model(), {"inputs": {"z": [1, 2]}}, "input 'z' is missing"),
        (small_model(), {"outputs": {"y": [1, 2, 3]}}, r"output 'y' is of shape \[1, 2\]; expected \[1, 2, 3\]"),
        (small_model(), {"package": "no_such_package"}, "Python package no_such_package is missing"),
        (small_model(), {"sha": "0"}, "unknown key 'sha'; did you mean sha256?"),
    ],
)
def test_anything_else_is_refused_in_one_line(
    tmp_path: Path, content: bytes | None, changes: dict[str, Any], expected: str
) -> None:
    folder = folder_of(tmp_path, content, **changes)
    with pytest.raises(ConfigError, match=expected.replace("?", r"\?")) as caught:
        models.open_model("small", folder=folder)
    assert "\n" not in str(caught.value)


def test_zero_in_a_shape_stands_for_any_length(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, small_model(7), inputs={"x": [1, 0]}, outputs={"y": [0, 7]})
    assert models.open_model("small", folder=folder)


def test_an_unknown_name_and_a_broken_manifest_are_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, small_model())
    with pytest.raises(ConfigError, match="model 'large': not in the manifest; expected one of small"):
        models.open_model("large", folder=folder)
    (folder / "manifest.yaml").write_text("models: [small]\n")
    with pytest.raises(ConfigError, match=r"manifest.yaml: expected a mapping 'models'"):
        models.open_model("small", folder=folder)


def test_a_new_model_is_stamped_into_the_manifest(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, small_model(5), sha256="0" * 64, bytes=1)
    models.stamp("small", folder, calibration={"slope": 0.5})
    item = models.entry("small", folder)
    assert item.bytes == len(small_model(5)) and item.inputs == {"x": [1, 5]} and item.extra["calibration"]
    assert models.open_model("small", folder=folder)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address of a server of it."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_trained_model_is_described_beside_those_that_are_there(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, small_model())
    (folder / "large.onnx").write_bytes(small_model())
    models.describe("large", folder, ["car", "bus"], "train --seed 3")
    models.stamp("large", folder, scale=2.0)
    models.describe("large", folder, ["car"], "train --seed 4")  # what its user needs to know stays
    item = models.stamp("large", folder)
    assert (item.made, item.classes, item.extra) == ("train --seed 4", ("car",), {"scale": 2.0})
    assert models.entry("small", folder).made == "by a test"
    models.describe("large", tmp_path, ["car"], "train")
    assert models.manifest(tmp_path)["large"].file == "large.onnx"


def test_a_model_is_fetched_once_and_found_after_that(tmp_path: Path, served: tuple[Path, str]) -> None:
    content = small_model()
    (served[0] / "m.onnx").write_bytes(content)
    folder = folder_of(tmp_path, None, url=f"{served[1]}/m.onnx")
    path = models_cli.fetch("small", folder=folder)
    assert path.read_bytes() == content and models.open_model("small", folder=folder)
    (served[0] / "m.onnx").unlink()
    assert models_cli.fetch("small", folder=folder) == path


@pytest.mark.parametrize("content", [small_model()[:-9], small_model() + b"more", b""])
def test_what_is_not_the_model_is_not_kept(tmp_path: Path, served: tuple[Path, str], content: bytes) -> None:
    (served[0] / "m.onnx").write_bytes(content)
    folder = folder_of(tmp_path, None, url=f"{served[1]}/m.onnx")
    with pytest.raises(ConfigError, match="SHA-256"):
        models_cli.fetch("small", folder=folder)
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_without_a_network_one_line_tells_what_to_do(tmp_path: Path, served: tuple[Path, str]) -> None:
    folder = folder_of(tmp_path, None, url=f"{served[1]}/missing.onnx")
    with pytest.raises(ConfigError, match="ot found; expected a network, or --file FILE"):
        models_cli.fetch("small", folder=folder)


def test_a_model_may_be_given_as_a_file(tmp_path: Path) -> None:
    given = tmp_path / "given.onnx"
    given.write_bytes(small_model())
    folder = folder_of(tmp_path, None, given=True)
    with pytest.raises(ConfigError, match="no address is known; expected --file FILE"):
        models_cli.fetch("small", folder=folder)
    assert models_cli.fetch("small", given, folder).read_bytes() == small_model()
    given.write_bytes(b"other")
    with pytest.raises(ConfigError, match="SHA-256"):
        models_cli.fetch("small", given, folder)


def test_the_projects_own_manifest_holds() -> None:
    listed = models.manifest()
    assert {"camera", "faces", "yolox_nano", "yolox_tiny"} <= set(listed)
    for item in listed.values():
        assert len(item.sha256) == 64 and item.classes and item.licence and item.source and item.made, item.name
        if models.shipped(item):
            models.open_model(item.name)


def test_no_shipped_model_names_files_of_the_machine_that_made_it() -> None:
    shipped = sorted(models.models_folder().glob("*.onnx"))
    assert len(shipped) >= 5
    for path in shipped:
        content = path.read_bytes()
        assert not any(trace in content for trace in (b"site-packages", b"/models/train/", b'File "')), path.name


def test_onnxruntime_is_told_to_keep_its_figures_to_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    models.open_model("small", folder=folder_of(tmp_path, small_model()))
    import os

    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_a_shipped_model_is_not_taken_from_a_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, small_model())
    with pytest.raises(ConfigError, match="is shipped; expected no --file"):
        models_cli.fetch("small", folder / "small.onnx", folder)
