"""Parts of the fusion of LiDAR and camera: scans followed, evidence, levels, hit rates, mounts, blending."""

import numpy as np
import pytest
from fusion_scenes import CAR, LENS, LYING, MOTORCYCLE, PEDESTRIAN, facing_east, photographed, standing

from twin_fusion.config import MergerConfig
from twin_fusion.core import evidence
from twin_fusion.core.blending import blend
from twin_fusion.core.camera_mount import Sighting, fit_mount
from twin_fusion.core.camera_pairing import clip_boxes, image_boxes, overlap, project_boxes
from twin_fusion.core.class_likelihood import ClassLikelihood
from twin_fusion.core.hit_rate import HitRate
from twin_fusion.core.merging import merge
from twin_fusion.core.placement import PoseError, place, poses_between
from twin_fusion.core.scan_history import ScanHistory
from twin_fusion.core.sensor_level import SECOND, Rhythm, Sight, level_of
from twin_fusion.core.slots import Part, Slot
from twin_localization.core.registration import correction, moved

START_NS = 1_700_000_000_000_000_000


def test_people_keep_their_number_and_get_a_velocity() -> None:
    history = ScanHistory(0.5)
    start = np.array([[10.0, 0.0], [10.0, 1.2], [20.0, 5.0]])
    velocity = np.array([[1.4, 0.0], [-1.4, 0.0], [0.0, 0.0]])
    rng = np.random.default_rng(0)
    scans = []
    for k in range(10):
        objects = standing(start + velocity * 0.1 * k + rng.normal(scale=0.02, size=(3, 2)), PEDESTRIAN)
        scans.append(history.add(START_NS + k * 100_000_000, objects[rng.permutation(3)]))
    for scan in scans[3:]:
        order = np.argsort(scan.identity)
        np.testing.assert_array_equal(scan.identity[order], np.sort(scans[0].identity))
        first = scans[0].objects[np.argsort(scans[0].identity)]
        np.testing.assert_allclose(scan.objects["y"][order], first["y"], atol=0.1)
    known = scans[-1].velocity()[np.argsort(scans[-1].objects["y"])]
    np.testing.assert_allclose(known, velocity, atol=0.25)
    assert np.isnan(scans[1].velocity()).all()
    assert history.nearest(START_NS + 730_000_000) is scans[7]
    assert history.nearest(START_NS + 3 * SECOND) is None
    assert len(history) == 6


def test_a_history_starts_anew_after_a_gap_or_when_time_goes_back() -> None:
    history = ScanHistory(0.5)
    people = standing(np.array([[10.0, 0.0]]), PEDESTRIAN)
    first = history.add(START_NS, people)
    after = history.add(START_NS + 2 * SECOND, people)
    back = history.add(START_NS + SECOND, people)
    assert len({int(scan.identity[0]) for scan in (first, after, back)}) == 3 and len(history) == 1
    assert len(history.add(START_NS + SECOND + 100_000_000, people[:0]).objects) == 0


def test_a_sensor_that_knows_nothing_changes_nothing() -> None:
    lidar = np.zeros((2, 10))
    lidar[0, 7], lidar[0, 6], lidar[1, 0] = 0.7, 0.3, 1.0
    ignorant = np.zeros((2, 10))
    ignorant[:, 0] = 1.0
    words, full = ClassLikelihood(), np.ones(2)
    np.testing.assert_allclose(evidence.joined_classes(lidar, words.of(ignorant), full), lidar, atol=1e-12)
    sure = np.full((2, 10), 0.01)
    sure[:, 1] = 0.91
    fused = evidence.joined_classes(np.full((2, 10), 0.1), words.of(sure), full)
    assert fused.argmax(axis=1).tolist() == [1, 1] and (fused[:, 1] > 0.6).all()
    np.testing.assert_allclose(fused.sum(axis=1), 1.0)
    np.testing.assert_allclose(evidence.joined_classes(lidar, words.of(sure), np.zeros(2)), lidar, atol=1e-12)


