"""Build description of twin_bringup."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = "twin_bringup"
# The same from the source folder and from colcon's build folder: both lie three below the project's root.
ROOT = "../../.."


def files(pattern: str) -> list[str]:
    """Return the project's files that go to the package's share folder."""
    return sorted(str(path) for path in Path(ROOT).glob(pattern) if path.is_file())


setup(
    name=NAME,
    version="0.1.0",
    description="The node graph as data, the runner and the command line.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch/*.launch.py")),
        (f"share/{NAME}/config/foxglove", files("config/foxglove/*.json")),
        (f"share/{NAME}/bags/near_miss", files("bags/near_miss/*")),
        (f"share/{NAME}/models", files("models/*.yaml") + files("models/*.onnx")),
        (f"share/{NAME}/config/scenarios", files("config/scenarios/*.yaml")),
        (f"share/{NAME}/config/districts/sangmu", files("config/districts/sangmu/*")),
    ],
    entry_points={"console_scripts": ["container = twin_bringup.container:main", "twin = twin_bringup.cli:main"]},
)
