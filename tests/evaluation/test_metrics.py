"""Each metric against scikit-learn, scipy, a plain loop or its definition."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import binomtest, norm
from sklearn import metrics as reference
from torch import Tensor

from glimpse.evaluation.metrics import calibration_error, confusion, error_by_glimpse, log_loss, summarize
from glimpse.evaluation.statistics import wilson_interval

COUNTS = [(0, 1), (1, 1), (0, 50), (50, 50), (1, 50), (17, 40), (336, 10_000), (9_999, 10_000)]


def sample(n: int = 200, glimpses: int = 3, classes: int = 4) -> tuple[Tensor, Tensor]:
    """Returns logits (N, T, K) that get better with every glimpse, and labels (N,) that lack the last class."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes - 1, (n,), generator=generator)
    hint = torch.nn.functional.one_hot(labels, classes)[:, None] * torch.arange(glimpses)[:, None]
    return torch.randn(n, glimpses, classes, generator=generator) + hint, labels


# Wilson's interval


@pytest.mark.parametrize(("errors", "n"), COUNTS)
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_the_interval_equals_scipys(errors: int, n: int, confidence: float) -> None:
    expected = binomtest(errors, n).proportion_ci(confidence, method="wilson")
    assert wilson_interval(errors, n, confidence) == pytest.approx((expected.low, expected.high), abs=1e-12)


@pytest.mark.parametrize(("errors", "n"), [(1, 50), (17, 40), (336, 10_000), (9_999, 10_000)])
def test_the_interval_ends_are_the_roots_of_the_score_equation(errors: int, n: int) -> None:
    share, z = errors / n, norm.ppf(0.975)

    def score(p: float) -> float:
        return float((share - p) ** 2 - z**2 * p * (1 - p) / n)

    expected = brentq(score, 0, share, xtol=1e-14), brentq(score, share, 1, xtol=1e-14)
    assert wilson_interval(errors, n) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("errors", "n"), COUNTS)
def test_the_interval_is_within_0_and_1_around_the_share(errors: int, n: int) -> None:
    low, high = wilson_interval(errors, n)
    assert 0 <= low <= errors / n <= high <= 1
    assert low < high


@pytest.mark.parametrize(("errors", "n"), [(-1, 5), (6, 5), (0, 0)])
def test_impossible_counts_are_refused_with_their_values(errors: int, n: int) -> None:
    with pytest.raises(ValueError, match=f"got {errors} of {n}"):
        wilson_interval(errors, n)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_outside_0_to_1_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match=f"got {confidence}"):
        wilson_interval(1, 5, confidence)


# Error, loss, calibration, confusion


def test_error_by_glimpse_equals_scikit_learns_accuracy() -> None:
    logits, labels = sample()
    expected = [100 * (1 - reference.accuracy_score(labels, logits[:, t].argmax(dim=1))) for t in range(3)]
    assert error_by_glimpse(logits, labels) == pytest.approx(expected)
    assert expected[0] > expected[2]


def test_log_loss_equals_scikit_learns() -> None:
    logits, labels = sample()
    expected = reference.log_loss(labels, logits[:, -1].double().softmax(dim=1).numpy(), labels=range(4))
    assert log_loss(logits[:, -1], labels) == pytest.approx(expected, rel=1e-12)


def test_log_loss_of_a_confident_mistake_is_large_and_not_infinite() -> None:
    assert log_loss(torch.tensor([[800.0, -800.0]]), torch.tensor([1])) == pytest.approx(1600)


def looped_calibration_error(probabilities: Tensor, labels: Tensor, n_bins: int) -> float:
    """Returns eq. 3 of Guo et al., one bin at a time."""
    confidence = probabilities.max(dim=1).values.numpy()
    right = (probabilities.argmax(dim=1) == labels).numpy()
    total = 0.0
    for b in range(n_bins):
        inside = (confidence > b / n_bins) & (confidence <= (b + 1) / n_bins)
        if inside.any():
            total += inside.sum() / len(labels) * abs(right[inside].mean() - confidence[inside].mean())
    return total


@pytest.mark.parametrize("n_bins", [1, 7, 15])
def test_calibration_error_equals_a_loop_over_the_bins(n_bins: int) -> None:
    logits, labels = sample(n=1000)
    probabilities = (2 * logits[:, -1]).double().softmax(dim=1)
    expected = looped_calibration_error(probabilities, labels, n_bins)
    assert expected > 0.01
    assert calibration_error(probabilities, labels, n_bins) == pytest.approx(expected, rel=1e-9)


def test_calibration_error_of_a_hand_made_case() -> None:
    probabilities = torch.tensor([[0.8, 0.2]] * 4 + [[0.4, 0.6]] * 2)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])  # 3 of 4 right at 0.8, 2 of 2 right at 0.6
    assert calibration_error(probabilities, labels) == pytest.approx(4 / 6 * 0.05 + 2 / 6 * 0.4)