def test_what_both_are_sure_of_is_not_put_behind_what_one_is_sure_of() -> None:
    objects = standing(np.array([[12.0, 0.0]]), PEDESTRIAN)
    objects["class_probability"] = 0.0
    objects["class_probability"][0, [6, 7]] = 0.0002, 0.9998
    objects["existence"] = 0.9998
    said = np.zeros(1, evidence.EVIDENCE)
    said["seen"], said["class_weight"], said["log_odds"] = True, 1.0, evidence.log_odds(np.array([0.7]))
    said["class_sum"] = np.log(ClassLikelihood().of(objects["class_probability"]).clip(1e-6))
    after = objects.copy()
    evidence.apply(after, said, np.ones(1), 2)
    assert after["class_probability"][0, 7] >= objects["class_probability"][0, 7]
    assert after["existence"][0] > objects["existence"][0]


def test_what_a_camera_says_of_a_class_in_ten_frames_is_their_mean() -> None:
    """Nine frames in ten call a rider a rider: the tenth does not turn it round, and ten are not ten witnesses."""
    words = np.log(np.array([0.1, 0.9])), np.log(np.array([0.9, 0.1]))
    kept = np.zeros(0, evidence.EVIDENCE)
    for k in range(40):
        fresh = np.zeros(2, evidence.EVIDENCE)
        fresh["identity"] = 5, 8
        fresh["class_sum"][1, [6, 7]], fresh["class_weight"][1] = words[k % 10 == 9], 1.0
        evidence.carry_on(fresh, kept)
        kept = fresh
    mean = kept["class_sum"][1] / kept["class_weight"][1]
    assert np.log(0.2) > mean[6] > np.log(0.1) and np.log(0.9) > mean[7] > np.log(0.7) - 0.2
    assert kept["class_weight"][0] == 0 and kept["class_weight"][1] == pytest.approx(10, abs=0.3)


def test_a_camera_that_calls_cars_lorries_is_not_believed_when_it_alone_sees_one() -> None:
    words = ClassLikelihood()
    car, lorry, says_lorry, says_person = np.eye(10)[[1, 2, 2, 7]]
    assert words.vehicles(np.array([says_lorry])).argmax(axis=1).tolist() == [2]
    for _ in range(400):  # of ten vehicles one is a lorry, and one car in two is called so
        words.note(np.array([car] * 9 + [lorry]), np.array([0.5 * (car + says_lorry)] * 9 + [says_lorry]))
    told = words.vehicles(np.array([says_lorry, says_person, np.eye(10)[0]]))
    assert told[0].argmax() == 1 and told[0, 2] > 0.1
    np.testing.assert_allclose(told[1:], [says_person, np.eye(10)[0]], atol=1e-12)
    np.testing.assert_allclose(told.sum(axis=1), 1.0)


def test_a_camera_tells_which_vehicle_it_is_only_where_the_lidar_leaves_it_open() -> None:
    sure, open_, said = np.zeros(10), np.zeros(10), np.zeros(10)
    sure[[1, 2, 7]], open_[[1, 2, 7]], said[1] = (0.02, 0.97, 0.01), (0.3, 0.6, 0.1), 1.0
    words = ClassLikelihood().of(np.array([said, said]))
    fused = evidence.joined_classes(np.array([sure, open_]), words, np.ones(2))
    np.testing.assert_allclose(fused[0], sure)  # a car for the camera, a lorry for both
    assert fused[1].argmax() == 1
    np.testing.assert_allclose(fused[:, 7], [0.01, 0.1])  # no more a person either way


def test_a_camera_makes_no_vehicle_surer_but_may_say_that_it_is_none() -> None:
    """It sees a misplaced piece of a car as well as a car; what it says of people counts whole."""
    own, words = np.zeros((3, 10)), ClassLikelihood()
    own[:2, [1, 3, 7]], own[2, [1, 7]] = (0.6, 0.1, 0.3), (0.4, 0.6)
    said = np.full((3, 10), 0.01)
    said[[0, 1, 2], [1, 7, 1]] = 0.91
    fused = evidence.joined_classes(own, words.of(said), np.ones(3))
    np.testing.assert_allclose(fused.sum(axis=1), 1.0)
    vehicle = fused[:, [1, 2, 3]].sum(axis=1)
    assert vehicle[0] == pytest.approx(0.7) and fused[0, 1] > 0.62  # which one it is, it may tell
    assert vehicle[1] < 0.6 and vehicle[2] > 0.5


