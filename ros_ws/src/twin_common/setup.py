"""Build description of twin_common."""

from setuptools import find_packages, setup

NAME = "twin_common"

setup(
    name=NAME,
    version="0.1.0",
    description="Time, geometry, CDR codec, topic registry, configuration and the node base of District Twin.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={"console_scripts": []},
)
