"""CSV files of pictures and of pixels against the images that they name or hold."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets.forms.found import Undecided
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.listener import Listener
from glimpse.settings.requests import FormChoice
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS

Opens = Callable[..., DataParts]
TEXTS = np.array(["ant", "bee", "cat", "dog"])[LABELS]
FILES = [f"{number:05}.png" for number in range(40)]
PIXELS = [",".join(map(str, image.ravel())) for image in GRAY]
NAMES = ",".join(f"pixel{number}" for number in range(81))


def written(folder: Path, *rows: str, name: str = "own.csv") -> Path:
    (folder / name).write_text("\n".join(rows) + "\n")
    return folder / name


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Returns a folder with pictures in a folder `images`."""
    (tmp_path / "images").mkdir()
    for file, image in zip(FILES, COLOR, strict=True):
        Image.fromarray(image).save(tmp_path / "images" / file)
    return tmp_path


def pairs(files: list[str], labels: NDArray[np.str_] = TEXTS, between: str = ",") -> list[str]:
    return [f"{file}{between}{label}" for file, label in zip(files, labels, strict=True)]


def test_a_table_of_files_and_labels_is_read_however_it_is_written(pictures: Path, opens_as: Opens) -> None:
    inside = [f"images/{file}" for file in FILES]
    for rows in (
        ["file,label", *pairs(inside)],
        pairs(inside),
        ["image,class", *pairs(FILES)],
        ["id;breed", *pairs([file[:5] for file in FILES], between=";")],
        ["\ufefffile\tlabel", *pairs(inside, between="\t")],
        ["label,file", *(f"{label},{file}" for file, label in zip(inside, TEXTS, strict=True))],
        ["file,label", *pairs([file.replace("/", "\\") for file in inside])],
    ):
        opens_as(written(pictures, *rows), COLOR, TEXTS, form="CSV")
    for encoding in ("utf-16", "latin-1"):
        (pictures / "own.csv").write_bytes("\n".join(["file,label", *(f"{row}é" for row in pairs(inside))]).encode(encoding))
        opens_as(pictures / "own.csv", COLOR, np.strings.add(TEXTS, "é"))


def test_a_column_of_parts_divides_the_table(pictures: Path, opens_as: Opens) -> None:
    rows = [f"{row},{'train' if number < 30 else 'test'}" for number, row in enumerate(pairs(FILES))]
    opens_as(written(pictures, "file,label,split", *rows), COLOR, TEXTS)


def test_missing_pictures_and_labels_are_named(pictures: Path) -> None:
    rows = pairs(FILES)
    rows[3], rows[7] = "lost.png,ant", "gone.png,bee"
    with pytest.raises(ValueError, match=r"2 of 40 files in file are not in .*images: lost\.png, gone\.png"):
        open_data(written(pictures, "file,label", *rows))
    with pytest.raises(ValueError, match="label is missing for 1 of 40 images"):
        open_data(written(pictures, "file,label", "00000.png,", *pairs(FILES)[1:]))


def test_which_column_holds_the_labels_is_a_question(pictures: Path, opens_as: Opens) -> None:
    path = written(pictures, "file,kind,mood", *(f"{row},{label}" for row, label in zip(pairs(FILES), LABELS, strict=True)))
    with pytest.raises(Undecided, match=r"which column holds the labels is not clear; found file, kind, mood: .*--labels-key"):
        open_data(path)
    opens_as(path, COLOR, TEXTS, labels_key="kind")
    opens_as(path, COLOR, LABELS, labels_key="mood", images_key="file")
    with pytest.raises(Undecided, match="no column 'moo'"):
        open_data(path, form=FormChoice(labels_key="moo"))


def test_a_picture_in_several_rows_is_pointed_out_and_has_one_label(pictures: Path) -> None:
    class Heard(Listener):
        def note(self, message: str) -> None:
            notes.append(message)

    notes: list[str] = []
    open_data(written(pictures, "file,label", *pairs(FILES), *pairs(FILES[:3], TEXTS[:3])), listener=Heard())
    assert [note.partition(": ")[2] for note in notes] == [
        "3 of 43 rows repeat a picture of another row: what is trained on may be tested on."
    ]
    with pytest.raises(ValueError, match=rf"images/{FILES[2]} has two labels, cat and emu"):
        open_data(written(pictures, "file,label", *pairs(FILES), f"{FILES[2]},emu"))


def test_the_digest_follows_the_pictures_too(pictures: Path) -> None:
    path = written(pictures, "file,label", *pairs(FILES))
    before = open_data(path).sha256
    Image.fromarray(COLOR[1]).save(pictures / "images" / FILES[0])
    assert open_data(path).sha256 != before


def test_a_table_of_labels_and_pixels_is_read_with_and_without_a_header(tmp_path: Path, opens_as: Opens) -> None:
    first = [f"{label},{pixels}" for label, pixels in zip(LABELS, PIXELS, strict=True)]
    for rows in (
        [f"label,{NAMES}", *first],
        first,
        [f"label,{','.join(map(str, range(81)))}", *first],  # as pandas names columns without names
        [f",label,{NAMES}", *(f"{number},{row}" for number, row in enumerate(first))],
    ):
        opens_as(written(tmp_path, *rows), form="CSV")
    last = [f"{pixels},{label}" for label, pixels in zip(TEXTS, PIXELS, strict=True)]
    opens_as(written(tmp_path, f"{NAMES},label", *last), labels=TEXTS)
    opens_as(written(tmp_path, *last), labels=TEXTS)
    (tmp_path / "own.csv.gz").write_bytes(gzip.compress(written(tmp_path, *first).read_bytes()))
    opens_as(tmp_path / "own.csv.gz")


def test_labels_in_the_last_column_without_a_header_are_found_or_asked_for(tmp_path: Path, opens_as: Opens) -> None:
    dark = GRAY.copy()
    dark[:, 0, 0] = 0
    rows = [f"{','.join(map(str, image.ravel()))},{label}" for image, label in zip(dark, LABELS, strict=True)]
    opens_as(written(tmp_path, *rows), dark)
    path = written(tmp_path, *(f"{pixels},{label}" for label, pixels in zip(LABELS, PIXELS, strict=True)))
    with pytest.raises(Undecided, match=r"the first and the last column may both be the labels; found 1, .* 82: name them"):
        open_data(path)
    opens_as(path, labels_key="82")


def test_a_table_of_files_and_two_other_columns_without_a_header_is_a_question(pictures: Path) -> None:
    rows = [
        f"images/{file},{label},{'train' if number < 30 else 'test'}"
        for number, (file, label) in enumerate(zip(FILES, TEXTS, strict=True))
    ]
    with pytest.raises(Undecided, match="which column holds the labels is not clear; found 1, 2, 3"):
        open_data(written(pictures, *rows))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([NAMES, *PIXELS], "which column holds the labels is not clear; found pixel0, .*, pixel80"),
        (["label,a,b,c", "1,2,3,4", "2,3,4,5"], "3 columns of numbers besides label, which are no square image"),
        ([f"label,{NAMES}", f"1,{PIXELS[0]}", "1,2"], "is no table that can be read .*Expected 82 columns, got 2"),
        (["hello"], "in no form that is recognized"),
    ],
)
def test_tables_without_images_are_one_line(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        open_data(written(tmp_path, *rows))
    assert "\n" not in str(caught.value)


def test_folders_of_parts_without_class_folders_are_no_classes(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        Image.fromarray(COLOR[0]).save(tmp_path / part / "cat.0.png")
    with pytest.raises(ValueError, match="pictures need a folder for each class, or a CSV of file and label"):
        open_data(tmp_path)
