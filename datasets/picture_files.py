"""Finds and decodes picture files with 8 or 16 bits per pixel: upright, with transparent parts on black or white.

Dimensions: B pictures of H x W pixels in C channels.
"""

import logging
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from glimpse.datasets.damage import as_one_line, one_line
from glimpse.datasets.limits import LIFT, TooLarge, are_lifted, check_pixels

__all__ = [
    "OTHER_PICTURES",
    "PICTURE_ENDINGS",
    "PictureHeader",
    "is_hidden",
    "load_picture",
    "picture_header",
    "pictures_in",
    "pixels_of",
    "read_picture",
    "to_eight_bits",
]

PICTURE_ENDINGS = frozenset({".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"})
"""Suffixes of the names of picture files, in lower case."""

OTHER_PICTURES = frozenset({".arw", ".avif", ".cr2", ".dng", ".heic", ".heif", ".nef", ".svg"})
"""Suffixes of the names of pictures that are not read, in lower case."""

_GRAY = ("1", "L", "LA", "La", "F")
_ORIENTATION = 0x0112  # tag of EXIF
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else damage of a file is also printed by Python's default handler
_ON_ITS_SIDE = (5, 6, 7, 8)  # orientations that swap height and width
_SEQUENCES = ("GIF", "PNG", "TIFF", "WEBP")  # not MPO, whose further pictures are previews
_OPAQUE = ("1", "L", "P", "RGB", "CMYK")


def is_hidden(name: str) -> bool:
    """Returns whether a file or a folder is passed over: its name begins with a dot, or macOS adds it to archives."""
    return name.startswith(".") or name == "__MACOSX"


def pictures_in(folder: Path) -> list[Path]:
    """Returns the picture files in a folder and its subfolders, without hidden ones, sorted by name.

    Raises:
        ValueError: If there are none.
    """
    names = sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in PICTURE_ENDINGS and path.is_file() and not any(map(is_hidden, path.relative_to(folder).parts))
    )
    if not names:
        raise ValueError(f"{folder} holds no pictures; expected files ending in {', '.join(sorted(PICTURE_ENDINGS))}")
    return [folder / name for name in names]


def read_picture(path: Path, channels: int = 3) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Returns the pixels of a picture, shape (H, W, channels): uint8, or uint16 if the file has 16 bits per pixel.

    The picture is rotated according to its EXIF orientation. Transparent parts are black, or white if the visible parts are dark:
    ink on a transparent ground is seen whatever its color.

    Args:
        path: Picture file.
        channels: 1 for gray, 3 for red, green and blue.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a picture, is damaged or too large (`MOST_PIXELS`), or its pixels are floats or exceed 16 bits.
    """
    with as_one_line(path, " is no picture that can be read", _remedy(path)), _opened(path) as opened:
        check_pixels(*opened.size, "it")
        if opened.format == "EPS":
            raise ValueError("EPS is a program, which would have to be run")
        return pixels_of(opened, channels)


def pixels_of(opened: Image.Image, channels: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Returns the pixels of an opened picture, upright and opaque, as `read_picture` does.

    Args:
        opened: The picture.
        channels: 1 for gray, 3 for red, green and blue.

    Raises:
        ValueError: If its pixels are floats or exceed 16 bits.
    """
    picture = ImageOps.exif_transpose(opened)
    if picture.mode.startswith("I"):  # 16 bits per pixel, which Pillow's conversion would clip at 255
        pixels = np.repeat(np.asarray(picture)[..., None], channels, axis=2)
    else:
        flat = _opaque(picture).convert("L" if channels == 1 else "RGB")
        pixels = np.asarray(flat).reshape(picture.height, picture.width, channels)
    if picture.mode == "F" or not 0 <= pixels.min() <= pixels.max() <= 65535:
        raise ValueError(f"its pixels have mode {picture.mode}; use a picture with 8 or 16 bits per pixel")
    return pixels.astype(np.uint16) if picture.mode.startswith("I") else pixels


class PictureHeader(NamedTuple):
    """What the header of a picture file says.

    Attributes:
        size: Height and width in pixels, upright.
        is_gray: Whether the picture has no colors.
        is_sequence: Whether the file holds several pictures, such as an animation or pages, of which the first one is read.
    """

    size: tuple[int, int]
    is_gray: bool
    is_sequence: bool = False


def _remedy(path: Path) -> str:
    return "; save it as JPEG or PNG" if path.suffix.lower() in OTHER_PICTURES else ""


def picture_header(path: Path) -> PictureHeader:
    """Returns the size and the kind of a picture without decoding it.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a picture or too large (`MOST_PIXELS`).
    """
    with as_one_line(path, " is no picture that can be read", _remedy(path)), _opened(path) as opened:
        check_pixels(*opened.size, "it")
        width, height = opened.size
        has_exif = opened.format != "PNG" or "exif" in opened.info  # getexif would decode a PNG to look for it
        turned = has_exif and opened.getexif().get(_ORIENTATION, 1) in _ON_ITS_SIDE
        is_gray = opened.mode in _GRAY or opened.mode.startswith("I")
        is_sequence = opened.format in _SEQUENCES and bool(getattr(opened, "is_animated", False))
        return PictureHeader((width, height) if turned else (height, width), is_gray, is_sequence)


def _opened(path: Path) -> Image.Image:
    """Returns a picture whose header has been read and whose pixels have not."""
    if are_lifted():
        Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit, of 179 million pixels
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            return Image.open(path)
        except Image.DecompressionBombError as error:
            raise TooLarge(f"{one_line(error)}; {LIFT}") from error


def _opaque(picture: Image.Image) -> Image.Image:
    """Returns a picture without transparency, composited over black or, if its visible parts are dark, over white."""
    if picture.mode in _OPAQUE and not picture.has_transparency_data:  # saves two copies
        return picture
    picture = picture.convert("RGBA")
    alpha = np.asarray(picture.getchannel("A"), dtype=np.float32)
    visible = float((np.asarray(picture.convert("L")) * alpha).sum() / max(float(alpha.sum()), 1.0))  # 0 to 255
    return Image.alpha_composite(Image.new("RGBA", picture.size, "black" if visible >= 128 else "white"), picture)


def load_picture(path: Path, channels: int) -> Tensor:
    """Returns a picture as the input of a model, shape (1, channels, H, W), float32 in 0 to 1.

    Args:
        path: Picture file.
        channels: Channels that the model was trained on: 1 for gray, 3 for red, green and blue.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If `read_picture` cannot decode it, or `channels` is neither 1 nor 3.
    """
    if channels not in (1, 3):
        raise ValueError(f"pictures have 1 or 3 channels, the model was trained on {channels}")
    pixels = read_picture(path, channels)
    unit = np.ascontiguousarray(pixels.transpose(2, 0, 1)).astype(np.float32)
    unit /= np.float32(np.iinfo(pixels.dtype).max)
    return torch.from_numpy(unit)[None]


def to_eight_bits(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Returns pixels of 8 or 16 bits, any shape, rounded to uint8."""
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint8, copy=False)
    return ((pixels.astype(np.int64) * 255 + 32767) // 65535).astype(np.uint8)
