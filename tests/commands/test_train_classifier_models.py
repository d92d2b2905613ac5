"""`glimpse train-classifier --model`: every model from its preset, and incompatible options."""

import csv
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from glimpse.models.catalog import open_classifier
from glimpse.training.classifier import ClassifierPlan
from tests.helpers.classifier_runs import BUDGET, DATA, OTHERS, TINY, refused, train
from tests.helpers.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS, TRAINING_PRESETS
from tests.helpers.runs import settings_of

# Other models


@pytest.mark.parametrize("model", CLASSIFIER_MODELS)
def test_a_model_is_trained_from_its_preset_and_loads_as_its_class(model: str, tmp_path: Path) -> None:
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
    looks = model in ("glimpse", "ram", "random-glimpses", "search")
    assert ("Show where it looks: glimpse trajectories" in result.stderr) == looks
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
        (["--model=ram", "--preset=paper"], "--preset paper is not one of --model ram: leave one of them out"),
        (["--preset=conv", "--model=glimpse"], "--preset conv is not one of --model glimpse: leave one of them out"),
        (["--model=conv", "--policy-std=0.1"], "--policy-std is for --model ram, not for preset conv"),
        (["--preset=conv", "--policy-std=0.1"], "--policy-std is for --model ram, not for preset conv"),
        (
            ["--model=convnet", "--glimpses=4"],
            "--glimpses is for --model search or glimpse or random-glimpses or ram, not for preset convnet",
        ),
        (["--kernel=3"], "--kernel is for --model conv, not for preset search"),
        (
            ["--model=random-glimpses", "--parametrization=pointing"],
            "--model random-glimpses with these settings is a glimpse: leave one of them out",
        ),
        (
            ["--model=glimpse", "--parametrization=random"],
            "--model glimpse with these settings is a random-glimpses: leave one of them out",
        ),
        (["--model=ram", "--reach=0.5"], "--reach is for --model glimpse or random-glimpses, not for preset ram"),
        (["--model=conv", "--kernel=41"], "kernel must fit into images of 40 x 40, got 41"),
    ],
)
def test_a_model_that_is_incompatible_with_other_options_is_one_line(tmp_path: Path, options: list[str], said: str) -> None:
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
def test_a_run_resumes_with_its_own_model_only(run: Path, option: str, said: str) -> None:
    if said:
        assert said in refused("--resume", "--out", run, option)
    else:
        assert train("--resume", "--out", run, option).exit_code == 0


def test_settings_of_another_model_are_used_with_its_options_only(tmp_path: Path) -> None:
    options = [*OTHERS["ram"], *DATA, "--images=16", "--batch-size=16", "--threads=1"]
    assert train("--model=ram", *options, "--policy-std=0.25", "--out", tmp_path / "first").exit_code == 0
    second: list[str | Path] = ["--config", tmp_path / "first", "--out", tmp_path / "second"]
    assert refused(*second, "--kernel=3") == "--kernel is for --model conv, not for preset ram"
    assert train(*second, "--monte-carlo=2").exit_code == 0
    first, second_settings = settings_of(tmp_path / "first"), settings_of(tmp_path / "second")
    assert first["model"]["policy_std"] == 0.25
    assert second_settings["model"] == first["model"] | {"monte_carlo": 2}
    assert second_settings["preset"] == "ram"


def test_a_run_of_ram_from_the_settings_of_another_resumes_with_the_same_options(tmp_path: Path) -> None:
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
        ([], "search-8"),
        (["--glimpses=3"], "search-3"),
        (["--model=ram"], "ram-8"),
        (["--model=random-glimpses", "--glimpses=2"], "random-glimpses-2"),
        (["--model=convnet"], "convnet"),
        (["--model=conv"], "conv"),
    ],
)
def test_a_run_without_a_name_is_named_after_its_model(options: list[str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[Path] = []

    def note(plan: ClassifierPlan, words: object) -> int:
        named.append(plan.default_folder())
        return 0

    monkeypatch.setattr("glimpse.commands.train_classifier.train", note)
    assert train(*options).exit_code == 0
    assert named == [Path("runs") / folder]


def test_own_images_say_how_large_the_two_layers_are(color: Path, tmp_path: Path) -> None:
    options = [*OTHERS["conv"], f"--data={color}", "--images=16", "--batch-size=16", "--threads=1"]
    assert train("--model=conv", *options, "--out", tmp_path / "run").exit_code == 0
    model = settings_of(tmp_path / "run")["model"]
    assert [model[name] for name in ("channels", "height", "width", "classes")] == [3, 16, 24, 3]


@pytest.mark.parametrize("model", ["ram", "random-glimpses", "search"])
def test_a_model_whose_training_has_random_locations_or_looks_is_not_captured(model: str, tmp_path: Path) -> None:
    line = refused(*TINY, f"--model={model}", "--cuda-graph", "--out", str(tmp_path / "run"))
    assert f"the training of preset {model} cannot be captured as a CUDA graph: leave out --cuda-graph" in line
