import numpy as np
import pytest
import viz_wire as wire
from viz_client import make_tracks

from twin_common import cdr
from twin_common.core.object_class import CLASS_NAMES
from twin_viz.config import FoxgloveConfig
from twin_viz.core import palette, scene, scene_update

DEFAULTS = FoxgloveConfig()
SETTINGS = scene.SceneSettings(
    DEFAULTS.arrow_time, DEFAULTS.label_speed, DEFAULTS.min_mode_probability, DEFAULTS.fade_deviation
)
BEHAVIOR = cdr.record_dtype("twin_msgs/msg/Behavior")
PATH = cdr.record_dtype("twin_msgs/msg/PredictedPath")
ALARM = scene.Zone("predicted_collision", 3, 0.74, 1.8, 5.0, 1.0, 6.0, (2,))


def straight_path(track_id: int, probability: float, deviation: float) -> np.ndarray:
    path = np.zeros(1, PATH)
    path["track_id"], path["probability"] = track_id, probability
    path["x"] = np.arange(1, 13)
    path["covariance_xx"] = path["covariance_yy"] = deviation**2
    return path


def test_a_box_stands_where_the_track_is() -> None:
    tracks = make_tracks({"track_id": 1, "x": 3.0, "y": -2.0, "yaw": 0.5}, {"track_id": 2, "classification": 7})
    boxes = scene.boxes(tracks)
    np.testing.assert_allclose(boxes.center[0], (3.0, -2.0, 0.75))
    np.testing.assert_allclose(boxes.size[0], (4.5, 1.8, 1.5), rtol=1e-6)
    assert boxes.yaw[0] == pytest.approx(0.5)
    np.testing.assert_allclose(boxes.color[:, :3], palette.CLASS_COLORS[[1, 7], :3])


def test_what_is_only_extrapolated_is_fainter() -> None:
    alpha = scene.boxes(make_tracks({"state": 1}, {"state": 2}, {"state": 0})).color[:, 3]
    assert alpha[0] > 1.5 * alpha[1]
    assert alpha[1] == alpha[2]


def test_every_class_has_a_color_of_its_own() -> None:
    colors = {tuple(row[:3]) for row in palette.CLASS_COLORS}
    assert len(colors) == len(CLASS_NAMES) == 10
    np.testing.assert_array_equal(palette.class_colors(np.array([250])), palette.CLASS_COLORS[:1])


def test_an_arrow_reaches_as_far_as_its_object_in_the_arrow_time() -> None:
    arrows = scene.arrows(make_tracks({"velocity_x": 3.0, "velocity_y": 4.0}, {}), 2.0)
    assert len(arrows.length) == 1
    assert arrows.length[0] == pytest.approx(10.0)
    assert arrows.yaw[0] == pytest.approx(np.arctan2(4.0, 3.0))
    assert arrows.start[0, 2] == pytest.approx(1.5)


def test_labels_tell_class_number_speed_and_remarkable_behavior() -> None:
    tracks = make_tracks({"track_id": 7, "velocity_x": 10.0}, {"track_id": 8}, {"track_id": 9, "classification": 7})
    behaviors = np.zeros(2, BEHAVIOR)
    behaviors["track_id"], behaviors["kind"] = (9, 7), (4, 7)  # lying, moving
    labels = scene.labels(tracks, behaviors, np.array([-1, -1, 3]), 0.5)
    assert labels.text == ("car #0007  36 km/h", "pedestrian #0009  0 km/h  lying")
    np.testing.assert_allclose(labels.color[1], palette.SEVERITY_COLORS[3])


def test_a_path_starts_at_its_object_and_fades_with_covariance() -> None:
    tracks = make_tracks({"track_id": 5, "x": 1.0}, {"track_id": 2})
    sure, unsure = straight_path(2, 0.8, 0.1), straight_path(5, 0.8, SETTINGS.fade_deviation)
    paths = scene.predicted(tracks, np.concatenate([sure, unsure]), SETTINGS)
    assert paths.points.shape == (2, 7, 3)
    np.testing.assert_allclose(paths.points[1, 0, :2], (1.0, 0.0))
    np.testing.assert_allclose(paths.points[:, 1:, 0], [np.arange(2, 13, 2)] * 2)
    np.testing.assert_allclose(paths.color[:, 0, 3], 0.8, rtol=1e-6)
    np.testing.assert_allclose(paths.color[1, 1:, 3], 0.4, rtol=1e-5)
    assert (paths.color[0, 1:, 3] > 0.79).all()


