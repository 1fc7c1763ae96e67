"""The launch files: one for each description, and the same nodes on the real launch API where that is installed."""

import importlib.util
from pathlib import Path

import pytest

from twin_bringup.descriptions import DESCRIPTIONS

ROOT = Path(__file__).parent.parent
FILES = {path.name.removesuffix(".launch.py"): path for path in ROOT.glob("launch/*.launch.py")}


def test_every_description_has_a_launch_file() -> None:
    assert FILES.keys() == DESCRIPTIONS.keys()


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_launch_file_declares_the_options_of_its_description(name: str) -> None:
    pytest.importorskip("launch_ros", reason="launch and launch_ros are not installed: they come with a full ROS 2")
    spec = importlib.util.spec_from_file_location(name, FILES[name])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    declared = {argument.name for argument in module.generate_launch_description().get_launch_arguments()}
    assert declared == set(DESCRIPTIONS[name][0].__dataclass_fields__)
