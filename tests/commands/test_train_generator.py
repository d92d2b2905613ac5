"""A generator on the command line: `train-generator`, and what `evaluate`, `trajectories` and `predict` do with what it trained."""

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from glimpse.cli import glimpse
from glimpse.commands import train_generator as generator_training
from glimpse.commands.evaluate_generator import _published
from glimpse.datasets.generative import open_generative
from glimpse.evaluation.generator import GenerationResult, measure_generator
from glimpse.models.draw import DRAW
from glimpse.models.weights import load_weights, save_weights
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig
from glimpse.training.engine import Trainer
from glimpse.trajectories import load

SMALL = ["--hidden=16", "--latent=4"]
MODEL = ["--glimpses=2", "--read=3", "--write=3", *SMALL]
FEW = ["--images=32", "--batch-size=16"]
TIMES = ("seconds", "images_per_second")


def invoked(*arguments: object) -> Result:
    return CliRunner().invoke(glimpse, [str(argument) for argument in arguments])


def train(*options: object) -> Path:
    """Trains a generator in this process; the last two options are `--out` and a folder, which is returned."""
    result = invoked("train-generator", "--threads=1", *options)
    assert result.exit_code == 0, result.output
    return Path(str(options[-1]))


def refused(*arguments: object) -> str:
    """Returns the one line of the error that a command ends with."""
    result = invoked(*arguments)
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith("Warning")]
    return line.removeprefix("Error: ")


def numbers(*arguments: object) -> dict[str, Any]:
    """Returns the object that `evaluate --json` prints."""
    result = invoked("evaluate", "--threads=1", "--json", *arguments)
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def settings_of(run: Path) -> dict[str, Any]:
    settings: dict[str, Any] = json.loads((run / "config.json").read_text())
    return settings


def rows(run: Path) -> list[dict[str, float]]:
    """Returns the rows of metrics.csv without times and empty cells."""
    with (run / "metrics.csv").open(newline="") as file:
        return [{name: float(value) for name, value in row.items() if value and name not in TIMES} for row in csv.DictReader(file)]


def saved(file: Path, name: str, **changes: Any) -> Path:
    """Writes an untrained generator's weights that say they were trained on a set of this name."""
    task = {"kind": "generative", "name": name, "sha256": "", "binarization": "dynamic", "crop": None, "size": None}
    task |= {key: changes.pop(key) for key in tuple(changes) if key in task}
    torch.manual_seed(0)
    config = GeneratorConfig(**({"glimpses": 2, "hidden": 6, "latent": 3, "read": 3, "write": 3} | changes))
    save_weights(file, DRAW(config).state_dict(), {"model": "DRAW", "config": vars(config), "task": task})
    return file


def colour_file(folder: Path, shape: tuple[int, ...] = (7, 9, 3), count: int = 60, seed: int = 0) -> Path:
    """Writes random images, and returns the file."""
    file = folder / f"images-{seed}.npz"
    np.savez(file, images=np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8))
    return file


def pictures(folder: Path, size: tuple[int, int] = (9, 7)) -> Path:
    """Writes 40 random pictures in colour, and returns their folder."""
    draw = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for number in range(40):
        pixels = draw.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{number}.png")
    return folder / "pictures"


