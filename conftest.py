"""Tests of real recordings are skipped, by name, where the recordings are not beside the checkout."""

from pathlib import Path

import pytest

RECORDINGS = Path(__file__).resolve().parent.parent / "shared/data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is marked ``realdata`` where there is no such data."""
    if RECORDINGS.is_dir():
        return
    absent = pytest.mark.skip(reason=f"{RECORDINGS} is absent: the real recordings are not here")
    for item in items:
        if item.get_closest_marker("realdata"):
            item.add_marker(absent)
