"""Full house numbers: synthetic folders in MATLAB's layout, and crops against another resampling."""

import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glimpse.datasets import folders, svhn
from glimpse.datasets.generative import open_generative

Boxes = list[tuple[float, float, float, float]]  # left, top, width, height of every digit
KEYS = ("left", "top", "width", "height", "label")


def write_part(folder: Path, pictures: list[NDArray[np.uint8]], boxes: list[Boxes]) -> None:
    """Writes pictures and their description in MATLAB's format: a value for one digit, a column of references for more."""
    folder.mkdir(parents=True)
    with h5py.File(folder / "digitStruct.mat", "w") as file:
        hidden, struct = file.create_group("#refs#"), file.create_group("digitStruct")
        names = struct.create_dataset("name", (len(pictures), 1), dtype=h5py.ref_dtype)
        groups = struct.create_dataset("bbox", (len(pictures), 1), dtype=h5py.ref_dtype)
        for number, (picture, digits) in enumerate(zip(pictures, boxes, strict=True)):
            name = f"{number + 1}.png"
            Image.fromarray(picture).save(folder / name)
            letters = np.array([[ord(letter)] for letter in name], dtype=np.uint16)
            names[number, 0] = hidden.create_dataset(f"name{number}", data=letters).ref
            group = hidden.create_group(f"box{number}")
            for key, values in zip(KEYS, zip(*((*digit, 3.0) for digit in digits), strict=True), strict=True):
                write_column(hidden, group, f"{number}-{key}", key, values)
            groups[number, 0] = group.ref


def write_column(hidden: Any, group: Any, where: str, key: str, values: tuple[float, ...]) -> None:
    if len(values) == 1:
        group.create_dataset(key, data=np.array([values]))
        return
    column = group.create_dataset(key, (len(values), 1), dtype=h5py.ref_dtype)
    for row, value in enumerate(values):
        column[row, 0] = hidden.create_dataset(f"{where}-{row}", data=np.array([[value]])).ref


