"""SVHN's full house numbers: pictures of whole numbers, cropped around the digits and resized to 64 x 64 pixels in color.

Each picture is cropped to the box around all its digits, enlarged by 30 % in width and height about its center, clipped to the
picture and rounded to whole pixels, then resized bilinearly. The result is kept in the user's cache. Boxes count pixels from 0; a
box with left edge l and width w covers columns l to l + w. Numbers with more than 5 digits, one in the whole set, are left out. Of
the other 235,754 in `train/` and `extra/`, a fixed random selection of 4,701 is held out for validation, which leaves 231,053 for
training; of a smaller set, the same proportion. Crops of 54 x 54 are random in training and central in validation and test.

References:
    Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng, "Reading Digits in Natural Images with Unsupervised Feature
    Learning", NIPS workshop, 2011.
    I. J. Goodfellow, Y. Bulatov, J. Ibarz, S. Arnoud, V. Shet, "Multi-digit Number Recognition from Street View Imagery using Deep
    Convolutional Neural Networks", 2013, arXiv:1312.6082, section 5.1 (the preparation).
"""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from glimpse.atomic import named
from glimpse.datasets import folders
from glimpse.datasets.array_files import ArrayFile
from glimpse.datasets.batches import HOLD_OUT_SEED, Split
from glimpse.datasets.catalog import Request
from glimpse.datasets.counter import STREAMS, permutation
from glimpse.datasets.damage import as_one_line
from glimpse.datasets.fetch import Progress
from glimpse.datasets.folders import NotAtHand, missing
from glimpse.datasets.limits import check_bytes
from glimpse.datasets.picture_files import read_picture
from glimpse.datasets.pixel_sets import Images, Opened, PixelSet, StoredImages
from glimpse.digest import sha256_of_blocks, sha256_of_bytes, sha256_of_file

__all__ = ["SIDE", "Number", "find_svhn", "hold_out", "is_svhn", "open_svhn", "prepare", "read_numbers"]

SIDE = 64
"""Side of the prepared pictures in pixels."""

_STRUCT = "digitStruct.mat"
_RECIPE = "svhn, box x 1.3, 64 x 64 bilinear, version 1"
_GROWTH = 0.3
_MOST_DIGITS = 5
_COUNT, _HELD_OUT = 235_754, 4_701
_CHUNK = 1024  # pictures between two reports of progress
_CROP = (54, 54)  # of the paper


class Number(NamedTuple):
    """A picture of a house number.

    Attributes:
        path: Picture file.
        box: Left, top, right and bottom edge of the box around all digits in pixels; it may extend beyond the picture.
    """

    path: Path
    box: tuple[float, float, float, float]


def find_svhn(places: list[Path]) -> Path | None:
    """Returns the first folder with `train/digitStruct.mat` and `test/digitStruct.mat`, None if there is none.

    Args:
        places: Folders to search, each with its subfolders `svhn` and `SVHN`.
    """
    folders = (place / name for place in places for name in ("", "svhn", "SVHN"))
    return next((folder for folder in folders if all((folder / part / _STRUCT).is_file() for part in ("train", "test"))), None)


def is_svhn(path: Path) -> bool:
    """Returns whether a path is a folder with the set."""
    return find_svhn([path]) is not None


def open_svhn(request: Request) -> Opened:
    """Returns the set, whose images stay in a file on the CPU, prepared first if it is not in the user's cache.

    The folder of the set holds `train/`, `test/` and possibly `extra/`, each with `digitStruct.mat` and the pictures.

    Raises:
        NotAtHand: If no such folder is found.
        FileNotFoundError: If a picture is missing.
        ValueError: If a file is damaged.
        OSError: If the cache cannot be written; the whole set needs 2.9 GB.
    """
    folder = find_svhn(request.places if request.path is None else [request.path])
    if folder is None:
        raise NotAtHand(
            missing("svhn", request.places),
            "it is not downloaded automatically: unpack its train.tar.gz, extra.tar.gz and test.tar.gz into one folder and name it"
            " with --data-dir; or use svhn-32",
        )
    prepared = folders.cache_folder() / "svhn-64" / _key(folder)
    if not prepared.is_dir():
        prepare(folder, prepared, request.progress)
    files: dict[str, ArrayFile] = {}
    for split in ("train", "valid", "test"):
        file = prepared / f"{split}.npy"
        try:
            files[split] = ArrayFile(file)
            if files[split].dtype != np.uint8 or files[split].shape[1:] != (3, SIDE, SIDE):
                raise ValueError(f"it holds {files[split].dtype} {files[split].shape}")
        except (OSError, ValueError) as error:
            raise ValueError(f"{file} is damaged ({error}); remove {prepared}") from error
    train, valid, test = map(_mapped, files.values())
    note = None
    if len(train.labels) + len(valid.labels) != _COUNT:
        counts = f"{len(train.labels):,} + {len(valid.labels):,} of {_COUNT - _HELD_OUT:,} + {_HELD_OUT:,}"
        note = (
            f"only a part of svhn, {counts} training and validation images (is extra/ missing?): no number is a result on the set"
        )
    sha256 = (prepared / "sha256").read_text(encoding="ascii").strip()
    return Opened(train, valid, test, str(folder.resolve()), sha256, note, crop=_CROP, make=partial(_read_from, files))


