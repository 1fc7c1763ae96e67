"""Build description of twin_fusion."""

from setuptools import find_packages, setup

NAME = "twin_fusion"

setup(
    name=NAME,
    version="0.1.0",
    description="Brings detections to the map frame and merges what several sensors and platforms see.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "alignment = twin_fusion.alignment_node:main",
            "fusion = twin_fusion.fusion_node:main",
            "merger = twin_fusion.merger_node:main",
        ]
    },
)
