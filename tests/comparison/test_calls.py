"""Comparing trained models from Python: measurements against a plain loop, and refused input."""

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.comparison import measure
from glimpse.comparison.calls import compare
from glimpse.comparison.rows import Comparison
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.evaluation.images import open_task_images
from glimpse.evaluation.statistics import mcnemar
from glimpse.models.catalog import open_classifier
from glimpse.training.calls import train_classifier
from glimpse.training.folder import RunFolder
from tests.helpers.suites import TRAINING, quick_trainings, wrong_one_by_one

ON: dict[str, Any] = {"digits": "sklearn", "canvas": 40, "pieces": 2, "threads": 1, "device": "cpu"}
TINY: dict[str, Any] = {
    "model": "glimpse",
    "window": 4,
    "hidden": 8,
    "features": 8,
    "images": 320,
    "validate_every": 160,
} | TRAINING


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    with quick_trainings():
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns finished runs on scikit-learn's digits by a short name."""
    folder = tmp_path_factory.mktemp("runs")
    wanted: dict[str, dict[str, Any]] = {
        "seed-0": {"glimpses": 2},
        "seed-1": {"glimpses": 2, "seed": 1},
        "longer": {"glimpses": 3},
        "elsewhere": {"glimpses": 2, "pieces": 3, "images": 32},
    }
    for name, options in wanted.items():
        train_classifier(**ON | TINY | options, out=folder / name)
    return {name: folder / name for name in wanted}


def compared(*sources: str | Path, **options: Any) -> Comparison:
    """Returns a comparison on one thread of the CPU."""
    on_cpu: dict[str, Any] = {"device": "cpu", "threads": 1}
    return compare(*sources, **on_cpu | options)


def refused(*sources: str | Path, **options: Any) -> str:
    """Returns the one line of the error of a comparison."""
    with pytest.raises((ValueError, OSError)) as caught:
        compared(*sources, **options)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_errors_and_tests_are_those_of_a_plain_loop(runs: dict[str, Path]) -> None:
    wrong = {name: np.array(wrong_one_by_one(runs[name])) for name in ("seed-0", "seed-1", "longer")}
    found = compared(runs["seed-1"], runs["longer"], runs["seed-0"])
    first, second = found.rows
    assert first.errors == pytest.approx((100 * wrong["seed-0"].mean(), 100 * wrong["seed-1"].mean()))
    assert first.sources == (str(runs["seed-0"]), str(runs["seed-1"]))
    assert second.error == pytest.approx(100 * wrong["longer"].mean())
    (pair,) = found.pairs
    only_first, only_second = int((wrong["seed-0"] & ~wrong["longer"]).sum()), int((wrong["longer"] & ~wrong["seed-0"]).sum())
    assert (pair.only_first, pair.only_second) == (only_first, only_second)
    assert pair.p == pair.p_holm == mcnemar(only_first, only_second)
    assert (found.n, found.suite) == (300, None)
    assert found.conditions.as_dict() == {"data": "sklearn on 40x40, 2 pieces", "part": "test", "device": "cpu", "threads": 1}


def test_a_comparison_is_plain_values_by_name_for_json(runs: dict[str, Path]) -> None:
    found = compared(runs["seed-0"], runs["longer"])
    plain = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert [*plain] == ["n", "data", "part", "device", "threads", "suite", "rows", "pairs"]
    assert [row["error_percent"] for row in plain["rows"]] == [row.error for row in found.rows]
    assert plain["pairs"][0]["p"] == found.pairs[0].p


def test_costs_are_those_of_the_model_and_its_run(runs: dict[str, Path]) -> None:
    (row,) = compared(runs["longer"]).rows
    model = open_classifier(runs["longer"])
    assert row.parameters == sum(value.numel() for value in model.state_dict().values())
    assert row.reading == (3 * 4 * 4, False)
    assert row.images == (320,)
    rates = [float(line["images_per_second"]) for line in RunFolder(runs["longer"]).rows()]
    assert row.training_rate == pytest.approx(sum(rates) / 2)
    assert row.trained_on == "cpu, 1 thread, fp32"
    assert row.inference_rate > 0
    assert row.published is None


