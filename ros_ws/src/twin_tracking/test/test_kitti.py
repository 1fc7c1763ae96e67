"""KITTI's detections to tracks and scores: on a made street with known truth, and on the recordings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from twin_replay.core import kitti
from twin_replay.core.kitti import KittiError
from twin_tracking.evaluation.kitti import evaluate_kitti, read_all
from twin_tracking.evaluation.kitti_ablation import VARIANTS
from twin_tracking.evaluation.kitti_data import KittiDetections, read_sequence
from twin_tracking.evaluation.kitti_tracks import moved, track_boxes, track_with_peer
from twin_tracking.kitti_config import KITTI

REAL = Path(__file__).resolve().parents[5] / "shared/data/kitti_tracking"
CALIB = """P2: 700 0 600 0 0 700 180 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
Tr_imu_to_velo: 1 0 0 0 0 1 0 0 0 0 1 0
"""
FRAMES, UNSEEN = 40, (20, 21, 22)
METRES_PER_DEGREE = 111_200.0


def street(root: Path, labelled: bool = True, poses: bool = True) -> None:
    """A platform going north at 10 m/s behind two cars and a false box that shows once; one car is missed a while."""
    for folder in ("calib", "label_02", "oxts", "det_pointrcnn/Car"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    labels, found, records = [], [], []
    rng = np.random.default_rng(0)
    for frame in range(FRAMES):
        for number, (x, z) in enumerate(((-2.0, 15.0 + 0.3 * frame), (3.0, 25.0 - 0.1 * frame))):
            labels.append(f"{frame} {number} Car 0 0 0 500 150 600 250 1.5 1.8 4.3 {x} 1.7 {z} -1.5707963")
            if number == 1 and frame in UNSEEN:
                continue
            u, v = x + rng.normal(0, 0.05), z + rng.normal(0, 0.05)
            found.append(f"{frame},2,500,150,600,250,9.0,1.5,1.8,4.3,{u},1.7,{v},-1.5707963,0")
        records.append(f"{49.0 + frame / METRES_PER_DEGREE} 8.4 100 0 0 {np.pi / 2} " + "0 " * 17 + "0 0 4 10 4 4 0")
    found.append("10,2,700,150,720,165,0.5,1.5,1.8,4.3,8.0,1.7,40.0,-1.5707963,0")
    (root / "calib/0042.txt").write_text(CALIB)
    (root / "det_pointrcnn/Car/0042.txt").write_text("\n".join(found) + "\n")
    if labelled:
        (root / "label_02/0042.txt").write_text("\n".join(labels) + "\n")
    if poses:
        (root / "oxts/0042.txt").write_text("\n".join(records) + "\n")


def test_a_made_street_is_tracked_through_a_gap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    street(tmp_path)
    figures = evaluate_kitti(tmp_path, tmp_path / "out")["classes"]["Car"]
    ours, peer = figures["ours"]["0.25"], figures["peer"]["0.25"]
    assert ours["samota"] > 0.95 and ours["misses"] == 0 and ours["switches"] == ours["fragmentations"] == 0
    assert peer["fragmentations"] == 1, "it forgets a car that is missed for three frames"
    rows = kitti.read_labels(tmp_path / "out/Car/data/0042.txt")
    real = np.unique(rows.track_id[rows.score > 0])
    assert len(real) == 2 and sorted(np.bincount(rows.track_id)[real]) == [FRAMES, FRAMES]
    assert (tmp_path / "out/Cyclist/data/0042.txt").read_text() == ""
    assert json.loads((tmp_path / "out/metrics.json").read_text())["sequences"] == ["0042"]
    printed = capsys.readouterr().out
    assert "sAMOTA" in printed and "frames/s" in printed


def test_without_labels_nothing_is_scored_but_all_is_written(tmp_path: Path, capsys) -> None:
    street(tmp_path, labelled=False)
    figures = evaluate_kitti(tmp_path, tmp_path / "out")["classes"]["Car"]
    assert set(figures["ours"]) == {"fps"}
    assert len(kitti.read_labels(tmp_path / "out/Car/data/0042.txt")) >= 2 * FRAMES
    assert "label_02/0042.txt: no such file; expected labels: 0042 is not scored" in capsys.readouterr().err


def test_without_poses_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    street(tmp_path, poses=False)
    figures = evaluate_kitti(tmp_path, tmp_path / "out")["classes"]["Car"]
    assert figures["ours"]["0.25"]["switches"] == 0
    assert "0042.txt: no such file; expected GNSS/IMU records: 0042 is tracked in the moving" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("det_pointrcnn/Car/0042.txt", r"0042.txt:1: 3 columns; expected 15"),
        ("calib/0042.txt", r"0042.txt:1: could not convert"),
    ],
)
def test_broken_files_are_named_and_nothing_is_written(tmp_path: Path, broken: str, said: str) -> None:
    street(tmp_path)
    (tmp_path / broken).write_text("a b c\n" if "calib" in broken else "1 2 3\n")
    with pytest.raises(KittiError, match=said):
        evaluate_kitti(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("broken", "old", "new", "said"),
    [
        ("det_pointrcnn/Car/0042.txt", ",9.0,1.5,", ",nan,1.5,", "0042.txt:1: not all numbers are finite"),
        ("det_pointrcnn/Car/0042.txt", "0,2,500", "-1,2,500", "0042.txt:1: frame -1; expected 0 or more"),
    ],
)
def test_impossible_numbers_are_named(tmp_path: Path, broken: str, old: str, new: str, said: str) -> None:
    street(tmp_path)
    text = (tmp_path / broken).read_text()
    (tmp_path / broken).write_text(text.replace(old, new, 1))
    with pytest.raises(KittiError, match=said):
        evaluate_kitti(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], f"0 lines; expected at least {FRAMES}, one per frame"),
        (["1 2 3"], "0042.txt:1: 3 columns; expected 30"),
        (["49 inf 100 0 0 0 " + "0 " * 24] * FRAMES, "0042.txt:1: not all numbers are finite"),
    ],
)
def test_poses_that_cannot_be_used_are_named_and_done_without(tmp_path: Path, capsys, lines, said) -> None:
    street(tmp_path)
    (tmp_path / "oxts/0042.txt").write_text("".join(f"{line}\n" for line in lines))
    figures = evaluate_kitti(tmp_path, tmp_path / "out")["classes"]["Car"]
    assert figures["ours"]["0.25"]["misses"] == 0
    error = capsys.readouterr().err
    assert said in error and "0042 is tracked in the moving LiDAR's frame" in error


def test_one_broken_sequence_does_not_stop_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    street(tmp_path)
    for name in ("0043", "notes"):
        shutil.copy(tmp_path / "det_pointrcnn/Car/0042.txt", tmp_path / f"det_pointrcnn/Car/{name}.txt")
    (tmp_path / "det_pointrcnn/Car/._0042.txt").write_bytes(b"\x00\xff")
    with pytest.raises(KittiError, match="2 of 3 sequences not tracked: 0043, notes"):
        evaluate_kitti(tmp_path, tmp_path / "out")
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["classes"]["Car"]["ours"]["0.25"]["misses"] == 0
    assert sorted(metrics["broken"]) == ["0043", "notes"]
    assert {path.name for path in (tmp_path / "out/Car/data").iterdir()} == {"0042.txt"}
    assert "calib/0043.txt: no such file; expected a calibration" in capsys.readouterr().err


def test_no_detections_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KittiError, match="no detections; expected files as"):
        evaluate_kitti(tmp_path, tmp_path / "out")


def until(sequence: KittiDetections, frame: int) -> KittiDetections:
    """What was known of a sequence up to and with ``frame``."""
    known = {kind: boxes.select(boxes.frame <= frame) for kind, boxes in sequence.boxes.items()}
    poses = None if sequence.map_from_lidar is None else sequence.map_from_lidar[: frame + 1]
    return replace(sequence, frames=frame + 1, boxes=known, map_from_lidar=poses)


def test_what_is_told_of_a_frame_knows_nothing_later(tmp_path: Path) -> None:
    street(tmp_path)
    sequence = read_sequence(tmp_path, "0042", tuple(KITTI))
    whole = track_boxes(sequence, "Car", *KITTI["Car"]).rows
    for frame in (5, 20, 22, 30):
        part = track_boxes(until(sequence, frame), "Car", *KITTI["Car"]).rows
        early = whole.select(whole.frame <= frame)
        np.testing.assert_array_equal(part.location, early.location)
        np.testing.assert_array_equal(part.score, early.score)
        np.testing.assert_array_equal(part.track_id, early.track_id)


def test_boxes_keep_their_place_and_heading_through_frames_and_back() -> None:
    rng = np.random.default_rng(1)
    cos, sin = np.cos(0.7), np.sin(0.7)
    b_from_a = np.array([[cos, -sin, 0, 3.0], [sin, cos, 0, -2.0], [0, 0, 1, 0.5], [0, 0, 0, 1]])
    boxes = np.column_stack([rng.normal(0, 20, (10, 3)), rng.uniform(1, 4, (10, 3)), rng.uniform(-3, 3, 10)])
    there = moved(b_from_a, boxes)
    np.testing.assert_allclose(np.mod(there[:, 6] - boxes[:, 6] - 0.7 + np.pi, 2 * np.pi), np.pi, atol=1e-9)
    np.testing.assert_allclose(moved(np.linalg.inv(b_from_a), there), boxes, atol=1e-9)


@pytest.mark.realdata
def test_the_recordings_are_tracked_better_than_by_the_peer(tmp_path: Path) -> None:
    for folder in ("calib", "label_02", "oxts", "det_pointrcnn/Car"):
        shutil.copytree(REAL / folder, tmp_path / folder)
    figures = evaluate_kitti(tmp_path, tmp_path / "out")["classes"]["Car"]
    ours, peer = figures["ours"]["0.25"], figures["peer"]["0.25"]
    assert ours["samota"] > peer["samota"] and ours["mota"] > peer["mota"]
    assert ours["switches"] <= max(peer["switches"], 2)
    rows = kitti.read_labels(tmp_path / "out/Car/data/0004.txt")
    assert np.isfinite(rows.location).all() and (rows.image_box[:, 2] <= 1242).all()


@pytest.mark.realdata
@pytest.mark.parametrize("kind", list(KITTI))
def test_a_recording_cut_short_gives_the_same_rows(kind: str) -> None:
    sequence = next(one for one in read_all(REAL)[0] if one.name == "0000")
    whole = track_boxes(sequence, kind, *KITTI[kind]).rows
    part, early = track_boxes(until(sequence, 77), kind, *KITTI[kind]).rows, whole.select(whole.frame <= 77)
    assert len(early) > 50
    for name in ("frame", "track_id", "location", "rotation_y", "size", "image_box", "score"):
        np.testing.assert_allclose(getattr(part, name), getattr(early, name), rtol=0, atol=1e-9)


@pytest.mark.realdata
def test_every_variant_of_the_ablation_tracks() -> None:
    sequence = next(one for one in read_all(REAL)[0] if one.name == "0003")
    for name, change in VARIANTS.items():
        assert len(track_boxes(sequence, "Car", *change(KITTI["Car"])).rows) > 300, name
    assert len(track_with_peer(sequence, "Car").rows) > 300
