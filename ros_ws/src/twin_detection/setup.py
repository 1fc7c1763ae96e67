"""Build description of twin_detection."""

from setuptools import find_packages, setup

NAME = "twin_detection"

setup(
    name=NAME,
    version="0.1.0",
    description="Finds objects in LiDAR scans of still and moving platforms.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "camera_detector = twin_detection.camera_detector_node:main",
            "lidar_detector = twin_detection.lidar_detector_node:main",
        ]
    },
)
