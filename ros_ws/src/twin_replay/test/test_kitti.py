"""Reading the KITTI tracking layout: synthetic files with known content, bad files, and the real ones."""

from pathlib import Path

import numpy as np
import pytest

from twin_replay.core import kitti, kitti_results

REAL = Path(__file__).resolve().parents[5] / "shared/data/kitti_tracking"
CALIB = """P0: 1 0 0 0 0 1 0 0 0 0 1 0
P2: 700 0 600 0 0 700 180 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 -0.27
Tr_imu_to_velo: 1 0 0 -0.8 0 1 0 0.3 0 0 1 -0.8
"""
LABEL = "3 7 Car 0 1 -1.57 10 20 30 40 1.5 1.6 4.0 -2 1.75 10 -1.5707963\n"
OXTS = "49.0 8.4 112.8 0.01 0.02 -1.2 -3.3 1.1 3.5 " + " ".join("0" for _ in range(21)) + "\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("velodyne/0007", "calib", "label_02", "oxts", "image_02/0007"):
        (tmp_path / folder).mkdir(parents=True)
    np.array([[1, 2, 3, 0.5], [4, 5, 6, 1.0]], "<f4").tofile(tmp_path / "velodyne/0007/000000.bin")
    np.savez(
        tmp_path / "velodyne/0007/000003.npz",
        xyz_4mm=np.array([[250, -500, 25]], np.int16),
        intensity=np.array([51], np.uint8),
    )
    (tmp_path / "calib/0007.txt").write_text(CALIB)
    (tmp_path / "label_02/0007.txt").write_text(LABEL)
    (tmp_path / "oxts/0007.txt").write_text(OXTS * 4)
    (tmp_path / "image_02/0007/000003.png").write_bytes(b"png")
    return tmp_path