LEARNING = ["--glimpses=2", "--read=5", "--write=5", "--hidden=32", "--latent=8", "--data=digits", "--images=3200"]
LEARNING += ["--batch-size=16", "--validate-every=800", "--log-every=400", "--beta-warmup=1000", "--warmup=160"]
LEARNING += ["--averaging=320", "--learning-rate=0.02"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a finished run on scikit-learn's digits."""
    return train(*LEARNING, "--out", tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of a classifier's run."""
    out = tmp_path_factory.mktemp("runs") / "classifier"
    tiny = ["--digits=sklearn", "--canvas=40", "--window=4", "--hidden=8", "--features=8", "--glimpses=2", "--threads=1"]
    assert invoked("train-classifier", *tiny, *FEW, "--out", out).exit_code == 0
    return out


# Presets


def test_presets_have_the_papers_settings() -> None:
    table = {"mnist": (64, 256, 100, 2, 5), "svhn": (32, 800, 100, 12, 12), "cifar10": (64, 400, 200, 5, 5)}
    for name, settings in table.items():
        model = GENERATOR_PRESETS[name].model
        assert (model.glimpses, model.hidden, model.latent, model.read, model.write) == settings
        assert model.attention
    without = GENERATOR_PRESETS["mnist-no-attention"].model
    assert (without.glimpses, without.hidden, without.latent, without.attention) == (64, 256, 100, False)
    for name, preset in GENERATOR_PRESETS.items():
        assert (preset.model.beta, preset.model.beta_warmup, preset.training.weight_decay) == (1, 0, 0)
        assert preset.model.observation == ("logistic" if name in ("svhn-32", "cifar10") else "bernoulli")
    sets = ("auto", "binarized-mnist", "binarized-mnist", "two-digit", "svhn", "svhn-32", "cifar10")
    assert tuple(preset.data for preset in GENERATOR_PRESETS.values()) == sets


@pytest.mark.parametrize("preset", GENERATOR_PRESETS)
def test_every_preset_trains(preset: str, tmp_path: Path) -> None:
    shapes = {"two-digit": (60, 60), "svhn": (64, 64, 3), "svhn-32": (32, 32, 3), "cifar10": (32, 32, 3)}
    data = colour_file(tmp_path, shapes[preset], 20) if preset in shapes else "digits"
    more = ["--crop", 54, 54] if preset == "svhn" else []
    out = train(f"--preset={preset}", f"--data={data}", *SMALL, *more, "--images=24", "--batch-size=8", "--out", tmp_path / "run")
    given, model = vars(GENERATOR_PRESETS[preset].model), settings_of(out)["model"]
    side = {"svhn": 54, "two-digit": 60, "svhn-32": 32, "cifar10": 32}.get(preset, 28)
    size = {"channels": shapes.get(preset, (0, 0, 1))[-1] if preset != "two-digit" else 1, "height": side, "width": side}
    assert model == given | {"hidden": 16, "latent": 4} | size
    (last,) = rows(out)
    assert last["images"] == 24
    assert np.isfinite(list(last.values())).all()
    assert last["skipped"] == 0


# Training


def test_a_generator_learns(run: Path) -> None:
    bounds = [row["valid_bound"] for row in rows(run) if "valid_bound" in row]
    assert len(bounds) == 4
    mean = open_generative("digits").valid.batch(torch.arange(300)).images.mean(dim=0).double()
    apart = -float((torch.xlogy(mean, mean) + torch.xlogy(1 - mean, 1 - mean)).sum())  # the best for pixels on their own
    assert bounds[-1] < bounds[0] - 5
    assert bounds[-1] < apart - 8
    assert rows(run)[-1]["kl"] > 1


def test_a_run_records_its_settings_and_its_data(run: Path) -> None:
    settings, data = settings_of(run), open_generative("digits")
    chosen = {"glimpses": 2, "hidden": 32, "latent": 8, "read": 5, "write": 5, "beta_warmup": 1000}
    assert settings["model"] == vars(GeneratorConfig()) | chosen
    assert (settings["command"], settings["preset"]) == ("train-generator", "mnist-small")
    assert settings["data"] == data.record()
    _, facts = load_weights(run)
    assert facts["task"]["sha256"] == data.sha256
    assert facts["config"] == settings["model"]


def assert_same(first: Path, second: Path) -> None:
    """Asserts that two runs have the same weights to the byte and the same metrics to the digit."""
    assert rows(first) == rows(second)
    names = [path.relative_to(second) for path in second.rglob("*.safetensors")]
    assert names
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


@pytest.mark.parametrize("step", [3, 125])
def test_a_run_that_is_stopped_goes_on_to_the_same_bytes(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    advance = Trainer._advance

    def signalled(self: Trainer) -> None:
        advance(self)
        if self.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_advance", signalled)
    out = tmp_path / "run"
    stopped = invoked("train-generator", "--threads=1", *LEARNING, "--out", out)
    assert (stopped.exit_code, f"glimpse train-generator --resume --out {out}" in stopped.stderr) == (143, True)
    train("--resume", "--out", out)
    assert_same(out, run)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--hidden=33"], "with --hidden 32, not 33"),
        (["--beta=0.5"], "with --beta 1.0, not 0.5"),
        (["--beta-warmup=10"], "with --beta-warmup 1000, not 10"),
        (["--observation=logistic"], "with --observation bernoulli, not logistic"),
        (["--no-attention"], "with --attention True, not False"),
        (["--binarization=none"], "with --binarization dynamic, not none"),
        (["--crop", "20", "20"], "without --crop"),
        (["--preset=mnist"], "with --preset mnist-small, not mnist"),
        (["--epochs=1"], "with --images 3200, not 1197"),
        (["--data=OTHER"], "their names or digests differ"),
        (["--data=digits", "--binarization=dynamic", "--attention", "--images=3200"], ""),
    ],
)
def test_a_run_goes_on_with_its_own_options_and_data_alone(run: Path, tmp_path: Path, options: list[str], said: str) -> None:
    options = [option.replace("OTHER", str(colour_file(tmp_path))) for option in options]
    if said:
        assert said in refused("train-generator", "--resume", "--out", run, *options)
    else:
        assert invoked("train-generator", "--resume", "--out", run, *options).exit_code == 0


def test_sets_that_are_made_of_the_same_digits_are_not_the_same(mnist_folder: Path) -> None:
    data = open_generative("two-digit", data_dir=mnist_folder)
    options: dict[str, Any] = {"data": "dynamic-mnist", "data_dir": mnist_folder}
    record = {"data": data.record(), "training": {"seed": 0}}
    with pytest.raises(ValueError, match="started with two-digit, not dynamic-mnist"):
        generator_training.data_of(record, options, torch.device("cpu"))


def test_a_run_goes_on_with_the_command_that_started_it(run: Path, classifier: Path) -> None:
    assert "was started by glimpse train-generator" in refused("train-classifier", "--resume", "--out", run)
    assert "was started by glimpse train-classifier" in refused("train-generator", "--resume", "--out", classifier)


def test_a_run_starts_from_anothers_settings(run: Path, classifier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoked("train-generator", "--config", run, "--images=32", "--hidden=8", "--threads=1").exit_code == 0
    out, base = tmp_path / "runs" / "draw-mnist-small", settings_of(run)
    settings = settings_of(out)
    assert settings["model"] == base["model"] | {"hidden": 8}
    assert settings["training"] == base["training"] | {"images": 32}
    assert settings["data"] == base["data"]
    assert "of glimpse train-classifier, not of train-generator" in refused("train-generator", "--config", classifier)
    assert "not both" in refused("train-generator", "--config", run, "--preset=mnist", "--out", "other")
    assert refused("train-classifier", "--config", run)


def test_another_set_is_taken_in_its_own_way_whatever_the_settings_it_starts_from(run: Path, tmp_path: Path) -> None:
    out = train("--config", run, "--data", colour_file(tmp_path), *FEW, "--out", tmp_path / "run")
    assert settings_of(out)["data"]["binarization"] == "none"
    again = train("--config", out, "--data=digits", *FEW, "--out", tmp_path / "again")
    assert settings_of(again)["data"]["binarization"] == "dynamic"
    assert (settings_of(again)["model"]["channels"], settings_of(again)["model"]["width"]) == (1, 28)


def test_beta_and_its_warm_up_weigh_the_divergence(tmp_path: Path) -> None:
    options = [*MODEL, "--data=digits", "--beta=3", "--beta-warmup=8", "--images=16", "--batch-size=1", "--log-every=1"]
    out = train(*options, "--out", tmp_path / "run")
    assert len(rows(out)) == 16
    for seen, row in enumerate(rows(out)):
        assert row["loss"] == pytest.approx(row["reconstruction"] + 3 * min(1, seen / 8) * row["kl"], rel=1e-6)
    assert (settings_of(out)["model"]["beta"], settings_of(out)["model"]["beta_warmup"]) == (3, 8)


def test_what_the_model_and_the_images_are_can_be_chosen(tmp_path: Path) -> None:
    options = ["--observation=logistic", "--no-attention", "--binarization=none", "--crop", 20, 24, "--data=digits"]
    out = train(*MODEL, *options, *FEW, "--out", tmp_path / "run")
    settings, (weights, _) = settings_of(out), load_weights(out)
    assert (settings["model"]["observation"], settings["model"]["attention"]) == ("logistic", False)
    assert (settings["model"]["height"], settings["model"]["width"]) == (20, 24)
    assert (settings["data"]["binarization"], settings["data"]["crop"]) == ("none", [20, 24])
    assert "log_scale" in weights
    assert not [name for name in weights if "window" in name]
    found = numbers(out)
    assert (found["data"]["binarization"], found["data"]["crop"]) == ("none", [20, 24])
    assert found["bits_per_dimension"] == pytest.approx(found["bound_nats"] / (20 * 24 * np.log(2)))
    assert "made without attention" in refused("trajectories", out, "--out", tmp_path / "x.csv")


def test_the_budget_may_be_given_in_epochs(tmp_path: Path) -> None:
    out = train(*MODEL, "--data=digits", "--epochs=0.05", "--batch-size=16", "--out", tmp_path / "run")
    assert settings_of(out)["training"]["images"] == round(0.05 * 1197)


def test_a_set_that_is_unknown_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    line = refused("train-generator", "--data=nothing", "--out", tmp_path / "run")
    assert "no set called 'nothing', and no such folder: choose auto" in line
    assert not (tmp_path / "run").exists()


def test_ones_own_folder_of_pictures_goes_end_to_end_in_colour(tmp_path: Path) -> None:
    folder = pictures(tmp_path)
    out = train(*MODEL, "--data", folder, "--size", 6, 8, "--binarization=dynamic", *FEW, "--out", tmp_path / "run")
    settings = settings_of(out)
    assert (settings["data"]["size"], settings["data"]["binarization"]) == ([6, 8], "dynamic")
    assert [settings["model"][name] for name in ("channels", "height", "width")] == [3, 6, 8]
    found, weights = numbers(out), out / "model.safetensors"
    assert (found["data"]["name"], found["data"]["binarization"]) == ("pictures", "dynamic")
    assert found["bound_nats"] == numbers(weights, "--data", folder)["bound_nats"]
    assert "name them with --data" in refused("evaluate", weights)
    assert invoked("trajectories", out, "--out", tmp_path / "sheet.png").exit_code == 0
    other = numbers(weights, "--data", colour_file(tmp_path, (6, 8, 3)))
    assert other["data"]["binarization"] == "none"
    (folder / "0.png").unlink()
    assert "its digest differs" in refused("evaluate", out)
    assert "names or digests differ" in refused("train-generator", "--resume", "--out", out)


def test_ones_own_file_goes_end_to_end_in_colour(tmp_path: Path) -> None:
    out = train(*MODEL, "--data", colour_file(tmp_path), "--observation=logistic", *FEW, "--out", tmp_path / "run")
    found = numbers(out)
    assert found["bits_per_dimension"] == pytest.approx(found["bound_nats"] / (7 * 9 * 3 * np.log(2)))
    assert found["data"]["name"] == "pictures"
    assert invoked("trajectories", out, "--out", tmp_path / "page.html").exit_code == 0


# Evaluation


def test_the_evaluation_is_measured_by_hand(run: Path) -> None:
    found, by_split = numbers(run, "--importance-samples=3"), {}
    for split in ("test", "valid"):
        *_, result = measure_generator(DRAW.from_pretrained(run), getattr(open_generative("digits"), split), importance_samples=3)
        assert isinstance(result, GenerationResult)
        by_split[split] = json.loads(json.dumps(result.as_dict()))
    assert {name: found[name] for name in by_split["test"]} == by_split["test"]
    assert {"bound_nats", "standard_error", "n", "importance_nats"} <= found.keys()
    assert (found["n"], found["model"], found["glimpses"]) == (300, str(run), 2)
    assert (found["data"]["name"], found["data"]["split"], found["data"]["binarization"]) == ("digits", "test", "dynamic")
    assert numbers(run, "--split=valid")["bound_nats"] == by_split["valid"]["bound_nats"]
    assert by_split["valid"]["bound_nats"] == pytest.approx(min(row.get("valid_bound", np.inf) for row in rows(run)), rel=1e-6)


def test_a_person_sees_the_bound_its_error_and_the_binarization_and_no_table_of_another_set(run: Path) -> None:
    shown = " ".join(invoked("evaluate", run, "--importance-samples=2").stdout.split())
    for words in ("bound, nats", "standard error", "binarization dynamic", "with 2 importance samples", "step KL, nats"):
        assert words in shown
    assert "DRAW, Table 2" not in shown


def test_published_bounds_stand_beside_whole_test_sets_in_their_unit_alone() -> None:
    mnist = {"name": "binarized-mnist", "split": "test", "binarization": "fixed", "crop": None, "note": None}
    cifar = {"name": "cifar10", "split": "test", "binarization": "none", "crop": None, "note": None}
    assert 80.97 in [row.value for row in _published(mnist, "bernoulli")]
    assert 4.13 in [row.value for row in _published(cifar, "logistic")]
    assert not _published(mnist, "logistic")
    assert not _published(cifar, "bernoulli")
    for changed in ({"split": "valid"}, {"crop": (20, 20)}, {"note": "only a part"}, {"name": "digits"}):
        assert not _published(mnist | changed, "bernoulli")
        assert not _published(cifar | changed, "logistic")


def test_the_published_table_is_shown_for_the_real_set(mnist_folder: Path, tmp_path: Path) -> None:
    if not (mnist_folder / "binarized_mnist").is_dir():
        pytest.skip("no binarized MNIST beside MNIST")
    weights = saved(tmp_path / "w.safetensors", "digits")
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
        (["--glimpses=3"], "as many steps as it was trained with, 2: leave out --glimpses"),
        (["--pieces=2", "--canvas=50"], "sees no clutter: leave out --canvas, --pieces"),
        (["--data=OTHER"], "3 channels of 7 x 9 pixels, the model was trained on 1 channel of 28 x 28 pixels"),
        (["--data=nothing"], "no set called 'nothing'"),
    ],
)
def test_what_a_generator_cannot_be_measured_on_is_one_line(run: Path, tmp_path: Path, options: list[str], said: str) -> None:
    options = [option.replace("OTHER", str(colour_file(tmp_path))) for option in options]
    assert said in refused("evaluate", run, *options)


