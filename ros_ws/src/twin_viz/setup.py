"""Build description of twin_viz."""

from setuptools import find_packages, setup

NAME = "twin_viz"

setup(
    name=NAME,
    version="0.1.0",
    description="The operator view: Foxglove server, scenes and layout.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["foxglove = twin_viz.foxglove_node:main"]},
)
