"""`glimpse compare`: what it measures against a plain loop, and what it refuses."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.commands import measure
from glimpse.commands.compare import compare_models
from glimpse.commands.task_images import open_task_images
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.evaluation.statistics import mcnemar
from glimpse.models.catalog import open_classifier
from glimpse.training.folder import RunFolder
from tests.helpers.classifier_runs import BUDGET, DATA, TINY, trained
from tests.helpers.comparisons import OPTIONS, compared, looped, refused

pytestmark = pytest.mark.usefixtures("without_pictures")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns finished runs on scikit-learn's digits, by a short name."""
    folder, batches = tmp_path_factory.mktemp("runs"), "--batch-size=32"
    wanted = {
        "seed-0": ["--glimpses=2"],
        "seed-1": ["--glimpses=2", "--seed=1"],
        "longer": ["--glimpses=3"],
        "elsewhere": ["--glimpses=2", "--pieces=3", "--images=32"],
    }
    return {name: trained(folder / name, *TINY, *DATA, batches, *options) for name, options in wanted.items()}


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
        trained(folder, *own, f"--filters={folder.name}")
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
