"""Labels what touches: cells that lie side by side, and labels that share a group. Compiled."""

from __future__ import annotations

import numpy as np

from twin_common.core.compiled import kernel
from twin_detection.core.integer_order import order_of


@kernel
def _root(parent: np.ndarray, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@kernel
def _unite(parent: np.ndarray, first: int, second: int) -> None:
    """Join two sets; the lower root stays."""
    one, other = _root(parent, first), _root(parent, second)
    if one < other:
        parent[other] = one
    else:
        parent[one] = other


def touching(cell: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Return the region of touching cells, eight neighbours, of each point, (N,) from 1, and how many there are.

    Args:
        cell: (N,) int64, row times ``width`` plus column; columns below ``width - 1``. Negative: in no region, 0.
        width: of a row.

    """
    label, regions = _touching(cell, order_of(cell), width)
    return np.asarray(label), int(regions)


@kernel
def _touching(cell: np.ndarray, order: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Return what ``touching`` does; ``order``: (N,) of the cells."""
    owner = np.empty(len(cell), np.int64)
    cells = np.empty(len(cell), np.int64)
    count = 0
    for place in range(len(order)):
        value = cell[order[place]]
        if count == 0 or cells[count - 1] != value:
            cells[count] = value
            count += 1
        owner[order[place]] = count - 1
    parent = np.arange(count)
    above = 0
    for number in range(count):
        value = cells[number]
        if value < 0:
            continue
        if number + 1 < count and cells[number + 1] == value + 1:
            _unite(parent, number, number + 1)
        while above < count and cells[above] < value + width - 1:
            above += 1
        other = above
        while other < count and cells[other] <= value + width + 1:
            _unite(parent, number, other)
            other += 1
    label = np.zeros(count, np.int64)
    regions = 0
    for number in range(count):
        root = _root(parent, number)
        if cells[number] < 0:
            continue
        if root == number:
            regions += 1
            label[number] = regions
        else:
            label[number] = label[root]
    found = np.empty(len(cell), np.int64)
    for place in range(len(cell)):
        found[place] = label[owner[place]]
    return found, regions


@kernel
def united(count: int, some: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the new label of labels 0 to ``count``, (count + 1,), so that all in one group have one; 0 stays 0.

    Args:
        count: the highest label.
        some: (M,) labels; 0: none.
        group: (M,) the group of each; 0: none.

    """
    highest = 0
    for place in range(len(group)):
        highest = max(highest, group[place])
    first = np.zeros(highest + 1, np.int64)
    parent = np.arange(count + 1)
    for place in range(len(some)):
        if some[place] > 0 and group[place] > 0:
            if first[group[place]]:
                _unite(parent, first[group[place]], some[place])
            else:
                first[group[place]] = some[place]
    label = np.zeros(count + 1, np.int64)
    regions = 0
    for number in range(1, count + 1):
        root = _root(parent, number)
        if root == number:
            regions += 1
            label[number] = regions
        else:
            label[number] = label[root]
    return label
