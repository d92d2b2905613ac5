"""`glimpse train-classifier`: its options, what it refuses, what it writes and what it says."""

import csv
import errno
import json
import os
import re
import shutil
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, get_args, get_type_hints

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from glimpse.cli import glimpse
from glimpse.datasets.clutter import ClutterRecipe
from glimpse.models.catalog import open_classifier
from glimpse.models.glimpse_classifier import GlimpseClassifier
from glimpse.settings.training import TrainingConfig
from glimpse.training.folder import RunFolder
from tests.helpers.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS, TRAINING_PRESETS

DATA = ["--digits=sklearn", "--canvas=40", "--pieces=2"]
MODEL = ["--window=4", "--hidden=8", "--features=8", "--glimpses=2"]
BUDGET = ["--images=320", "--batch-size=16", "--validate-every=160", "--log-every=160", "--warmup=100"]
TINY = [*MODEL, *BUDGET, "--threads=1"]
OTHERS = {
    "glimpse": MODEL,
    "ram": [*MODEL, "--scales=2"],
    "conv": ["--filters=2", "--hidden=8"],
    "convnet": ["--filters=2"],
    "random-glimpses": MODEL,
    "spatial-transformer": ["--window=4", "--filters=2", "--features=8"],
}
"""Each model, tiny."""


def train(*options: str | Path) -> Result:
    """Runs `train-classifier` in this process."""
    return CliRunner().invoke(glimpse, ["train-classifier", *map(str, options)])


def refused(*options: str | Path) -> str:
    """Returns the one line that a command with these options ends with."""
    result = train(*options)
    assert result.exit_code == 1, result.output
    (line,) = [line for line in result.stderr.splitlines() if not line.startswith(("Training", "Resuming", "Warning"))]
    return line.removeprefix("Error: ")


def settings_of(run: Path) -> dict[str, Any]:
    """Returns a run's config.json."""
    settings: dict[str, Any] = json.loads((run / "config.json").read_text())
    return settings


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a finished run on scikit-learn's digits."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    result = train(*TINY, *DATA, "--out", folder)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="module")
def colour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a file of colour images, wider than high, of three classes."""
    file, draw = tmp_path_factory.mktemp("data") / "colour.npz", np.random.default_rng(0)
    labels = np.arange(120) % 3
    images = draw.integers(0, 60, (120, 16, 24, 3), dtype=np.uint8)
    images[np.arange(120), :, :, labels] += 150  # the class is the colour
    np.savez(file, images=images, labels=labels)
    return file


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
    """Asserts that an option takes what a config's field does."""
    if isinstance(option.type, click.Choice):
        assert list(option.type.choices) == list(get_args(hint))
    else:
        assert isinstance(option.type, TYPES[hint.__name__])


def values_in_help(option: click.Parameter) -> list[str]:
    """Returns what the help of a model's setting says at its end: the value in each preset whose model has it."""
    found = re.search(r"\[preset ([^:]*)\]$", getattr(option, "help", None) or "")
    return found[1].split(", ") if found else []


@pytest.mark.parametrize("kind", [TrainingConfig, ClutterRecipe])
def test_options_carry_the_names_types_and_defaults_of_the_config(kind: type) -> None:
    for field in fields(kind):
        option = option_of(field.name)
        assert field.default is not MISSING
        if kind is TrainingConfig:
            assert f"[preset tuned: {field.default}]" in (option.help or "")
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
    assert speaking == hints.keys() - OF_DATA, "an option names a preset whose model does not have it"


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


def test_a_run_leaves_what_it_promises_and_says_what_to_run_next(tmp_path: Path) -> None:
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


