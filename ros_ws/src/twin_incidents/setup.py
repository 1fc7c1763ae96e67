"""Build description of twin_incidents."""

from setuptools import find_packages, setup

NAME = "twin_incidents"

setup(
    name=NAME,
    version="0.1.0",
    description="Incident rules and the life cycle of alerts.",
    license="Apache-2.0",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["incidents.yaml"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    entry_points={
        "console_scripts": [
            "incident_detector = twin_incidents.incident_node:main",
            "dispatcher = twin_incidents.dispatcher_node:main",
            "platform_monitor = twin_incidents.platform_monitor_node:main",
        ]
    },
)
