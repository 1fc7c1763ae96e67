"""Build description of twin_bringup."""

from setuptools import find_packages, setup

NAME = "twin_bringup"

setup(
    name=NAME,
    version="0.1.0",
    description="The node graph as data, the runner and the command line.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["container = twin_bringup.container:main", "twin = twin_bringup.cli:main"]},
)
