"""A shallow decision tree between the customers of a cluster and all others, as boxes of features."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from streams.discover.population import Table

_DEEPEST = 3
_AS_GOOD = 0.01
"""A deeper tree must agree with the cluster by so much more (F1), or the shallower one says it."""
_LEAST_SHARE = 0.02
"""A leaf with less of the cluster than this is left out, so that a rule does not end in odds and ends."""

Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Gap:
    """Between two neighbouring values: a threshold anywhere in (low, high] divides the same customers."""

    low: float
    high: float


@dataclass
class Box:
    """What a leaf asks of each feature, by its column."""

    above: dict[int, Gap] = field(default_factory=dict)
    below: dict[int, Gap] = field(default_factory=dict)
    missing: dict[int, bool] = field(default_factory=dict)
    """Whether a value must be missing (True) or there (False); else it does not matter."""
    customers: Members = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Who is in it."""


def boxes_of(values: Table, inside: Members, seed: int) -> list[Box]:
    """The boxes that together tell a cluster from the rest, by the shallowest tree that does it as well as any.

    Args:
        values: one row a customer, one column a feature; NaN is missing.
        inside: who is in the cluster: neither nobody nor everybody.
        seed: for the order in which the tree looks at features.
    """
    ranks = _ranks(values)
    best: list[Box] = []
    agreed = -1.0
    for depth in range(1, _DEEPEST + 1):
        model = DecisionTreeClassifier(max_depth=depth, class_weight="balanced", random_state=seed)
        grown = _Grown(model.fit(ranks, inside).tree_, values, ranks, inside)
        boxes = _worth_it(grown.leaves(0, Box(customers=np.ones(len(values), dtype=bool))), inside)
        agreement = _agreement(boxes, inside)
        if agreement > agreed + _AS_GOOD:
            best, agreed = boxes, agreement
    return best


def _ranks(values: Table) -> Table:
    """Each value's place in its column, exact in the tree's single precision; what is missing comes last."""
    columns = [np.unique(values[:, i], return_inverse=True, equal_nan=True)[1] for i in range(values.shape[1])]
    return np.column_stack(columns).astype(np.float64)


@dataclass(frozen=True)
class _Grown:
    """A tree, and what it was grown from."""

    tree: Any
    values: Table
    ranks: Table
    inside: Members

    def leaves(self, node: int, box: Box) -> list[Box]:
        """The boxes under a node in which the cluster prevails; where it does on both sides, the split says nothing."""
        column = int(self.tree.feature[node])
        if self.tree.children_left[node] < 0:
            return [box] if _prevails(box, self.inside) else []
        left = box.customers & (self.ranks[:, column] <= self.tree.threshold[node])
        halves = _split(box, column, self.values, left, box.customers & ~left)
        children = int(self.tree.children_left[node]), int(self.tree.children_right[node])
        found = [self.leaves(child, half) for child, half in zip(children, halves, strict=True)]
        if all(len(boxes) == 1 and boxes[0] is half for boxes, half in zip(found, halves, strict=True)):
            return [box]
        return [*found[0], *found[1]]


def _split(box: Box, column: int, values: Table, left: Members, right: Members) -> tuple[Box, Box]:
    """The two halves of a box."""
    lower, upper = values[left, column], values[right, column]
    there = upper[~np.isnan(upper)]
    halves = [
        Box(dict(box.above), dict(box.below), dict(box.missing), left),
        Box(dict(box.above), dict(box.below), dict(box.missing), right),
    ]
    if not len(there):
        halves[0].missing[column], halves[1].missing[column] = False, True
    else:
        gap = Gap(float(lower.max()), float(there.min()))
        halves[0].below[column] = halves[1].above[column] = gap
    return halves[0], halves[1]


def _prevails(box: Box, inside: Members) -> bool:
    """Whether the cluster's share of a box is larger than its share of all."""
    share = np.count_nonzero(inside & box.customers) / np.count_nonzero(inside)
    others = np.count_nonzero(~inside & box.customers) / np.count_nonzero(~inside)
    return bool(share > others)


def _worth_it(boxes: list[Box], inside: Members) -> list[Box]:
    """Without those that hold hardly anybody of the cluster; the best one stays in any case."""
    held = [np.count_nonzero(inside & box.customers) for box in boxes]
    least = min(_LEAST_SHARE * np.count_nonzero(inside), max(held, default=0))
    return [box for box, many in zip(boxes, held, strict=True) if many >= least]


def _agreement(boxes: list[Box], inside: Members) -> float:
    """F1 of being in any of the boxes, against being in the cluster."""
    found = np.zeros(len(inside), dtype=bool)
    for box in boxes:
        found |= box.customers
    return float(2 * np.count_nonzero(found & inside) / (np.count_nonzero(found) + np.count_nonzero(inside)))