def test_a_word_that_fits_two_classes_does_not_choose_between_them() -> None:
    """Of a tie the LiDAR's own class stays, until the camera says what fits one of them clearly better."""
    tied = standing(np.array([[12.0, 0.0]]), PEDESTRIAN)
    tied["class_probability"] = 0.0
    tied["class_probability"][0, [4, 6]] = 0.5
    said = np.zeros(1, evidence.EVIDENCE)
    said["seen"], said["class_weight"] = True, 1.0
    for likelihood, least, most in ((0.6, 0.5, 0.5), (0.1, 0.59, 0.61)):
        said["class_sum"] = np.log(0.3)
        said["class_sum"][0, [4, 6]] = np.log(likelihood), 0.0
        fused = tied.copy()
        evidence.apply(fused, said, np.ones(1), 2, 0.3)
        assert least - 1e-6 <= fused["class_probability"][0, 6] <= most + 1e-6


@pytest.mark.parametrize("own", [np.eye(10)[0], np.full(10, 0.1)], ids=["unknown", "all alike"])
def test_where_the_lidar_has_no_class_the_camera_s_word_counts_whatever_the_class(own: np.ndarray) -> None:
    answers = []
    for kind in (1, 2, 6, 8):
        word = np.full((1, 10), 0.1)
        word[0, kind], word[0, 0] = 0.9, 0.0
        answers.append(float(evidence.joined_classes(own[None], word, np.ones(1))[0, kind]))
    assert np.ptp(answers) < 1e-9 and answers[0] > 0.3


@pytest.mark.parametrize(("label", "near"), [(PEDESTRIAN, 0.65), (6, 1.2), (CAR, 2.3)])
@pytest.mark.parametrize("sigmas", [(0.01, 0.01), (0.3, 0.3), (0.2, 0.9), (0.8, 0.8), (0.3, 3.0), (2.0, 2.0)])
def test_existence_counts_as_often_as_a_place_is_right(label: int, near: float, sigmas: tuple[float, ...]) -> None:
    """Of objects that are there with 0.8, at true places scattered as is stated, so many are as near, to a tenth."""
    rng, turn = np.random.default_rng(0), np.radians(25.0)
    axes = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    off = rng.normal(size=(20_000, 2)) * sigmas @ axes.T
    there = rng.random(len(off)) < 0.8
    share = np.mean(there & (np.hypot(*off.T) <= near))
    covariance = axes @ np.diag(np.square(sigmas)) @ axes.T
    found = evidence.here(np.array([0.8]), covariance[None], np.array([label]))
    assert found[0] == pytest.approx(share, abs=0.1)


def test_a_sight_says_no_more_than_true_objects_are_seen_oftener_than_others() -> None:
    label, chance = np.array([PEDESTRIAN, PEDESTRIAN, CAR, PEDESTRIAN]), np.array([0.9, 0.1, 0.9, 0.9])
    sight = evidence.sighted(np.array([0.99, 0.99, 0.99, 0.6]), chance, label)
    assert sight[0] == pytest.approx(np.log(0.9 / 0.15)) and sight[1] == 0.0  # a camera that sees nobody
    assert 0 == sight[2] < 0.3 < sight[3] < sight[0]  # pieces of vehicles are seen as well as vehicles
    rider, often = np.array([6]), np.array([0.8])  # nor does it say whether a rider is there
    assert evidence.sighted(often, often, rider)[0] == 0.0


def test_what_a_camera_means_by_person_is_learned() -> None:
    """One camera calls scooters persons, another scooters: only of the other "person" speaks against a scooter."""
    person, scooter, sure, doubt = (np.full((1, 10), 0.01) for _ in range(4))
    person[0, 7], scooter[0, 5], sure[0, 5], doubt[0, [5, 7]] = 0.91, 0.91, 0.91, (0.6, 0.4)
    left = []
    for word in (person, scooter):
        words = ClassLikelihood()
        for _ in range(300):
            words.note(sure, word)
            words.note(doubt, person)  # of whom the LiDAR is not sure, nothing is learned
        left.append(evidence.joined_classes(doubt, words.of(person), np.ones(1))[0, 5])
    assert 0.5 < left[0] < 0.65 and left[1] < 0.4


