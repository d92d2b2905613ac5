"""`glimpse evaluate` of classifiers: results against a plain loop, choice of images, and errors."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import Result

from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.evaluation.classifier import uniforms
from glimpse.evaluation.published import published_on
from glimpse.models.ram import RAM
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.ram import RAMConfig
from tests.helpers import commands
from tests.helpers.classifier_runs import MODEL, trained
from tests.helpers.commands import invoked, printed_json
from tests.helpers.weights import OF_WHOLE_IMAGES, ON_SKLEARN, RECIPE, untrained, written, written_on_sklearn

pytestmark = pytest.mark.usefixtures("without_pictures")

FEW = [*MODEL, "--images=160", "--batch-size=16", "--threads=1"]


@pytest.fixture
def on_sklearn(tmp_path: Path) -> Path:
    return written(tmp_path / "sklearn.safetensors", untrained(), ON_SKLEARN)


@pytest.fixture
def on_mnist(tmp_path: Path) -> Path:
    return written(tmp_path / "mnist.safetensors", untrained(), ON_SKLEARN | {"digits": "mnist"})


def evaluate(*arguments: str | Path) -> Result:
    return invoked("evaluate", "--threads=1", *arguments)


def numbers(*arguments: str | Path) -> dict[str, Any]:
    """Returns the object that `--json` prints."""
    return printed_json("evaluate", "--threads=1", *arguments)


def refused(*arguments: str | Path) -> str:
    return commands.refused("evaluate", "--threads=1", *arguments)


def looped(split: str = "test", glimpses: int = 3, **changed: int) -> tuple[list[float], int]:
    """Returns the error after each glimpse in percent, and the number of images, counted one image at a time."""
    digits = getattr(open_digits("sklearn"), split)
    data = ClutteredMNIST(digits, split, ClutterRecipe(**(RECIPE | changed)))  # type: ignore[arg-type]
    wrong = np.zeros(glimpses)
    network = untrained()
    with torch.no_grad():
        for index in range(len(data)):
            image, label, _ = data[index]
            wrong += [int(scores.argmax()) != int(label) for scores in network(image[None], glimpses)[0][0]]
    return (100 * wrong / len(data)).tolist(), len(data)


# The numbers


def test_the_errors_are_those_of_a_plain_loop(on_sklearn: Path) -> None:
    found, (errors, n) = numbers(on_sklearn), looped()
    assert found["n"] == n == 300
    assert found["error_by_glimpse"] == pytest.approx(errors)
    assert found["error"] == found["error_by_glimpse"][-1]
    assert found["interval"][0] < found["error"] < found["interval"][1]
    assert found["model"] == str(on_sklearn)
    assert found["data"] == {"kind": "cluttered", "digits": "sklearn", "split": "test", "recipe": RECIPE}
    assert found["images_per_second"] > 0


def test_the_validation_images_are_others(on_sklearn: Path) -> None:
    errors, _ = looped("valid")
    assert numbers(on_sklearn, "--split=valid")["error_by_glimpse"] == pytest.approx(errors)


@pytest.mark.parametrize(
    ("options", "glimpses", "changed"),
    [
        (["--glimpses=5"], 5, {}),
        (["--glimpses=1"], 1, {}),
        (["--pieces=6"], 3, {"pieces": 6}),
        (["--canvas=57", "--border=3", "--piece-size=5"], 3, {"canvas": 57, "border": 3, "piece_size": 5}),
    ],
)
def test_robustness_is_measured_on_other_images_and_glimpses(
    on_sklearn: Path, options: list[str], glimpses: int, changed: dict[str, int]
) -> None:
    found, (errors, _) = numbers(on_sklearn, *options), looped("test", glimpses, **changed)
    assert found["error_by_glimpse"] == pytest.approx(errors)
    assert found["glimpses"] == glimpses
    assert found["data"]["recipe"] == RECIPE | changed


def test_a_classifiers_error_interval_steps_and_confusion_are_printed(on_sklearn: Path) -> None:
    found, shown = numbers(on_sklearn), evaluate(on_sklearn).stdout
    lines = {line.split("  ")[0]: line.split()[-1] for line in shown.splitlines() if line}
    assert lines["error %"] == f"{found['error']:.2f}"
    assert f"{found['interval'][0]:.2f} to {found['interval'][1]:.2f}" in shown
    assert "calibration error" in lines
    assert [line.split() for line in shown.splitlines()].count(["true", *map(str, range(10))]) == 1
    assert "published" not in shown.lower()


# Other models


def ram(test_samples: int = 0) -> RAM:
    """Returns a seeded recurrent attention model whose predictions vary."""
    torch.manual_seed(0)
    config = RAMConfig(glimpses=3, window=4, hidden=6, features=5, scales=2, policy_std=0.4, test_samples=test_samples)
    network = RAM(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape))
    return network


def sampled(network: RAM, samples: int) -> tuple[list[float], float]:
    """Returns the error after each glimpse in percent and the last loss in nats, one image and one sequence at a time."""
    data = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE))
    wrong, nats = np.zeros(3), 0.0
    for index in range(len(data)):
        image, label, _ = data[index]
        probabilities = np.zeros((3, 10))
        for sample in range(max(samples, 1)):
            noise = uniforms(torch.tensor([index]), 3, sample)
            with torch.no_grad():
                logits = network(image[None], 3, noise, None if samples else 0.0).logits[0].double().numpy()
            probabilities += np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) / max(samples, 1)
        wrong += probabilities.argmax(axis=1) != int(label)
        nats -= np.log(probabilities[-1, int(label)])
    return (100 * wrong / len(data)).tolist(), nats / len(data)


@pytest.mark.parametrize(
    ("own", "options", "samples", "words"),
    [
        (0, [], 0, "none: the policy's mean"),
        (0, ["--test-samples=3"], 3, "3, averaged"),
        (2, [], 2, "2, averaged"),
        (2, ["--test-samples=0"], 0, "none: the policy's mean"),
        (2, ["--test-samples=1"], 1, "1"),
    ],
)
def test_how_many_samples_an_error_averages_over_stands_beside_it(
    tmp_path: Path, own: int, options: list[str], samples: int, words: str
) -> None:
    weights, (errors, nats) = written(tmp_path / "model.safetensors", ram(own), ON_SKLEARN), sampled(ram(own), samples)
    found = numbers(weights, *options)
    assert found["error_by_glimpse"] == pytest.approx(errors)
    assert found["nll"] == pytest.approx(nats, rel=1e-5)
    assert (found["glimpses"], found["test_samples"]) == (3, samples)
    shown = evaluate(weights, *options).stdout.splitlines()
    place = next(i for i, line in enumerate(shown) if line.startswith("error %"))
    assert shown[place].split()[-1] == f"{errors[-1]:.2f}"
    assert shown[place + 1].startswith("sampled location sequences")
    assert shown[place + 1].endswith(words)


def test_the_ways_to_sample_give_other_answers() -> None:
    nats = [sampled(ram(), samples)[1] for samples in (0, 1, 2)]
    assert len({round(value, 6) for value in nats}) == 3


@pytest.mark.parametrize(
    "config",
    OF_WHOLE_IMAGES,
    ids=lambda config: type(config).__name__,
)
def test_a_model_of_the_whole_image_has_one_error_and_no_glimpses(tmp_path: Path, config: ClassifierSettings) -> None:
    network = untrained(config)
    weights = written(tmp_path / "model.safetensors", network, ON_SKLEARN)
    data = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE))
    wrong = 0
    with torch.no_grad():
        for index in range(len(data)):
            image, label, _ = data[index]
            wrong += int(network(image[None])[0][0, -1].argmax()) != int(label)
    found = numbers(weights)
    assert found["error"] == pytest.approx(100 * wrong / 300)
    assert (found["error_by_glimpse"], found["glimpses"]) == ([found["error"]], 1)
    assert "test_samples" not in found
    shown = evaluate(weights).stdout
    assert "glimpse " not in shown
    assert "sampled location" not in shown
    assert "sees the whole image at once: omit the number of glimpses" in refused(weights, "--glimpses=2").splitlines()[-1]
    assert refused(weights, "--test-samples=2").startswith("--test-samples is for a recurrent attention model (ram)")


def test_the_two_layer_network_evaluates_images_of_its_own_size_only(tmp_path: Path) -> None:
    weights = written_on_sklearn(tmp_path, OF_WHOLE_IMAGES[0])
    said = refused(weights, "--canvas=50")
    assert "1 channel of 50 x 50 pixels, the model was trained on 1 channel of 40 x 40 pixels" in said


def test_samples_of_locations_are_asked_of_no_other_model(on_sklearn: Path) -> None:
    assert refused(on_sklearn, "--test-samples=2").startswith("--test-samples is for a recurrent attention model (ram)")
    assert "test_samples" not in numbers(on_sklearn)


# Which images


def test_a_file_s_test_part_is_measured(on_mnist: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    parts = {
        name: draw.integers(0, 256, (count, 30, 44), dtype=np.uint8) for name, count in (("train", 20), ("valid", 15), ("test", 30))
    }
    labels = {name: np.arange(len(images)) % 10 for name, images in parts.items()}
    file = tmp_path / "own.npz"
    arrays: dict[str, Any] = {f"X_{name}": part for name, part in parts.items()}
    arrays |= {f"y_{name}": part for name, part in labels.items()}
    np.savez(file, **arrays)
    for name, options in (("test", []), ("valid", ["--split=valid"])):
        found = numbers(on_mnist, "--data", file, *options)
        with torch.no_grad():
            scores = untrained()(torch.from_numpy(parts[name])[:, None] / 255)[0][:, -1]
        wrong = (scores.argmax(dim=1).numpy() != labels[name]).mean()
        assert (found["n"], found["error"]) == (len(labels[name]), pytest.approx(100 * wrong))
        assert found["data"] == {"kind": "file", "path": str(file), "part": name}


def test_a_run_is_measured_on_its_own_images_unless_others_are_given(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", images=draw.integers(0, 256, (50, 20, 20), dtype=np.uint8), labels=np.arange(50) % 10)
    run = trained(tmp_path / "run", *FEW, "--data", tmp_path / "own.npz")
    assert numbers(run)["data"]["part"] == "test"
    assert numbers(run)["n"] == 10  # one of each class: a tenth of five, at least one
    assert sum(map(sum, numbers(run, "--data", tmp_path / "own.npz")["confusion"])) == 10
    assert numbers(run, "--digits=sklearn", "--canvas=40")["n"] == 300
    assert "name the digits to put on the canvas" in refused(run, "--canvas=40")
    assert "give images with --data" in refused(run / "model.safetensors")


def test_a_run_on_own_digits_is_measured_on_them_and_on_no_others(tmp_path: Path) -> None:
    glyphs, run = tmp_path / "glyphs.npz", tmp_path / "run"
    images = np.random.default_rng(0).integers(0, 256, (100, 28, 28), dtype=np.uint8)
    np.savez(glyphs, images=images, labels=np.arange(100) % 4)
    trained(run, *FEW, "--digits", glyphs, "--canvas=40", "--seed=3")
    found = numbers(run)
    assert (found["n"], found["data"]["digits"]) == (12, "file")  # 3 of 25 of each class
    assert "--digits FILE.npz" in refused(run / "model.safetensors")
    for again in (run, run / "model.safetensors"):  # split as in training: the other glyphs are known to the model
        assert numbers(again, "--digits", glyphs)["nll"] == found["nll"]
    np.savez(glyphs, images=255 - images, labels=np.arange(100) % 4)
    assert "has changed" in refused(run)
    glyphs.unlink()
    assert str(glyphs) in refused(run)


def test_a_runs_own_images_are_not_taken_once_they_have_changed(tmp_path: Path) -> None:
    file, run = tmp_path / "own.npz", tmp_path / "run"
    np.savez(file, images=np.zeros((40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 4)
    trained(run, *FEW, "--data", file)
    assert (numbers(run)["n"], numbers(run)["data"]["part"]) == (4, "test")
    np.savez(file, images=np.ones((40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 4)
    assert "has changed" in refused(run)


@pytest.mark.parametrize("options", [[], ["--digits=auto"], ["--canvas=50"]])
def test_without_mnist_evaluating_a_model_of_mnist_is_one_line_with_a_remedy(on_mnist: Path, options: list[str]) -> None:
    line = refused(on_mnist, *options)
    assert "trained on mnist" in line
    for way in ("--data-dir", "GLIMPSE_DATA", "--data"):
        assert way in line


def test_other_digits_are_taken_where_they_are_named(on_mnist: Path) -> None:
    assert numbers(on_mnist, "--digits=sklearn")["data"]["digits"] == "sklearn"


def test_a_file_and_constants_of_the_clutter_exclude_each_other(on_mnist: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", images=np.zeros((4, 9, 9), dtype=np.uint8), labels=np.arange(4))
    assert "leave out --pieces, --piece-size" in refused(on_mnist, "--data", tmp_path / "own.npz", "--pieces=1", "--piece-size=4")


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((4, 9, 9, 3), dtype=np.uint8), np.arange(4), "have 3 channels of 9 x 9 pixels, the model was trained on 1"),
        (np.zeros((4, 9, 9), dtype=np.uint8), np.arange(4) + 9, "has classes 0 to 9, the images have 10, 11, 12"),
    ],
)
def test_images_that_do_not_fit_the_model_are_one_line(
    on_mnist: Path, tmp_path: Path, images: np.ndarray, labels: np.ndarray, said: str
) -> None:
    np.savez(tmp_path / "own.npz", images=images, labels=labels)
    assert said in refused(on_mnist, "--data", tmp_path / "own.npz").splitlines()[-1]


# Published numbers


def described(**changed: object) -> dict[str, Any]:
    recipe = {"canvas": 100, "pieces": 8, "piece_size": 8, "border": 0}
    recipe |= {name: value for name, value in changed.items() if name in recipe}  # type: ignore[misc]
    rest = {name: value for name, value in changed.items() if name not in recipe}
    return {"kind": "cluttered", "digits": "mnist", "split": "test", "recipe": recipe} | rest


def test_published_errors_are_shown_for_the_same_task_only() -> None:
    assert min(row.error_percent for row in published_on(described()) if "RAM, 8" in row.model) == 3.36
    assert {row.error_percent for row in published_on(described(canvas=60, pieces=4))} >= {4.04, 28.58}


@pytest.mark.parametrize(
    "changed",
    [
        {"digits": "sklearn"},
        {"digits": "fashion-mnist"},
        {"digits": "file"},
        {"split": "valid"},
        {"canvas": 60},
        {"pieces": 4},
        {"piece_size": 9},
        {"border": 1},
        {"canvas": 28, "pieces": 0},
    ],
)
def test_published_errors_stand_beside_no_other_task(changed: dict[str, object]) -> None:
    assert published_on(described(**changed)) == ()
    assert published_on({"kind": "file", "path": "own.npz", "part": "test"}) == ()


def test_the_published_table_is_shown_for_real_mnist(mnist_folder: Path, tmp_path: Path) -> None:
    recipe = {"canvas": 100, "pieces": 8, "piece_size": 8, "border": 0}
    weights = written(tmp_path / "w.safetensors", untrained(), {"kind": "cluttered", "digits": "mnist", "recipe": recipe})
    shown = evaluate(weights, "--data-dir", mnist_folder).stdout
    assert "differentiable RAM, 8 glimpses, 12x12" in shown
    assert f"{os.fspath(weights)}, 3 glimpses" in shown
