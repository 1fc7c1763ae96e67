"""What the project's tests share: the root, the real recordings, and middleware of one's own."""

import random
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"


@pytest.fixture
def own_domain(monkeypatch: pytest.MonkeyPatch) -> int:
    """A ROS domain that no other run is likely to use, for this process and its children."""
    number = random.SystemRandom().randint(1, 100)
    monkeypatch.setenv("ROS_DOMAIN_ID", str(number))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    return number


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; a test that needs it is skipped, by name, where it is absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip(f"real recordings are absent: {folder}")
    return folder
