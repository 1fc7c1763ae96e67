"""The evaluation on a made sequence, and on the real one."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twin_common.core.geometry import transform_from_rpy
from twin_common.core.object_class import ObjectClass
from twin_replay import detection_evaluation, evaluation, kitti_play
from twin_replay.core import kitti
from twin_sim.core.bodies import Bodies
from twin_sim.core.body_atlas import BodyAtlas
from twin_sim.core.frame import ACTOR, Frame, Shape
from twin_sim.core.lidar import VehicleLidar
from twin_sim.core.lidar_models import lidar_model
from twin_sim.core.meshes import box, joined
from twin_sim.core.still_scene import StillScene

REAL = Path(__file__).resolve().parents[5] / "shared/data/kitti_tracking"
CALIB = """P2: 700 0 600 0 0 700 180 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 0 1 0 0 0
Tr_imu_to_velo: 1 0 0 0 0 1 0 0 0 0 1 0
"""
FRAMES = 12


def roof_lidar() -> VehicleLidar:
    """Return an HDL-64E 1.73 m above a street with a wall along it."""
    scene = joined([box(160.0, 160.0, 1.0, "asphalt").placed(z=-1.0), box(60.0, 0.5, 8.0, "brick").placed(y=-12.0)])
    mount = transform_from_rpy((0.0, 0.0, 1.73), 0.0, 0.0, 0.0)
    return VehicleLidar(lidar_model("HDL-64E"), StillScene(scene), BodyAtlas(Bodies()), mount, seed=0, stream=0)


def cars_at(x: float, y: float) -> np.ndarray:
    """Return the vehicle with the LiDAR, and a car whose foot has its middle at a place."""
    actors = np.zeros(2, ACTOR)
    actors["actor_id"], actors["classification"], actors["shape"] = (1, 2), ObjectClass.CAR, Shape.SUV
    actors["length"], actors["width"], actors["height"] = 4.6, 1.85, 1.6
    actors["x"][1], actors["y"][1] = x, y
    return actors


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A car that drives away straight ahead of a standing vehicle, and a wall, simulated in KITTI's layout."""
    root = tmp_path_factory.mktemp("kitti")
    for folder in ("velodyne/0042", "calib", "label_02", "oxts"):
        (root / folder).mkdir(parents=True)
    labels = []
    lidar = roof_lidar()
    for frame in range(FRAMES):
        x, y = 9.0 + 0.7 * frame, 1.5
        points = lidar.cloud(lidar.sweep(Frame(10**18 + frame * 10**8, cars_at(x, y), np.zeros(0)), 1))
        rows = np.stack([points["x"], points["y"], points["z"], points["intensity"] / 255], axis=1).astype("<f4")
        rows.tofile(root / f"velodyne/0042/{frame:06d}.bin")
        labels.append(f"{frame} 5 Car 0 0 0 500 150 600 250 1.6 1.85 4.6 {-y} 1.73 {x} -1.5707963")
    (root / "calib/0042.txt").write_text(CALIB)
    (root / "label_02/0042.txt").write_text("\n".join(labels) + "\n")
    record = "49.0 8.4 100.0 0 0 0 " + " ".join("0" for _ in range(17)) + " 0.02 0.02 4 10 4 4 0\n"
    (root / "oxts/0042.txt").write_text(record * FRAMES)
    return root


def test_detection_on_a_made_street(street: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    metrics = detection_evaluation.evaluate_detection(street, tmp_path)
    rules = metrics[detection_evaluation.RULES]
    assert rules["recall"] == 1.0 and rules["precision"] == 1.0 and rules["ap"] == 1.0
    assert rules["position_error"] < 0.4
    assert metrics[detection_evaluation.LEARNED]["recall"] > 0.8
    assert detection_evaluation.POINT_RCNN not in metrics
    assert json.loads((tmp_path / "metrics.json").read_text())["sequences"] == ["0042"]
    rows = kitti.read_labels(tmp_path / "rules/data/0042.txt")
    cars = rows.select((rows.kind == "Car") & (rows.score > 0.5))
    assert set(cars.frame) == set(range(FRAMES))
    assert (tmp_path / "dbscan/data/0042.txt").is_file() and (tmp_path / "learned/data/0042.txt").is_file()
    printed = capsys.readouterr().out
    assert "recall" in printed and "DBSCAN" in printed and "Car and Van, within 40 m" in printed


def test_tracking_on_a_made_street(street: Path, tmp_path: Path) -> None:
    metrics = evaluation.evaluate_tracking(street, tmp_path)
    ours = metrics["ours"]
    assert ours["id_switches"] == 0 and ours["labelled_tracks"] == 1 and ours["false_alarms"] == 0
    assert ours["recall"] > 0.6 and ours["motp"] < 0.5
    rows = kitti.read_labels(tmp_path / "ours/data/0042.txt")
    assert len(set(rows.track_id[rows.kind == "Car"])) == 1


def test_a_folder_without_scans_is_named(tmp_path: Path) -> None:
    with pytest.raises(kitti.KittiError, match="velodyne: no such folder"):
        detection_evaluation.evaluate_detection(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.realdata
def test_a_real_car_does_not_see_itself() -> None:
    objects: list[np.ndarray] = []
    sequence = kitti.TrackingSequence(REAL, "0000")

    def observe(topic: str, _type: str, _time_ns: int, message: Any) -> None:
        if topic.endswith("/objects"):
            objects.append(np.asarray(message["objects"]))

    changes = {"method": "learned", "learned_min_existence": 0.1}
    assert len(list(islice(kitti_play.played(sequence, detection_evaluation.NODES, observe, changes), 12))) == 12
    found = np.concatenate(objects)
    assert len(found) > 100
    assert not np.any((np.abs(found["x"]) < 2.5) & (np.abs(found["y"]) < 2.0))


@pytest.mark.realdata
def test_real_cars_are_found_and_followed(tmp_path: Path) -> None:
    found = detection_evaluation.evaluate_detection(REAL, tmp_path / "detection", ["0000"])
    rules, learned = found[detection_evaluation.RULES], found[detection_evaluation.LEARNED]
    assert rules["recall"] >= 0.85 and rules["precision"] >= 0.6
    assert learned["best_f1"] > found[detection_evaluation.DBSCAN]["best_f1"]
    assert detection_evaluation.POINT_RCNN in found and list((tmp_path / "detection/misses").glob("*.png"))
    followed = evaluation.evaluate_tracking(REAL, tmp_path / "tracking", ["0000"])
    assert followed["ours"]["mota"] > followed["baseline"]["mota"] and followed["ours"]["mota"] > 0.5
    assert followed["ours"]["id_switches"] <= 3 and followed["ours"]["idf1"] > 0.6