def test_without_mnist_the_default_says_loudly_that_it_takes_other_digits_and_remembers(tmp_path: Path) -> None:
    result = train(*TINY, "--canvas=40", "--pieces=2", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "NOT MNIST" in result.stderr
    digits = settings_of(tmp_path / "run")["data"]["digits"]
    assert digits["name"] == "sklearn"
    assert digits["reason"]
    again = train("--resume", "--digits=auto", "--out", tmp_path / "run")
    assert (again.exit_code, "NOT MNIST" in again.stderr) == (0, False)


# Other models


@pytest.mark.parametrize("model", CLASSIFIER_MODELS)
def test_a_model_is_trained_from_its_preset_and_comes_back_as_what_it_is(model: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = train("--model", model, *OTHERS[model], *DATA, "--images=32", "--batch-size=16", "--threads=1", "--out", out)
    assert result.exit_code == 0, result.output
    settings, preset = settings_of(out), CLASSIFIER_MODELS[model][0]
    config = CLASSIFIER_PRESETS[preset]
    assert settings["preset"] == preset
    ours = {"height": 40, "width": 40}
    own = {name: ours.get(name, value) for name, value in vars(config).items()}
    assert settings["model"] == own | {flag.partition("=")[0][2:]: int(flag.partition("=")[2]) for flag in OTHERS[model]}
    assert settings["training"] == vars(TRAINING_PRESETS[preset]) | {"images": 32, "batch_size": 16}
    trained = open_classifier(out)
    assert type(trained).config_class is type(config)
    assert vars(trained.config) == settings["model"]
    with (out / "metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert ("reward" in row) == (model == "ram")
    looks = model in ("glimpse", "ram", "random-glimpses")
    assert ("Where it looks: glimpse trajectories" in result.stderr) == looks
    (events,) = out.glob("events*")
    tags = {value.tag for event in EventFileLoader(str(events)).Load() for value in event.summary.value}
    assert ("trajectories" in tags) == looks
    again = train("--resume", "--model", model, "--out", out)
    assert (again.exit_code, "is finished" in again.stderr) == (0, True), again.output


def test_a_preset_of_the_model_goes_with_it(tmp_path: Path) -> None:
    options = ["--model=glimpse", "--preset=paper", "--window=4", "--hidden=8", "--images=16", "--batch-size=16"]
    assert train(*options, *DATA, "--out", tmp_path / "run").exit_code == 0
    assert settings_of(tmp_path / "run")["preset"] == "paper"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model=ram", "--preset=paper"], "--preset paper is none of --model ram: leave one of them out"),
        (["--preset=conv", "--model=glimpse"], "--preset conv is none of --model glimpse: leave one of them out"),
        (["--model=conv", "--policy-std=0.1"], "--policy-std is for --model ram, not for preset conv"),
        (["--preset=conv", "--policy-std=0.1"], "--policy-std is for --model ram, not for preset conv"),
        (
            ["--model=convnet", "--glimpses=4"],
            "--glimpses is for --model glimpse or ram or random-glimpses, not for preset convnet",
        ),
        (["--kernel=3"], "--kernel is for --model conv, not for preset tuned"),
        (
            ["--model=random-glimpses", "--parametrization=pointing"],
            "--model random-glimpses has no --parametrization pointing: leave one of them out",
        ),
        (["--model=glimpse", "--parametrization=random"], "--model glimpse has no --parametrization random: leave one of them out"),
        (["--model=ram", "--reach=0.5"], "--reach is for --model glimpse or random-glimpses, not for preset ram"),
        (["--model=conv", "--kernel=41"], "kernel must fit into images of 40 x 40, got 41"),
        (["--model=ram", "--policy-std=0"], "policy_std must be greater than 0, got 0.0"),
        (["--model=ram", "--monte-carlo=0"], "monte_carlo must be at least 1, got 0"),
    ],
)
def test_a_model_that_does_not_go_with_the_other_options_is_one_line(tmp_path: Path, options: list[str], said: str) -> None:
    assert refused(*options, *DATA, *BUDGET, "--out", tmp_path / "run") == said
    assert not (tmp_path / "run").exists()


def test_an_unknown_model_is_answered_with_those_there_are(tmp_path: Path) -> None:
    result = train("--model=cnn", *DATA, "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert all(model in result.stderr for model in CLASSIFIER_MODELS)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--model=ram", "with --model glimpse, not ram"),
        ("--model=conv", "with --model glimpse, not conv"),
        ("--policy-std=0.1", "without --policy-std"),
        ("--model=glimpse", ""),
    ],
)
def test_a_run_goes_on_with_its_own_model_alone(run: Path, option: str, said: str) -> None:
    if said:
        assert said in refused("--resume", "--out", run, option)
    else:
        assert train("--resume", "--out", run, option).exit_code == 0