def test_improbable_paths_and_those_of_vanished_tracks_are_left_out() -> None:
    tracks = make_tracks({"track_id": 1})
    paths = np.concatenate([straight_path(1, 0.01, 1.0), straight_path(99, 0.9, 1.0), straight_path(0, 0.9, 1.0)])
    assert len(scene.predicted(tracks, paths, SETTINGS).points) == 0
    assert len(scene.predicted(tracks[:0], paths, SETTINGS).points) == 0


def test_an_incident_marks_its_zone_and_its_objects() -> None:
    tracks = make_tracks({"track_id": 1}, {"track_id": 2, "z": 10.75})
    entities = {entity.name: entity for entity in scene.build_scene(tracks, PATHS, BEHAVIORS, (ALARM,), SETTINGS)}
    halo = entities["objects"].primitives[1]
    np.testing.assert_allclose(halo.center, [(0.0, 0.0, 10.75)])
    np.testing.assert_allclose(halo.color[0, :3], palette.SEVERITY_COLORS[3, :3])
    discs, texts = entities["incidents"].primitives
    np.testing.assert_allclose(discs.base, [(5.0, 1.0, 10.08)])
    np.testing.assert_allclose(discs.radius, 6.0)
    assert 0.1 < discs.color[0, 3] < 0.6
    assert texts.text == ("PREDICTED COLLISION  in 1.8 s  74 %",)


def test_the_highest_severity_colors_an_object() -> None:
    mild = scene.Zone("vehicle_stopped", 1, 1.0, float("nan"), 0.0, 0.0, 1.0, (2, 3))
    np.testing.assert_array_equal(scene.severity_of(np.array([1, 2, 3], np.uint64), (mild, ALARM)), [-1, 3, 1])


PATHS = np.zeros(0, PATH)
BEHAVIORS = np.zeros(0, BEHAVIOR)


def test_nothing_gives_entities_that_show_nothing() -> None:
    entities = scene.build_scene(make_tracks(), PATHS, BEHAVIORS, (), SETTINGS)
    decoded = wire.entities(scene_update.encode(entities, 5_000_000_000))
    assert set(decoded) == {"objects", "velocities", "labels", "predictions", "incidents"}
    assert not any(number >= 7 for entity in decoded.values() for number in entity)


def test_the_encoded_scene_reads_back() -> None:
    tracks = make_tracks({"track_id": 2, "x": 3.0, "y": -2.0, "yaw": np.pi / 2, "velocity_y": 5.0})
    entities = scene.build_scene(tracks, straight_path(2, 0.9, 0.5), BEHAVIORS, (ALARM,), SETTINGS)
    decoded = wire.entities(scene_update.encode(entities, 5_000_000_007))
    cube = wire.fields(decoded["objects"][8][0])
    pose = wire.fields(cube[1][0])
    assert wire.vector(pose[1][0])[:3] == pytest.approx([3.0, -2.0, 0.75])
    assert wire.vector(pose[2][0])[2:] == pytest.approx([np.sqrt(0.5)] * 2)
    assert wire.vector(cube[2][0])[:3] == pytest.approx([4.5, 1.8, 1.5])
    assert wire.vector(cube[3][0]) == pytest.approx(palette.CLASS_COLORS[1].tolist())
    assert len(decoded["objects"][8]) == 2
    line = wire.fields(decoded["predictions"][11][0])
    assert len(line[5]) == len(line[7]) == 7
    assert len(decoded["incidents"][10]) == 1
    assert wire.fields(decoded["labels"][13][0])[6] == [b"car #0002  18 km/h"]
    assert decoded["objects"][2] == [b"map"]
    assert wire.fields(decoded["objects"][1][0]) == {1: [5], 2: [7]}
