import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from twin_common.core.geometry import box_corners, inside_polygon
from twin_incidents.core.book import IncidentBook
from twin_incidents.core.footprints import Boxes, box_gap, encounter_probability
from twin_incidents.core.ground import depth, united
from twin_incidents.core.place_names import Gazetteer
from twin_incidents.core.places import local_density
from twin_incidents.core.scene import Finding
from twin_incidents.table import load_table

SECOND = 1_000_000_000
BOX = st.tuples(st.floats(-8, 8), st.floats(-8, 8), st.floats(-4, 4), st.floats(0.2, 6), st.floats(0.2, 3))


def boxes(rows):
    rows = np.array(rows, float)
    return Boxes(rows[:, :2], rows[:, 2], rows[:, 3:] / 2)


def outline(ring, spacing=0.02):
    """Return points on the edges of a polygon, close together."""
    parts = []
    for a, b in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        parts.append(a + np.linspace(0, 1, int(np.linalg.norm(b - a) / spacing) + 2)[:, None] * (b - a))
    return np.concatenate(parts)


def sampled_gap(first, second):
    """Return the distance of two boxes by brute force: between points of their outlines, 0 where these overlap."""
    rings = [box_corners(*(np.array([row[k]]) for k in (0, 1, 3, 4, 2)))[0] for row in (first, second)]
    a, b = (outline(ring) for ring in rings)
    if inside_polygon(a, rings[1]).any() or inside_polygon(b, rings[0]).any():
        return 0.0
    return cKDTree(a).query(b)[0].min()


@settings(deadline=None)
@given(st.lists(st.tuples(BOX, BOX), min_size=1, max_size=10))
def test_gap_agrees_with_brute_force(pairs):
    gap = box_gap(boxes([a for a, _ in pairs]), boxes([b for _, b in pairs]))
    np.testing.assert_allclose(gap, [sampled_gap(a, b) for a, b in pairs], atol=0.02)


@pytest.mark.parametrize("offset", [0.0, 1.0, 2.5])
def test_encounter_probability_agrees_with_sampling(offset):
    """A car passes a person; the share of sampled offsets with which their boxes ever touch."""
    rng, count = np.random.default_rng(1), 4000
    covariance = np.array([[1.2, 0.2], [0.2, 0.7]])
    car, person, speed = (0.0, 0.0, 0.1, 4.5, 1.8), (2.0, offset, 0.0, 0.6, 0.6), np.array([-8.0, 1.0])
    many = np.tile(person, (count, 1))
    many[:, :2] += rng.multivariate_normal([0, 0], covariance, count)
    touched = np.zeros(count, bool)
    for time in np.arange(-2.0, 2.0, 0.02):
        moved = many.copy()
        moved[:, :2] += time * speed
        touched |= box_gap(boxes(np.tile(car, (count, 1))), boxes(moved)) == 0
    given_ = encounter_probability(boxes([car]), boxes([person]), speed[None], covariance[None])[0]
    assert given_ == pytest.approx(touched.mean(), abs=0.03)


def test_depth_agrees_with_brute_force():
    rng = np.random.default_rng(2)
    ring = np.array([[0, 0], [10, 1], [8, 7], [4, 3], [1, 8]], float)
    points = rng.uniform(-3, 12, (300, 2))
    expected = np.where(inside_polygon(points, ring), 1, -1) * cKDTree(outline(ring, 0.001)).query(points)[0]
    np.testing.assert_allclose(depth(points, united([ring])), expected, atol=0.001)
    assert (depth(points, united([])) == -np.inf).all()


def test_lanes_side_by_side_are_one_street():
    lanes = [np.array([[0, y], [50, y], [50, y + 3.25], [0, y + 3.25]], float) for y in (0.0, 3.25, 6.53)]
    one, other = [[60, 0], [70, 0], [70, 10], [60, 10]], [[60, 9], [90, 9], [90, 12], [60, 12]]
    yard = [np.array(one, float), np.array(other, float)]
    points = np.array([[25.0, 3.25], [25.0, 6.51], [25.0, 11.0], [65.0, 9.5], [80.0, 5.0]])
    np.testing.assert_allclose(depth(points, united([*lanes, *yard])), [3.25, 3.27, -1.22, 2.5, -4.0], atol=0.02)


