"""Build description of twin_prediction."""

from setuptools import find_packages, setup

NAME = "twin_prediction"

setup(
    name=NAME,
    version="0.1.0",
    description="What each tracked object will do.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={"console_scripts": ["prediction = twin_prediction.prediction_node:main"]},
)