def test_a_probability_on_the_border_of_two_bins_belongs_to_the_lower() -> None:
    probabilities, labels = torch.tensor([[0.5, 0.3, 0.2], [0.6, 0.2, 0.2]]), torch.tensor([0, 1])  # one right, one wrong
    assert calibration_error(probabilities, labels, n_bins=2) == pytest.approx((0.5 + 0.6) / 2)


def test_a_classifier_that_is_sure_and_right_has_no_calibration_error() -> None:
    assert calibration_error(torch.eye(3), torch.arange(3)) == 0


def test_a_classifier_that_is_sure_and_wrong_has_the_whole_calibration_error() -> None:
    assert calibration_error(torch.eye(3), torch.tensor([1, 2, 0])) == 1


def test_logits_given_as_probabilities_are_refused() -> None:
    logits, labels = sample()
    with pytest.raises(ValueError, match="sum to 1"):
        calibration_error(logits[:, -1], labels)
    with pytest.raises(ValueError, match="sum to 1"):
        calibration_error(torch.full((1, 2), math.nan), torch.tensor([0]))


def test_no_bin_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0"):
        calibration_error(torch.eye(2), torch.arange(2), n_bins=0)


def test_confusion_counts_true_classes_in_rows_even_those_that_never_occur() -> None:
    predictions, labels = torch.tensor([0, 2, 2, 2]), torch.tensor([0, 0, 2, 1])
    assert confusion(predictions, labels, 4) == [[1, 0, 1, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]


def test_confusion_equals_a_loop() -> None:
    logits, labels = sample()
    predictions = logits[:, 0].argmax(dim=1)
    expected = np.zeros((4, 4), dtype=int)
    for predicted, label in zip(predictions, labels, strict=True):
        expected[label, predicted] += 1
    assert confusion(predictions, labels, 4) == expected.tolist()


# The summary


def test_the_summary_is_about_the_last_glimpse_and_agrees_with_itself() -> None:
    logits, labels = sample()
    result = summarize(logits, labels, 4)
    trace = sum(result.confusion[k][k] for k in range(4))
    assert result.n == 200 == sum(map(sum, result.confusion))
    assert result.errors == 200 - trace
    assert result.error == 100 * result.errors / 200 == result.error_by_glimpse[-1]
    assert result.interval == tuple(100 * share for share in wilson_interval(result.errors, 200))
    assert result.nll == log_loss(logits[:, -1], labels)
    assert result.calibration_error == calibration_error(logits[:, -1].double().softmax(dim=1), labels)


def test_the_summary_can_be_written_as_json_and_read_back() -> None:
    result = summarize(*sample(), 4)
    fields: dict[str, Any] = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert fields == result.as_dict()
    assert set(fields) >= {"error", "n", "interval", "error_by_glimpse"}
    assert fields["interval"] == list(result.interval)


def test_sixteen_bit_logits_and_uint8_labels_are_summarized() -> None:
    logits, labels = sample()
    assert summarize(logits.bfloat16(), labels.to(torch.uint8), 4).n == 200


def test_arguments_are_not_changed() -> None:
    logits, labels = sample()
    copies = logits.clone(), labels.clone()
    summarize(logits, labels, 4)
    assert torch.equal(logits, copies[0])
    assert torch.equal(labels, copies[1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_logits_that_are_not_finite_are_refused(value: float) -> None:
    logits, labels = sample()
    logits[3, 1, 2] = value
    with pytest.raises(ValueError, match="1 of 2400 logits are not finite"):
        summarize(logits, labels, 4)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="4 classes, expected 10"):
        summarize(*sample(), 10)


@pytest.mark.parametrize("bad", [-1, 4])
def test_a_label_outside_the_classes_is_refused_everywhere(bad: int) -> None:
    logits, labels = sample()
    labels[7] = bad
    for call in (
        lambda: summarize(logits, labels, 4),
        lambda: error_by_glimpse(logits, labels),
        lambda: log_loss(logits[:, -1], labels),
        lambda: calibration_error(logits[:, -1].softmax(dim=1), labels),
        lambda: confusion(logits[:, -1].argmax(dim=1), labels, 4),
    ):
        with pytest.raises(ValueError, match="labels must be from 0 to 3"):
            call()


def test_shapes_that_do_not_fit_are_refused_with_their_values() -> None:
    logits, labels = sample()
    with pytest.raises(ValueError, match=r"got \(200, 4\)"):
        error_by_glimpse(logits[:, 0], labels)
    with pytest.raises(ValueError, match=r"\(200,\).*got \(199,\)"):
        error_by_glimpse(logits, labels[1:])
    with pytest.raises(ValueError, match=r"got \(0, 3, 4\)"):
        error_by_glimpse(logits[:0], labels[:0])
    with pytest.raises(ValueError, match=r"\(199,\) and \(200,\)"):
        confusion(labels[1:], labels, 4)
    with pytest.raises(ValueError, match="integers"):
        error_by_glimpse(logits, labels.float())