def test_another_models_settings_are_started_from_with_its_options_alone(tmp_path: Path) -> None:
    options = [*OTHERS["ram"], *DATA, "--images=16", "--batch-size=16", "--threads=1"]
    assert train("--model=ram", *options, "--policy-std=0.25", "--out", tmp_path / "first").exit_code == 0
    second: list[str | Path] = ["--config", tmp_path / "first", "--out", tmp_path / "second"]
    assert refused(*second, "--kernel=3") == "--kernel is for --model conv, not for preset ram"
    assert train(*second, "--monte-carlo=2").exit_code == 0
    first, second_settings = settings_of(tmp_path / "first"), settings_of(tmp_path / "second")
    assert first["model"]["policy_std"] == 0.25
    assert second_settings["model"] == first["model"] | {"monte_carlo": 2}
    assert second_settings["preset"] == "ram"


def test_a_run_of_ram_from_anothers_settings_goes_on_with_the_same_words(tmp_path: Path) -> None:
    start = ["--model=ram", *OTHERS["ram"], *DATA, "--images=80", "--batch-size=16", "--threads=1", "--policy-anneal=16"]
    assert train(*start, "--out", tmp_path / "first").exit_code == 0
    second: list[str | Path] = ["--config", tmp_path / "first", "--images=40", "--threads=1", "--out", tmp_path / "second"]
    assert train(*second).exit_code == 0
    assert settings_of(tmp_path / "second")["model"]["policy_anneal"] == 16
    again = train(*second, "--resume")
    assert (again.exit_code, "is finished" in again.stderr) == (0, True), again.output
    assert "with --policy-anneal 16, not 32" in refused(*second, "--resume", "--policy-anneal=32")


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ([], "tuned-8"),
        (["--glimpses=3"], "tuned-3"),
        (["--model=ram"], "ram-8"),
        (["--model=random-glimpses", "--glimpses=2"], "random-glimpses-2"),
        (["--model=convnet"], "convnet"),
        (["--model=conv"], "conv"),
    ],
)
def test_a_run_without_a_name_is_named_after_its_model(options: list[str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[Path] = []

    def note(kind: Any, options: dict[str, Any], chosen: dict[str, Any]) -> int:
        named.append(kind.default_folder(options, chosen))
        return 0

    monkeypatch.setattr("glimpse.commands.train.train", note)
    assert train(*options).exit_code == 0
    assert named == [Path("runs") / folder]


def test_own_images_say_how_large_the_two_layers_are(colour: Path, tmp_path: Path) -> None:
    options = [*OTHERS["conv"], f"--data={colour}", "--images=16", "--batch-size=16", "--threads=1"]
    assert train("--model=conv", *options, "--out", tmp_path / "run").exit_code == 0
    model = settings_of(tmp_path / "run")["model"]
    assert [model[name] for name in ("channels", "height", "width", "classes")] == [3, 16, 24, 3]


# Going on


def test_a_finished_run_says_so_and_ends_well(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    result = train(*TINY, *DATA, "--resume", "--out", run)
    assert result.exit_code == 0
    assert "is finished: 320 images" in result.stderr
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_run_whose_checkpoints_were_removed_is_not_trained_again(tmp_path: Path) -> None:
    out = tmp_path / "run"
    conv = ["--model=conv", "--filters=2", "--hidden=4", "--images=64", "--batch-size=16", "--validate-every=32", "--log-every=32"]
    assert train(*conv, *DATA, "--out", out).exit_code == 0
    shutil.rmtree(out / "checkpoints")
    before = {path: path.read_bytes() for path in out.iterdir()}
    again = train("--resume", "--model=conv", "--out", out)
    assert (again.exit_code, "is finished" in again.stderr) == (0, True), again.output
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    record = out / "metrics.csv"
    record.write_text("".join(record.read_text().splitlines(keepends=True)[:-1]))
    assert "its checkpoints were removed, so that it cannot go on" in refused("--resume", "--model=conv", "--out", out)
    (out / "checkpoints").mkdir()  # as a kill between the first weights and their checkpoint leaves it
    assert train("--resume", "--model=conv", "--out", out).exit_code == 0
    assert (out / "model.safetensors").read_bytes() == before[out / "model.safetensors"]
    assert len(record.read_text().splitlines()) == 3


def test_a_folder_that_is_not_empty_is_refused_without_resume(run: Path, tmp_path: Path) -> None:
    assert "--resume" in refused(*TINY, *DATA, "--out", run)
    (tmp_path / "letter.txt").write_text("mine")
    for more in ([], ["--resume"]):
        assert "not empty" in refused(*TINY, *DATA, "--out", tmp_path, *more)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["letter.txt"]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--hidden=9", "with --hidden 8, not 9"),
        ("--images=640", "with --images 320, not 640"),
        ("--learning-rate=0.1", "with --learning-rate 0.001, not 0.1"),
        ("--seed=1", "with --seed 0, not 1"),
        ("--pieces=3", "with --pieces 2, not 3"),
        ("--digits=mnist", "with --digits sklearn, not mnist"),
        ("--preset=paper", "with --preset tuned, not paper"),
        ("--epochs=3", "with --images 320, not 3591"),
        ("--threads=2", "with --threads 1, not 2"),
        ("--precision=bf16", "with --precision fp32, not bf16"),
        ("--no-compile", ""),
        ("--digits=auto", ""),
    ],
)
def test_a_run_goes_on_with_its_own_options_alone(run: Path, option: str, said: str) -> None:
    if said:
        assert said in refused("--resume", "--out", run, option)
    else:
        assert train("--resume", "--out", run, option).exit_code == 0


def test_a_run_on_a_file_goes_on_however_its_path_is_written(colour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "run"
    monkeypatch.chdir(colour.parent)
    assert train(*TINY, "--data", colour.name, "--out", out).exit_code == 0
    assert "finished" in train("--resume", "--data", colour.name, "--out", out).stderr
    assert "finished" in train("--resume", "--data", colour, "--out", out).stderr
    assert "finished" in train("--resume", "--out", out).stderr
    assert "without --pieces" in refused("--resume", "--pieces=2", "--out", out)
    other = tmp_path / "other.npz"
    other.write_bytes(colour.read_bytes())
    assert "finished" in train("--resume", "--data", other, "--out", out).stderr
    colour.rename(tmp_path / "moved.npz")
    assert "if it has moved, name it with --data" in refused("--resume", "--out", out)
    (tmp_path / "moved.npz").rename(colour)


def test_a_file_that_has_changed_is_noticed(tmp_path: Path) -> None:
    file, out = tmp_path / "own.npz", tmp_path / "run"
    np.savez(file, images=np.zeros((40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 2)
    assert train(*TINY, "--data", file, "--out", out).exit_code == 0
    np.savez(file, images=np.ones((40, 9, 9), dtype=np.uint8), labels=np.arange(40) % 2)
    assert "digests differ" in refused("--resume", "--out", out)


def test_own_digits_go_on_however_their_path_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    glyphs = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "glyphs.npz", images=glyphs, labels=np.arange(60) % 4)
    monkeypatch.chdir(tmp_path)
    options = [*TINY, "--digits=glyphs.npz", "--canvas=40", "--out", str(tmp_path / "run")]
    assert train(*options).exit_code == 0
    assert settings_of(tmp_path / "run")["model"]["classes"] == 4
    assert "finished" in train("--resume", *options).stderr
    assert "finished" in train("--resume", "--out", tmp_path / "run").stderr


# Another run's settings


@pytest.mark.parametrize("file", ["", "config.json"])
def test_a_run_starts_from_anothers_settings(run: Path, tmp_path: Path, file: str) -> None:
    out = tmp_path / "run"
    result = train("--config", run / file, "--hidden=6", "--images=160", "--threads=1", "--out", out)
    assert result.exit_code == 0, result.output
    before, after = settings_of(run), settings_of(out)
    assert after["model"] == before["model"] | {"hidden": 6}
    assert after["training"] == before["training"] | {"images": 160}
    assert after["data"] == before["data"]
    assert "finished" in train("--config", run, "--hidden=6", "--images=160", "--resume", "--out", out).stderr
    assert "with --hidden 6, not 8" in refused("--config", run, "--images=160", "--resume", "--out", out)


def test_a_copied_config_is_read_itself_not_the_one_beside_it(run: Path, tmp_path: Path) -> None:
    settings = settings_of(run)
    settings["model"]["hidden"] = 5
    (tmp_path / "mine.json").write_text(json.dumps(settings))
    (tmp_path / "config.json").write_text(json.dumps(settings_of(run)))
    assert train("--config", tmp_path / "mine.json", "--images=16", "--out", tmp_path / "run").exit_code == 0
    assert settings_of(tmp_path / "run")["model"]["hidden"] == 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON"),
        ("[]", "does not hold a run's settings"),
        ('{"model": {}}', "training, data, environment, command, preset missing"),
        ('{"model": [], "training": {}, "data": {}, "environment": {}, "command": "", "preset": "tuned"}', "model, data missing"),
        ("\xff\x00", "is not JSON"),
    ],
)
def test_a_config_that_cannot_be_used_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    assert said in refused("--config", tmp_path / "config.json", "--out", tmp_path / "run")


def test_an_unknown_setting_in_a_config_is_an_error(run: Path, tmp_path: Path) -> None:
    settings = settings_of(run)
    settings["training"]["lr"] = 3
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert "knows no lr" in refused("--config", tmp_path / "config.json", "--out", tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [({"command": "train-generator"}, "holds the settings of glimpse train-generator"), ({"preset": "best"}, "preset 'best'")],
)
def test_settings_to_start_from_are_of_the_same_command_and_of_a_known_preset(
    run: Path, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(settings_of(run) | change))
    assert said in refused("--config", tmp_path / "config.json", "--out", tmp_path / "run")


def test_a_run_is_not_continued_by_another_number_of_processes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "started with 1 processes, not 2" in refused("--resume", "--out", run)


def test_a_run_that_diverges_saves_no_state_that_steps_are_being_skipped_in(tmp_path: Path) -> None:
    options = [*MODEL, "--digits=sklearn", "--canvas=40", "--pieces=2", "--images=20000", "--batch-size=16", "--threads=1"]
    out = tmp_path / "run"
    said = refused(*dict.fromkeys(options), "--learning-rate=1e30", "--warmup=0", "--checkpoint-every=0", "--out", out)
    assert "steps in a row had no finite loss or gradient" in said.splitlines()[-1]
    state = RunFolder(out).load(torch.device("cpu"))
    assert state is None or state["trainer"]["counters"]["skipped_in_row"] == 0


def test_an_endless_budget_is_refused(tmp_path: Path) -> None:
    assert "epochs must be a finite number" in refused(*TINY[:-1], "--epochs=inf", "--out", tmp_path / "run")


def test_a_start_that_fails_leaves_no_folder_behind(tmp_path: Path) -> None:
    said = refused("--digits=sklearn", "--canvas=40", "--hidden=100000000", "--out", tmp_path / "run")
    assert "out of memory" in said
    assert not (tmp_path / "run").exists()


def test_a_config_with_a_wrong_value_is_one_line(run: Path, tmp_path: Path) -> None:
    settings = settings_of(run)
    settings["model"]["hidden"] = "wide"
    (tmp_path / "config.json").write_text(json.dumps(settings))
    assert "hidden must be of type int, got 'wide'" in refused("--config", tmp_path, "--out", tmp_path / "run")


def test_options_that_contradict_each_other_are_refused(run: Path, colour: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert "--preset or as --config" in refused("--preset=paper", "--config", run, "--out", out)
    assert "leave out --canvas, --digits" in refused("--data", colour, "--canvas=40", "--digits=sklearn", "--out", out)
    assert not out.exists()


def test_a_person_s_own_images_are_started_from_a_config_too(colour: Path, tmp_path: Path) -> None:
    assert train(*TINY, "--data", colour, "--out", tmp_path / "first").exit_code == 0
    assert train("--config", tmp_path / "first", "--images=32", "--out", tmp_path / "second").exit_code == 0
    assert settings_of(tmp_path / "second")["data"] == settings_of(tmp_path / "first")["data"]
    other = train("--config", tmp_path / "first", *DATA, "--images=32", "--out", tmp_path / "third")
    assert other.exit_code == 0, other.output
    assert settings_of(tmp_path / "third")["data"]["kind"] == "cluttered"
    assert settings_of(tmp_path / "third")["model"]["channels"] == 1


# A person's own images


def test_colour_images_that_are_not_square_are_learned(colour: Path, tmp_path: Path) -> None:
    options = ["--images=6400", "--validate-every=3200", "--warmup=320", "--averaging=640", "--learning-rate=0.01"]
    result = train(*MODEL, "--batch-size=32", *options, "--threads=1", "--data", colour, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    settings = settings_of(tmp_path / "run")
    assert (settings["model"]["channels"], settings["model"]["classes"]) == (3, 3)
    assert settings["data"]["kind"] == "file"
    with (tmp_path / "run" / "metrics.csv").open(newline="") as file:
        assert float(list(csv.DictReader(file))[-1]["valid_error"]) == 0


# What the machine refuses


def test_a_full_disk_is_one_line_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    out = tmp_path / "run"
    monkeypatch.setattr("glimpse.atomic.os.fsync", full)
    assert refused(*TINY, *DATA, "--out", out) == f"{out / 'config.json'}: No space left on device"
    assert not list(out.iterdir())


def test_a_disk_that_fills_up_while_training_leaves_the_last_checkpoint(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, fsync, calls = tmp_path / "run", os.fsync, 0

    def filling(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 60:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("glimpse.atomic.os.fsync", filling)
        assert refused(*TINY, *DATA, "--checkpoint-every=0", "--out", out).endswith(": No space left on device")
    assert not list(out.rglob("*.tmp"))
    assert train(*TINY, *DATA, "--resume", "--out", out).exit_code == 0
    assert (out / "model.safetensors").read_bytes() == (run / "model.safetensors").read_bytes()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert refused(*TINY, *DATA, "--out", tmp_path / "run") == f"{tmp_path / 'run'}: Permission denied"


def test_a_file_where_a_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refused(*TINY, *DATA, "--out", tmp_path / "file" / "run")


def test_a_damaged_checkpoint_is_one_line(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert train(*TINY, *DATA, "--out", out).exit_code == 0
    checkpoint = out / "checkpoints" / "latest.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    assert f"{checkpoint} is damaged" in refused("--resume", "--out", out)


def test_a_training_that_diverges_is_one_line_with_a_way_out(tmp_path: Path) -> None:
    line = refused(
        *MODEL, *DATA, "--images=3200", "--batch-size=16", "--learning-rate=1e38", "--warmup=0", "--out", tmp_path / "run"
    )
    assert "50 steps in a row" in line
    assert "--learning-rate" in line


@pytest.mark.parametrize("options", [["--canvas=20"], ["--pieces=2", "--piece-size=40"], ["--hidden=0"], ["--seed=-1"]])
def test_settings_that_cannot_be_are_one_line_and_leave_no_folder(tmp_path: Path, options: list[str]) -> None:
    assert refused(*BUDGET, "--digits=sklearn", *options, "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_every_kernel_is_deterministic_where_asked(tmp_path: Path) -> None:
    try:
        assert train(*TINY, *DATA, "--deterministic", "--out", tmp_path / "run").exit_code == 0
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    assert train(*TINY, *DATA, "--precision=bf16", "--out", tmp_path / "run").exit_code == 0
    model = GlimpseClassifier.from_pretrained(tmp_path / "run")
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


@pytest.mark.parametrize("model", ["ram", "random-glimpses"])
def test_a_model_that_looks_at_random_is_not_captured(model: str, tmp_path: Path) -> None:
    line = refused(*TINY, f"--model={model}", "--cuda-graph", "--out", str(tmp_path / "run"))
    assert f"--cuda-graph is not for a model that looks at random, such as preset {model}: leave it out" in line
