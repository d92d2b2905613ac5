"""Class folders against the pictures in them: classes, parts, sizes, hidden and broken files, memory."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets import picture_rows
from glimpse.datasets.forms import picture_files
from glimpse.datasets.labeled_images import DataParts, open_data
from glimpse.datasets.picture_files import read_picture
from glimpse.datasets.picture_rows import PictureRows, fitted
from glimpse.listener import Listener
from glimpse.settings.requests import FormChoice
from tests.datasets.forms.conftest import COLOR, GRAY, LABELS

Opens = Callable[..., DataParts]
NAMES = np.array(["ant", "bee", "cat", "dog"])
TEXTS = NAMES[LABELS]


def drawn(folder: Path, images: NDArray[np.uint8] = COLOR, labels: NDArray[np.str_] = TEXTS, start: int = 0) -> Path:
    """Writes pictures into class folders, the i-th of a class with a name that sorts by its position."""
    for number, (image, label) in enumerate(zip(images, labels, strict=True), start=start):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / str(label) / f"{number:03}.png")
    return folder


BY_CLASS = np.argsort(LABELS, kind="stable")


def test_the_folders_are_the_classes(tmp_path: Path, opens_as: Opens) -> None:
    data = opens_as(drawn(tmp_path / "photos"), COLOR[BY_CLASS], TEXTS[BY_CLASS], form="class folders")
    assert data.class_names == tuple(NAMES)
    assert data.shape == (3, 9, 7)
    gray = opens_as(drawn(tmp_path / "gray", GRAY), GRAY[BY_CLASS], TEXTS[BY_CLASS])
    assert gray.shape == (1, 9, 9)


@pytest.mark.parametrize("valid", ["val", "valid", "Validation"])
def test_folders_of_parts_are_parts(tmp_path: Path, valid: str) -> None:
    drawn(tmp_path / "train", COLOR[:24], TEXTS[:24])
    drawn(tmp_path / valid, COLOR[24:32], TEXTS[24:32])
    drawn(tmp_path / "test", COLOR[32:], TEXTS[32:])
    data = open_data(tmp_path)
    assert {name: len(part) for name, part in data.parts.items()} == {"train": 24, "valid": 8, "test": 8}
    assert (data.split, data.class_names) == (None, tuple(NAMES))
    assert np.array_equal(data.parts["test"].batch(torch.arange(2)).images[0], COLOR[32].transpose(2, 0, 1) / np.float32(255))


def test_an_archive_unpacked_into_a_folder_of_its_own_is_entered(tmp_path: Path, opens_as: Opens) -> None:
    drawn(tmp_path / "photos" / "train")
    data = open_data(tmp_path)
    assert data.class_names == tuple(NAMES)
    assert len(data.evaluation[1]) == 40


def test_hidden_and_other_files_are_ignored(tmp_path: Path, opens_as: Opens) -> None:
    root = drawn(tmp_path / "photos")
    digest = open_data(root).sha256
    for folder in (".ipynb_checkpoints", "__MACOSX", "ant/.ipynb_checkpoints"):
        (root / folder).mkdir()
        Image.fromarray(COLOR[0]).save(root / folder / "copy.png")
    Image.fromarray(COLOR[0]).save(root / "ant" / "._000.png")
    (root / "ant" / "Thumbs.db").write_bytes(b"x")
    (root / "readme.txt").write_text("mine")
    (root / "empty").mkdir()
    data = opens_as(root, COLOR[BY_CLASS], TEXTS[BY_CLASS])
    assert data.sha256 == digest


def test_a_link_to_a_folder_above_ends(tmp_path: Path) -> None:
    root = drawn(tmp_path / "photos")
    (root / "ant" / "again").symlink_to(root / "ant")
    assert len(open_data(root).evaluation[1]) == 40


def test_links_in_circles_without_a_picture_end(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(3):  # without an end to circles, 3^40 paths
            (tmp_path / "photos" / name / f"link{number}").symlink_to(tmp_path / "photos")
    with pytest.raises(ValueError, match="holds no images in a form that is recognized"):
        open_data(tmp_path / "photos")


def test_broken_pictures_are_named(tmp_path: Path) -> None:
    root = drawn(tmp_path / "photos")
    (root / "ant" / "000.png").write_bytes((root / "ant" / "000.png").read_bytes()[:60])
    data = open_data(root)
    with pytest.raises(ValueError, match=r"one picture of \d+ cannot be read: .*ant/000\.png is no picture .*; repair or remove"):
        _ = [part.read_all(Listener()) for part in data.parts.values()]  # type: ignore[func-returns-value]
    for number in (1, 5):
        (root / "bee" / f"00{number}.png").write_text("no picture")
    with pytest.raises(ValueError, match=r"2 pictures of 40 cannot be read: .*bee/001\.png .*; .*bee/005\.png"):
        open_data(root)


def test_pictures_of_other_formats_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = drawn(tmp_path / "photos")
    for name in ("IMG_1.HEIC", "IMG_2.heic"):
        (root / "cat" / name).write_bytes(b"not read")
    (root / "elk").mkdir()
    (root / "elk" / "IMG_3.heic").write_bytes(b"not read")
    with caplog.at_level("INFO", logger="glimpse"):
        assert len(open_data(root).evaluation[1]) == 40
    assert "No pictures in elk: left out." in caplog.messages[0]
    assert "3 pictures such as cat/IMG_1.HEIC are not read: save them as JPEG or PNG." in caplog.messages[1]
    with pytest.raises(ValueError, match=r"IMG_2\.heic is no picture that can be read .*; save it as JPEG or PNG"):
        read_picture(root / "cat" / "IMG_2.heic")


def test_pictures_of_different_sizes_need_a_size(tmp_path: Path) -> None:
    root = drawn(tmp_path / "photos")
    Image.fromarray(COLOR[0][:5]).save(root / "ant" / "wide.png")
    with pytest.raises(ValueError, match=r"such as wide\.png 5 x 7 and .* 9 x 7 .*--size H,W, .*--fit pad, resize or crop"):
        open_data(root)
    data = open_data(root, form=FormChoice(size=(6, 8)))
    assert data.shape == (3, 6, 8)
    assert json.loads(json.dumps(data.record()))["size"] == [6, 8]


def test_a_picture_on_its_side_is_turned(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(2):
            exif = Image.Exif()
            exif[0x0112] = 6
            Image.fromarray(COLOR[number]).save(tmp_path / name / f"{number}.png", exif=exif)
    assert open_data(tmp_path).shape == (3, 7, 9)


def test_pictures_fit_a_size_in_three_ways() -> None:
    picture = np.full((4, 8, 3), 200, np.uint8)
    padded, stretched, cropped = (fitted(picture, (8, 8), fit) for fit in ("pad", "resize", "crop"))
    assert (padded[:2] == 0).all()
    assert (padded[6:] == 0).all()
    assert (padded[2:6] == 200).all()
    assert (stretched == 200).all()
    assert (cropped == 200).all()
    ramp = np.repeat(np.arange(0, 240, 10, dtype=np.uint8)[None, :, None], 12, axis=0)
    assert np.array_equal(fitted(ramp, (12, 12), "crop"), ramp[:, 6:18])
    assert fitted(ramp, (12, 12), "resize").shape == (12, 12, 1)


def test_pictures_are_decoded_once_if_they_fit_into_memory_and_each_time_if_not(
    tmp_path: Path, opens_as: Opens, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, decoded = drawn(tmp_path / "photos"), list[str]()

    def counted(path: Path, channels: int) -> Any:
        decoded.append(path.name)
        return read_picture(path, channels)

    monkeypatch.setattr(picture_files, "read_picture", counted)
    for share, expected in ((picture_rows._SHARE, 40), (0.0, 80)):
        monkeypatch.setattr(picture_rows, "_SHARE", share)
        decoded.clear()
        part = open_data(root).evaluation[1]
        batches = [part.batch(torch.arange(40)).images for _ in range(2)]
        assert torch.equal(*batches)
        assert len(decoded) == expected
        opens_as(root, COLOR[BY_CLASS], TEXTS[BY_CLASS])


def test_large_pictures_are_decoded_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    class Heard(Listener):
        @contextmanager
        def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Callable[[int], None]]:
            yield done.append

    done: list[int] = []
    monkeypatch.setattr(picture_rows, "_BLOCK", 9)
    rows = PictureRows(range(5), lambda number: np.full((2, 2, 1), number, np.uint8), (2, 2, 1))
    rows.read_all(np.arange(5), Heard())
    assert done == [2, 4, 5]


def test_a_file_of_several_pictures_is_named_and_its_first_one_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = drawn(tmp_path / "photos")
    Image.fromarray(COLOR[0]).save(root / "ant" / "pages.tif", save_all=True, append_images=[Image.fromarray(COLOR[1])])
    with caplog.at_level("INFO", "glimpse"):
        images = open_data(root).evaluation[1]
    assert "pages.tif hold several pictures: the first of each is read" in caplog.text
    assert np.array_equal(images.images[np.array([10])][0], COLOR[0])


def test_rows_are_read_in_the_order_asked_for_and_more_than_once() -> None:
    rows = PictureRows(range(5), lambda number: np.full((2, 2, 1), number, np.uint8), (2, 2, 1))
    assert rows[np.array([4, 0, 4, 2])][:, 0, 0, 0].tolist() == [4, 0, 4, 2]
    assert rows[1:3][:, 0, 0, 0].tolist() == [1, 2]
    assert rows.shape == (5, 2, 2, 1)


def test_the_digest_follows_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = drawn(tmp_path / "photos")
    digests = [open_data(root).sha256, open_data(root, form=FormChoice(size=(4, 4))).sha256]
    (root / "ant" / "000.png").rename(root / "ant" / "100.png")
    digests.append(open_data(root).sha256)
    Image.fromarray(COLOR[1]).save(root / "ant" / "100.png")
    digests.append(open_data(root).sha256)
    assert digests[0] == digests[1]
    assert len({*digests}) == 3
    monkeypatch.setattr(picture_files, "_READ_WHOLE", 0)  # as if the pictures had more than 2 GB
    assert open_data(root).sha256 not in digests


def test_pictures_without_class_folders_are_no_set(tmp_path: Path) -> None:
    Image.fromarray(COLOR[0]).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"it holds 1 file \.png \(pictures need a folder for each class"):
        open_data(tmp_path)
