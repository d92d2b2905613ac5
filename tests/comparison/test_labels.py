"""Places of labels: close to their points, without overlaps, and deterministic."""

import numpy as np
import pytest
from numpy.typing import NDArray

from glimpse.comparison.labels import NEAREST, place_labels

Array = NDArray[np.float64]

FRAME = np.array([0.0, 0.0, 1000.0, 600.0])


def placed(points: Array, width: float = 120.0, height: float = 14.0) -> tuple[Array, list[tuple[float, ...]]]:
    """Returns the offsets of labels of one size, and their boxes, by a plain loop."""
    markers = np.concatenate([points - 6, points + 6], axis=1)
    offsets = place_labels(points, np.tile([width, height], (len(points), 1)), markers, FRAME, unit=1.0)
    boxes: list[tuple[float, ...]] = []
    for (x, y), (right, up) in zip(points.tolist(), offsets.tolist(), strict=True):
        left = x + right - (0 if right > 0 else width if right < 0 else width / 2)
        bottom = y + up - (0 if up > 0 else height if up < 0 else height / 2)
        boxes.append((left, bottom, left + width, bottom + height))
    return offsets, boxes


def overlap(one: tuple[float, ...], two: tuple[float, ...]) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def test_an_isolated_label_is_to_the_right_and_at_the_right_edge_to_the_left() -> None:
    for x, right in ((500.0, 1), (950.0, -1)):
        offsets, _ = placed(np.array([[x, 300.0]]))
        assert offsets.tolist() == [[right * NEAREST, 0.0]]


@pytest.mark.parametrize("seed", range(5))
def test_labels_of_a_crowd_cover_no_label_no_marker_and_not_the_frame(seed: int) -> None:
    points = np.random.default_rng(seed).uniform((380, 220), (620, 380), (14, 2))
    _, boxes = placed(points)
    for i, box in enumerate(boxes):
        assert not any(overlap(box, other) for other in boxes[:i])
        assert not any(overlap(box, (x - 6, y - 6, x + 6, y + 6)) for x, y in points.tolist())
        assert FRAME[0] <= box[0]
        assert box[2] <= FRAME[2]
        assert FRAME[1] <= box[1]
        assert box[3] <= FRAME[3]


def test_the_line_of_a_label_far_away_crosses_no_other_label() -> None:
    points = np.random.default_rng(7).uniform((420, 260), (580, 340), (14, 2))
    offsets, boxes = placed(points)
    far = [i for i in range(len(points)) if np.abs(offsets[i]).max() > NEAREST]
    assert far
    for i in far:
        for part in np.linspace(0, 1, 200):
            x, y = points[i] + part * offsets[i]
            assert not any(left < x < right and low < y < up for j, (left, low, right, up) in enumerate(boxes) if j != i)


def test_labels_without_room_are_placed_anyway() -> None:
    offsets, _ = placed(np.full((30, 2), 300.0), width=900.0)
    assert offsets.shape == (30, 2)
    assert np.isfinite(offsets).all()


def test_the_same_points_have_the_same_places() -> None:
    points = np.random.default_rng(3).uniform((0, 0), (1000, 600), (20, 2))
    np.testing.assert_array_equal(placed(points)[0], placed(points)[0])
