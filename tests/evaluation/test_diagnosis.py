"""Diagnosis of errors: groups counted one image at a time, with clutter from the generator and windows from the model."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.attention.window import Window
from glimpse.datasets.batches import Batch
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import Digits, open_digits
from glimpse.datasets.labeled_images import ImageSet
from glimpse.evaluation.classifier import Answers, answers, classify, measure_classifier
from glimpse.evaluation.diagnosis import NEAR, Diagnosis, ErrorCount, Evidence, RangeCount, clutter_on, range_text
from glimpse.evaluation.statistics import wilson_interval
from glimpse.models.base import ImageClassifier
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.convolutional import ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.search import SearchConfig
from tests.helpers.classifiers import GLIMPSE, built
from tests.helpers.classifiers import data as own_images

SMALL: dict[str, Any] = {"window": 4, "hidden": 6, "features": 5}
MODELS = {
    "glimpse": ClassifierConfig(glimpses=3, **SMALL),
    "ram": RAMConfig(glimpses=3, scales=2, policy_std=0.2, **SMALL),
    "sampling ram": RAMConfig(glimpses=3, scales=2, policy_std=0.3, test_samples=2, **SMALL),
    "search": SearchConfig(glimpses=5, filters=2, **SMALL),
    "convnet": ConvNetConfig(filters=2),
}


@pytest.fixture(scope="module")
def images() -> ClutteredMNIST:
    whole = open_digits("sklearn").test
    return ClutteredMNIST(Digits(whole.images[:60], whole.labels[:60], "test"), "test", ClutterRecipe(canvas=40, pieces=4))


def diagnosed(model: ImageClassifier, data: Any) -> Diagnosis:
    evidence = Evidence(data, model.config.classes)
    measure_classifier(model, data, observe=evidence.add)
    return evidence.diagnosis()


def looked_at(model: ImageClassifier, data: ClutteredMNIST) -> tuple[list[list[bool]], list[list[bool]], list[int]]:
    """Returns, image by image, after which glimpses the prediction is wrong, which windows are near, and the labels."""
    wrong, near, labels = [], [], []
    for found in answers(model, data, windows=True):
        for i, label in enumerate(found.batch.labels.tolist()):
            labels.append(label)
            wrong.append([int(scores.argmax()) != label for scores in found.logits[i]])
            if found.window is not None:
                x, y = found.batch.centers[i].tolist()
                near.append(
                    [
                        math.dist((float(found.window.center_x[i, t]), float(found.window.center_y[i, t])), (x, y)) <= 10
                        for t in range(found.logits.shape[1])
                    ]
                )
    return wrong, near, labels


@pytest.mark.parametrize("name", ["glimpse", "ram", "sampling ram", "search"])
def test_errors_are_lost_by_search_or_by_reading_as_counted_one_by_one(images: ClutteredMNIST, name: str) -> None:
    model = built(MODELS[name], moved=0.05 if "ram" in name else 0.3)  # RAM looks into the corners otherwise
    found, (wrong, near, labels) = diagnosed(model, images), looked_at(model, images)
    groups: dict[str, list[bool]] = {"on_digit": [], "left": [], "never": []}
    by_class: dict[int, list[str]] = {label: [] for label in range(10)}
    for after, windows, label in zip(wrong, near, labels, strict=True):
        group = "on_digit" if windows[-1] else "left" if any(windows[1:]) else "never"
        groups[group].append(after[-1])
        by_class[label].append("right" if not after[-1] else "reading" if windows[-1] else "search")
    assert found.search is not None
    for group, errors in groups.items():
        count: ErrorCount = getattr(found.search, group)
        assert (count.images, count.errors) == (len(errors), sum(errors))
    for label, causes in by_class.items():
        causes_found = (found.by_class[label].images, found.by_class[label].by_search, found.by_class[label].by_reading)
        assert causes_found == (len(causes), causes.count("search"), causes.count("reading"))
    assert found.by_glimpse is not None
    for t, glimpse in enumerate(found.by_glimpse):
        assert glimpse.on_digit == sum(windows[t] for windows in near)
        assert glimpse.count.errors == sum(after[t] for after in wrong)
        by_search = sum(after[t] and not windows[t] for after, windows in zip(wrong, near, strict=True))
        assert (glimpse.count.by_search, glimpse.count.by_reading) == (by_search, glimpse.count.errors - by_search)
    total = found.total
    assert (total.images, total.errors) == (60, sum(after[-1] for after in wrong))
    assert total.errors == (total.by_search or 0) + (total.by_reading or 0)
    assert 0 < sum(windows[-1] for windows in near) < 60  # both happen
    assert 0 < total.errors < 60 or name == "search"


@pytest.mark.parametrize("name", list(MODELS))
def test_a_diagnosis_changes_no_prediction(images: ClutteredMNIST, name: str) -> None:
    model = built(MODELS[name])
    plain, observed = measure_classifier(model, images), measure_classifier(model, images, observe=lambda found: None)
    assert plain.result == observed.result
    if name == "sampling ram":  # the windows are those of one sample, the predictions average over two
        batch = images.batch(torch.arange(60))
        found = next(answers(model, images, windows=True))
        torch.testing.assert_close(found.logits, classify(model, batch.images, torch.arange(60)))


def plain_clutter(clean: np.ndarray, full: np.ndarray) -> tuple[float, float]:
    """Returns the ink of a digit, and what clutter adds in percent in the rectangle around it, from images (S, S)."""
    lit = [(y, x) for y in range(len(clean)) for x in range(len(clean)) if clean[y, x] > 0]
    ink = sum(float(clean[place]) for place in lit)
    top, bottom = min(y for y, _ in lit), max(y for y, _ in lit)
    left, right = min(x for _, x in lit), max(x for _, x in lit)
    added = sum(float(full[y, x]) - float(clean[y, x]) for y in range(top, bottom + 1) for x in range(left, right + 1))
    return ink, 100 * added / ink


def test_ink_and_clutter_are_those_of_a_loop_over_the_pixels(images: ClutteredMNIST) -> None:
    model = built(MODELS["convnet"])
    clean = ClutteredMNIST(images.digits, "test", ClutterRecipe(canvas=40, pieces=0))
    wrong = looked_at(model, images)[0]
    facts = []
    for i in range(60):
        alone, full = (data.render(torch.tensor([i]))[0][0].numpy() / 255 for data in (clean, images))
        facts.append((*plain_clutter(alone, full), wrong[i][-1]))
    found = diagnosed(model, images)
    edges = [None, 0, 5, 10, 20, math.inf]
    assert found.by_clutter is not None
    for group, low, high in zip(found.by_clutter, edges[:-1], edges[1:], strict=True):
        chosen = [fact for fact in facts if (fact[1] < 1e-9 if low is None else max(low, 1e-9) < fact[1] <= (high or 0))]
        assert (group.count.images, group.count.errors) == (len(chosen), sum(fact[2] for fact in chosen))
        assert (group.low, group.high) == (low or 0, high)
    assert sum(group.count.images > 0 for group in found.by_clutter) >= 4
    assert found.by_ink is not None
    ordered = sorted(facts)
    for i, group in enumerate(found.by_ink):  # five times twelve images
        chosen = ordered[12 * i : 12 * (i + 1)]
        assert (group.count.images, group.count.errors) == (12, sum(fact[2] for fact in chosen))
        assert group.low - 1e-4 <= chosen[0][0]
        assert chosen[-1][0] <= group.high + 1e-4


def test_clutter_counts_inside_the_digits_bounding_box_only() -> None:
    clean = torch.zeros(3, 1, 6, 6)
    clean[:2, 0, 2, 1] = clean[:2, 0, 4, 3] = 0.5  # a box of rows 2 to 4 and columns 1 to 3
    full = clean.clone()
    full[0, 0, 3, 2] += 0.25  # dark, but inside
    full[0, 0, 2, 1] += 0.125  # on the digit itself
    full[1, 0, 5, 3] += 1.0  # just below
    full[1, 0, 2, 4] += 1.0  # just right of it
    full[2, 0, 3, 3] = 1.0  # an image without a digit
    assert clutter_on(clean, full).tolist() == [0.375, 0.0, 0.0]


def test_the_uncluttered_images_are_the_same_digits_at_the_same_places(images: ClutteredMNIST) -> None:
    positions = torch.arange(30, 90)  # in two epochs
    (clean, labels, centers), (full, *others) = images.uncluttered.batch(positions), images.batch(positions)
    assert torch.equal(labels, others[0])
    assert torch.equal(centers, others[1])
    assert (clean <= full).all()
    for image, (x, y) in zip(clean, centers.tolist(), strict=True):
        left, top = round(x - 13.5), round(y - 13.5)
        assert float(image.sum()) == pytest.approx(float(image[0, top : top + 28, left : left + 28].sum()))


def test_of_images_without_known_digits_only_classes_are_counted() -> None:
    data = own_images(40)
    found = diagnosed(built(GLIMPSE), data)
    assert data.uncluttered is None
    assert (found.search, found.by_glimpse, found.by_ink, found.by_clutter) == (None, None, None, None)
    assert sum(count.images for count in found.by_class) == 40
    assert found.total.by_search is None
    assert found.as_dict()["search"] is None
    assert "by_search" not in found.as_dict()["total"]


def test_a_set_with_known_centers_but_without_a_generator_is_split_by_search() -> None:
    plain = own_images(12)
    data = ImageSet(plain.images, plain.labels.numpy(), np.full((12, 2), 9.5, dtype=np.float32))
    found = diagnosed(built(GLIMPSE), data)
    assert found.search is not None
    assert found.by_ink is None


def test_the_first_of_several_windows_finds_nothing_and_the_distance_is_ten_pixels() -> None:
    centers = torch.zeros(5, 2)
    x = torch.tensor([[0.0, 50, 50], [50, 3, 50], [50, 50, 6], [50, 50, 6], [0, 50, 50]])
    y = torch.tensor([[0.0, 50, 50], [50, 4, 50], [50, 50, 8], [50, 50, 8.1], [0, 50, 50]])  # 10 px is near, 10.08 is not
    window = Window(x, y, *(torch.ones(5, 3),) * 3)
    logits = torch.zeros(5, 3, 2)
    logits[:, :, 1] = 1.0  # all are taken for class 1
    batch = Batch(torch.zeros(5, 1, 4, 4), torch.tensor([0, 0, 0, 0, 1]), centers)
    evidence = Evidence(own_images(5), 2)
    evidence.add(Answers(torch.arange(5), batch, logits, window))
    found = evidence.diagnosis()
    assert found.search is not None
    assert NEAR == 10
    assert found.search.on_digit == ErrorCount(1, 1, 0, 1)
    assert found.search.left == ErrorCount(1, 1, 1, 0)
    assert found.search.never == ErrorCount(3, 2, 2, 0)
    assert found.by_class == (ErrorCount(4, 4, 3, 1), ErrorCount(1, 0, 0, 0))
    single = Evidence(own_images(5), 2)
    single.add(Answers(torch.arange(5), batch, logits[:, :1], Window(*(field[:, :1] for field in window))))
    alone = single.diagnosis().search
    assert alone is not None
    assert alone.on_digit.images == 2  # a single glimpse counts


def test_a_count_has_its_error_and_wilson_interval_and_none_without_images() -> None:
    count = ErrorCount(200, 3)
    assert count.error == 1.5
    assert count.interval == tuple(100 * end for end in wilson_interval(3, 200))
    assert math.isnan(ErrorCount(0, 0).error)
    assert ErrorCount(0, 0).as_dict() == {"images": 0, "errors": 0, "error": None}
    assert RangeCount(20.0, math.inf, count).as_dict() == {"low": 20.0, "high": None, "images": 200, "errors": 3, "error": 1.5}
    assert range_text(RangeCount(0.0, 5.0, count)) == "0 to 5"
