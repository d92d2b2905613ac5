"""`glimpse train-classifier`: options, files and output."""

import csv
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import pytest
import torch
from safetensors.torch import load_file

from glimpse.cli import glimpse
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.settings.base import bounds
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.training import TrainingConfig
from tests.helpers.classifier_runs import BUDGET, DATA, MODEL, TINY, refused, train
from tests.helpers.presets import CLASSIFIER_PRESETS, TRAINING_PRESETS
from tests.helpers.runs import settings_of

pytestmark = pytest.mark.usefixtures("without_pictures")

# Options


OF_DATA = {"channels", "classes", "height", "width"}
TYPES = {"int": click.types.IntParamType, "float": click.types.FloatParamType, "bool": click.types.BoolParamType}


def option_of(name: str) -> click.Option:
    """Returns the option of a setting."""
    (option,) = [option for option in glimpse.commands["train-classifier"].params if option.name == name]
    assert isinstance(option, click.Option)
    assert option.opts == [f"--{name.replace('_', '-')}"]
    assert option.default is None
    return option


def assert_takes(option: click.Option, hint: Any) -> None:
    """Asserts that an option has the type and range of a config's field."""
    if isinstance(option.type, click.Choice):
        assert list(option.type.choices) == list(get_args(hint))
    else:
        assert isinstance(option.type, TYPES[bounds(hint)[0].__name__])


def values_in_help(option: click.Parameter) -> list[str]:
    """Returns the end of the help of a model's setting: the value in each preset whose model has it."""
    found = re.search(r"\[preset ([^:]*)\]$", getattr(option, "help", None) or "")
    return found[1].split(", ") if found else []


@pytest.mark.parametrize("kind", [TrainingConfig, ClutterRecipe])
def test_options_carry_the_names_types_and_defaults_of_the_config(kind: type) -> None:
    for field in fields(kind):
        option = option_of(field.name)
        assert field.default is not MISSING
        if kind is TrainingConfig:
            assert re.search(rf"\[preset (?:.*, )?(?:search|tuned) {re.escape(str(field.default))}[,\]]", option.help or "")
            assert_takes(option, kind.__annotations__[field.name])


@pytest.mark.parametrize("preset", CLASSIFIER_PRESETS)
def test_options_carry_the_names_types_and_values_of_every_models_config(preset: str) -> None:
    config = CLASSIFIER_PRESETS[preset]
    hints = get_type_hints(type(config))
    for name, value in vars(config).items():
        if name in OF_DATA:
            assert name not in {option.name for option in glimpse.commands["train-classifier"].params}
            continue
        option = option_of(name)
        assert_takes(option, hints[name])
        assert f"{preset} {value}" in values_in_help(option)
    speaking = {
        option.name
        for option in glimpse.commands["train-classifier"].params
        if any(value.startswith(f"{preset} ") for value in values_in_help(option))
    }
    assert speaking - {each.name for each in fields(TrainingConfig)} == hints.keys() - OF_DATA, (
        "an option names a preset whose model does not have it"
    )


def test_a_run_records_every_setting_and_the_rest_are_the_presets(run: Path) -> None:
    settings = settings_of(run)
    chosen = {"window": 4, "hidden": 8, "features": 8, "glimpses": 2}
    assert settings["model"] == vars(CLASSIFIER_PRESETS["tuned"]) | chosen
    budget = {"images": 320, "batch_size": 16, "validate_every": 160, "log_every": 160, "warmup": 100}
    assert settings["training"] == vars(TRAINING_PRESETS["tuned"]) | budget
    assert settings["data"]["recipe"] == vars(ClutterRecipe(canvas=40, pieces=2))
    assert settings["data"]["digits"]["name"] == "sklearn"
    assert settings["environment"]["threads"] == 1
    assert settings["environment"]["versions"]["torch"] == torch.__version__.split("+")[0] or torch.__version__


