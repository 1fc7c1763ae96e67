"""What a person gets for a mistake: one clear line, exit code 2, and nothing left behind."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NEAR_MISS = ROOT / "bags/near_miss"


def twin(*arguments: str, cwd: Path = ROOT, timeout: float = 60) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(ROOT / "twin"), *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False
    )


def assert_one_line(result: subprocess.CompletedProcess, *words: str) -> None:
    lines = [line for line in result.stderr.strip().splitlines() if line.strip()]
    assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0], lines[0]


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return Path(shutil.copytree(NEAR_MISS, tmp_path / "bag"))


def test_a_missing_bag(own_domain: int) -> None:
    assert_one_line(twin("demo", "--headless", "--input", "nowhere"), "nowhere", "no such file", "scenario")


def test_a_truncated_bag(bag: Path, own_domain: int) -> None:
    recording = next(bag.glob("*.mcap"))
    os.truncate(recording, recording.stat().st_size // 2)
    assert_one_line(twin("demo", "--headless", "--port", "0", "--input", str(bag)), recording.name, "expected")


def test_a_bag_without_the_topics_the_graph_needs(bag: Path, own_domain: int) -> None:
    district = bag / "district.yaml"
    district.write_text(district.read_text().replace("pole_01", "pole_91").replace("pole_02", "pole_92"))
    assert_one_line(twin("demo", "--headless", "--port", "0", "--input", str(bag)), "feeds the graph", "/pole_91/lidar")


def test_a_bag_without_a_district(bag: Path, own_domain: int) -> None:
    (bag / "district.yaml").unlink()
    assert_one_line(twin("demo", "--headless", "--port", "0", "--input", str(bag)), "district.yaml", "no such file")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes: {tracker: {max_coats: 1.0}}", ("/district/tracker", "unknown key 'max_coats'", "max_coast")),
        ("nodes: {tracker: {max_coast: -1.0}}", ("/district/tracker", "-1.0 is out of range", "expected 0.1")),
        ("nodes: {traker: {max_coast: 1.0}}", ("unknown node 'traker'", "tracker")),
        ("nods: {}", ("unknown key 'nods'; did you mean nodes?",)),
    ],
)
def test_a_wrong_key_or_value_in_the_district(bag: Path, own_domain: int, text: str, words: tuple[str, ...]) -> None:
    district = bag / "district.yaml"
    district.write_text(district.read_text() + "\n" + text + "\n")
    assert_one_line(twin("demo", "--headless", "--port", "0", "--input", str(bag)), "district.yaml", *words)


def test_a_busy_port(own_domain: int) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert_one_line(twin("demo", "--headless", "--port", str(port)), f"port {port} on 127.0.0.1", "in use")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("launch", "distrikt"), ("no description 'distrikt'", "district, platform, replay, simulation")),
        (("launch", "district", "foxglove_prot:=1"), ("unknown key 'foxglove_prot'; did you mean foxglove_port?",)),
        (("launch", "district", "foxglove_port:=x"), ("foxglove_port:=x; expected int",)),
        (("launch", "district", "platforms"), ("'platforms'; expected key:=value",)),
        (("launch", "platform", "platform:=pole_09"), ("pole_09: no such platform", "pole_01, pole_02")),
        (("bag", "info", "nowhere"), ("nowhere",)),
        (("replay", "nowhere"), ("nowhere",)),
        (("eval", "tracking", "--data", "nowhere"), ("nowhere: no such folder",)),
        (("eval", "detection", "--format", "camera", "--long"), ("--format camera with --long; expected --out",)),
        (("eval", "detection", "--format", "camera", "--data", "x"), ("--format camera with --data; expected --out",)),
        (("eval", "tracking", "--cross-validate"), ("--cross-validate; expected it with eval tracking --format",)),
        (("eval", "detection", "--format", "kitti"), ("--format kitti; expected it with tracking only",)),
        (("eval", "localization", "--data", "."), ("--data or --format; expected --out at most",)),
        (("eval", "detection", "--ablation"), ("--ablation; expected it with eval tracking --format kitti only",)),
        (
            ("eval", "tracking", "--format", "kitti", "--ablation", "--cross-validate"),
            ("--ablation and --cross-validate; expected one of them",),
        ),
        (("bench", "speed"), ("no benchmark 'speed'",)),
        (("launch", "simulation", "scenario:=nowhere"), ("nowhere: no such scenario", "near_miss")),
        (("launch", "simulation", "poles:=40"), ("poles: 40; expected at most 12",)),
        (("launch", "simulation", "duration:=900"), ("duration 900 s; expected at most its own",)),
        (("demo", "--headless", "--input", "near_miss", "--duration", "99"), ("expected at most its own",)),
        (("sim", "preview", "nowhere"), ("nowhere: no such scenario",)),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_a_wrong_argument(arguments: tuple[str, ...], words: tuple[str, ...], own_domain: int) -> None:
    assert_one_line(twin(*arguments), *words)
