"""Build description of twin_tracking."""

from setuptools import find_packages, setup

NAME = "twin_tracking"

setup(
    name=NAME,
    version="0.1.0",
    description="Multi-object tracking of the whole district.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["tracker = twin_tracking.tracker_node:main"]},
)