def random_pictures(count: int, seed: int = 0) -> tuple[list[NDArray[np.uint8]], list[Boxes]]:
    """Returns smooth pictures of 50 x 90 pixels and boxes of one to three digits inside them."""
    draw = np.random.default_rng(seed)
    pictures, boxes = [], []
    for number in range(count):
        coarse = Image.fromarray(draw.integers(0, 256, (7, 9, 3), dtype=np.uint8))
        pictures.append(np.asarray(coarse.resize((90, 50), Image.Resampling.BICUBIC)))
        boxes.append([(20.0 + 12 * digit, 10.0 + digit, 10.0, 20.0) for digit in range(1 + number % 3)])
    return pictures, boxes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a synthetic set: 30 numbers in train, 20 in extra, 10 in test."""
    for seed, (part, count) in enumerate((("train", 30), ("extra", 20), ("test", 10))):
        write_part(tmp_path / "svhn" / part, *random_pictures(count, seed))
    return tmp_path / "svhn"


def stored(data: Any, split: str) -> torch.Tensor:
    images: torch.Tensor = getattr(data, split).images.pixels
    return images


def test_boxes_are_the_union_of_the_digits_whether_values_or_references(tmp_path: Path) -> None:
    boxes: list[Boxes] = [[(5, 6, 7, 8)], [(30, 4, 9, 12), (20, 2, 8, 11)], [(-2, 1, 5, 6), (4, 3, 6, 7.5), (11, 0, 3, 3)]]
    pictures = [np.zeros((20, 50, 3), dtype=np.uint8)] * 3
    write_part(tmp_path / "train", pictures, boxes)
    numbers = svhn.read_numbers(tmp_path / "train")
    assert [number.path.name for number in numbers] == ["1.png", "2.png", "3.png"]
    assert [number.box for number in numbers] == [(5, 6, 12, 14), (20, 2, 39, 16), (-2, 0, 14, 10.5)]


def test_numbers_of_more_than_five_digits_are_left_out(tmp_path: Path) -> None:
    digits: Boxes = [(5.0 * digit, 2, 5, 8) for digit in range(6)]
    write_part(tmp_path / "train", [np.zeros((20, 50, 3), dtype=np.uint8)] * 2, [digits, digits[:5]])
    assert [number.path.name for number in svhn.read_numbers(tmp_path / "train")] == ["2.png"]


def test_a_picture_is_cropped_30_percent_wider_than_its_digits_and_resized(tmp_path: Path) -> None:
    pictures, _ = random_pictures(3)
    boxes: list[Boxes] = [[(20, 10, 20, 20), (40, 10, 20, 20)], [(40, 0, 20, 40)], [(-5, 30, 20, 40)]]
    edges = [(14, 66, 7, 33), (37, 63, 0, 46), (0, 18, 24, 50)]  # columns and rows; the picture ends at 0, 90 and 50
    for part in ("train", "test"):
        write_part(tmp_path / part, pictures, boxes)
    found = stored(open_generative(str(tmp_path)), "test").float()
    for picture, (x0, x1, y0, y1), cut in zip(pictures, edges, found, strict=True):
        part_of = torch.from_numpy(picture[y0:y1, x0:x1].copy()).permute(2, 0, 1)[None].float()
        expected = torch.nn.functional.interpolate(part_of, (64, 64), mode="bilinear", align_corners=False, antialias=True)[0]
        assert float((cut - expected).abs().max()) <= 1.01


def test_a_box_outside_the_picture_still_gives_an_image(tmp_path: Path) -> None:
    pictures, _ = random_pictures(2)
    for part in ("train", "test"):
        write_part(tmp_path / part, pictures, [[(200, 100, 5, 5)], [(-30, -30, 5, 5)]])
    found = stored(open_generative(str(tmp_path)), "test")
    assert (found[0] == torch.from_numpy(pictures[0][-1, -1].copy())[:, None, None]).all()
    assert (found[1] == torch.from_numpy(pictures[1][0, 0].copy())[:, None, None]).all()


def test_all_of_train_and_extra_is_used_once_and_training_sees_random_crops(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    data = open_generative("svhn", data_dir=tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert (data.channels, data.height, data.width, data.binarization) == (3, 54, 54, "none")
    assert data.record()["sizes"] == {"train": 49, "valid": 1, "test": 10}  # 4,701 of 235,754 would be 0.997 of 50
    assert seen[-1] == (60, 60)
    pool = torch.cat([stored(data, "train"), stored(data, "valid")])
    assert len({image.numpy().tobytes() for image in pool}) == 50
    middle = {image.contiguous().numpy().tobytes() for image in stored(data, "test")[:, :, 5:59, 5:59]}
    test = (data.test.batch(torch.arange(10)).images * 255).round().byte()
    assert {image.numpy().tobytes() for image in test} == middle
    crop = (data.train.batch(torch.arange(1)).images[0] * 255).round().byte()
    windows = stored(data, "train").unfold(2, 54, 1).unfold(3, 54, 1)  # (49, 3, 11, 11, 54, 54)
    assert (windows == crop[:, None, None]).all(dim=5).all(dim=4).all(dim=1).sum() == 1
    assert (data.record()["crop"], data.record()["seed"]) == ([54, 54], 0)


def test_the_counts_of_the_literature_follow_from_the_whole_set() -> None:
    picture = Path("1.png")
    split = svhn.hold_out([svhn.Number(picture, (index, 0, 1, 1)) for index in range(33_401 + 202_353)])
    train, valid = ({number.box[0] for number in split[name]} for name in ("train", "valid"))
    assert (len(train), len(valid), len(train | valid)) == (231_053, 4_701, 235_754)
    from_extra = sum(index >= 33_401 for index in valid) / 4_701
    assert abs(from_extra - 202_353 / 235_754) < 4 * (0.86 * 0.14 / 4_701) ** 0.5


def test_an_incomplete_set_is_reported(folder: Path) -> None:
    data = open_generative(str(folder))
    assert data.is_subset
    assert data.note is not None
    assert data.note.startswith("only a part of svhn, 49 + 1 of 231,053 + 4,701 training and validation images")
    assert data.source == data.path == str(folder)
    shutil.rmtree(folder / "extra")
    assert open_generative(str(folder)).record()["sizes"] == {"train": 29, "valid": 1, "test": 10}


def test_the_set_is_prepared_once_and_again_when_a_picture_changes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_generative(str(folder))
    with monkeypatch.context() as patched:
        patched.setattr(svhn, "prepare", lambda *_: pytest.fail("prepared again"))
        assert open_generative(str(folder)).record() == first.record()
    Image.fromarray(np.full((50, 90, 3), 200, dtype=np.uint8)).save(folder / "train" / "1.png")
    again = open_generative(str(folder))
    assert again.sha256 != first.sha256
    assert (torch.cat([stored(again, "train"), stored(again, "valid")]) == 200).all(dim=(1, 2, 3)).sum() == 1


def test_a_preparation_that_fails_leaves_nothing_and_names_the_picture(folder: Path) -> None:
    (folder / "extra" / "7.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"7\.png is no picture that can be read .*; unpack it again"):
        open_generative(str(folder))
    (folder / "extra" / "7.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"7\.png"):
        open_generative(str(folder))
    assert not list((folders.cache_folder() / "svhn-64").iterdir())


def test_a_damaged_description_or_cache_is_named(folder: Path) -> None:
    open_generative(str(folder))
    for file in (folders.cache_folder() / "svhn-64").rglob("valid.npy"):
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"valid\.npy is damaged .*; remove"):
        open_generative(str(folder))
    (folder / "test" / "digitStruct.mat").write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(ValueError, match=r"digitStruct\.mat is no description of house numbers"):
        open_generative(str(folder))


def test_a_cache_that_is_cut_short_in_use_is_an_error_and_not_the_end_of_the_process(folder: Path) -> None:
    data = open_generative(str(folder))
    before = data.train.batch(torch.arange(49)).images
    assert torch.equal(data.train.batch(torch.arange(49)).images, before)
    for file in (folders.cache_folder() / "svhn-64").rglob("train.npy"):
        os.truncate(file, 4096)
    with pytest.raises(ValueError, match=r"train\.npy"):
        data.train.batch(torch.arange(49))


def test_house_numbers_keep_their_size(folder: Path) -> None:
    with pytest.raises(ValueError, match="only the pictures of a folder are resized"):
        open_generative(str(folder), size=(32, 32))
    assert open_generative(str(folder), crop=(64, 64)).height == 64
