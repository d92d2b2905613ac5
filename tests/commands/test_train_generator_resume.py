"""`glimpse train-generator --resume` and `--config`: resumed runs, and runs from the settings of others."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glimpse.datasets.generative import open_generative
from glimpse.settings.requests import GenerativeChoice, GeneratorTrainingRequest
from glimpse.training.generator import GeneratorPlan
from tests.helpers.commands import invoked
from tests.helpers.generator_runs import FEW, LEARNING, color_file, refused, train
from tests.helpers.runs import assert_same, settings_of, stop_at

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.mark.parametrize("step", [3, 125])
def test_a_stopped_run_resumes_to_the_same_bytes(
    generator_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    stop_at(monkeypatch, step)
    out = tmp_path / "run"
    stopped = invoked("train-generator", "--threads=1", *LEARNING, "--out", out)
    assert (stopped.exit_code, f"glimpse train-generator --resume --out {out}" in stopped.stderr) == (143, True)
    train("--resume", "--out", out)
    assert_same(out, generator_run)


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
def test_a_run_resumes_with_its_own_options_and_data_only(
    generator_run: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    options = [option.replace("OTHER", str(color_file(tmp_path))) for option in options]
    if said:
        assert said in refused("train-generator", "--resume", "--out", generator_run, *options)
    else:
        assert invoked("train-generator", "--resume", "--out", generator_run, *options).exit_code == 0


def test_sets_that_are_made_of_the_same_digits_are_not_the_same(mnist_folder: Path) -> None:
    data = open_generative("two-digit", data_dir=mnist_folder)
    plan = GeneratorPlan(GeneratorTrainingRequest(images=GenerativeChoice(data="dynamic-mnist", data_dir=mnist_folder)))
    record = {"data": data.record(), "training": {"seed": 0}}
    with pytest.raises(ValueError, match="started with two-digit, not dynamic-mnist"):
        plan.data_of(record, torch.device("cpu"))


def test_a_run_resumes_with_the_command_that_started_it(generator_run: Path, classifier_run: Path) -> None:
    assert "was started by glimpse train-generator" in refused("train-classifier", "--resume", "--out", generator_run)
    assert "was started by glimpse train-classifier" in refused("train-generator", "--resume", "--out", classifier_run)


def test_a_run_starts_from_anothers_settings(
    generator_run: Path, classifier_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoked("train-generator", "--config", generator_run, "--images=32", "--hidden=8", "--threads=1").exit_code == 0
    out, base = tmp_path / "runs" / "draw-mnist-small", settings_of(generator_run)
    settings = settings_of(out)
    assert settings["model"] == base["model"] | {"hidden": 8}
    assert settings["training"] == base["training"] | {"images": 32}
    assert settings["data"] == base["data"]
    assert "of glimpse train-classifier, not of train-generator" in refused("train-generator", "--config", classifier_run)
    assert "not both" in refused("train-generator", "--config", generator_run, "--preset=mnist", "--out", "other")
    assert refused("train-classifier", "--config", generator_run)


def test_another_set_is_taken_in_its_own_way_whatever_the_settings_it_starts_from(generator_run: Path, tmp_path: Path) -> None:
    out = train("--config", generator_run, "--data", color_file(tmp_path), *FEW, "--out", tmp_path / "run")
    assert settings_of(out)["data"]["binarization"] == "none"
    again = train("--config", out, "--data=digits", *FEW, "--out", tmp_path / "again")
    assert settings_of(again)["data"]["binarization"] == "dynamic"
    assert (settings_of(again)["model"]["channels"], settings_of(again)["model"]["width"]) == (1, 28)


def test_a_run_started_from_the_settings_of_another_resumes(generator_run: Path, tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (30, 12, 10), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=pictures)
    command = ["train-generator", "--config", generator_run, "--data", tmp_path / "own.npz", "--out", tmp_path / "new", "--resume"]
    for _ in range(2):
        result = invoked(*command)
        assert result.exit_code == 0, result.output
    assert "is finished" in result.stderr


def test_another_named_set_is_refused_by_its_name_when_a_run_resumes(generator_run: Path) -> None:
    assert "started with digits, not two-digit" in refused(
        "train-generator", "--resume", "--out", generator_run, "--data", "two-digit"
    )
