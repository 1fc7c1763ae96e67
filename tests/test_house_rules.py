"""What the project promises about itself: pure cores, small nodes, documents that match the code."""

import ast
import importlib
import os
from pathlib import Path

import pytest

from twin_bringup.docs import pages

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent.parent for path in ROOT.glob("ros_ws/src/twin_*/*/__init__.py"))
CORES = sorted(ROOT.glob("ros_ws/src/*/*/core/*.py"))
NODES = sorted(ROOT.glob("ros_ws/src/*/twin_*/*_node.py"))
ROS = ("rclpy", "tf2_ros", "rcl_interfaces", "rosidl_parser", "ament_index_python", "launch", "launch_ros")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("path", CORES, ids=lambda path: str(path.relative_to(ROOT / "ros_ws/src")))
def test_core_knows_no_ros(path: Path) -> None:
    bad = {name for name in imports(path) if name in ROS or name.endswith("_msgs")}
    assert not bad


@pytest.mark.parametrize("path", NODES, ids=lambda path: path.name)
def test_a_node_file_stays_small(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 250


@pytest.mark.parametrize("path", sorted(pages(ROOT)), ids=lambda path: str(path.relative_to(ROOT)))
def test_generated_documents_match_the_code(path: Path) -> None:
    assert path.read_text() == pages(ROOT)[path], "run: python -m twin_bringup.docs"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_a_package_is_complete(package: Path) -> None:
    for name in ("package.xml", "setup.py", "README.md", f"resource/{package.name}"):
        assert (package / name).is_file(), f"{package.name} has no {name}"
    assert list((package / "test").glob("test_*.py")), f"{package.name} has no tests"
    assert f"<name>{package.name}</name>" in (package / "package.xml").read_text()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_entry_point_exists(package: Path) -> None:
    text = (package / "setup.py").read_text()
    for line in (part.strip(' "[],') for part in text.replace("\n", ",").split(",")):
        if " = " in line and ":" in line and line.split(" = ")[1].startswith("twin_"):
            module, _, function = line.split(" = ")[1].strip('"]}').partition(":")
            assert callable(getattr(importlib.import_module(module), function.strip('"]}')))


def test_nothing_large_is_in_the_repository() -> None:
    sizes = {
        path: path.stat().st_size
        for folder in ("bags", "models", "docs", "config")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not os.fspath(path).endswith(".pyc")
    }
    assert all(size < 30e6 for size in sizes.values())
    assert sum(sizes.values()) < 150e6
