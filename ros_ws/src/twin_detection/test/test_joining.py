"""Pieces of one vehicle become one object, and two vehicles stay two."""

import numpy as np
from still_scenes import HOUSE, car, learned, step

from twin_detection.core import joining
from twin_detection.core.clusters import Clusters

XY = np.array([[0.0, 0.0], [0.4, 0.0], [3.0, 0.0], [3.2, 0.0], [3.4, 0.0], [20.0, 0.0]])
CLUSTERS = Clusters(np.arange(6), np.array([0, 2, 5]), np.array([2, 3, 1]))


def test_pairs_are_near_allowed_and_have_a_fresh_one() -> None:
    every, none = np.ones(3, bool), np.zeros(3, bool)
    assert joining.neighbours(XY, CLUSTERS, every, every).tolist() == [[0, 1]]
    assert len(joining.neighbours(XY, CLUSTERS, every, none)) == 0
    assert len(joining.neighbours(XY, CLUSTERS, np.array([True, False, True]), every)) == 0


def test_a_union_has_the_points_of_both() -> None:
    both = joining.unions(CLUSTERS, np.array([[0, 1], [2, 0]]))
    assert both.counts.tolist() == [5, 3] and both.starts.tolist() == [0, 5]
    assert both.order.tolist() == [0, 1, 2, 3, 4, 5, 0, 1]


def test_each_piece_is_joined_once_the_most_probable_first() -> None:
    pairs = np.array([[0, 1], [1, 2], [2, 3], [4, 5]])
    assert joining.disjoint(pairs, np.array([0.7, 0.9, 0.8, 0.3]), 0.5).tolist() == [False, True, False, False]


def test_cars_in_two_lanes_and_in_a_queue_stay_apart() -> None:
    rng = np.random.default_rng(1)
    made = learned([HOUSE], rng)
    places = [(x, y) for x in (-12.0, -5.8, 8.0, 14.2) for y in (-5.0, -8.2)]
    found, _ = step(made, [HOUSE, *(car(x, y) for x, y in places)], 12, rng)
    assert len(found) == len(places)
    for x, y in places:
        assert np.hypot(found.centre[:, 0] - x, found.centre[:, 1] - y).min() < 0.6


def test_no_clusters_have_no_pairs() -> None:
    none = CLUSTERS.select(np.zeros(3, bool))
    assert len(joining.neighbours(XY, none, np.zeros(0, bool), np.zeros(0, bool))) == 0


def test_of_very_many_pairs_the_nearest_are_asked_about() -> None:
    turn = np.linspace(0.0, 40.0, 200)
    xy = np.repeat(np.column_stack([np.cos(turn), np.sin(turn)]) * turn[:, None] / 20.0, 2, axis=0)
    many = Clusters(np.arange(400), np.arange(0, 400, 2), np.full(200, 2))
    every = np.ones(200, bool)
    pairs = joining.neighbours(xy, many, every, every)
    apart = np.hypot(*(xy[0::2][:, None] - xy[0::2][None]).transpose(2, 0, 1))
    all_apart = np.sort(apart[np.triu_indices(200, 1)])
    assert np.count_nonzero(all_apart < 4.5) > 2 * len(pairs) and len(pairs) == 2000
    np.testing.assert_allclose(np.sort(apart[tuple(pairs.T)]), all_apart[:2000])
    assert len(np.unique(pairs, axis=0)) == 2000 and (pairs[:, 0] < pairs[:, 1]).all()
