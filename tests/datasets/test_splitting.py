"""Stratified splits against counts of each class, and their independence of everything but labels and seed."""

from collections import Counter

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from glimpse.datasets import limits
from glimpse.datasets.splitting import balanced, stratified


@pytest.mark.parametrize("seed", [0, 1, 2**64 - 1])
@pytest.mark.parametrize("is_sorted", [True, False])
def test_every_part_has_its_share_of_every_class(seed: int, is_sorted: bool) -> None:
    sizes = [100, 37, 14, 10, 4, 3, 2, 1, 0, 25]
    labels = np.repeat(np.arange(len(sizes)), sizes)
    if not is_sorted:
        labels = np.random.default_rng(0).permutation(labels)
    train, valid, test = stratified(labels, seed, 2)
    assert sorted([*train, *valid, *test]) == list(range(len(labels)))
    for label, size in enumerate(sizes):
        tenth = max(1, int(size / 10 + 0.5))
        held_out = Counter(labels[valid].tolist())[label], Counter(labels[test].tolist())[label]
        assert held_out == (tenth if size > 1 else 0, tenth if size > 2 else 0)


def test_a_single_held_out_part_is_the_first_of_two() -> None:
    labels = np.repeat([0, 1], [30, 50])
    (train, valid), (smaller, same, test) = stratified(labels, 5, 1), stratified(labels, 5, 2)
    assert valid.tolist() == same.tolist()
    assert train.tolist() == sorted([*smaller, *test])


def test_held_out_images_are_in_random_order_and_training_images_in_that_of_the_file() -> None:
    labels = np.repeat([0, 1], 600)
    train, valid, _ = stratified(labels, 0, 2)
    assert (np.diff(train) > 0).all()
    assert 0 < labels[valid[:20]].sum() < 20


def test_the_split_is_a_function_of_the_seed() -> None:
    labels = np.arange(100) % 4
    first, again, other = (stratified(labels, seed, 2)[1].tolist() for seed in (3, 3, 4))
    assert first == again != other


def test_balanced_rows_hold_every_row_and_as_many_of_each_class() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 3], [90, 7, 20]))
    rows = balanced(labels)
    assert Counter(labels[rows].tolist()) == {0: 90, 1: 90, 3: 90}
    assert set(rows.tolist()) == set(range(117))


def test_balanced_rows_weigh_images_as_scikit_learn_does() -> None:
    labels = np.random.default_rng(1).choice(5, 3_000, p=[0.6, 0.25, 0.1, 0.04, 0.01])
    weights = compute_class_weight("balanced", classes=np.arange(5), y=labels)
    times = np.bincount(balanced(labels), minlength=len(labels))  # that each image is there
    of_class = np.array([times[labels == k].mean() for k in range(5)])
    assert of_class / of_class.sum() == pytest.approx(weights / weights.sum())
    assert all(np.ptp(times[labels == k]) <= 1 for k in range(5))


def test_balanced_rows_that_take_more_memory_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_BYTES", 800_000)
    labels = np.repeat(np.arange(200), [1_000, *[2] * 199])
    with pytest.raises(ValueError, match=r"200 classes of 1,000 images each, repeated takes 0\.0 GB, the limit"):
        balanced(labels)
