"""Fixed binarized MNIST: synthetic files in both formats against their bits, and the real set against MNIST."""

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from glimpse.datasets import binarized_mnist
from glimpse.datasets.generative import open_generative
from glimpse.datasets.mnist import load
from glimpse.datasets.pixel_sets import PixelSet

GIVEN = Path(os.environ.get("GLIMPSE_DATA", "nowhere"))  # read before the fixture `isolated` removes it
ROWS = {"train": 30, "valid": 8, "test": 9}


@pytest.fixture
def bits(monkeypatch: pytest.MonkeyPatch) -> dict[str, NDArray[np.uint8]]:
    """Returns the rows of a synthetic set, whose digest is the expected one during a test."""
    draw = np.random.default_rng(0)
    made = {split: draw.integers(0, 2, (count, 784), dtype=np.uint8) for split, count in ROWS.items()}
    digests = {split: hashlib.sha256(np.packbits(rows, axis=1).tobytes()).hexdigest() for split, rows in made.items()}
    monkeypatch.setattr(binarized_mnist, "KNOWN", {split: (len(rows), digests[split]) for split, rows in made.items()})
    return made


def write_packed(folder: Path, bits: dict[str, NDArray[np.uint8]]) -> None:
    folder.mkdir(exist_ok=True)
    for split, rows in bits.items():
        np.save(folder / f"binarized_mnist_{split}.npy", np.packbits(rows, axis=1))


def write_text(folder: Path, bits: dict[str, NDArray[np.uint8]], end: str = "\n") -> None:
    folder.mkdir(exist_ok=True)
    for split, rows in bits.items():
        text = "".join(" ".join(map(str, row)) + end for row in rows.tolist())
        (folder / f"binarized_mnist_{split}.amat").write_bytes(text.encode())


def rows_of(images: PixelSet) -> set[bytes]:
    """Returns all rows of an epoch, sorted."""
    return {row.numpy().tobytes() for row in images.batch(torch.arange(len(images))).images.byte()}


@pytest.mark.parametrize("within", ["binarized_mnist", "."])
@pytest.mark.parametrize("end", ["packed", "\n", " \r\n"])
def test_both_formats_give_the_bits_from_either_folder(
    tmp_path: Path, bits: dict[str, NDArray[np.uint8]], within: str, end: str
) -> None:
    if end == "packed":
        write_packed(tmp_path / within, bits)
    else:
        write_text(tmp_path / within, bits, end)
    data = open_generative("binarized-mnist", data_dir=tmp_path)
    assert (data.binarization, data.channels, data.height, data.width) == ("fixed", 1, 28, 28)
    for split, rows in bits.items():
        part = getattr(data, split)
        assert len(part) == len(rows)
        assert rows_of(part) == {row.tobytes() for row in rows}
    assert data.record()["path"] == str((tmp_path / within).resolve())
    assert data.train.batch(torch.arange(3)).labels.tolist() == [-1] * 3


def test_the_two_formats_have_one_digest_and_auto_opens_either(tmp_path: Path, bits: dict[str, NDArray[np.uint8]]) -> None:
    write_packed(tmp_path / "packed", bits)
    write_text(tmp_path / "text", bits)
    packed, text = (open_generative("auto", data_dir=tmp_path / name) for name in ("packed", "text"))
    assert packed.name == "binarized-mnist"
    assert packed.sha256 == text.sha256
    assert packed.reason is None


def test_fixed_bits_are_not_binarized_again(tmp_path: Path, bits: dict[str, NDArray[np.uint8]]) -> None:
    write_packed(tmp_path, bits)
    with pytest.raises(ValueError, match="binarized-mnist is binarized already"):
        open_generative("binarized-mnist", data_dir=tmp_path, binarization="dynamic")


def test_one_flipped_bit_is_not_the_known_set(tmp_path: Path, bits: dict[str, NDArray[np.uint8]]) -> None:
    bits["valid"][3, 500] ^= 1
    write_packed(tmp_path, bits)
    mean = f"{bits['valid'].mean():.6f}"
    with pytest.raises(ValueError, match=rf"_valid\.npy is not the known valid part of binarized MNIST: mean {mean}"):
        open_generative("binarized-mnist", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((29, 98), dtype=np.uint8), "holds 29 rows, the train part of binarized MNIST has 30"),
        (np.zeros((30, 784), dtype=np.uint8), r"must hold bits packed along the rows, uint8 of shape \(N, 98\)"),
        (np.zeros((30, 98)), "must hold bits packed"),
    ],
)
def test_an_array_of_another_shape_is_refused(
    tmp_path: Path, bits: dict[str, NDArray[np.uint8]], array: NDArray[Any], message: str
) -> None:
    write_packed(tmp_path, bits)
    np.save(tmp_path / "binarized_mnist_train.npy", array)
    with pytest.raises(ValueError, match=message):
        open_generative("binarized-mnist", data_dir=tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", b"no array at all", b"PK\x05\x06" + bytes(18)])
def test_a_damaged_array_is_named(tmp_path: Path, bits: dict[str, NDArray[np.uint8]], content: bytes) -> None:
    write_packed(tmp_path, bits)
    (tmp_path / "binarized_mnist_test.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"binarized_mnist_test\.npy (is damaged|must hold bits)"):
        open_generative("binarized-mnist", data_dir=tmp_path)


@pytest.mark.parametrize("content", [b"0 1 2 " * 784, b"0 1 0\n", b"<html>", b"MATLAB 5.0 MAT-file"])
def test_a_text_file_of_something_else_is_named(tmp_path: Path, bits: dict[str, NDArray[np.uint8]], content: bytes) -> None:
    write_text(tmp_path, bits)
    (tmp_path / "binarized_mnist_train.amat").write_bytes(content)
    with pytest.raises(ValueError, match=r"binarized_mnist_train\.amat must hold rows of 784 zeros and ones"):
        open_generative("binarized-mnist", data_dir=tmp_path)


def test_the_error_of_a_missing_file_states_where_to_put_it(tmp_path: Path, bits: dict[str, NDArray[np.uint8]]) -> None:
    write_packed(tmp_path, bits)
    (tmp_path / "binarized_mnist_valid.npy").unlink()
    with pytest.raises(FileNotFoundError, match=r"cannot be downloaded: put binarized_mnist_train, .* folder binarized_mnist"):
        open_generative("binarized-mnist", data_dir=tmp_path)


def test_the_real_test_images_are_samples_of_mnists_by_their_intensities(mnist_folder: Path) -> None:
    if binarized_mnist.find_binarized_mnist([GIVEN]) is None:
        pytest.skip("GLIMPSE_DATA names no folder with binarized MNIST")
    data = open_generative("binarized-mnist", data_dir=GIVEN)
    images = data.test.images.pixels[:, 0]  # type: ignore[attr-defined]
    gray, labels = load("mnist", mnist_folder, train=False)
    gray = gray[labels.sort(stable=True).indices]  # the file is grouped by class
    assert not (images[gray == 0] > 0).any()
    assert not (images[gray == 255] == 0).any()
    middle = (gray > 100) & (gray < 156)
    expected = float(gray[middle].double().mean()) / 255
    assert abs(float((images[middle] > 0).double().mean()) - expected) < 4 * 0.5 / int(middle.sum()) ** 0.5
    first = data.test.batch(torch.arange(980)).images.flatten(1)
    zeros = {row.numpy().tobytes() for row in (images[:980] > 0).flatten(1).float()}
    assert 40 < sum(row.numpy().tobytes() in zeros for row in first) < 160  # 96 expected of a fair sample
