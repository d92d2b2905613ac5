"""Your own images as a generative set: a folder of pictures, or a file with or without labels.

Images that are not split are split 80 / 10 / 10 by a hash of each file's name within the folder, or of each image's values, so
that adding images moves no other image to another part. Dimensions: N images of H x W pixels in C channels.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from glimpse.datasets.catalog import Request
from glimpse.datasets.fetch import Progress
from glimpse.datasets.forms.catalog import recognized
from glimpse.datasets.forms.found import ImageRows, PartName
from glimpse.datasets.forms.given import Given
from glimpse.datasets.labels import Labels, class_names
from glimpse.datasets.picture_files import pictures_in, read_picture, to_eight_bits
from glimpse.datasets.pixel_sets import Images, Opened, digest
from glimpse.datasets.split_rule import SplitRule
from glimpse.datasets.splitting import stratified
from glimpse.digest import sha256_of_bytes

__all__ = ["is_own_images", "open_array_file", "open_own_images", "open_pictures", "split_by_hash"]


def is_own_images(path: Path) -> bool:
    """Returns whether a path exists, or ends in `.npz`."""
    return path.suffix == ".npz" or path.exists()


def open_own_images(request: Request) -> Opened:
    """Returns the images in the folder or the file at the request's path; see `open_pictures` and `open_array_file`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the images cannot be read or are too few, or the request has a size for the images of a file.
    """
    path = Path() if request.path is None else request.path
    if path.is_dir():
        return open_pictures(path, request.size, request.progress)
    if request.size is not None:
        raise ValueError(f"{path}: only the pictures of a folder are resized; leave size out, or use crop")
    return open_array_file(path, request.split)


def open_pictures(folder: Path, size: tuple[int, int] | None = None, progress: Progress | None = None) -> Opened:
    """Returns the pictures in a folder and its subfolders, without hidden ones; with one channel if all are gray.

    Args:
        folder: Folder to search.
        size: Height and width in pixels to resize to: the picture is scaled to cover them and cropped about its middle. Not resized
            if None.
        progress: Called with the number of pictures read and the number of all pictures.

    Raises:
        ValueError: If there are fewer than three pictures, one cannot be read, or their sizes differ.
    """
    names = [path.relative_to(folder).as_posix() for path in pictures_in(folder)]
    pixels = []
    for done, name in enumerate(names, start=1):
        pixels.append(_picture(folder / name, size))
        if pixels[-1].shape != pixels[0].shape:
            first, other = (
                f"{name} is {shape[0]} x {shape[1]}" for name, shape in ((names[0], pixels[0].shape), (name, pixels[-1].shape))
            )
            raise ValueError(f"the pictures in {folder} differ in size, {first}, {other}; resize them with --size")
        if progress is not None:
            progress(done, len(names))
    stacked = np.stack(pixels)  # (N, H, W, 3)
    is_gray = (stacked == stacked[..., :1]).all()
    images = Images.unlabeled(_channels_first(stacked[..., :1] if is_gray else stacked))
    return _opened(folder, split_by_hash([name.encode() for name in names]), images)


def open_array_file(path: Path, split: SplitRule | None = None) -> Opened:
    """Returns the images of a file in a form of `glimpse.datasets.forms`, with labels if it has any.

    Floats are rounded to 255ths; integers that are all 0 or 1 are read as black and white. In a file with a test part but no
    validation part, a tenth of the training part is held out for validation, by class if it has labels; a file without a test part
    is split by a hash.

    Args:
        path: The file.
        split: Rule by which a validation part is held out; by class, with a fixed seed, if None.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read, or an array has a wrong name, shape, type or range.
    """
    rule, parts = split or SplitRule(), _read(path)
    if "test" not in parts:
        if "valid" in parts:
            raise ValueError(f"{path}: a validation part needs a test part too, X_test")
        whole = parts.get("all") or parts["train"]
        return _opened(path, split_by_hash([image.numpy().tobytes() for image in whole.pixels]), whole)
    if "train" not in parts:
        raise ValueError(f"{path}: a test part needs a training part, X_train or images")
    train, test = parts["train"], parts["test"]
    if "valid" in parts:
        return Opened(train, parts["valid"], test, str(path.resolve()), digest(train, parts["valid"], test))
    if rule.kind == "legacy":
        train, valid = train.without_last_tenth()
    else:
        kept, held_out = stratified(np.unique(train.labels.numpy(), return_inverse=True)[1], rule.seed, 1)
        train, valid = train.at(torch.from_numpy(kept)), train.at(torch.from_numpy(held_out))
    return Opened(train, valid, test, str(path.resolve()), digest(train, valid, test), split=rule.kind)


def split_by_hash(keys: list[bytes]) -> tuple[NDArray[np.int64], ...]:
    """Returns the sorted training, validation and test indices: keys with hashes in the first 80 %, the next 10 %, the last 10 %.

    The part depends only on the SHA-256 of the key, not on the other keys, except that no part is empty: an empty part gets the
    image with the nearest hash.

    Args:
        keys: One key per image; N in all.

    Returns:
        Three arrays, which together hold 0 to N - 1.

    Raises:
        ValueError: If there are fewer than three keys.
    """
    if len(keys) < 3:
        raise ValueError(f"at least 3 images are needed, one each for training, validation and test, got {len(keys)}")
    place = np.array([int(sha256_of_bytes(key)[:16], 16) / 2**64 for key in keys])
    n_test = min(max(1, int((place >= 0.9).sum())), len(keys) - 2)
    n_valid = min(max(1, int(((place >= 0.8) & (place < 0.9)).sum())), len(keys) - n_test - 1)
    order = np.argsort(place, kind="stable")
    cuts = (len(keys) - n_test - n_valid, len(keys) - n_test)
    return tuple(np.sort(part) for part in np.split(order, cuts))


def _opened(path: Path, split: tuple[NDArray[np.int64], ...], images: Images) -> Opened:
    train, valid, test = (images.at(torch.from_numpy(rows)) for rows in split)
    return Opened(train, valid, test, str(path.resolve()), digest(train, valid, test))


def _channels_first(images: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def _picture(path: Path, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Returns a picture in uint8, shape (H, W, 3), resized if a height and a width are given."""
    pixels = to_eight_bits(read_picture(path))
    if size is None or pixels.shape[:2] == size:
        return pixels
    return np.asarray(ImageOps.fit(Image.fromarray(pixels), (size[1], size[0]), method=Image.Resampling.BICUBIC))


def _read(path: Path) -> dict[PartName, Images]:
    """Returns the parts of a file with their pixels as uint8."""
    stored = recognized(Given(path, needs_labels=False)).parts
    names = class_names(data.labels for data in stored.values())
    return {part: Images(_bytes(data.images), torch.from_numpy(_numbers(data.labels, names))) for part, data in stored.items()}


def _numbers(labels: Labels, names: Sequence[str]) -> NDArray[np.int64]:
    """Returns labels that are integers as they are, others as classes; -1 if unknown."""
    codes = labels.classes(names, "labels")
    if not all(name.removeprefix("-").isdecimal() for name in names):
        return codes
    return np.array([*map(int, names), -1], dtype=np.int64)[codes]


def _bytes(images: ImageRows) -> torch.Tensor:
    whole = images[np.arange(len(images))]
    pixels = whole if whole.ndim == 4 else whole[..., None]
    return _channels_first(pixels if pixels.dtype == np.uint8 else np.rint(pixels * 255).astype(np.uint8))
