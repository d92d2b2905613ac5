"""A person's own images for a generative model: a folder of pictures, or a `.npz` file, with or without labels.

What is not split comes apart 80 / 10 / 10 by a hash of each file's name within the folder, or of each image's values, so that
adding images moves no other from one part to another. Dimensions: N images of H x W pixels in C channels.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from glimpse.datasets import arrays
from glimpse.datasets.pixels import Images, Opened, digest

__all__ = ["open_array_file", "open_pictures", "split_by_hash"]

_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_DAMAGE = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)


def open_pictures(folder: Path, size: tuple[int, int] | None = None, progress: Callable[[int, int], None] | None = None) -> Opened:
    """Returns the pictures in a folder and in the folders within it, hidden ones left out, grey if not one has a color.

    Args:
        folder: Where they are.
        size: Height and width to bring them to: scaled to cover it, the overhang cut off evenly. As they are if None.
        progress: Called with the number of pictures read and of all.

    Raises:
        ValueError: If there are too few, one cannot be read, or they are of different sizes.
    """
    names = sorted(
        name
        for path in folder.rglob("*")
        if path.suffix.lower() in _ENDINGS and path.is_file() and "/." not in f"/{(name := path.relative_to(folder).as_posix())}"
    )
    if not names:
        raise ValueError(f"{folder} holds no pictures; expected files ending in {', '.join(sorted(_ENDINGS))}")
    pixels = []
    for done, name in enumerate(names, start=1):
        pixels.append(_picture(folder / name, size))
        if pixels[-1].shape != pixels[0].shape:
            first, other = (
                f"{name} is {shape[0]} x {shape[1]}" for name, shape in ((names[0], pixels[0].shape), (name, pixels[-1].shape))
            )
            raise ValueError(f"the pictures in {folder} differ in size, {first}, {other}; say with --size what to bring them to")
        if progress is not None:
            progress(done, len(names))
    stacked = np.stack(pixels)  # (N, H, W, 3)
    grey = (stacked == stacked[..., :1]).all()
    images = Images.unlabelled(_channels_first(stacked[..., :1] if grey else stacked))
    return _opened(folder, split_by_hash([name.encode() for name in names]), images)


def open_array_file(path: Path) -> Opened:
    """Returns the images of a `.npz` file: `images`, or `X_train` and `X_test` and perhaps `X_valid`; labels beside them if known.

    Floats are rounded to 255ths, and integers of 0 and 1 alone count as black and white. Validation is the last tenth of a training
    part with a test part beside it, and all is split by a hash where there is no test part.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable `.npz`, or an array has a wrong name, shape, type or range.
    """
    parts = _read(path)
    if "test" not in parts:
        if "valid" in parts:
            raise ValueError(f"{path}: a validation part needs a test part too, X_test")
        whole = parts["train"]
        return _opened(path, split_by_hash([image.numpy().tobytes() for image in whole.pixels]), whole)
    if "train" not in parts:
        raise ValueError(f"{path}: a test part needs a training part, X_train or images")
    train, test = parts["train"], parts["test"]
    if "valid" in parts:
        valid = parts["valid"]
    else:
        kept = len(train.labels) - arrays.held_out(len(train.labels))
        train, valid = train.at(slice(kept)), train.at(slice(kept, None))
    return Opened(train, valid, test, str(path.resolve()), digest(train, valid, test))


def split_by_hash(keys: list[bytes]) -> tuple[NDArray[np.int64], ...]:
    """Returns the training, validation and test indices, sorted: those whose hash lies in the first 80 %, the next 10, the last 10.

    The SHA-256 of the key decides, so that an image stays where it is whatever comes or goes beside it, but that no part may be
    empty: an empty one takes its nearest image.

    Raises:
        ValueError: If there are fewer than three.
    """
    if len(keys) < 3:
        raise ValueError(f"at least 3 images are needed, one each to train, validate and test with, got {len(keys)}")
    place = np.array([int.from_bytes(hashlib.sha256(key).digest()[:8]) / 2**64 for key in keys])
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
    """Returns a picture in uint8, shape (H, W, 3), transparent parts on black."""
    try:
        with Image.open(path) as opened:
            picture = ImageOps.exif_transpose(opened)
            if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow's conversion would cut off at 255
                deep = np.asarray(picture, dtype=np.int64)
                picture = Image.fromarray(((deep.clip(0, 65535) * 255 + 32767) // 65535).astype(np.uint8))
            flat = Image.alpha_composite(Image.new("RGBA", picture.size, "black"), picture.convert("RGBA")).convert("RGB")
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.filename is not None:  # the file, not what is in it
            raise
        raise ValueError(f"{path} is no picture that can be read ({error}); remove it or repair it") from error
    if size is not None and flat.size != (size[1], size[0]):
        flat = ImageOps.fit(flat, (size[1], size[0]), method=Image.Resampling.BICUBIC)
    return np.asarray(flat)


def _read(path: Path) -> dict[str, Images]:
    """Returns the parts of a `.npz` file; one that is not split counts as the training part."""
    found = arrays._load(path)
    names = {part: pair for part, pair in arrays._NAMES.items() if pair[0] in found}
    if "train" not in names and "images" in found:
        names["train"] = ("images", "labels")
    if not names:
        raise ValueError(
            f"{path}: no images; expected images, or X_train and X_test, found {', '.join(sorted(found)) or 'nothing'}"
        )
    stored = {part: arrays._images(found[x], f"{path}: {x}") for part, (x, _) in names.items()}
    if len({images.shape[1:] for images in stored.values()}) > 1:
        shapes = {part: images.shape[1:] for part, images in stored.items()}
        raise ValueError(f"{path}: the parts have images of different shapes (height, width, channels): {shapes}")
    scale = 255 if all(images.max() <= 1 for images in stored.values()) else 1
    return {part: Images(_bytes(stored[part], scale), _labels(path, found, *names[part])) for part in names}


def _bytes(images: NDArray[Any], scale: int) -> torch.Tensor:
    eight_bits = images * np.uint8(scale) if images.dtype == np.uint8 else np.rint(images * 255).astype(np.uint8)
    return _channels_first(eight_bits)


def _labels(path: Path, found: dict[str, NDArray[Any]], x_name: str, y_name: str) -> torch.Tensor:
    count = len(found[x_name])
    if y_name not in found:
        return torch.full((count,), -1)
    labels = arrays._labels(found[y_name], f"{path}: {y_name}")
    if len(labels) != count:
        raise ValueError(f"{path}: {count} images in {x_name} but {len(labels)} labels in {y_name}")
    return torch.from_numpy(labels)
