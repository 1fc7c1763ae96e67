import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def district_file(tmp_path: Path) -> Path:
    path = tmp_path / "district.yaml"
    path.write_text(
        "name: a corner\n"
        "datum: {latitude: 35.1525, longitude: 126.848}\n"
        "platforms:\n"
        "  - {name: pole_01, pose: {x: 10, y: 10}, lidar: {mount: {z: 4.0}}}\n"
        "  - {name: pole_02, pose: {x: -10, y: -10}}\n"
        "zones:\n"
        "  - {name: street, kind: carriageway, polygon: [[-50, -5], [50, -5], [50, 5], [-50, 5]]}\n"
        "  - {name: house, kind: building, polygon: [[20, 10], [40, 10], [40, 30], [20, 30]]}\n"
    )
    return path
