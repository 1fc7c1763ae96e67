"""Build description of twin_localization."""

from setuptools import find_packages, setup

NAME = "twin_localization"

setup(
    name=NAME,
    version="0.1.0",
    description="Poses of platforms: fixed frames, GNSS and IMU, scans on the district's map.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "frames = twin_localization.frames_node:main",
            "localizer = twin_localization.localizer_node:main",
            "map_matcher = twin_localization.map_matcher_node:main",
        ]
    },
)
