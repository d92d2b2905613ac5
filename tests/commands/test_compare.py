"""`glimpse compare`: what it measures against a plain loop, what it refuses, and suites that stop, go on and are not repeated."""

import csv
import functools
import json
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from glimpse.cli import glimpse
from glimpse.commands import measure
from glimpse.commands import train as training_command
from glimpse.commands import train_suite as suite_training
from glimpse.commands.compare import compare_models
from glimpse.commands.task_images import open_task_images
from glimpse.datasets import digits
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import open_digits
from glimpse.evaluation.statistics import mcnemar
from glimpse.models.catalog import open_classifier
from glimpse.settings.suites import SUITES, Entry, Suite
from glimpse.training.engine import TrainingDivergedError
from glimpse.training.folder import RunFolder
from glimpse.training.loop import train_in

TINY = ["--digits=sklearn", "--canvas=40", "--pieces=2", "--window=4", "--hidden=8", "--features=8", "--threads=1"]
BUDGET = ["--images=320", "--batch-size=32", "--validate-every=160", "--log-every=160", "--warmup=100"]
OPTIONS: dict[str, Any] = dict.fromkeys(
    ("suite", "out", "models", "images", "seeds", "csv", "markdown", "figure", "within", "precision", "compile", "data_dir")
) | {"device": "cpu", "threads": 1}

SMALL = {"window": 4, "hidden": 8, "features": 8, "batch_size": 32, "log_every": 160}
RECIPE = ClutterRecipe(canvas=40, pieces=2)
SUITE = Suite(
    RECIPE.canvas,
    RECIPE.pieces,
    (
        Entry("glimpse-2", "tuned", 320, SMALL | {"glimpses": 2}),
        Entry("conv", "conv", 320, {"filters": 2, "hidden": 8, "batch_size": 32, "log_every": 160}),
    ),
    seeds=(0, 1),
    validate_every=160,
    digits="sklearn",
)


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Leaves out the pictures of training and reads the digits once: both take longer than these trainings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glimpse.commands.train_classifier.draw", lambda model, data: None)
        patch.setattr("glimpse.datasets.digits._sklearn", functools.cache(digits._sklearn))
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns finished runs on scikit-learn's digits, by a short name."""
    folder = tmp_path_factory.mktemp("runs")
    wanted = {
        "seed-0": ["--glimpses=2"],
        "seed-1": ["--glimpses=2", "--seed=1"],
        "longer": ["--glimpses=3"],
        "elsewhere": ["--glimpses=2", "--pieces=3", "--images=32"],
    }
    for name, options in wanted.items():
        result = CliRunner().invoke(glimpse, ["train-classifier", *TINY, *BUDGET, *options, "--out", str(folder / name)])
        assert result.exit_code == 0, result.output
    return {name: folder / name for name in wanted}


def compared(capsys: pytest.CaptureFixture[str], *sources: str | Path, **options: Any) -> dict[str, Any]:
    """Returns the object that the comparison prints."""
    capsys.readouterr()
    assert compare_models([str(source) for source in sources], OPTIONS | options, as_json=True) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    found: dict[str, Any] = json.loads(out)
    return found


def refused(*sources: str | Path, **options: Any) -> str:
    """Returns the one line that a comparison is refused with."""
    with pytest.raises((ValueError, OSError)) as caught:
        compare_models([str(source) for source in sources], OPTIONS | options, as_json=False)
    line = str(caught.value)
    assert "\n" not in line
    return line


def looped(source: Path) -> list[bool]:
    """Returns for every test image whether the model of a run gets it wrong, one image at a time."""
    model = open_classifier(source)
    with torch.no_grad():
        return [int(model(image[None])[0][0, -1].argmax()) != label for image, label in images_one_by_one()]


@functools.cache
def images_one_by_one() -> list[tuple[torch.Tensor, int]]:
    """Returns the test images with their classes."""
    data = ClutteredMNIST(open_digits("sklearn").test, "test", RECIPE)
    return [(image, int(label)) for image, label, _ in (data[index] for index in range(len(data)))]


# Runs


