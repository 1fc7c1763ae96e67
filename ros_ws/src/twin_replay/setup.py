"""Build description of twin_replay."""

from setuptools import find_packages, setup

NAME = "twin_replay"

setup(
    name=NAME,
    version="0.1.0",
    description="Bags: recording, playing, import, lockstep replay, comparison and scores.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": ["player = twin_replay.player_node:main", "recorder = twin_replay.recorder_node:main"]
    },
)
