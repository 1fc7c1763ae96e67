"""Build description of twin_drivers."""

from setuptools import find_packages, setup

NAME = "twin_drivers"

setup(
    name=NAME,
    version="0.1.0",
    description="LiDAR, camera and GNSS/IMU drivers: live, packet capture and recording.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "lidar_driver = twin_drivers.lidar_node:main",
            "camera_driver = twin_drivers.camera_node:main",
            "gnss_imu_driver = twin_drivers.gnss_imu_node:main",
        ]
    },
)