def test_incompatible_models_are_refused_with_a_remedy(runs: dict[str, Path], tmp_path: Path) -> None:
    assert "trained on sklearn on 40x40, 2 pieces" in refused(runs["seed-0"], runs["elsewhere"])
    assert "3 pieces: compare models of one task" in refused(runs["seed-0"], runs["elsewhere"])
    assert "hold the same weights: name each model once" in refused(runs["seed-0"], runs["seed-0"])
    assert "pretrained:draw-mnist holds a generator" in refused("pretrained:draw-mnist", runs["seed-0"])
    assert "no run, weights file or pretrained model" in refused(tmp_path / "nowhere")
    assert "no pretrained model is called 'nothing'" in refused("pretrained:nothing")
    assert "name runs to compare, or a --suite: cluttered-100" in refused()
    assert "not both" in refused(runs["seed-0"], suite="plain-28")
    assert "--images, --within goes with a --suite" in refused(runs["seed-0"], images=5, within=1.0)


def test_an_unknown_option_is_a_type_error_that_lists_the_options() -> None:
    names = "sources, suite, data, out, models, images, seeds, within, precision, compile, data_dir, device, threads"
    with pytest.raises(TypeError, match=f"'canvas': there are {names}"):
        compare("pretrained:glimpse-4", canvas=60)
    with pytest.raises(TypeError, match=f"'glimpses': there are {names}"):
        compare(suite="plain-28", glimpses=3)


def test_an_unfinished_run_gives_a_warning(runs: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    config = json.loads((runs["seed-0"] / "config.json").read_text())
    config["training"]["images"] = 1000
    RunFolder(folder).write_config(config)
    for name in ("metrics.csv", "model.safetensors"):
        (folder / name).write_bytes((runs["seed-0"] / name).read_bytes())
    with pytest.warns(UserWarning, match="is not finished: 320 of 1,024 images"):
        compared(folder)
    config["training"]["patience"] = 1
    RunFolder(folder).write_config(config)
    rows = (folder / "metrics.csv").read_text().splitlines()
    (folder / "metrics.csv").write_text("\n".join([*rows, rows[-1].replace("320", "480", 1)]) + "\n")
    with warnings.catch_warnings():  # a run that stopped early is finished
        warnings.simplefilter("error")
        compared(folder)


def test_a_pretrained_model_has_the_values_of_its_card_and_none_that_only_a_run_records(
    mnist_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first_images(query: Any) -> Any:
        images = open_task_images(query)
        assert isinstance(images.data, ClutteredMNIST)
        shown = images.data.digits
        few = replace(shown, images=shown.images[:50], labels=shown.labels[:50])
        return images._replace(data=ClutteredMNIST(few, "test", images.data.recipe))

    monkeypatch.setattr(measure, "open_task_images", first_images)
    (row,) = compared("pretrained:glimpse-4", data_dir=mnist_folder).rows
    assert (row.seeds, row.images, row.parameters) == ((0,), (2_900_096,), 775_072)
    assert row.published is not None
    assert (row.published.error_percent, row.published.source) == (4.18, "DRAW, Table 1")
    assert (row.training_rate, row.trained_on, row.when_reached) == (None, None, None)


def test_images_that_the_weights_were_chosen_on_are_labeled(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    own = tmp_path / "own.npz"
    parts = {"train": 180, "valid": 20}
    arrays = {f"X_{part}": draw.integers(0, 256, (count, 12, 12), dtype=np.uint8) for part, count in parts.items()}
    np.savez(own, **arrays, **{f"y_{part}": np.arange(count) % 3 for part, count in parts.items()})  # type: ignore[arg-type]
    folders = [tmp_path / str(filters) for filters in (2, 3)]
    conv: dict[str, Any] = {
        "model": "conv",
        "kernel": 4,
        "step": 2,
        "hidden": 8,
        "images": 320,
        "threads": 1,
        "device": "cpu",
    } | TRAINING
    for folder in folders:
        train_classifier(**conv, filters=int(folder.name), data=own, out=folder)
    with pytest.warns(UserWarning, match="has no test part: this is the error on the images that the weights were chosen by"):
        found = compared(*folders)
    assert (found.n, found.conditions.part, found.part_name) == (20, "valid", "validation images")
    assert found.flat()[0]["measured_on"] == "validation images"
    weights = folders[0] / "model.safetensors"
    assert refused(weights, folders[1]).endswith("which its run's folder names: compare the folder")
    own.unlink()
    assert "--data" not in refused(*folders)
