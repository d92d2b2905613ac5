"""`glimpse evaluate --diagnose`: its tables, JSON and figure, what is left out, and refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glimpse.evaluation.evaluate import evaluate
from tests.helpers import commands
from tests.helpers.commands import invoked, printed_json
from tests.helpers.weights import OF_WHOLE_IMAGES, written_generator, written_on_sklearn


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_on_sklearn(tmp_path_factory.mktemp("weights"))


def numbers(*arguments: str | Path) -> dict[str, Any]:
    return printed_json("evaluate", "--threads=1", *arguments)


def refused(*arguments: str | Path) -> str:
    return commands.refused("evaluate", "--threads=1", *arguments)


def test_the_diagnosis_is_an_additional_key_and_the_result_of_the_python_call(weights: Path) -> None:
    plain, found = numbers(weights), numbers(weights, "--diagnose")
    diagnosis = found.pop("diagnosis")
    for each in (plain, found):
        del each["images_per_second"]
    assert plain == found
    assert diagnosis["total"]["errors"] == found["errors"]
    assert [glimpse["error"] for glimpse in diagnosis["by_glimpse"]] == pytest.approx(found["error_by_glimpse"])
    assert [count["images"] for count in diagnosis["by_class"]] == [sum(row) for row in found["confusion"]]
    assert [sum(group["images"] for group in diagnosis[name]) for name in ("by_ink", "by_clutter")] == [300, 300]
    called = evaluate(weights, diagnose=True, threads=1).diagnosis
    assert called is not None
    assert called.as_dict() == diagnosis


def test_the_tables_hold_the_counts_and_fit_80_columns(weights: Path) -> None:
    diagnosis, shown = numbers(weights, "--diagnose")["diagnosis"], invoked("evaluate", "--threads=1", weights, "--diagnose").stdout
    lines = shown.splitlines()
    tables = lines[next(i for i, line in enumerate(lines) if line.startswith("Lost by")) : lines.index(lines[-11])]
    assert max(map(len, tables)) <= 80
    cells = [line.split() for line in lines]
    for name, key in (
        ("last window is on the digit", "on_digit"),
        ("only an earlier window is", "left"),
        ("no window is", "never"),
    ):
        (line,) = (line for line in lines if name in line)
        counts = diagnosis["search"][key]
        assert line.split()[-3:-1] == [str(counts["images"]), str(counts["errors"])]
    for label, count in enumerate(diagnosis["by_class"]):
        assert [str(label), str(count["images"]), str(count["errors"])] in [row[:3] for row in cells]
    assert [row[0] for row in cells].count("glimpse") == 1  # once, with its causes
    over = diagnosis["by_clutter"][-1]
    assert ["over", "20", str(over["images"]), str(over["errors"])] in [row[:4] for row in cells]


def test_a_model_without_windows_is_diagnosed_by_class_ink_and_clutter(tmp_path: Path) -> None:
    weights = written_on_sklearn(tmp_path, OF_WHOLE_IMAGES[1])
    result = invoked("evaluate", "--threads=1", weights, "--diagnose", "--figure", tmp_path / "errors.png")
    assert result.exit_code == 0
    assert "Left out of the diagnosis: search and reading, since the model has no windows" in result.stderr
    assert "Lost by" not in result.stdout
    assert "by search" not in result.stdout
    assert "By the ink of the clutter" in result.stdout
    with Image.open(tmp_path / "errors.png") as figure:
        assert figure.format == "PNG"


def test_images_without_known_digits_leave_one_line_and_the_classes(weights: Path, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", images=draw.integers(0, 256, (30, 20, 20), dtype=np.uint8), labels=np.arange(30) % 10)
    result = invoked("evaluate", "--threads=1", weights, "--diagnose", "--data", tmp_path / "own.npz")
    (line,) = (line for line in result.stderr.splitlines() if line.startswith("Left out"))
    assert "the positions of the digits are not known" in line
    assert "ink and clutter, since the images are not generated here" in line
    assert "Lost by" not in result.stdout
    assert "glimpse  error %" in result.stdout  # without its causes


def test_the_figure_is_written_and_named(weights: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "errors.png"
    result = invoked("evaluate", "--threads=1", weights, "--diagnose", "--figure", file)
    assert f"Wrote {file}" in result.stderr
    with Image.open(file) as figure:
        assert figure.size[0] > 1000
        shades = np.asarray(figure.convert("RGB")).reshape(-1, 3)
    assert len(np.unique(shades, axis=0)) > 20  # bars and lines, not an empty page


def test_what_does_not_go_with_a_diagnosis_is_refused_before_anything_is_computed(weights: Path, tmp_path: Path) -> None:
    assert refused(weights, "--figure", tmp_path / "errors.png") == "--figure draws the diagnosis: add --diagnose"
    assert "--figure writes a .png file" in refused(weights, "--diagnose", "--figure", tmp_path / "errors.pdf")
    (tmp_path / "occupied").touch()
    assert "--figure cannot write" in refused(weights, "--diagnose", "--figure", tmp_path / "occupied" / "errors.png")
    generator = written_generator(tmp_path / "draw.safetensors")
    assert refused(generator, "--diagnose").startswith("--diagnose is for a classifier")