@pytest.mark.parametrize("density", [1.0, 3.0, 6.0])
def test_local_density_of_an_even_crowd(density):
    spacing = 1 / np.sqrt(density)
    axis = np.arange(0, 12, spacing)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    middle = np.linalg.norm(grid - 6.0, axis=1) < 2.0
    assert local_density(grid, 1.0)[0][middle] == pytest.approx(density, rel=0.02)


def finding(tracks=(1, 2), kind="predicted_collision", severity=3, position=(0.0, 0.0), time=1.5):
    return Finding(kind, severity, 0.8, time, position, 3.0, "cause", tracks)


def play(book, frames, step=0.1):
    """Return the ids of the incidents after each frame of findings."""
    return [[i.incident_id for i in book.step(found, round(k * step * SECOND))] for k, found in enumerate(frames)]


def test_an_incident_needs_its_duration_and_ends_after_its_hold():
    book = IncidentBook(load_table(), 0.15)  # predicted_collision: 0.25 s and 1.5 s
    ids = play(book, [[finding()]] * 6 + [[]] * 20)
    assert [bool(i) for i in ids] == [False] * 3 + [True] * 3 + [True] * 15 + [False] * 5
    assert len({i[0] for i in ids if i}) == 1


def test_flicker_is_no_incident():
    book = IncidentBook(load_table(), 0.15)
    assert not any(play(book, [[finding()], [], [], [finding()], [], []] * 5))
    book = IncidentBook(load_table(), 0.15)
    assert any(play(book, [[finding()], []] * 5))  # one missing frame is forgiven


def test_incidents_keep_their_name_through_changes_of_track():
    book = IncidentBook(load_table(), 0.15)
    sharing = play(book, [[finding((1, 2))]] * 5 + [[finding((1, 9))]] * 5)
    assert {i for ids in sharing for i in ids} == set(sharing[-1])
    book = IncidentBook(load_table(), 0.15)
    moved = play(book, [[finding((1, 2))]] * 5 + [[finding((8, 9), position=(1.0, 1.0))]] * 5)
    assert {i for ids in moved for i in ids} == set(moved[-1])
    book = IncidentBook(load_table(), 0.15)
    apart = play(book, [[finding((1, 2)), finding((3, 4), position=(50.0, 0.0))]] * 5)
    assert len(set(apart[-1])) == 2


def test_severity_falls_only_after_the_hold():
    book = IncidentBook(load_table(), 0.15)
    seen = []
    for k in range(80):
        found = finding((1, 2, 3), "crowd_density", 2 if k < 20 else 1)
        seen.append([i.finding.severity for i in book.step([found], k * SECOND // 10)])
    assert seen[19] == seen[45] == [2] and seen[60] == [1]


def test_time_to_event_runs_down_while_an_incident_is_held():
    book = IncidentBook(load_table(), 0.15)
    for k in range(6):
        book.step([finding(time=1.2)], k * SECOND // 10)
    (held,) = book.step([], SECOND)
    assert held.finding.time_to_event == pytest.approx(0.7)
    assert book.step([dataclasses.replace(finding(), kind="unheard of")], 3 * SECOND) == []


def test_a_recording_that_starts_again_clears_the_book():
    book = IncidentBook(load_table(), 0.15)
    assert play(book, [[finding()]] * 60)[-1]
    assert book.step([], 0) == []


def test_places_have_names():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], float)
    gazetteer = Gazetteer([("plaza", square), ("stage", square / 2)], [("pole_01", np.array([20.0, 0.0]))])
    assert gazetteer.place(1.0, 1.0) == "stage, plaza"
    assert gazetteer.place(17.0, 4.0) == "5 m from pole_01"
    assert Gazetteer([], []).place(17.0, 4.0) == "x 17 m, y 4 m"
