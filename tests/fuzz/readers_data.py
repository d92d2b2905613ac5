"""Readers of data: images and labels in every form, pictures, digits in MNIST's format, and built sets."""

import gzip
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.io import savemat

from glimpse.datasets.build import build, verify
from glimpse.datasets.built_set import read_set
from glimpse.datasets.digits import DigitSource, open_digits
from glimpse.datasets.generative import open_generative
from glimpse.datasets.labeled_images import first_images, open_data
from glimpse.datasets.mnist import LAYOUTS
from glimpse.datasets.picture_files import load_picture
from glimpse.datasets.svhn import read_numbers
from glimpse.digest import sha256_of_bytes
from glimpse.settings.clutter import ClutterRecipe
from tests.fuzz.mutants import edited_json
from tests.fuzz.readers import Reader
from tests.fuzz.runs import Silent

__all__ = ["READERS"]

_DRAW = np.random.default_rng(0)
_IMAGES = _DRAW.integers(0, 256, (24, 6, 5), dtype=np.uint8)
_SMOOTH = np.add.outer(np.arange(12), np.arange(10)).astype(np.uint8) * 9
_LABELS = np.arange(24) % 3


# What is written


def _numpy(name: str, save: Callable[..., None], **arrays: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        save(folder / name, **(arrays or {"images": _IMAGES, "labels": _LABELS}))
        return folder / name

    return write


def _npy(name: str) -> Callable[[Path], Path]:
    """Returns a function that writes a file of images and one of labels, and returns the one with this name."""

    def write(folder: Path) -> Path:
        np.save(folder / "images.npy", _IMAGES)
        np.save(folder / "labels.npy", _LABELS)
        return folder / name

    return write


def _idx(folder: Path, prefix: str, pack: Callable[[bytes], bytes], images: NDArray[np.uint8] = _IMAGES) -> None:
    for name, array in (("images-idx3-ubyte", images), ("labels-idx1-ubyte", _LABELS.astype(np.uint8))):
        sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
        ending = "" if pack is bytes else ".gz"
        (folder / f"{prefix}-{name}{ending}").write_bytes(pack(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()))


def _idx_file(name: str, pack: Callable[[bytes], bytes] = bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        _idx(folder, "train", pack)
        return folder / name

    return write


def _hdf5(folder: Path) -> Path:
    with h5py.File(folder / "own.h5", "w") as file:
        file.create_dataset("images", data=_IMAGES, compression="gzip")
        file["labels"] = _LABELS
    return folder / "own.h5"


def _mat(*, packed: bool) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        savemat(folder / "own.mat", {"images": _IMAGES, "labels": _LABELS}, do_compression=packed)
        return folder / "own.mat"

    return write


def _table(folder: Path) -> Path:
    """Writes labels and pixels as a table."""
    rows = (",".join(map(str, (label, *image.flatten()))) for label, image in zip(_LABELS, _IMAGES[:, :5, :5], strict=True))
    (folder / "own.csv").write_text("\n".join([",".join(["label", *(f"pixel{place}" for place in range(25))]), *rows]) + "\n")
    return folder / "own.csv"


def _listed(folder: Path) -> Path:
    """Writes pictures, and a table of their files and labels."""
    _class_folders(folder)
    lines = (f"{place.parent.name}/{place.name},{place.parent.name}" for place in sorted(folder.glob("*/*.png")))
    (folder / "own.csv").write_text("\n".join(["file,label", *lines]) + "\n")
    return folder / "own.csv"


def _archive(kind: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / "in").mkdir()
        _class_folders(folder / "in")
        return Path(shutil.make_archive(str(folder / "own"), kind, folder / "in"))

    return write


def _picture(name: str, mode: str = "RGB") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        Image.fromarray(_SMOOTH).convert(mode).save(folder / name)
        return folder / name

    return write


def _class_folders(folder: Path) -> Path:
    for number in range(12):
        place = folder / "cat" if number % 2 else folder / "dog"
        place.mkdir(exist_ok=True)
        Image.fromarray(_SMOOTH + np.uint8(number)).save(place / f"{number}.png")
    return folder / "cat" / "3.png"


def _pictures(folder: Path) -> Path:
    for number in range(6):
        Image.fromarray(_SMOOTH + np.uint8(number)).save(folder / f"{number}.png")
    return folder / "3.png"


def _mnist(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        raw = folder / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for prefix in ("train", "t10k"):
            _idx(raw, prefix, bytes, np.resize(_IMAGES, (len(_LABELS), 28, 28)))
        return raw / name

    return write


def _built(name: str, *, sealed: bool = True) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        recipe = ClutterRecipe(canvas=32, pieces=2, piece_size=6)
        list(build(folder / "set", _sklearn(), count=20, recipe=recipe))
        if not sealed:  # as older versions wrote it
            manifest = folder / "set" / "manifest.json"
            manifest.write_text(manifest.read_text().rpartition(',\n  "manifest_sha256"')[0] + "\n}")
        return folder / "set" / name

    return write


def _digit_struct(folder: Path) -> Path:
    with h5py.File(folder / "digitStruct.mat", "w") as file:
        references = file.create_group("#refs#")
        names, boxes = [], []
        for number in range(3):
            references[f"name{number}"] = np.array([[ord(letter)] for letter in f"{number}.png"], dtype=np.uint16)
            group = references.create_group(f"box{number}")
            for key in ("left", "top", "width", "height"):
                group[key] = np.array([[5.0 + number]])
            names.append(references[f"name{number}"].ref)
            boxes.append(group.ref)
        struct = file.create_group("digitStruct")
        for key, values in (("name", names), ("bbox", boxes)):
            struct.create_dataset(key, data=np.array(values, dtype=h5py.ref_dtype)[:, None], dtype=h5py.ref_dtype)
    return folder / "digitStruct.mat"


# What is read


def _labeled(name: str) -> Callable[[Path], object]:
    """Returns a function that opens labeled images, and returns all of their images and labels."""

    def read(folder: Path) -> object:
        data = open_data(folder / name, listener=Silent())
        _, images = data.evaluation
        batch = images.batch(torch.arange(len(images)))
        return data.class_names, batch.labels.tolist(), tuple(batch.images.shape), _digest(batch.images)

    return read


def _unpacked(name: str) -> Callable[[Path], object]:
    """Returns a function that opens an archive, which is unpacked next to it."""

    def read(folder: Path) -> object:
        (folder / "tmp").mkdir()
        with mock.patch.object(tempfile, "tempdir", str(folder / "tmp")):
            return _labeled(name)(folder)

    return read


def _previewed(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        images, names, frame = first_images(folder / name, 5)
        batch = images.batch(torch.arange(len(images)))
        return names, frame, batch.labels.tolist(), _digest(batch.images)

    return read


def _generative(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        data = open_generative(str(folder / name), download=False)
        return data.sha256, data.record()["sizes"]

    return read


def _loaded(name: str) -> Callable[[Path], object]:
    def read(folder: Path) -> object:
        picture = load_picture(folder / name, 1)
        return tuple(picture.shape), _digest(picture)

    return read


def _opened_mnist(folder: Path) -> object:
    small = replace(LAYOUTS["mnist"], counts=(len(_LABELS),) * 2, n_valid=4, md5={})
    with mock.patch.dict(LAYOUTS, {"mnist": small}):
        return open_digits("mnist", data_dir=folder, download=False).sha256


def _own_digits(folder: Path) -> object:
    return open_digits(str(folder / "own.npz"), download=False).sha256


@cache
def _sklearn() -> DigitSource:
    return open_digits("sklearn")


def _verified(folder: Path) -> object:
    verify(folder / "set", _sklearn())
    return _set(folder)


def _set(folder: Path) -> object:
    images, labels, centers, manifest = read_set(folder / "set")
    manifest.pop("manifest_sha256", None)
    return manifest, labels.tolist(), centers.tolist(), _digest(torch.from_numpy(np.asarray(images)))


def _digest(values: torch.Tensor) -> str:
    return sha256_of_bytes(values.contiguous().numpy().tobytes())


_ENDINGS = {"png": "L", "jpg": "RGB", "gif": "P", "bmp": "RGB", "tif": "RGB", "webp": "RGB", "ppm": "RGB"}
_SPLIT = {f"{kind}_{part}": array for part in ("train", "test") for kind, array in (("X", _IMAGES), ("y", _LABELS))}

READERS = (
    Reader("npz", _numpy("own.npz", np.savez), _labeled("own.npz"), exact=True),
    Reader("npz-compressed", _numpy("own.npz", np.savez_compressed), _labeled("own.npz"), exact=True),
    Reader("npz-split", _numpy("own.npz", np.savez_compressed, **_SPLIT), _labeled("own.npz"), exact=True),
    Reader("npz-preview", _numpy("own.npz", np.savez_compressed), _previewed("own.npz")),
    Reader("npz-digits", _numpy("own.npz", np.savez), _own_digits, exact=True),
    Reader("npz-generative", _numpy("own.npz", np.savez), _generative("own.npz"), exact=True),
    Reader("npy-images", _npy("images.npy"), _labeled("images.npy")),
    Reader("npy-labels", _npy("labels.npy"), _labeled("images.npy")),
    Reader("idx-images", _idx_file("train-images-idx3-ubyte"), _labeled("train-images-idx3-ubyte")),
    Reader("idx-labels", _idx_file("train-labels-idx1-ubyte"), _labeled("train-images-idx3-ubyte")),
    Reader("idx-gz", _idx_file("train-images-idx3-ubyte.gz", gzip.compress), _labeled("train-images-idx3-ubyte.gz")),
    Reader("hdf5", _hdf5, _labeled("own.h5")),
    Reader("mat", _mat(packed=False), _labeled("own.mat")),
    Reader("mat-compressed", _mat(packed=True), _labeled("own.mat")),
    Reader("class-folders", _class_folders, _labeled(".")),
    Reader("csv-pixels", _table, _labeled("own.csv")),
    Reader("csv-files", _listed, _labeled("own.csv"), cost=3),
    Reader("zip", _archive("zip"), _unpacked("own.zip"), cost=3),
    Reader("tar", _archive("tar"), _unpacked("own.tar"), cost=3),
    Reader("tar-gz", _archive("gztar"), _unpacked("own.tar.gz"), cost=3),
    Reader("pictures", _pictures, _generative(".")),
    *(Reader(f"picture-{end}", _picture(f"own.{end}", mode), _loaded(f"own.{end}")) for end, mode in _ENDINGS.items()),
    Reader("mnist-images", _mnist("t10k-images-idx3-ubyte"), _opened_mnist),
    Reader("mnist-labels", _mnist("train-labels-idx1-ubyte"), _opened_mnist),
    Reader("svhn-boxes", _digit_struct, read_numbers),
    Reader("built-images", _built("images.npy"), _verified, exact=True),
    Reader("built-labels", _built("labels.npy"), _verified, exact=True),
    Reader("built-centers", _built("centers.npy"), _verified, exact=True),
    Reader("built-manifest", _built("manifest.json"), _verified, exact=True),
    Reader("built-manifest-edited", _built("manifest.json"), _verified, edited_json, exact=True),
    Reader("built-manifest-older", _built("manifest.json", sealed=False), _set, edited_json),
)
