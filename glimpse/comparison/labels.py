"""Places of labels near points: over no other label, marker or line, inside a frame, as near as there is room.

Lengths are pixels of the figure, x to the right, y up. Dimensions: N points, each with K candidate places, M boxes; a box is
(x0, y0, x1, y1).
"""

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAREST", "place_labels"]

_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), *itertools.product((1, -1), (1, -1)), *itertools.product((1, -1), (0.5, -0.5)))
"""From a marker to its label: to the sides first, as lines of text run."""
_DISTANCES = (10, 14, 19, 25, 31, 38, 46, 56, 68, 82, 98, 115)
NEAREST = _DISTANCES[0]
"""Distance from a marker to its label in points; a label that is further away needs a line."""
_SAMPLES = 24  # of a line
_CLEAR = 7  # points around a point where its line covers nothing
_MARGIN = 2  # pixels around a label
_ROUNDS = 20
_COVERED, _CROSSED = 10.0, 300.0  # cost of a pixel that is covered, of a sample of a line in a box; a point of distance costs 1

Array = NDArray[np.float64]


class _Candidates(NamedTuple):
    """Places for the label of one point, the best first where nothing else is there.

    Attributes:
        offsets: From the point to the label, in units, shape (K, 2).
        boxes: Boxes of the label, shape (K, 4).
        lines: Samples of the line from the point to the label, shape (K, S, 2); NaN where there is no line.
        costs: Distances, and what is covered of markers and frame, shape (K,).
    """

    offsets: Array
    boxes: Array
    lines: Array
    costs: Array


def place_labels(points: Array, sizes: Array, markers: Array, frame: Array, *, unit: float) -> Array:
    """Returns an offset for the label of each point, in units.

    Labels are placed one after another, each where it costs least. This is repeated in another order, the labels first that cost
    most before, and the cheapest of all rounds is returned. The same arguments always give the same offsets.

    Args:
        points: Shape (N, 2).
        sizes: Width and height of each label, shape (N, 2).
        markers: Box of each point's marker, shape (N, 4).
        frame: Box that the labels are to stay in, shape (4,).
        unit: Pixels per typographic point.

    Returns:
        Offsets from the points to the nearest edges of their labels, shape (N, 2): a label is centered where its offset is 0.
    """
    places = [_candidates(i, points, sizes, markers, frame, unit) for i in range(len(points))]
    urgency = np.zeros(len(points))
    least, best = np.inf, [0] * len(points)
    for _ in range(_ROUNDS):
        chosen, costs = _placed(places, np.argsort(-urgency, kind="stable").tolist())
        if costs.sum() < least:
            least, best = float(costs.sum()), chosen
        if (costs <= NEAREST).all():
            break
        urgency += np.minimum(costs, 1000.0)
    return np.array([place.offsets[k] for place, k in zip(places, best, strict=True)]).reshape(-1, 2)


def _candidates(i: int, points: Array, sizes: Array, markers: Array, frame: Array, unit: float) -> _Candidates:
    """Returns the places for one label, with what they cost before any other label is placed."""
    offsets = np.array([(x * distance, y * distance) for distance in _DISTANCES for x, y in _DIRECTIONS])
    ends = points[i] + unit * offsets
    low = ends - sizes[i] * (1 - np.sign(offsets)) / 2
    boxes = np.concatenate([low, low + sizes[i]], axis=1)
    distance = np.abs(offsets).max(axis=1)
    along = np.linspace(0, 1, _SAMPLES)[:, None]
    lines = points[i] + along * (ends - points[i])[:, None]  # (K, S, 2)
    near = np.abs(lines - points[i]).max(axis=-1) <= _CLEAR * unit
    lines[near | (distance <= NEAREST)[:, None]] = np.nan
    others = np.delete(markers, i, axis=0)
    outside = (sizes[i].prod() - _shared(boxes, frame[None])[:, 0]).round(3)  # ties are not for rounding errors to decide
    covered = _shared(boxes, markers).sum(axis=1) + outside
    costs = distance + _COVERED * covered + _CROSSED * _inside(lines, others).sum(axis=1)
    return _Candidates(offsets, boxes, lines, costs)


def _placed(places: list[_Candidates], order: list[int]) -> tuple[list[int], Array]:
    """Returns which place each label gets when they are placed in an order, and what each costs."""
    chosen, costs = [0] * len(places), np.zeros(len(places))
    boxes, lines = np.empty((0, 4)), np.empty((0, _SAMPLES, 2))
    for i in order:
        place = places[i]
        wide = boxes + np.array([-_MARGIN, -_MARGIN, _MARGIN, _MARGIN])
        crossed = _inside(place.lines, wide).sum(axis=1) + _inside(lines, place.boxes).sum(axis=0)
        cost = place.costs + _COVERED * _shared(place.boxes, wide).sum(axis=1) + _CROSSED * crossed
        k = int(cost.argmin())
        chosen[i], costs[i] = k, cost[k]
        boxes, lines = np.concatenate([boxes, place.boxes[k : k + 1]]), np.concatenate([lines, place.lines[k : k + 1]])
    return chosen, costs


def _shared(boxes: Array, others: Array) -> Any:
    """Returns the areas that boxes (K, 4) share with others (M, 4), shape (K, M)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    return np.maximum(0.0, high - low).prod(axis=-1)


def _inside(lines: Array, boxes: Array) -> Any:
    """Returns how many samples of lines (K, S, 2) are in boxes (M, 4), shape (K, M)."""
    samples = lines[:, None]  # (K, 1, S, 2)
    inside = (samples > boxes[:, None, :2]) & (samples < boxes[:, None, 2:])
    return inside.all(axis=-1).sum(axis=-1)
