"""The pinned references of the recordings: the same every time, and a change is noticed."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BAG = ROOT / "bags/near_miss"
OTHERS = sorted(path.parent.name for path in ROOT.glob("bags/*/reference") if path.parent != BAG)


def replay(*arguments: str, bag: Path = BAG) -> subprocess.CompletedProcess:
    command = [str(ROOT / "twin"), "replay", str(bag), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)


def test_the_graph_gives_what_is_pinned_twice(tmp_path: Path) -> None:
    result = replay("--twice", "--out", str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", OTHERS)
def test_the_graph_gives_what_is_pinned(name: str, tmp_path: Path) -> None:
    result = replay("--out", str(tmp_path), bag=ROOT / "bags" / name)
    assert result.returncode == 0, result.stdout + result.stderr


def test_a_changed_parameter_is_noticed_and_written_down(tmp_path: Path) -> None:
    district = tmp_path / "district.yaml"
    text = (BAG / "district.yaml").read_text().replace("metadata: ", f"metadata: {BAG}/")
    district.write_text(text + "\nnodes: {tracker: {detection_probability: 0.6}}\n")
    result = replay("--district", str(district), "--out", str(tmp_path / "out"))
    assert result.returncode == 1, result.stdout + result.stderr
    differences = (tmp_path / "out/differences.txt").read_text()
    assert "/district/tracks" in differences
