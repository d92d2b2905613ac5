"""Previews of sets, and the commands of `glimpse dataset`."""

import errno
import json
import os
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from PIL import Image

from glimpse import cli
from glimpse.datasets.batches import Batch
from glimpse.datasets.built_set import read_set
from glimpse.datasets.labeled_images import ImageSet, first_images, open_data
from glimpse.datasets.preview import sheet, write_preview
from glimpse.settings.clutter import ClutterRecipe
from tests.helpers.commands import refused, succeeded


def test_a_sheet_shows_images_in_rows_with_their_frames_on_them() -> None:
    images = torch.zeros(3, 1, 100, 100)
    images[1, 0, 20:48, 60:88] = 0.6  # a frame whose corner is at x 60, y 20
    centers = torch.tensor([[float("nan")] * 2, [60 + 13.5, 20 + 13.5], [float("nan")] * 2])
    pixels = np.asarray(sheet(Batch(images, torch.tensor([1, 2, 3]), centers), columns=2, frame=(28, 28))).astype(int)
    assert pixels.shape == (2 * 118 + 4, 2 * 104 + 4, 3)
    left, top = 4 + 104, 4 + 14  # of the second image
    image = pixels[top : top + 100, left : left + 100]
    green = (image == (125, 240, 168)).all(axis=2)
    assert green.sum() == 4 * 28 - 4
    assert [int(found[0]) for found in (green.any(axis=0).nonzero()[0], green.any(axis=1).nonzero()[0])] == [60, 20]
    assert (image[21:47, 61:87] == 153).all()
    assert not (pixels == (125, 240, 168)).all(axis=2)[:, :left].any()


def test_a_preview_enlarges_small_images_and_keeps_colors(tmp_path: Path) -> None:
    colors = np.zeros((2, 8, 8, 3), dtype=np.uint8)
    colors[1, 2, 5] = (200, 100, 50)
    np.savez(tmp_path / "own.npz", images=colors, labels=[0, 1])
    data = open_data(tmp_path / "own.npz")
    assert write_preview(tmp_path / "sheet.png", data.evaluation[1], 99) == 2
    with Image.open(tmp_path / "sheet.png") as picture:
        pixels = np.asarray(picture)
    left, top = 4 + 100, 4 + 14
    assert (pixels[top + 24 : top + 36, left + 60 : left + 72] == (200, 100, 50)).all()
    assert (pixels == (200, 100, 50)).all(axis=2).sum() == 144