def test_importance_samples_are_for_generators(classifier: Path) -> None:
    assert "--importance-samples is for a generator" in refused("evaluate", classifier, "--importance-samples=2")


@pytest.mark.parametrize("name", ["binarized-mnist", "dynamic-mnist", "two-digit", "svhn", "svhn-32", "cifar10"])
def test_a_set_that_is_not_at_hand_is_one_line_that_says_how_to_give_it(name: str, tmp_path: Path) -> None:
    weights = saved(tmp_path / "w.safetensors", name, binarization="fixed" if name == "binarized-mnist" else "none")
    for command in (("evaluate", weights), ("trajectories", weights, "--out", tmp_path / "x.csv")):
        line = refused(*command)
        assert f"was trained on {name}, and " in line
        assert "with --data-dir or GLIMPSE_DATA, or give images with --data FILE.npz" in line
    assert not (tmp_path / "x.csv").exists()


# Where it looks


def test_trajectories_have_a_row_for_reading_and_one_for_writing(run: Path, tmp_path: Path) -> None:
    assert invoked("trajectories", run, "--out", tmp_path / "x.csv", "--indices=4,7").exit_code == 0
    table, images = load(tmp_path / "x.csv"), open_generative("digits").test.batch(torch.tensor([4, 7])).images
    assert np.isnan(table["probabilities"]).all()
    with torch.no_grad():
        _, tracks = DRAW.from_pretrained(run).look(images)
    assert [track.kind for track in tracks] == ["read", "write"]
    for track in tracks:
        rows_of_kind = np.asarray(table["window"]) == track.kind
        assert table["index"][rows_of_kind].tolist() == [4, 4, 7, 7]
        for name, field in track.window._asdict().items():
            np.testing.assert_allclose(table[name][rows_of_kind], field.flatten(), rtol=1e-4)


