"""Learned models: ``models/manifest.yaml`` says what they are, ``open_model`` opens them once they are proven to be it.

A model lies in the project's folder ``models``, in a Python package, or, fetched, in the user's cache folder.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from twin_common.config import Config, ConfigError, from_mapping, load_yaml, setting

MANIFEST = "manifest.yaml"
_HEADING = "# Every learned model; what each key means: models/README.md. Rewritten by `./twin models stamp NAME`.\n"


@dataclass(frozen=True, slots=True)
class ModelEntry(Config):
    """One model, as the manifest describes it."""

    name: str = setting(doc="for people and parameters")
    file: str = setting(doc="name of its file")
    licence: str = setting(doc="SPDX identifier")
    source: str = setting(doc="who made it, and where it is described")
    made: str = setting(doc="how: the command that trains it, or whose release it is")
    sha256: str = setting(doc="of the file, hexadecimal")
    bytes: int = setting(doc="of the file", low=1)
    inputs: dict[str, Any] = setting(doc="shape of each input; 0: any length", factory=dict)
    outputs: dict[str, Any] = setting(doc="shape of each output; 0: any length", factory=dict)
    classes: tuple[str, ...] = setting((), doc="of its outputs, in their order; coco: the 80 of COCO")
    package: str = setting("", doc="the Python package that ships the file; empty: the folder models, or fetched")
    url: str = setting("", doc="where to fetch it; empty: it is shipped, or has to be given")
    given: bool = setting(False, doc="has to be given by hand: no address is known")
    extra: dict[str, Any] = setting(doc="what its user needs to know besides, e.g. calibration", factory=dict)


def models_folder() -> Path:
    """Return the folder of the manifest and of what is shipped.

    Raises:
        ConfigError: there is none.

    """
    for base in _bases():
        if (base / "models" / MANIFEST).is_file():
            return base / "models"
    raise ConfigError(f"models/{MANIFEST}: no such file; expected it in $TWIN_ROOT or in the checkout")


def _bases() -> list[Path]:
    found = [Path(os.environ["TWIN_ROOT"])] if os.environ.get("TWIN_ROOT") else []
    found += list(Path(__file__).resolve().parents[4:5])  # a checkout, whose packages are linked into the workspace
    try:
        from ament_index_python.packages import PackageNotFoundError, get_package_share_directory

        found.append(Path(get_package_share_directory("twin_bringup")))
    except (ImportError, PackageNotFoundError):
        pass
    return [*found, Path.cwd()]


def fetched_folder() -> Path:
    """Return where fetched models are kept (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "district-twin" / "models"


def manifest(folder: Path | None = None) -> dict[str, ModelEntry]:
    """Return every model by name.

    Raises:
        ConfigError: the manifest is missing or is not what was expected.

    """
    path = (folder or models_folder()) / MANIFEST
    raw = load_yaml(path)
    if not isinstance(raw, dict) or not isinstance(raw.get("models"), dict):
        raise ConfigError(f"{path}: expected a mapping 'models' of name to description")
    return {
        str(name): from_mapping(ModelEntry, {"name": str(name), **(values or {})}, f"{path}: models.{name}")
        for name, values in raw["models"].items()
    }


def entry(name: str, folder: Path | None = None) -> ModelEntry:
    """Return the description of a model.

    Raises:
        ConfigError: there is no such model; lists those there are.

    """
    known = manifest(folder)
    if name not in known:
        raise ConfigError(f"model {name!r}: not in the manifest; expected one of {', '.join(sorted(known))}")
    return known[name]


def locate(item: ModelEntry, folder: Path | None = None) -> Path:
    """Return the file of a model.

    Raises:
        ConfigError: it is not on this machine; says how it gets there.

    """
    if item.package:
        found = importlib.util.find_spec(item.package)
        if found is None or not found.origin:
            raise ConfigError(
                f"model {item.name}: Python package {item.package} is missing; expected it to ship the file"
            )
        places = [Path(found.origin).parent / item.file]
    else:
        places = [(folder or models_folder()) / item.file, fetched_folder() / item.file]
    for path in places:
        if path.is_file():
            return path
    hint = "it is shipped with the project" if shipped(item) else f"expected it from `twin models fetch {item.name}`"
    raise ConfigError(f"model {item.name}: {places[0]}: no such file; {hint}")


def shipped(item: ModelEntry) -> bool:
    """Return whether a model comes with the project or its Python packages, and need not be fetched."""
    return bool(item.package) or not (item.url or item.given)


def check_file(item: ModelEntry, path: Path) -> bytes:
    """Return the content of a model's file.

    Raises:
        ConfigError: it is not the file that the manifest describes.

    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"model {item.name}: {path}: {error.strerror}; expected its file") from None
    digest = hashlib.sha256(content).hexdigest()
    if digest != item.sha256:
        raise ConfigError(
            f"model {item.name}: {path}: SHA-256 {digest[:12]}…, {len(content)} bytes; "
            f"expected {item.sha256[:12]}…, {item.bytes} bytes"
        )
    return content


def open_model(name: str, threads: int = 1, *, file: Path | str | None = None, folder: Path | None = None) -> Any:
    """Open a model, checked against its description: an onnxruntime.InferenceSession on the processor.

    Args:
        name: in the manifest.
        threads: that one run uses.
        file: the model's file, in place of where it usually lies.
        folder: of the manifest, in place of the project's.

    Raises:
        ConfigError: unknown name, missing file, wrong hash, no ONNX, or inputs and outputs of other shapes.

    """
    item = entry(name, folder)
    path = Path(file) if file else locate(item, folder)
    session = open_session(check_file(item, path), f"model {name}: {path}", threads)
    where = f"model {name}: {path}"
    _check_shapes(where, "input", item.inputs, {port.name: port.shape for port in session.get_inputs()})
    _check_shapes(where, "output", item.outputs, {port.name: port.shape for port in session.get_outputs()})
    return session


def open_session(content: bytes, where: str, threads: int = 1) -> Any:
    """Open the ONNX model of some bytes on ``threads`` threads; raises ConfigError that starts with ``where``."""
    # From 1.32 on onnxruntime reports its use to its makers unless told not to before it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # its warnings are about how a model was exported
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own classes share no other base
        reason = str(error).splitlines()[0][:160]
        raise ConfigError(f"{where}: not a model that onnxruntime runs ({reason}); expected ONNX") from None


def _check_shapes(where: str, what: str, expected: dict[str, Any], found: dict[str, list[Any]]) -> None:
    for name, shape in expected.items():
        here = found.get(name)
        fits = here is not None and len(here) == len(shape)
        if here is None or not (fits and all(a == b or b == 0 for a, b in zip(here, shape, strict=True))):
            given = "missing" if here is None else f"of shape {here}"
            raise ConfigError(f"{where}: {what} {name!r} is {given}; expected {list(shape)}")
    surplus = sorted(set(found) - set(expected)) if expected and what == "input" else []
    if surplus:
        raise ConfigError(f"{where}: unexpected {what} {surplus[0]!r}; expected {', '.join(expected)}")


def describe(name: str, folder: Path, classes: Sequence[str], made: str) -> None:
    """Describe a model that this project has trained in the manifest of a folder, made if missing; the rest stays.

    Its file has to be stamped then. ``classes``: of its outputs; ``made``: the command.
    """
    path = folder / MANIFEST
    raw = load_yaml(path) if path.is_file() else {"models": {}}
    described = {
        "file": f"{name}.onnx", "licence": "Apache-2.0", "source": "this project, docs/perception.md", "made": made,
        "sha256": "-", "bytes": 1, "classes": list(classes),
    }  # fmt: skip
    raw["models"][name] = raw["models"].get(name, {}) | described
    _write(path, raw)


def stamp(name: str, folder: Path | None = None, **extra: Any) -> ModelEntry:
    """Write hash, size and shapes of a model's file, and what is given in ``extra``, into the manifest.

    Raises:
        ConfigError: the model is not described, or its file is missing or no ONNX.

    """
    folder = folder or models_folder()
    item = entry(name, folder)
    content = locate(item, folder).read_bytes()
    session = open_session(content, f"model {name}")
    path = folder / MANIFEST
    raw = load_yaml(path)
    values = raw["models"][name]
    values |= {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    for key, ports in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
        values[key] = {port.name: [size if isinstance(size, int) else 0 for size in port.shape] for port in ports}
    if extra:
        values["extra"] = {**values.get("extra", {}), **extra}
    _write(path, raw)
    return entry(name, folder)


def _write(path: Path, manifest: dict[str, Any]) -> None:
    """Write a manifest, whole or not at all."""
    part = path.with_suffix(".part")
    text = yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=118, default_flow_style=None)
    part.write_text(_HEADING + text)
    part.replace(path)
