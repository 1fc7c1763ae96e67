"""Build description of twin_sim."""

from setuptools import find_packages, setup

NAME = "twin_sim"

setup(
    name=NAME,
    version="0.1.0",
    description="The simulated district: world, actors, accidents, sensors and ground truth.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "simulator = twin_sim.simulator_node:main",
            "sensors = twin_sim.sensors_node:main",
        ]
    },
)