def test_the_papers_preset_is_trained_as_its_presets_say(tmp_path: Path) -> None:
    result = train("--preset=paper", *DATA, "--window=4", "--hidden=8", "--images=32", "--batch-size=16", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    settings = settings_of(tmp_path / "run")
    assert settings["model"] == vars(CLASSIFIER_PRESETS["paper"]) | {"window": 4, "hidden": 8}
    assert settings["training"] == vars(TRAINING_PRESETS["paper"]) | {"images": 32, "batch_size": 16}


def test_a_run_leaves_its_files_and_suggests_the_next_commands(tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = train(*TINY, *DATA, "--out", out)
    assert {path.name.partition(".")[0] for path in out.iterdir()} == {"checkpoints", "config", "events", "metrics", "model"}
    names = {path.name for path in (out / "checkpoints").iterdir()}
    assert names >= {"latest.pt", "best.pt", "weights-0000000016.safetensors", "weights-0000000320.safetensors"}
    assert f"glimpse evaluate {out}" in result.stderr
    assert f"tensorboard --logdir {out}" in result.stderr
    assert result.stdout == ""
    with (out / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["images"] for row in rows] == ["160", "320"]
    assert all(float(row["valid_error"]) > 0 for row in rows)
    model = GlimpseClassifier.from_pretrained(out)
    assert not model.training
    assert model(torch.rand(2, 1, 40, 40))[0].shape == (2, 2, 10)


def test_epochs_are_counted_in_training_digits(tmp_path: Path) -> None:
    result = train(*MODEL, *DATA, "--epochs=0.1", "--batch-size=16", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert settings_of(tmp_path / "run")["training"]["images"] == round(0.1 * 1197)
    assert "128 images" in result.stderr


def test_the_budget_is_given_one_way(tmp_path: Path) -> None:
    assert "not both" in refused(*TINY, *DATA, "--epochs=1", "--out", tmp_path / "run")


def test_without_mnist_the_default_warns_that_it_uses_other_digits_and_records_them(tmp_path: Path) -> None:
    result = train(*TINY, "--canvas=40", "--pieces=2", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "NOT MNIST" in result.stderr
    digits = settings_of(tmp_path / "run")["data"]["digits"]
    assert digits["name"] == "sklearn"
    assert digits["reason"]
    again = train("--resume", "--digits=auto", "--out", tmp_path / "run")
    assert (again.exit_code, "NOT MNIST" in again.stderr) == (0, False)


def test_an_endless_budget_is_refused(tmp_path: Path) -> None:
    assert "epochs must be a finite number" in refused(*TINY[:-1], "--epochs=inf", "--out", tmp_path / "run")


# Your own images


def test_color_images_that_are_not_square_are_learned(color: Path, tmp_path: Path) -> None:
    options = ["--images=6400", "--validate-every=3200", "--warmup=320", "--averaging=640", "--learning-rate=0.01"]
    result = train(*MODEL, "--batch-size=32", *options, "--threads=1", "--data", color, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    settings = settings_of(tmp_path / "run")
    assert (settings["model"]["channels"], settings["model"]["classes"]) == (3, 3)
    assert settings["data"]["kind"] == "file"
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        assert float(list(csv.DictReader(file))[-1]["valid_error"]) == 0


@pytest.mark.parametrize("options", [["--canvas=20"], ["--pieces=2", "--piece-size=40"]])
def test_settings_that_cannot_be_are_one_line_and_leave_no_folder(tmp_path: Path, options: list[str]) -> None:
    assert refused(*BUDGET, "--digits=sklearn", *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--hidden", "0", "0 is not in the range 1<=x<=1000000"),
        ("--seed", "-1", "-1 is not in the range 0<=x<=4294967295"),
        ("--scales", "9", "9 is not in the range 1<=x<=8"),
        ("--policy-std", "0", "0.0 is not in the range x>0"),
    ],
)
def test_a_number_out_of_the_range_of_its_setting_is_a_usage_error(tmp_path: Path, option: str, value: str, said: str) -> None:
    result = train(*BUDGET, "--digits=sklearn", option, value, "--out", tmp_path / "run")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for '{option}': {said}" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_two_deterministic_trainings_on_one_device_write_the_same_bytes(tmp_path: Path, device: str) -> None:
    try:
        for name in ("one", "two"):
            run = train(*TINY, *DATA, "--deterministic", "--device", device, "--out", tmp_path / name)
            assert run.exit_code == 0
            assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    assert train(*TINY, *DATA, "--precision=bf16", "--out", tmp_path / "run").exit_code == 0
    model = GlimpseClassifier.from_pretrained(tmp_path / "run")
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