class _PreparedImages(StoredImages):
    """Prepared pictures on the CPU, read from their file for each batch.

    In contrast to reading a memory map, a file that is cut short in the meantime is an error, not the end of the process.
    """

    def __init__(self, file: ArrayFile, images: Images, split: Split, **options: Any) -> None:
        super().__init__(images, split, **options)
        self._file = file

    def stored(self, item: Tensor) -> Images:
        """Returns the images of these items, read now; see `StoredImages.stored`."""
        return Images(torch.from_numpy(self._file[item.numpy()]), self.images.labels[item])


def _read_from(
    files: dict[str, ArrayFile], images: Images, split: Split, *, device: torch.device | str, **options: Any
) -> PixelSet:
    """Returns the images of a split as a data set that reads its file, or in the memory of another device; see `SetMaker`."""
    if torch.device(device).type == "cpu":
        return _PreparedImages(files[split], images, split, device=device, **options)
    return StoredImages(Images.unlabeled(torch.from_numpy(np.asarray(files[split]))), split, device=device, **options)


def _mapped(file: ArrayFile) -> Images:
    """Returns the images of a file as a memory map, of which nothing is read yet."""
    return Images.unlabeled(torch.from_numpy(np.load(file.path, mmap_mode="c", allow_pickle=False)))


def read_numbers(folder: Path) -> list[Number]:
    """Returns the numbers described by `digitStruct.mat` in a folder, without those of more than 5 digits.

    The file is in MATLAB's format 7.3, which is HDF5. For every picture it has a reference to the name and one to a group of
    `left`, `top`, `width` and `height`, each a value if there is one digit, else a column of references to values.

    Raises:
        ValueError: If the file is damaged or has another format.
    """
    import h5py

    with (
        as_one_line(folder / _STRUCT, " is no description of house numbers", "; unpack it again"),
        h5py.File(folder / _STRUCT) as file,
    ):
        struct = file["digitStruct"]
        names = ["".join(map(chr, _stored(file[reference]))) for reference in _stored(struct["name"])]
        boxes = [_box(file, file[reference]) for reference in _stored(struct["bbox"])]
        return [Number(folder / Path(name).name, box) for name, box in zip(names, boxes, strict=True) if box is not None]


def _box(file: Any, group: Any) -> tuple[float, float, float, float] | None:
    """Returns the edges of the box around all digits, None if there are too many."""
    left, top, width, height = (_values(file, group[key]) for key in ("left", "top", "width", "height"))
    if len(left) > _MOST_DIGITS:
        return None
    box = float(left.min()), float(top.min()), float((left + width).max()), float((top + height).max())
    if not np.isfinite(box).all():
        raise ValueError(f"a box has the edges {box}")
    return box


def _values(file: Any, column: Any) -> NDArray[np.float64]:
    stored = _stored(column)
    return np.array([_stored(file[value]).item() for value in stored] if stored.dtype == object else stored, dtype=np.float64)


def _stored(array: Any) -> NDArray[Any]:
    """Returns the values of an array in the file, shape (N,), if it is not too large."""
    check_bytes(8 * int(np.prod(array.shape)), array.name)
    values: NDArray[Any] = array[()].ravel()
    return values