def test_belief_rises_where_both_see_and_falls_where_one_should() -> None:
    both = evidence.from_log_odds(evidence.log_odds(np.array([0.8])) + evidence.log_odds(np.array([0.7])))
    assert both[0] == pytest.approx(0.8 * 0.7 / (0.8 * 0.7 + 0.2 * 0.3))
    assert evidence.missed(np.array([0.8]), np.array([0.0]))[0] == pytest.approx(0.8)
    assert evidence.missed(np.array([0.8]), np.array([0.9]))[0] == pytest.approx(0.08 / 0.28)


def test_postures_of_lidar_and_camera() -> None:
    camera = np.array(
        [[0.02, 0.9, 0.04, 0.04], [0.02, 0.5, 0.04, 0.44], [0.97, 0.01, 0.01, 0.01], [0.1, 0.3, 0.3, 0.3]]
    )
    told = evidence.posture(np.array([LYING, LYING, LYING, 0], np.uint8), camera)
    assert told.tolist() == [1, LYING, LYING, 0]


def test_projected_boxes_are_those_of_the_image() -> None:
    pose = facing_east()
    objects = standing(np.array([[15.0, 2.0], [-10.0, 0.0], [4.0, 3.5]]), CAR, 0.4)
    boxes = project_boxes(objects, LENS, pose)
    assert np.isnan(boxes[1]).all()
    seen = image_boxes(photographed(objects, pose))
    assert overlap(boxes[:1], seen[:1])[0, 0] > 0.9
    clipped = clip_boxes(boxes, LENS)
    assert np.isnan(clipped[1]).all() and (clipped[0] >= 0).all() and clipped[0, 2] <= LENS.width


def test_hit_rates_follow_what_happens() -> None:
    rate = HitRate((0.5, 0.5, 0.5), memory=100)
    people = np.full(3, PEDESTRIAN)
    assert rate.at(np.array([10.0, 60.0]), people[:2]).tolist() == [0.5, 0.0]
    for _ in range(200):
        rate.note(np.array([10.0, 30.0]), people[:2], np.array([True, False]))
    near, middle, far = rate.at(np.array([10.0, 30.0, 40.0]), people)
    assert near > 0.9 and middle < 0.1 and far == 0.5
    assert rate.at(np.array([10.0]), np.array([CAR]))[0] == 0.5
    for _ in range(200):
        rate.note(np.array([10.0]), people[:1], np.array([False]))
    assert rate.at(np.array([10.0]), people[:1])[0] < 0.25
    share, chances = rate.near()
    assert share < 0.2 and chances > 100


@pytest.mark.parametrize(
    ("lidar", "camera", "sees", "level", "words"),
    [
        (None, None, (1.0, 1.0), "waiting", ""),
        (0.1, None, (1.0, 1.0), "full", ""),
        (0.1, 0.1, (1.0, 1.0), "full", ""),
        (0.1, 2.0, (1.0, 1.0), "lidar only", "camera silent"),
        (2.0, 0.1, (1.0, 1.0), "camera only", "LiDAR silent"),
        (2.0, 2.0, (1.0, 1.0), "blind", "camera silent"),
        (2.0, None, (1.0, 1.0), "blind", "LiDAR silent"),
        (0.1, 0.1, (0.9, 0.1), "lidar only", "camera sees 10%"),
        (0.1, 0.1, (0.1, 0.9), "camera only", "LiDAR sees 10%"),
        (0.1, 0.1, (0.1, 0.1), "lidar only", "camera sees 10%"),
    ],
)
def test_levels(lidar: float | None, camera: float | None, sees: tuple[float, float], level: str, words: str) -> None:
    rhythms = []
    for silence in (lidar, camera):
        rhythm = Rhythm()
        if silence is not None:
            rhythm.beat(START_NS - round(silence * SECOND), START_NS)
        rhythms.append(rhythm)
    told, reasons = level_of(rhythms[0], rhythms[1], (Sight(sees[0], 100), Sight(sees[1], 100)), 0.5, START_NS)
    assert told == level and words in "; ".join(reasons)
    assert bool(reasons) == (level in ("lidar only", "camera only", "blind"))


