"""What a report keeps of predictions, against plain loops and the calibration error."""

import pytest
import torch

from glimpse.datasets.batches import Batch
from glimpse.evaluation.classifier import Answers
from glimpse.evaluation.metrics import calibration_error
from glimpse.reporting.seen import Seen, reliability


def answers(logits: torch.Tensor, labels: torch.Tensor, first: int = 0) -> Answers:
    images = torch.arange(first, first + len(labels)).float()[:, None, None, None].expand(-1, 1, 2, 2)
    batch = Batch(images, labels, torch.zeros(len(labels), 2))
    return Answers(torch.arange(first, first + len(labels)), batch, logits[:, None])


def test_the_bins_hold_every_image_and_give_the_calibration_error() -> None:
    generator = torch.Generator().manual_seed(0)
    probabilities = torch.softmax(3 * torch.randn(500, 4, generator=generator, dtype=torch.float64), dim=1)
    labels = torch.randint(0, 4, (500,), generator=generator)
    confidence, predicted = probabilities.max(dim=1)
    bins = reliability(confidence, predicted == labels)
    assert sum(each.images for each in bins) == 500
    gaps = [abs(each.right - each.images * each.confidence) for each in bins]
    assert sum(gaps) / 500 == pytest.approx(calibration_error(probabilities, labels))
    for each in bins:
        inside = [p for p in confidence.tolist() if each.low < p <= each.high]
        assert each.images == len(inside)


def test_the_worst_images_are_the_surest_wrong_ones_of_all_batches() -> None:
    logits = torch.randn(60, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.randint(0, 3, (60,), generator=torch.Generator().manual_seed(2))
    seen = Seen(5)
    for first in range(0, 60, 20):
        seen.add(answers(logits[first : first + 20], labels[first : first + 20], first))
    wrong = [i for i in range(60) if int(logits[i].argmax()) != int(labels[i])]
    expected = sorted(wrong, key=lambda i: -float(torch.softmax(logits[i].double(), dim=0).max()))[:5]
    worst = seen.worst
    assert worst is not None
    assert worst.positions.tolist() == expected
    assert worst.images[:, 0, 0, 0].tolist() == expected
    assert worst.predicted.tolist() == [int(logits[i].argmax()) for i in expected]
    assert worst.labels.tolist() == [int(labels[i]) for i in expected]


def test_without_an_error_there_are_no_worst_images() -> None:
    seen = Seen(5)
    seen.add(answers(torch.eye(3), torch.arange(3)))
    assert seen.worst is None