def _key(folder: Path) -> str:
    """Returns a key of the files of a set: a digest of the descriptions and of the names and sizes of the pictures."""
    facts = [_RECIPE.encode()]
    for part in _parts(folder):
        facts.append(bytes.fromhex(sha256_of_file(folder / part / _STRUCT)))
        with os.scandir(folder / part) as entries:
            sizes = sorted((entry.name, entry.stat().st_size) for entry in entries if entry.name.endswith(".png"))
        facts.append(repr((part, sizes)).encode())
    return sha256_of_bytes(b"".join(facts))[:32]


def _parts(folder: Path) -> list[str]:
    return [part for part in ("train", "extra", "test") if (folder / part / _STRUCT).is_file()]


def prepare(folder: Path, target: Path, progress: Progress | None = None) -> None:
    """Writes the three splits and their digest atomically.

    Args:
        folder: Folder of the set.
        target: Folder to write.
        progress: Called with the number of pictures prepared and the number of all pictures.

    Raises:
        FileNotFoundError: If a picture is missing.
        ValueError: If a file is damaged.
        OSError: If the target cannot be written.
    """
    numbers = {part: read_numbers(folder / part) for part in _parts(folder)}
    splits = hold_out(numbers["train"] + numbers.get("extra", [])) | {"test": numbers["test"]}
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix="preparing-") as scratch:
        aside = Path(scratch) / target.name
        aside.mkdir()
        sha256 = sha256_of_blocks(_written(aside, splits, progress))
        (aside / "sha256").write_text(sha256 + "\n", encoding="ascii")
        try:
            aside.rename(target)
        except OSError:
            if not target.is_dir():  # else another process has prepared the same in the meantime
                raise


def _written(folder: Path, splits: dict[Split, list[Number]], progress: Progress | None) -> Iterator[bytes]:
    """Writes a file per split and yields every block of bytes after writing it."""
    total, done = sum(map(len, splits.values())), 0
    for split, chosen in splits.items():
        for block, count in _write(folder / f"{split}.npy", chosen):
            yield block
            done += count
            if progress is not None:
                progress(done, total)


def hold_out(numbers: list[Number]) -> dict[Split, list[Number]]:
    """Returns a fixed random selection of numbers for validation and the others for training, both in the given order.

    Raises:
        ValueError: If there are fewer than two numbers.
    """
    if len(numbers) < 2:
        raise ValueError(f"svhn needs at least 2 numbers for training and validation, got {len(numbers)}")
    held = max(1, round(len(numbers) * _HELD_OUT / _COUNT))
    chosen = set(permutation(HOLD_OUT_SEED, STREAMS["hold out"], 0, len(numbers))[:held].tolist())
    return {
        "train": [number for index, number in enumerate(numbers) if index not in chosen],
        "valid": [number for index, number in enumerate(numbers) if index in chosen],
    }


def _write(path: Path, numbers: list[Number]) -> Iterator[tuple[bytes, int]]:
    """Writes prepared pictures to a `.npy` of (N, 3, 64, 64) and yields every block of bytes with its number of pictures."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(numbers), 3, SIDE, SIDE)}
    with named(path), path.open("wb") as file, ThreadPoolExecutor() as pool:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(numbers), _CHUNK):
            chunk = numbers[start : start + _CHUNK]
            block = b"".join(pool.map(_prepared, chunk))
            file.write(block)
            yield block, len(chunk)
        file.flush()
        os.fsync(file.fileno())


def _prepared(number: Number) -> bytes:
    """Returns the bytes of a picture, (3, 64, 64), cropped around its digits."""
    left, top, right, bottom = number.box
    grow_x, grow_y = (right - left) * _GROWTH / 2, (bottom - top) * _GROWTH / 2
    try:
        picture = Image.fromarray(read_picture(number.path))
    except ValueError as error:
        raise ValueError(f"{error}; unpack it again") from error
    x0, x1 = _within(left - grow_x, right + grow_x, picture.width)
    y0, y1 = _within(top - grow_y, bottom + grow_y, picture.height)
    cut = picture.crop((x0, y0, x1, y1)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(cut).transpose(2, 0, 1).tobytes()


def _within(low: float, high: float, side: int) -> tuple[int, int]:
    """Returns an interval rounded to whole pixels and clipped to the picture, at least one pixel long."""
    start = min(max(round(low), 0), side - 1)
    return start, min(max(round(high), start + 1), side)
