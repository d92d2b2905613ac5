"""Folders that hold their images further inside, and what is answered if they hold several sets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.datasets.limits import TooLarge
from glimpse.settings.requests import FormChoice
from tests.datasets.forms.conftest import GRAY, LABELS

Opens = Callable[..., DataParts]


def table(folder: Path, name: str = "labels.csv") -> Path:
    """Writes pictures into a folder next to a table of their labels."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(GRAY):
        Image.fromarray(image).save(folder / "pictures" / f"{number}.png")
    (folder / name).write_text("\n".join(["file,label", *(f"{number}.png,{label}" for number, label in enumerate(LABELS))]))
    return folder


def test_the_only_file_in_a_form_is_opened(tmp_path: Path, opens_as: Opens) -> None:
    np.savez(tmp_path / "own.npz", images=GRAY, labels=LABELS)
    (tmp_path / "README.md").write_text("about it")
    (tmp_path / ".DS_Store").write_bytes(b"hidden")
    assert opens_as(tmp_path, form=".npz").path == str(tmp_path / "own.npz")


def test_a_table_next_to_its_folder_of_pictures_is_opened(tmp_path: Path, opens_as: Opens) -> None:
    opens_as(table(tmp_path / "set"), form="CSV")


def test_a_folder_in_a_folder_is_entered(tmp_path: Path, opens_as: Opens) -> None:
    inner = tmp_path / "set" / "MNIST" / "raw"
    inner.mkdir(parents=True)
    np.save(inner / "images.npy", GRAY)
    np.save(inner / "labels.npy", LABELS)
    opens_as(tmp_path / "set", form=".npy")


def test_a_folder_that_links_to_itself_is_no_form(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set")
    with pytest.raises(ValueError, match="holds no images in a form that is recognized; it holds 1 folder"):
        open_data(tmp_path / "set")


def test_several_files_in_a_form_are_a_question(tmp_path: Path) -> None:
    table(tmp_path / "set")
    table(tmp_path / "set", "others.csv")
    np.savez(tmp_path / "set" / "own.npz", images=GRAY, labels=LABELS)
    with pytest.raises(ValueError, match=r"set holds no images .*; give one of its files: labels\.csv, others\.csv, own\.npz"):
        open_data(tmp_path / "set")


def test_one_class_folder_without_a_table_is_a_class(tmp_path: Path) -> None:
    (table(tmp_path / "set") / "labels.csv").unlink()
    assert open_data(tmp_path / "set").class_names == ("pictures",)


def test_a_size_of_too_many_pixels_is_refused_before_a_picture_is_read(tmp_path: Path) -> None:
    with pytest.raises(
        TooLarge, match="a picture brought to the size 20000 x 9000 has 9,000 x 20,000 pixels, the limit is 64 million"
    ):
        open_data(table(tmp_path), form=FormChoice(size=(20_000, 9_000)))


def test_a_parquet_file_is_named_with_the_way_to_read_it(tmp_path: Path) -> None:
    pd.DataFrame({"label": LABELS}).to_parquet(tmp_path / "own.parquet")
    with pytest.raises(ValueError, match=r"is a Parquet file: give the frame of pandas.read_parquet from Python"):
        open_data(tmp_path / "own.parquet")
