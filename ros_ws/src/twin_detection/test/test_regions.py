"""The compiled labels of touching cells and of groups, against SciPy and against a search without tricks."""

import numpy as np
from scipy import ndimage

from twin_detection.core.regions import touching, united


def renumbered(label: np.ndarray) -> list[int]:
    known = {0: 0}
    return [known.setdefault(int(value), len(known)) for value in label]


def test_touching_cells_have_one_label() -> None:
    rng = np.random.default_rng(0)
    for _ in range(400):
        width, height, count = rng.integers((4, 2, 0), (12, 9, 25))
        row, column, nowhere = (
            rng.integers(0, height, count),
            rng.integers(0, width - 1, count),
            rng.random(count) < 0.1,
        )
        label, regions = touching(np.where(nowhere, -1, row * width + column), int(width))
        image = np.zeros((height, width), bool)
        image[row[~nowhere], column[~nowhere]] = True
        expected, number = ndimage.label(image, np.ones((3, 3)))
        assert regions == number
        assert renumbered(label) == renumbered(np.where(nowhere, 0, expected[row, column]))


def test_labels_that_share_a_group_become_one() -> None:
    rng = np.random.default_rng(1)
    for _ in range(400):
        count, pairs = rng.integers((0, 0), (8, 10))
        some, group = rng.integers(0, count + 1, pairs), rng.integers(0, 4, pairs)
        label = united(int(count), some, group)
        linked = np.eye(count + 1, dtype=bool)
        for number in (1, 2, 3):
            members = some[(group == number) & (some > 0)]
            linked[np.ix_(members, members)] = True
        for _ in range(count):
            linked = linked @ linked
        assert label[0] == 0 and sorted(set(label[1:].tolist())) == list(range(1, int(label.max()) + 1))
        np.testing.assert_array_equal(label[1:, None] == label[None, 1:], linked[1:, 1:])