@pytest.mark.parametrize(("seed", "shift_sigma"), [(0, 0.02), (1, 0.02), (2, 0.3), (3, 0.3)])
def test_a_camera_that_is_mounted_otherwise_is_found(seed: int, shift_sigma: float) -> None:
    rng = np.random.default_rng(seed)
    true = facing_east()
    sightings = []
    for _ in range(80):
        label = rng.choice([PEDESTRIAN, CAR, MOTORCYCLE], 6)
        x = rng.uniform(8, 40, 6)
        where = np.column_stack([x, rng.uniform(-0.6, 0.6, 6) * x])
        objects = np.concatenate([standing(where[i : i + 1], label[i], rng.uniform(-3, 3)) for i in range(6)])
        seen = photographed(objects, true, noise=1.5, rng=rng)
        seen = seen[rng.random(len(seen)) < 0.8]
        found = objects[rng.random(6) < 0.8]
        found["x"] += rng.normal(scale=0.08, size=len(found))
        found["y"] += rng.normal(scale=0.08, size=len(found))
        sightings.append(Sighting(found, image_boxes(seen), seen["classification"].astype(int), seen["cut"]))
    off = np.concatenate([rng.normal(scale=np.radians(2.0), size=3), rng.normal(scale=0.4 * shift_sigma, size=3)])
    fit = fit_mount(sightings, LENS, moved(true, off), shift_sigma)
    turn, shift = correction(true, fit.base_from_camera)
    assert np.degrees(np.linalg.norm(turn)) < 0.1 and np.linalg.norm(shift) < 0.05
    assert (np.abs(np.concatenate([turn, shift])) < 4 * fit.sigma).all()
    assert fit.share > 0.6 and 1.0 < fit.rms_px < 4.0