def test_errors_and_tests_are_those_of_a_plain_loop(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {name: np.array(looped(runs[name])) for name in ("seed-0", "seed-1", "longer")}
    found = compared(capsys, runs["seed-1"], runs["longer"], runs["seed-0"])
    first, second = found["rows"]
    assert first["errors_by_seed"] == pytest.approx([100 * wrong["seed-0"].mean(), 100 * wrong["seed-1"].mean()])
    assert first["sources"] == [str(runs["seed-0"]), str(runs["seed-1"])]
    assert second["error_percent"] == pytest.approx(100 * wrong["longer"].mean())
    (pair,) = found["pairs"]
    only_first, only_second = int((wrong["seed-0"] & ~wrong["longer"]).sum()), int((wrong["longer"] & ~wrong["seed-0"]).sum())
    assert (pair["only_first"], pair["only_second"]) == (only_first, only_second)
    assert pair["p"] == pair["p_holm"] == mcnemar(only_first, only_second)
    assert found["n"] == 300
    assert found["data"] == "sklearn on 40x40, 2 pieces"


def test_costs_are_those_of_the_model_and_its_run(runs: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = compared(capsys, runs["longer"])["rows"]
    model = open_classifier(runs["longer"])
    assert row["parameters"] == sum(value.numel() for value in model.state_dict().values())
    assert row["values_read"] == 3 * 4 * 4
    assert row["images_trained"] == [320]
    rates = [float(line["images_per_second"]) for line in RunFolder(runs["longer"]).rows()]
    assert row["training_images_per_second"] == pytest.approx(sum(rates) / 2)
    assert row["trained_on"] == "cpu, 1 thread, fp32"
    assert row["inference_images_per_second"] > 0
    assert row["published_error_percent"] is None


def test_a_person_sees_one_table_and_a_legend_and_gets_the_files(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"csv": tmp_path / "a.csv", "markdown": tmp_path / "a.md", "figure": tmp_path / "a.png"}
    assert compare_models([str(runs["seed-0"]), str(runs["longer"])], OPTIONS | files, as_json=False) == 0
    shown = capsys.readouterr()
    assert "glimpse 2 of 4x4" in shown.out
    assert "McNemar's exact test" in shown.out
    assert "values read: " in shown.err
    for file in files.values():
        assert file.stat().st_size > 100
        assert f"Wrote {file}" in shown.err
    with (tmp_path / "a-pairs.csv").open(newline="") as stream:
        (pair,) = csv.DictReader(stream)
    assert (pair["first"], pair["second"]) == ("glimpse 2 of 4x4", "glimpse 3 of 4x4")
    assert 0 <= float(pair["p"]) == float(pair["p_holm"]) <= 1
    with files["csv"].open(newline="") as stream:
        assert [row["model"] for row in csv.DictReader(stream)] == ["glimpse 2 of 4x4", "glimpse 3 of 4x4"]


def test_bad_input_gets_one_line_that_says_what_to_do(runs: dict[str, Path], tmp_path: Path) -> None:
    assert "trained on sklearn on 40x40, 2 pieces" in refused(runs["seed-0"], runs["elsewhere"])
    assert "3 pieces: compare models of one task" in refused(runs["seed-0"], runs["elsewhere"])
    assert "hold the same weights: name each model once" in refused(runs["seed-0"], runs["seed-0"])
    assert "pretrained:draw-mnist holds a generator" in refused("pretrained:draw-mnist", runs["seed-0"])
    assert "no run, weights file or pretrained model" in refused(tmp_path / "nowhere")
    assert "no pretrained model is called 'nothing'" in refused("pretrained:nothing")
    assert "name runs to compare, or a --suite: cluttered-100" in refused()
    assert "not both" in refused(runs["seed-0"], suite="plain-28")
    assert "--images, --within goes with a --suite" in refused(runs["seed-0"], images=5, within=1.0)
    assert "writes a file that ends in .png" in refused(runs["seed-0"], figure=tmp_path / "a.gif")
    weights = runs["seed-0"] / "model.safetensors"
    before = weights.read_bytes()
    for name in ("csv", "markdown"):
        assert f"--{name} writes a file that ends in" in refused(runs["seed-0"], **{name: weights})
    assert weights.read_bytes() == before
    record = runs["seed-0"] / "metrics.csv"
    before = record.read_bytes()
    assert f"{record} is the record of a run" in refused(runs["seed-0"], csv=record)
    assert record.read_bytes() == before
    assert "name a file in a folder that you may write to" in refused(runs["seed-0"], csv=weights / "a.csv")
    (tmp_path / "folder.csv").mkdir()
    assert "name a file in a folder that you may write to" in refused(runs["seed-0"], csv=tmp_path / "folder.csv")
    assert "has no model 'ram'; it has glimpse-8" in refused(suite="plain-28", models="conv,ram", out=tmp_path / "suite")


def test_a_run_that_is_not_finished_is_said_to_be_so(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    config = json.loads((runs["seed-0"] / "config.json").read_text())
    config["training"]["images"] = 1000
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("metrics.csv", "model.safetensors"):
        (folder / name).write_bytes((runs["seed-0"] / name).read_bytes())
    assert compare_models([str(folder)], OPTIONS, as_json=True) == 0
    assert f"{folder} is not finished: 320 of 1,024 images" in capsys.readouterr().err


def test_a_pretrained_model_has_what_its_card_says_and_dashes_for_what_only_a_run_knows(
    mnist_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = open_task_images

    def first_images(*arguments: Any) -> Any:
        images = fewer(*arguments)
        shown = images.data.digits  # type: ignore[attr-defined]
        few = replace(shown, images=shown.images[:50], labels=shown.labels[:50])
        return images._replace(data=ClutteredMNIST(few, "test", images.data.recipe))  # type: ignore[attr-defined]

    monkeypatch.setattr(measure, "open_task_images", first_images)
    (row,) = compared(capsys, "pretrained:classifier-4", data_dir=mnist_folder)["rows"][:1]
    assert (row["seeds"], row["images_trained"], row["parameters"]) == ([0], [2_900_096], 775_072)
    assert (row["published_error_percent"], row["published_in"]) == (4.18, "DRAW, Table 1")
    assert row["training_images_per_second"] is row["trained_on"] is row["images_to_published_error_on_validation"] is None


def test_images_that_the_weights_were_chosen_on_are_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", images=draw.integers(0, 256, (200, 12, 12), dtype=np.uint8), labels=np.arange(200) % 3)
    folders = [tmp_path / str(filters) for filters in (2, 3)]
    own = ["--model=conv", "--kernel=4", "--step=2", "--hidden=8", "--threads=1", *BUDGET, "--data", str(tmp_path / "own.npz")]
    for folder in folders:
        result = CliRunner().invoke(glimpse, ["train-classifier", *own, f"--filters={folder.name}", "--out", str(folder)])
        assert result.exit_code == 0, result.output
    found = compared(capsys, *folders)
    assert (found["n"], found["part"], found["rows"][0]["measured_on"]) == (20, "valid", "validation images")
    assert compare_models([str(folder) for folder in folders], OPTIONS | {"markdown": tmp_path / "a.md"}, as_json=False) == 0
    shown = capsys.readouterr()
    for text in (shown.out + shown.err, (tmp_path / "a.md").read_text()):
        assert "validation images" in text
        assert "test images" not in text
    weights = folders[0] / "model.safetensors"
    assert refused(weights, folders[1]).endswith("which its run's folder names: compare the folder")
    (tmp_path / "own.npz").unlink()
    assert "--data" not in refused(*folders)


# Suites


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts a suite of tiny models beside the real ones."""
    monkeypatch.setitem(SUITES, "tiny", SUITE)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Returns a list that the folder of every training that is begun is added to."""
    begun: list[Path] = []
    train = training_command.train

    def noted(kind: Any, options: dict[str, Any], chosen: dict[str, Any], **rest: Any) -> int:
        begun.append(options["out"])
        return train(kind, options, chosen, **rest)

    monkeypatch.setattr(suite_training, "train", noted)
    return begun


def test_a_suite_trains_what_is_missing_says_how_long_first_and_repeats_nothing(
    tmp_path: Path, trained: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "suite"
    assert compare_models([], OPTIONS | {"suite": "tiny", "out": out, "models": "conv", "seeds": 1}, as_json=True) == 0
    assert trained == [out / "conv-seed0"]
    capsys.readouterr()
    assert compare_models([], OPTIONS | {"suite": "tiny", "out": out}, as_json=True) == 0
    shown = capsys.readouterr()
    assert trained[1:] == [out / name for name in ("glimpse-2-seed0", "glimpse-2-seed1", "conv-seed1")]
    estimates = [line for line in shown.err.splitlines() if " images left, " in line]
    assert [line.partition(":")[0] for line in estimates] == ["glimpse-2, seed 0", "glimpse-2, seed 1", "conv, seed 1"]
    assert [("measured now" in line, "as recorded" in line) for line in estimates] == [(True, False)] * 2 + [(False, True)]
    assert shown.err.index("Estimated time of 3 runs: 960 images") < shown.err.index("Training in")
    found = json.loads(shown.out)
    assert [row["model"] for row in found["rows"]] == ["glimpse 2 of 4x4", "conv"]
    assert [row["seeds"] for row in found["rows"]] == [[0, 1], [0, 1]]
    assert found["suite"] == "tiny"
    by_hand = [100 * np.mean(looped(out / f"glimpse-2-seed{seed}")) for seed in (0, 1)]
    assert found["rows"][0]["errors_by_seed"] == pytest.approx(by_hand)

    def never(*arguments: Any) -> Any:
        raise AssertionError("measured or trained again")

    for name in ("open_task_images", "forward_seconds"):
        monkeypatch.setattr(measure, name, never)
    for name in ("_seconds_per_image", "train"):
        monkeypatch.setattr(suite_training, name, never)
    assert compared(capsys, suite="tiny", out=out, threads=None) == found


def test_a_suite_stops_when_its_time_is_over_and_goes_on_at_the_next_call(
    tmp_path: Path, trained: list[Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    long = replace(SUITE, entries=(replace(SUITE.entries[1], images=200_000),), seeds=(0,))
    monkeypatch.setitem(SUITES, "tiny", long)
    monkeypatch.setattr(suite_training, "_seconds_per_image", lambda *arguments: 1e-3)
    out = tmp_path / "a suite"
    options = OPTIONS | {"suite": "tiny", "out": out, "models": "conv"}
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)
    assert compare_models([], options | {"within": 0.01}, as_json=True) == 0
    shown = capsys.readouterr()
    again = f"glimpse compare --suite tiny --out '{out}' --models conv --within 0.01 --threads 1 --device cpu"
    assert json.loads(shown.out) == {"suite": "tiny", "finished": 0, "runs": 1, "go_on": f"{again} --json"}
    assert shown.err.splitlines()[-1] == f"The time is over: 0 of 1 runs are finished. Go on with: {again} --json"
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    state = RunFolder(out / "conv-seed0").load(torch.device("cpu"))
    assert state is not None
    seen = state["trainer"]["counters"]["step"] * 32
    assert 0 < seen < 200_000
    assert compare_models([], options | {"within": 0.0}, as_json=False) == 0
    shown = capsys.readouterr()
    assert f"Go on with: {again.replace(' --within 0.01', '')}" in shown.err
    assert f"{200_000 - seen:,} of 200,000 images left" in shown.err
    assert "Training in" not in shown.err
    assert "Resuming in" not in shown.err
    assert len(trained) == 1


def test_an_interrupted_suite_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"suite": "tiny", "models": "conv", "seeds": 1}
    whole = compared(capsys, **options, out=tmp_path / "whole")
    real, stopped = train_in, []

    def stopping(*arguments: Any, stop: Callable[[], int | None], **rest: Any) -> Iterator[Any]:
        def after_five() -> int | None:
            stopped.append(1)
            return 128 + signal.SIGTERM if len(stopped) == 5 else stop()

        return real(*arguments, stop=after_five, **rest)

    monkeypatch.setattr(training_command, "train_in", stopping)
    parts = options | {"out": tmp_path / "parts"}
    capsys.readouterr()
    assert compare_models([], OPTIONS | parts, as_json=True) == 143  # a signal, not the clock: its exit code
    shown = capsys.readouterr()
    assert not shown.out
    assert "Stopped: 0 of 1 runs are finished. Go on with: glimpse compare --suite tiny" in shown.err
    assert "train-classifier --resume" not in shown.err
    assert compared(capsys, **parts)["rows"][0]["errors_by_seed"] == whole["rows"][0]["errors_by_seed"]
    weights = [(tmp_path / name / "conv-seed0" / "model.safetensors").read_bytes() for name in ("whole", "parts")]
    assert weights[0] == weights[1]


def test_an_interruption_while_it_measures_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    options = OPTIONS | {"suite": "tiny", "out": tmp_path / "suite", "models": "conv", "seeds": 1}
    with monkeypatch.context() as patch:
        patch.setattr(measure, "forward_seconds", interrupted)
        assert compare_models([], options, as_json=False) == 130
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("Stopped: 1 of 1 runs are finished, but not all are measured. Go on with: glimpse compare --suite tiny")
    assert compare_models([], options, as_json=True) == 0
    shown = capsys.readouterr()
    assert "Training in" not in shown.err
    assert [row["model"] for row in json.loads(shown.out)["rows"]] == ["conv"]


def test_a_suite_that_was_started_otherwise_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"suite": "tiny", "out": tmp_path / "suite", "models": "conv", "seeds": 1}
    compared(capsys, **options)
    line = refused(**options, images=640)
    assert line.startswith(f"{tmp_path / 'suite' / 'conv-seed0'}: the run was started with --images 320, not 640")
    assert "choose another --out" in line


def test_a_model_that_diverges_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    train = training_command.train

    def diverging(kind: Any, options: dict[str, Any], chosen: dict[str, Any], **rest: Any) -> int:
        if chosen["preset"] == "tuned":
            raise TrainingDivergedError("50 steps in a row had no finite loss")
        return train(kind, options, chosen, **rest)

    monkeypatch.setattr(suite_training, "train", diverging)
    assert compare_models([], OPTIONS | {"suite": "tiny", "out": tmp_path / "suite", "seeds": 1}, as_json=True) == 0
    shown = capsys.readouterr()
    assert "glimpse-2, seed 0 is left out: 50 steps" in shown.err
    found = json.loads(shown.out)
    assert [row["model"] for row in found["rows"]] == ["conv"]
    assert found["left_out"] == "glimpse-2, seed 0 (diverged)"
    assert "could be trained" in refused(suite="tiny", out=tmp_path / "other", models="glimpse-2", seeds=1)