def test_reads_both_forms_of_scans(root: Path) -> None:
    sequence = kitti.TrackingSequence(root, "0007")
    assert sequence.frames == [0, 3]
    np.testing.assert_array_equal(sequence.scan(0).xyz, [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_allclose(sequence.scan(0).intensity, [0.5, 1.0])
    np.testing.assert_allclose(sequence.scan(3).xyz, [[1.0, -2.0, 0.1]], atol=1e-6)
    np.testing.assert_allclose(sequence.scan(3).intensity, [0.2], atol=1e-6)
    assert sequence.image(3) == root / "image_02/0007/000003.png" and sequence.image(0) is None
    assert len(sequence.oxts) == 4 and sequence.oxts.vf[0] == 3.5
    assert kitti.sequences(root) == ["0007"]


def test_label_is_placed_in_the_lidar_frame(root: Path) -> None:
    sequence = kitti.TrackingSequence(root, "0007")
    box = sequence.labels.in_lidar(sequence.calibration)[0]
    # 10 m ahead of the camera, which sits 0.27 m ahead of the LiDAR; 2 m to the left; it drives away.
    np.testing.assert_allclose(box, [10.27, 2.0, -1.0, 4.0, 1.6, 1.5, 0.0], atol=1e-6)


def test_boxes_survive_the_way_to_text_and_back(root: Path, tmp_path: Path) -> None:
    calibration = kitti.TrackingSequence(root, "0007").calibration
    boxes = np.array([[12.0, -3.0, -0.9, 4.2, 1.7, 1.5, 0.4], [20.0, 5.0, -0.8, 8.0, 2.2, 3.0, -2.9]])
    rows = kitti_results.boxes_from_lidar(calibration, [0, 4], [1, 2], ["Car", "Van"], boxes, [0.5, 0.9])
    kitti_results.write_labels(tmp_path / "out/0007.txt", rows)
    back = kitti.read_labels(tmp_path / "out/0007.txt")
    np.testing.assert_allclose(back.in_lidar(calibration), boxes, atol=1e-5)
    assert list(back.kind) == ["Car", "Van"] and list(back.track_id) == [1, 2]
    np.testing.assert_allclose(back.score, [0.5, 0.9])


def test_projection_surrounds_the_projected_centre(root: Path) -> None:
    calibration = kitti.TrackingSequence(root, "0007").calibration
    ahead = np.array([[20.27, 0.0, 0.0, 4.0, 2.0, 2.0, 0.0], [-20.0, 0.0, 0.0, 4.0, 2.0, 2.0, 0.0]])
    left, top, right, bottom = kitti_results.project_boxes(calibration, ahead, (1242, 375))[0]
    # The near face is 18 m from the camera, 2 m wide: 700 / 18 px either side of (600, 180).
    np.testing.assert_allclose([left, right, top, bottom], [600 - 38.9, 600 + 38.9, 180 - 38.9, 180 + 38.9], atol=0.1)
    assert np.isnan(kitti_results.project_boxes(calibration, ahead, (1242, 375))[1]).all()


def test_points_are_timed_counter_clockwise_from_the_rear() -> None:
    xyz = np.array([[-1, -1e-6, 0], [0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 1e-6, 0]], float)
    np.testing.assert_allclose(kitti.point_time_offsets_ns(xyz) / 1e6, [-100, -75, -50, -25, 0], atol=0.01)
    assert kitti.scan_stamp_ns(5) - kitti.frame_stamp_ns(5) == 50_000_000


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("calib/0007.txt", CALIB.replace("R0_rect", "R9_rect"), "calib/0007.txt:3: R9_rect has 9 numbers; expected 12"),
        ("calib/0007.txt", CALIB.split("R0")[0], "no R0_rect, Tr_imu_to_velo, Tr_velo_to_cam"),
        ("label_02/0007.txt", LABEL + "1 2 Car\n", "label_02/0007.txt:2: 3 columns; expected 17"),
        ("label_02/0007.txt", LABEL.replace("10", "ten"), "label_02/0007.txt:1: could not convert"),
        ("oxts/0007.txt", OXTS + "1 2 3\n", "oxts/0007.txt:2: 3 columns; expected 30"),
        ("oxts/0007.txt", OXTS, "1 lines; expected at least 4"),
        ("velodyne/0007/000000.bin", "abc", "3 bytes; expected a multiple of 16"),
        ("velodyne/0007/000003.npz", "abc", "not a scan archive"),
    ],
)
def test_a_bad_file_is_named_in_one_line(root: Path, path: str, content: str, expected: str) -> None:
    (root / path).write_text(content)
    sequence = kitti.TrackingSequence(root, "0007")
    with pytest.raises(kitti.KittiError) as caught:
        for frame in sequence.frames:
            sequence.scan(frame)
        assert sequence.calibration and sequence.labels and sequence.oxts
    assert expected in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_file_is_named(root: Path) -> None:
    (root / "calib/0007.txt").unlink()
    with pytest.raises(kitti.KittiError, match=r"calib/0007\.txt: no such file"):
        assert kitti.TrackingSequence(root, "0007").calibration
    with pytest.raises(kitti.KittiError, match="velodyne/0009: no such folder"):
        kitti.TrackingSequence(root, "0009")
    with pytest.raises(kitti.KittiError, match="no scan of frame 99"):
        kitti.TrackingSequence(root, "0007").scan(99)


@pytest.mark.realdata
def test_reads_the_real_sequence() -> None:
    sequence = kitti.TrackingSequence(REAL, "0000")
    assert sequence.frames == list(range(100))
    scan = sequence.scan(0)
    assert len(scan.xyz) > 100_000 and scan.intensity.min() >= 0 and scan.intensity.max() <= 1
    rings = kitti.rings(scan.xyz)
    elevation = np.arctan2(scan.xyz[:, 2], np.hypot(scan.xyz[:, 0], scan.xyz[:, 1]))
    medians = [np.median(elevation[rings == ring]) for ring in np.unique(rings)]
    assert len(medians) >= 62 and (np.diff(medians) > 0).all()
    labels = sequence.labels
    cars = labels.select((labels.frame == 0) & np.isin(labels.kind, ["Car", "Van"]))
    for x, y, z, length, width, height, yaw in cars.in_lidar(sequence.calibration):
        delta = scan.xyz - [x, y, z]
        along, across = (
            delta[:, 0] * np.cos(yaw) + delta[:, 1] * np.sin(yaw),
            delta[:, 1] * np.cos(yaw) - delta[:, 0] * np.sin(yaw),
        )
        inside = (abs(along) < length / 2) & (abs(across) < width / 2) & (abs(delta[:, 2]) < height / 2)
        assert inside.sum() >= 20, f"a labelled car at {x:.1f}, {y:.1f} has {inside.sum()} points"
    detections = kitti.read_detections(REAL / "det_pointrcnn/Car/0000.txt", "Car")
    assert len(detections) > 100 and detections.score.max() > 5