def test_mounts_without_objects_in_common_are_refused() -> None:
    pose = facing_east()
    people = standing(np.array([[15.0, 0.0], [18.0, 1.0]]), PEDESTRIAN)
    seen = photographed(people, pose)
    boxes, labels, cut = image_boxes(seen), seen["classification"].astype(int), seen["cut"]
    with pytest.raises(ValueError, match="LiDAR sees no objects in 40 frames"):
        fit_mount([Sighting(people[:0], boxes, labels, cut)] * 40, LENS, pose)
    with pytest.raises(ValueError, match="expected 30 or more"):
        fit_mount([Sighting(people, boxes, labels, cut)] * 3, LENS, pose)
    away = pose.copy()
    away[:3, :3] = -away[:3, :3] @ np.diag([1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="no object of the LiDAR lies in the camera's view"):
        fit_mount([Sighting(people, boxes, labels, cut)] * 40, LENS, away)


def test_objects_are_placed_by_the_pose_of_their_own_time() -> None:
    """A vehicle at 10 m/s that turns by 20 degrees within a scan passes three posts."""
    first, last = np.eye(4), moved(np.eye(4), np.array([0, 0, np.radians(20), 1.0, 0.2, 0]))
    posts = np.array([[12.0, 3.0], [15.0, -4.0], [20.0, 0.0]])
    fraction = np.array([0.0, 0.5, 1.0])
    poses = poses_between(first, last, fraction)
    np.testing.assert_allclose(poses[0], first, atol=1e-12)
    np.testing.assert_allclose(poses[2], last, atol=1e-12)
    objects = standing(posts, PEDESTRIAN)
    for i in range(3):
        local = np.linalg.inv(poses[i]) @ np.array([*posts[i], 0.0, 1.0])
        objects["x"][i], objects["y"][i] = local[:2]
    placed = place(objects, poses, 0, PoseError.even(0.0, 0.0))
    np.testing.assert_allclose(np.column_stack([placed["x"], placed["y"]]), posts, atol=1e-6)
    with pytest.raises(ValueError, match=r"expected \(4, 4\) or \(3, 4, 4\)"):
        place(objects, poses[:2], 0, PoseError.even(0.0, 0.0))


def camera_view(objects: np.ndarray, sigma: float) -> np.ndarray:
    """The same objects as only a camera sees them, sigma metres off along x."""
    seen = objects.copy()
    seen["sensors"], seen["point_count"], seen["platforms"] = 2, 0, 2
    seen["position_covariance"] = np.diag((sigma**2, 0.01, 0.04)).reshape(-1)
    seen["length"] *= 1.2
    seen["colour"][:, 2] = 200
    seen["posture"] = LYING
    return seen


def test_views_of_a_camera_and_a_lidar_of_two_platforms_are_joined() -> None:
    lidar = standing(np.array([[12.0, 0.0]]), PEDESTRIAN)
    camera = camera_view(lidar, 1.0)
    camera["x"] += 1.3
    slot = Slot((Part(0, START_NS, lidar), Part(1, START_NS, camera)))
    merged = merge(slot, MergerConfig(platforms=("a", "b")))
    assert merged.shared == 1 and len(merged.objects) == 1
    one = merged.objects[0]
    assert one["sensors"] == 3 and one["posture"] == LYING and one["colour"][2] == 200
    assert abs(one["x"] - 12.0) < 0.1 and one["length"] == pytest.approx(lidar["length"][0])
    two_lidars = camera.copy()
    two_lidars["sensors"], two_lidars["x"] = 1, 13.3
    slot = Slot((Part(0, START_NS, lidar), Part(1, START_NS, two_lidars)))
    assert len(merge(slot, MergerConfig(platforms=("a", "b"))).objects) == 2  # LiDARs are not so far off


def test_colours_of_two_views_are_averaged_where_both_know_them() -> None:
    first, second = (standing(np.array([[12.0, 0.0]]), PEDESTRIAN) for _ in range(2))
    first["colour"][:, 0] = 200
    joined, _ = blend(first, np.zeros(1), second, np.zeros(1), 0.05)
    assert joined["colour"][0, 0] == 200
    second["colour"][:, 0], second["colour"][:, 1] = 100, 100
    joined, _ = blend(first, np.zeros(1), second, np.zeros(1), 0.05)
    assert joined["colour"][0, :2].tolist() == [150, 50]


@pytest.mark.parametrize("common", [0.0, 0.15])
def test_merged_places_are_as_good_as_they_claim_even_with_common_errors(common: float) -> None:
    """Two platforms see the same people; a part of their errors is the same (a map that is off), and is not stated.

    Who uses the places adds that part, once, to single views and to joined ones.
    """
    rng = np.random.default_rng(5)
    nees, nees_alone = [], []
    own = np.array([np.diag((0.10, 0.20, 0.1)) ** 2, np.diag((0.20, 0.10, 0.1)) ** 2])
    for _ in range(400):
        truth = np.array([[12.0, 0.0]])
        shared = rng.normal(scale=common, size=2) if common else np.zeros(2)
        views = []
        for k in range(2):
            view = standing(truth, PEDESTRIAN)
            error = shared + rng.normal(size=2) * np.sqrt(np.diag(own[k])[:2])
            view["x"] += error[0]
            view["y"] += error[1]
            view["position_covariance"] = own[k].reshape(-1)
            views.append(view)
        joined, _ = blend(views[0], np.zeros(1), views[1], np.zeros(1), max(common, 0.01))
        for item, kept in ((joined, nees), (views[0], nees_alone)):
            off = np.array([item["x"][0], item["y"][0]]) - truth[0]
            spread = item["position_covariance"].reshape(3, 3)[:2, :2] + common**2 * np.eye(2)
            kept.append(off @ np.linalg.inv(spread) @ off)
    assert np.mean(nees_alone) == pytest.approx(2.0, abs=0.3)
    assert np.mean(nees) < 2.2  # 2 at most: never surer than is right, whatever the two have in common
    assert np.mean(nees) > 0.7
