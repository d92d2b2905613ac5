"""`glimpse evaluate` of generators: the bound against a plain loop, and published results."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.datasets.generative import open_generative
from glimpse.evaluation.evaluate import evaluate
from glimpse.evaluation.generator import measure_generator
from glimpse.evaluation.published import published_bounds_on
from glimpse.models.draw import DRAW
from tests.helpers.commands import invoked
from tests.helpers.generator_runs import FEW, MODEL, color_file, numbers, refused, train
from tests.helpers.runs import metrics
from tests.helpers.weights import written_generator

pytestmark = pytest.mark.usefixtures("without_pictures")


# Evaluation


def test_the_evaluation_is_measured_by_hand(generator_run: Path) -> None:
    found, by_split = numbers(generator_run, "--importance-samples=3"), {}
    for split in ("test", "valid"):
        result = measure_generator(
            DRAW.from_pretrained(generator_run), getattr(open_generative("digits"), split), importance_samples=3
        )
        by_split[split] = json.loads(json.dumps(result.as_dict()))
    assert {name: found[name] for name in by_split["test"]} == by_split["test"]
    assert {"bound_nats", "standard_error", "n", "importance_nats"} <= found.keys()
    assert (found["n"], found["model"], found["glimpses"]) == (300, str(generator_run), 2)
    assert (found["data"]["name"], found["data"]["split"], found["data"]["binarization"]) == ("digits", "test", "dynamic")
    assert numbers(generator_run, "--split=valid")["bound_nats"] == by_split["valid"]["bound_nats"]
    assert by_split["valid"]["bound_nats"] == pytest.approx(
        min(row.get("valid_bound", np.inf) for row in metrics(generator_run)), rel=1e-6
    )


def test_the_bound_its_error_and_the_binarization_are_printed_without_results_on_another_set(generator_run: Path) -> None:
    shown = " ".join(invoked("evaluate", generator_run, "--importance-samples=2").stdout.split())
    for words in ("bound, nats", "standard error", "binarization dynamic", "with 2 importance samples", "step KL, nats"):
        assert words in shown
    assert "DRAW, Table 2" not in shown


def test_published_bounds_are_shown_for_whole_test_sets_only_and_in_their_unit() -> None:
    mnist = {"name": "binarized-mnist", "split": "test", "binarization": "fixed", "crop": None, "note": None}
    cifar = {"name": "cifar10", "split": "test", "binarization": "none", "crop": None, "note": None}
    assert 80.97 in [row.value for row in published_bounds_on(mnist, "bernoulli")]
    assert 4.13 in [row.value for row in published_bounds_on(cifar, "logistic")]
    assert not published_bounds_on(mnist, "logistic")
    assert not published_bounds_on(cifar, "bernoulli")
    for changed in ({"split": "valid"}, {"crop": (20, 20)}, {"note": "only a part"}, {"name": "digits"}):
        assert not published_bounds_on(mnist | changed, "bernoulli")
        assert not published_bounds_on(cifar | changed, "logistic")


def test_the_published_table_is_shown_for_the_real_set(mnist_folder: Path, tmp_path: Path) -> None:
    if not (mnist_folder / "binarized_mnist").is_dir():
        pytest.skip("no binarized MNIST next to MNIST")
    weights = written_generator(tmp_path / "w.safetensors")
    result = invoked("evaluate", weights, "--data=binarized-mnist", "--data-dir", mnist_folder, "--threads=1")
    shown = " ".join(result.stdout.split())
    assert "binarization fixed" in shown
    assert "DRAW without attention" in shown
    assert "measured here, one sample" in shown


def test_a_part_of_a_set_is_told_and_never_compared(tmp_path: Path) -> None:
    (tmp_path / "cifar10_subset").mkdir()
    draw = np.random.default_rng(0)
    train_images, test_images = (draw.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8) for count in (30, 9))
    np.savez(
        tmp_path / "cifar10_subset" / "cifar10_subset.npz",
        train_images=train_images,
        test_images=test_images,
        train_labels=np.arange(30) % 10,
        test_labels=np.arange(9),
    )
    options = [*MODEL, "--preset=cifar10", "--data-dir", tmp_path, *FEW]
    out = train(*options, "--out", tmp_path / "run")
    result = invoked("evaluate", out, "--data-dir", tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stderr.count("only a part of cifar10") == 1
    assert "bits per dimension" in result.stdout
    assert "ConvDRAW" not in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--glimpses=3"], "a generator always takes the 2 steps that it was trained with: leave out --glimpses"),
        (["--pieces=2", "--canvas=50"], "takes no labeled images: leave out --canvas, --pieces"),
        (["--data=OTHER"], "3 channels of 7 x 9 pixels, the model was trained on 1 channel of 28 x 28 pixels"),
        (["--data=nothing"], "no set called 'nothing'"),
    ],
)
def test_images_that_a_generator_cannot_be_evaluated_on_are_one_line(
    generator_run: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    options = [option.replace("OTHER", str(color_file(tmp_path))) for option in options]
    assert said in refused("evaluate", generator_run, *options)


def test_options_of_other_models_are_refused_before_the_images_are_opened(
    classifier_run: Path, generator_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*arguments: Any) -> Any:
        raise AssertionError("opened")

    monkeypatch.setattr("glimpse.evaluation.evaluate.open_task_images", never)
    assert "--importance-samples is for a generator" in refused("evaluate", classifier_run, "--importance-samples=2")
    assert "--test-samples is for a recurrent attention model" in refused("evaluate", classifier_run, "--test-samples=2")
    assert "--test-samples is for a recurrent attention model" in refused("evaluate", generator_run, "--test-samples=2")
    assert "leave out --glimpses" in refused("evaluate", generator_run, "--glimpses=3")


def test_a_coarse_clock_gives_a_finite_rate(generator_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 5.0)
    assert math.isfinite(evaluate(generator_run, device="cpu", threads=1).images_per_second)


@pytest.mark.parametrize("name", ["binarized-mnist", "dynamic-mnist", "two-digit", "svhn", "svhn-32", "cifar10"])
def test_a_missing_set_is_one_line_with_a_remedy(name: str, tmp_path: Path) -> None:
    task = {"name": name, "binarization": "fixed" if name == "binarized-mnist" else "none"}
    weights = written_generator(tmp_path / "w.safetensors", task)
    for command in (("evaluate", weights), ("trajectories", weights, "--out", tmp_path / "x.csv")):
        line = refused(*command)
        assert f"was trained on {name}, and " in line
        assert "with --data-dir or GLIMPSE_DATA, or give images with --data FILE.npz" in line
    assert not (tmp_path / "x.csv").exists()