def test_a_preview_that_cannot_be_written_is_an_error_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = ImageSet(np.zeros((2, 8, 8), dtype=np.uint8), np.arange(2))
    for name, message in (
        ("x.foo", r"x\.foo: the name must end in the suffix of a picture format, such as \.png or \.jpg, got '\.foo'"),
        ("x", r"x: the name must end .* got ''"),
        ("x.xbm", r"x\.xbm: the picture cannot be written as XBM"),
    ):
        with pytest.raises(ValueError, match=message):
            write_preview(tmp_path / name, images, 2)
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere to write x\.png to"):
        write_preview(tmp_path / "nowhere" / "x.png", images, 2)

    def fsync(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as full:
        full.setattr(os, "fsync", fsync)
        with pytest.raises(OSError, match=r"No space left on device: .*x\.png"):
            write_preview(tmp_path / "x.png", images, 2)
    assert not list(tmp_path.iterdir())
    write_preview(tmp_path / "x.JPG", images, 2)
    with Image.open(tmp_path / "x.JPG") as picture:
        assert picture.format == "JPEG"


# The commands


def invoke(*arguments: object) -> str:
    return succeeded("dataset", *arguments).stdout


def test_a_set_is_built_verified_and_previewed_by_commands(tmp_path: Path) -> None:
    options = (
        "--digits",
        "sklearn",
        "--count",
        40,
        "--canvas",
        50,
        "--pieces",
        2,
        "--piece-size",
        5,
        "--border",
        1,
        "--threads",
        1,
    )
    invoke("build", tmp_path / "set", "--split", "train", *options)
    manifest = read_set(tmp_path / "set").manifest
    assert manifest["recipe"] == {"canvas": 50, "pieces": 2, "piece_size": 5, "border": 1}
    assert (manifest["seed"], manifest["count"], manifest["split"]) == (0, 40, "train")
    assert "40 images, 40 re-rendered identically" in invoke("verify", tmp_path / "set")
    assert json.loads(invoke("verify", tmp_path / "set", "--json")) == {"count": 40, "rendered_again": 40}
    assert "shows 12 images" in invoke("preview", tmp_path / "set", "--out", tmp_path / "sheet.png", "--count", 12, "--boxes")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (10 * 104 + 4, 2 * 118 + 4)


def test_using_sklearn_digits_in_place_of_mnist_is_a_warning(tmp_path: Path) -> None:
    result = succeeded("dataset", "build", tmp_path / "set", "--count", 5, "--threads", 1)
    assert "Warning: these are scikit-learn's digits, NOT MNIST" in result.stderr
    assert "mnist is not in" in result.stderr


def test_the_options_have_the_recipes_defaults() -> None:
    group = cli.glimpse.commands["dataset"]
    assert isinstance(group, click.Group)
    defaults = {option.name: option.default for option in group.commands["build"].params}
    assert {name: defaults[name] for name in asdict(ClutterRecipe())} == asdict(ClutterRecipe())


def test_a_preview_reads_no_more_than_it_shows(tmp_path: Path) -> None:
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 100, 100), }\n"  # 10 GB
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("images.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(50_000))
        with members.open("labels.npy", "w") as file:
            np.save(file, np.zeros(1_000_000, dtype=np.int64))
    assert "shows 3 images" in invoke("preview", tmp_path / "bomb.npz", "--count", 3, "--out", tmp_path / "sheet.png")
    line = refused("dataset", "preview", tmp_path / "bomb.npz", "--count", 6, "--out", tmp_path / "sheet.png")
    assert "images ends after 50,000 of 60,000 bytes" in line


@pytest.mark.parametrize("parts", [("train",), ("train", "valid"), ("train", "valid", "test"), ("test",)])
def test_a_preview_shows_the_part_that_an_evaluation_takes(tmp_path: Path, parts: tuple[str, ...]) -> None:
    arrays: dict[str, Any] = {f"X_{part}": np.full((12, 4, 4), 40 * number, dtype=np.uint8) for number, part in enumerate(parts)}
    np.savez(tmp_path / "own.npz", **arrays, **{f"y_{part}": arrays[f"X_{part}"][:, 0, 0] for part in parts})
    images, names, frame = first_images(tmp_path / "own.npz", 5)
    expected = open_data(tmp_path / "own.npz").evaluation[1].batch(torch.tensor([0]))
    assert (len(images), names, frame) == (5, (str(round(float(expected.images[0, 0, 0, 0]) * 255)),), None)
    assert torch.equal(images.batch(torch.tensor([0])).images, expected.images)


def test_limits_are_lifted_by_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_NO_LIMITS", "0")  # is restored after the test
    monkeypatch.setattr("glimpse.datasets.limits.MOST_BYTES", 100)
    np.savez(tmp_path / "own.npz", images=np.zeros((5, 9, 9), dtype=np.uint8), labels=np.zeros(5, dtype=int))
    preview = ("dataset", "preview", tmp_path / "own.npz", "--out", tmp_path / "sheet.png")
    assert "images takes 0.0 GB, the limit is 1e-07 GB; if you trust the file, lift" in refused(*preview)
    assert "shows 5 images" in succeeded("--no-limits", *preview).stdout


def test_class_names_of_other_alphabets_have_their_letters() -> None:
    def caption(name: str) -> bytes:
        batch = Batch(torch.zeros(1, 1, 20, 20), torch.tensor([0]), torch.full((1, 2), torch.nan))
        return sheet(batch, names=[name]).crop((0, 0, 100, 16)).tobytes()

    assert len({caption(letter) for letter in ("ç", "ß", "ы", "λ", "")}) == 5
