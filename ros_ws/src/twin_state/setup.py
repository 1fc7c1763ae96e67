"""Build description of twin_state."""

from setuptools import find_packages, setup

NAME = "twin_state"

setup(
    name=NAME,
    version="0.1.0",
    description="The live twin and its history.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["twin = twin_state.twin_node:main"]},
)
