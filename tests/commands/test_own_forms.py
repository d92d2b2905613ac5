"""Your own images in several forms from training to evaluation on the command line: what is said, and what is measured."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glimpse.training.folder import RunFolder
from tests.helpers import commands
from tests.helpers.classifier_runs import MODEL, refused, train

TINY = [*MODEL, "--images=64", "--batch-size=16", "--validate-every=64", "--log-every=64", "--warmup=16", "--threads=1"]
DRAW = np.random.default_rng(0)


def sorted_classes(folder: Path) -> Path:
    images = DRAW.integers(0, 256, (120, 12, 12, 3), dtype=np.uint8)
    np.savez(folder / "own.npz", images=images, labels=np.repeat([0, 1], 60))
    return folder / "own.npz"


def keras_names(folder: Path) -> Path:
    images, labels = DRAW.integers(0, 256, (60, 12, 12), dtype=np.uint8), np.eye(3)[np.arange(60) % 3]
    np.savez(folder / "own.npz", x_train=images[:40], y_train=labels[:40], x_test=images[40:], y_test=labels[40:])
    return folder / "own.npz"


def many_classes(folder: Path) -> Path:
    np.savez(folder / "own.npz", X=DRAW.random((400, 10, 10)), y=np.arange(400) % 200)
    return folder / "own.npz"


def photographs(folder: Path) -> Path:
    for number in range(24):
        kind = folder / "photos" / ("bright" if number % 2 else "dark")
        kind.mkdir(parents=True, exist_ok=True)
        noise = DRAW.integers(0, 100, (480, 480 - 40 * (number % 3), 3), dtype=np.uint8)
        Image.fromarray(noise + np.uint8(100 * (number % 2))).save(kind / f"{number}.jpg")
    return folder / "photos"


def table_of_files(folder: Path) -> Path:
    rows = ["file,label"]
    for number in range(40):
        Image.fromarray(DRAW.integers(0, 256, (12, 12), dtype=np.uint8)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,{'cat' if number % 2 else 'dog'}")
    (folder / "own.csv").write_text("\n".join(rows))
    return folder / "own.csv"


CASES: list[tuple[Callable[[Path], Path], list[str], str, list[str], int]] = [
    (sorted_classes, [], "120 images of 12 x 12 pixels in color, 2 classes: 0 (60), 1 (60)", ["0", "1"], 12),
    (keras_names, [], "60 images of 12 x 12 pixels in gray, 3 classes: 0 (20), 1 (20), 2 (20)", ["0", "1", "2"], 20),
    (
        photographs,
        ["--size=24,32"],
        "24 images of 24 x 32 pixels in color, 2 classes: bright (12), dark (12)",
        ["bright", "dark"],
        2,
    ),
    (table_of_files, [], "40 images of 12 x 12 pixels in gray, 2 classes: cat (20), dog (20)", ["cat", "dog"], 4),
]


@pytest.mark.parametrize(("make", "options", "said", "names", "count"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_form_is_trained_on_and_measured_with_its_class_names(
    tmp_path: Path, make: Callable[[Path], Path], options: list[str], said: str, names: list[str], count: int
) -> None:
    data = make(tmp_path)
    result = train(*TINY, "--data", data, *options, "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert said in result.output
    assert RunFolder(tmp_path / "run").config["data"]["class_names"] == names
    found = commands.printed_json("evaluate", tmp_path / "run")
    assert (found["n"], found["class_names"], found["data"]["part"]) == (count, names, "test")


def test_validation_of_sorted_classes_has_both_classes(tmp_path: Path) -> None:
    data = sorted_classes(tmp_path)
    train(*TINY, "--data", data, "--out", tmp_path / "run")
    found = commands.printed_json("evaluate", tmp_path / "run", "--split=valid")
    assert [sum(row) for row in found["confusion"]] == [6, 6]


def test_two_hundred_classes_are_said_in_one_line(tmp_path: Path) -> None:
    result = train(*TINY, "--data", many_classes(tmp_path), "--out", tmp_path / "run")
    assert "200 classes of 2 images each" in result.output


def test_numbers_from_0_to_16_are_called_nearly_black(tmp_path: Path) -> None:
    images = DRAW.integers(0, 17, (40, 8, 8)).astype(float)
    np.savez(tmp_path / "own.npz", data=images, target=np.arange(40) % 2)
    result = train(*TINY, "--data", tmp_path / "own.npz", "--out", tmp_path / "run")
    assert "the brightest pixel of 32 training images is 16 of 255, nearly black: if that is white, scale" in result.output
    np.savez(tmp_path / "scaled.npz", data=images / 16, target=np.arange(40) % 2)
    assert "nearly black" not in train(*TINY, "--data", tmp_path / "scaled.npz", "--out", tmp_path / "scaled").output


def test_a_look_that_is_small_in_large_images_is_pointed_out(tmp_path: Path) -> None:
    images = DRAW.integers(0, 256, (20, 8, 132), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(20) % 2)
    options = ["--model=search", "--glimpses=3", *TINY[len(MODEL) :], "--no-compile", "--data", tmp_path / "own.npz"]
    said = "A look covers 26.4 of 132 pixels: if the object is larger, choose more with --extent"
    assert said in train(*options, "--out", tmp_path / "run").output
    assert "A look covers" not in train(*options, "--extent=26.4", "--out", tmp_path / "chosen").output


def test_pictures_of_different_sizes_ask_for_a_size(tmp_path: Path) -> None:
    line = refused(*TINY, "--data", photographs(tmp_path), "--out", tmp_path / "run")
    assert "choose one with --size H,W" in line
    assert not (tmp_path / "run").exists()


def test_a_size_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    result = train(*TINY, "--data", tmp_path, "--size=big", "--out", tmp_path / "run")
    assert result.exit_code == 2
    assert "'big' is no height and width in pixels" in result.output


def test_options_for_your_own_images_need_them(tmp_path: Path) -> None:
    for option in ("--size=20", "--images-key=x", "--class-weights=balanced"):
        assert "is for your own images: give them with --data" in refused(
            *TINY, option, "--digits=sklearn", "--out", tmp_path / "run"
        )


def test_smaller_classes_are_repeated_and_a_resumed_run_keeps_that(tmp_path: Path) -> None:
    images = DRAW.integers(0, 256, (110, 10, 10), dtype=np.uint8)
    np.savez(tmp_path / "own.npz", images=images, labels=np.repeat([0, 1], [100, 10]))
    plain = train(*TINY, "--data", tmp_path / "own.npz", "--out", tmp_path / "plain")
    assert "class 0 has 10 times as many training images as 1" in plain.output
    options = [*TINY, "--data", tmp_path / "own.npz", "--class-weights=balanced", "--out", tmp_path / "run"]
    assert train(*options).exit_code == 0
    data = RunFolder(tmp_path / "run").config["data"]
    assert (data["class_weights"], data["sizes"]["train"]) == ("balanced", 160)
    assert train(*options, "--resume").exit_code == 0


def test_a_preview_takes_the_options_of_the_form(tmp_path: Path) -> None:
    data = photographs(tmp_path)
    out = tmp_path / "sheet.png"
    assert "choose one with --size H,W" in commands.refused("dataset", "preview", data, "--out", out)
    commands.succeeded("dataset", "preview", data, "--size=24,32", "--fit=crop", "--out", out)
    assert out.is_file()


def test_another_size_for_a_resumed_run_is_refused_as_it_is_written(tmp_path: Path) -> None:
    options = [*TINY, "--data", photographs(tmp_path), "--out", tmp_path / "run"]
    assert train(*options, "--size=24,32").exit_code == 0
    assert "the run was started with --size 24,32, not 20,20" in refused(*options, "--size=20", "--resume")


def test_an_empty_path_of_an_unset_variable_is_not_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photographs(tmp_path)
    monkeypatch.chdir(tmp_path / "photos")
    for call in (["train-classifier", *TINY, "--data", ""], ["dataset", "preview", ""], ["predict", "pretrained:classifier-4", ""]):
        result = commands.invoked(*call)
        assert result.exit_code == 2
        assert "the path is empty; the current folder is ." in result.output