@pytest.mark.parametrize(("name", "head"), [("x.png", b"\x89PNG"), ("x.html", b"<!doctype html>")])
def test_trajectories_are_drawn(run: Path, tmp_path: Path, name: str, head: bytes) -> None:
    assert invoked("trajectories", run, "--out", tmp_path / name, "--count=2").exit_code == 0
    assert (tmp_path / name).read_bytes()[: len(head)].lower() == head.lower()


def test_the_summary_tells_reading_from_writing(run: Path) -> None:
    result = invoked("trajectories", run, "--summary", "--count=20", "--json")
    steps = json.loads(result.stdout)["steps"]
    assert [(step["window"], step["step"], step["error"]) for step in steps] == [
        ("read", 1, None),
        ("read", 2, None),
        ("write", 1, None),
        ("write", 2, None),
    ]


def test_what_has_no_classes_is_neither_wrong_nor_predicts(run: Path, tmp_path: Path) -> None:
    assert "only a model that classifies" in refused("trajectories", run, "--only=wrong", "--out", tmp_path / "x.csv")
    assert not (tmp_path / "x.csv").exists()
    Image.new("L", (28, 28)).save(tmp_path / "picture.png")
    assert "knows no classes" in refused("predict", run, tmp_path / "picture.png")


def test_a_run_started_from_another_s_settings_goes_on(run: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 12, 10), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=pictures)
    command = ["train-generator", "--config", run, "--data", tmp_path / "own.npz", "--out", tmp_path / "new", "--resume"]
    for _ in range(2):
        result = invoked(*command)
        assert result.exit_code == 0, result.output
    assert "is finished" in result.stderr


def test_another_named_set_is_refused_by_its_name_when_a_run_goes_on(run: Path) -> None:
    assert "started with digits, not two-digit" in refused("train-generator", "--resume", "--out", run, "--data", "two-digit")


def test_a_training_without_one_finite_validation_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "glimpse.evaluation.generator.GenerationTask.validate", lambda task, model: {"bound": float("nan"), "kl": 0.0}
    )
    arguments = ["--data=digits", *MODEL, *FEW, "--threads=1"]
    result = invoked("train-generator", *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "no validation gave a number" in result.stderr.splitlines()[-1]
