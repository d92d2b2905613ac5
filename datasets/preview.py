"""Contact sheets of labeled images.

Dimensions: B images of H x W pixels in C channels. Positions are pixels counted from 0, x before y.
"""

import importlib.util
from collections.abc import Sequence
from io import BytesIO
from math import ceil
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from glimpse.atomic import write_atomically
from glimpse.datasets.batches import Batch
from glimpse.datasets.labeled_images import ImageSet

__all__ = ["sheet", "write_preview"]

_GAP = 4  # pixels between two images
_CAPTION = 14  # height of a label's line in pixels
_LETTER_SIZE = 10  # of a label in pixels
_SMALLEST = 96  # images with smaller sides are enlarged to at least this many pixels
_GROUND, _LETTERS, _DIGIT = "#262626", "#e6e6e6", "#7df0a8"  # equal to those in glimpse.figures.style, which a test checks


def write_preview(
    path: Path,
    images: ImageSet,
    count: int,
    *,
    columns: int = 10,
    frame: tuple[int, int] | None = None,
    names: Sequence[str] = (),
) -> int:
    """Writes a contact sheet of the first images of a set and returns the number of images on it.

    Args:
        path: File to write; its suffix determines the format.
        images: Images to show.
        count: Largest number of images to show.
        columns: Number of images in a row.
        frame: Height and width in pixels of a box to draw around every known center; no boxes if None.
        names: Name of each class, to be shown instead of its number; none if empty.

    Raises:
        FileNotFoundError: If the folder of the file does not exist.
        ValueError: If the suffix is not that of a picture format, or the format cannot hold the picture.
        OSError: If the disk is full; no part of a file is left.
    """
    kind = Image.registered_extensions().get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise ValueError(f"{path}: the name must end in the suffix of a picture format, such as .png or .jpg, got {path.suffix!r}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no folder {path.parent} to write {path.name} to")
    shown = min(count, len(images))
    picture = sheet(images.batch(torch.arange(shown)), columns=columns, frame=frame, names=names)
    content = BytesIO()
    try:
        picture.save(content, kind)
    except (OSError, ValueError, KeyError) as error:  # some formats have no colors, or limit the size
        raise ValueError(f"{path}: the picture cannot be written as {kind} ({error}); use .png") from error
    write_atomically(path, content.getvalue())
    return shown


def sheet(batch: Batch, *, columns: int = 10, frame: tuple[int, int] | None = None, names: Sequence[str] = ()) -> Image.Image:
    """Returns a contact sheet: images in rows, each below its label.

    Args:
        batch: Images with 1 or 3 channels; of any other number of channels the first is shown.
        columns: Number of images in a row.
        frame: Height and width in pixels of a box to draw around every known center; no boxes if None.
        names: Name of each class, to be shown instead of its number; none if empty.
    """
    height, width = batch.images.shape[2:]
    scale = max(1, ceil(_SMALLEST / max(height, width)))
    columns = max(1, min(columns, len(batch.labels)))
    cell_width, cell_height = scale * width + _GAP, scale * height + _GAP + _CAPTION
    rows = ceil(len(batch.labels) / columns)
    picture = Image.new("RGB", (columns * cell_width + _GAP, rows * cell_height + _GAP), _GROUND)
    draw, font = ImageDraw.Draw(picture), _font()
    for number, (image, label, center) in enumerate(zip(*batch, strict=True)):
        left, top = _GAP + number % columns * cell_width, _GAP + number // columns * cell_height
        draw.text((left, top), names[int(label)] if names else str(int(label)), fill=_LETTERS, font=font)
        picture.paste(_picture(image, scale), (left, top + _CAPTION))
        if frame is not None and bool(center.isfinite().all()):
            draw.rectangle(_box(center, frame, scale, left, top + _CAPTION), outline=_DIGIT)
    return picture


def _font() -> ImageFont.FreeTypeFont:
    """Returns the font of matplotlib, which has the letters of most alphabets; Pillow's own has English ones."""
    package = importlib.util.find_spec("matplotlib")
    assert package is not None
    assert package.origin is not None
    return ImageFont.truetype(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf", _LETTER_SIZE)


def _picture(image: Tensor, scale: int) -> Image.Image:
    """Returns an image (C, H, W) as a picture, each pixel enlarged to scale x scale."""
    colors = image if len(image) == 3 else image[:1].expand(3, -1, -1)
    pixels = (colors * 255).round().to(torch.uint8).movedim(0, 2).contiguous().cpu().numpy()
    picture = Image.fromarray(pixels)
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def _box(center: Tensor, frame: tuple[int, int], scale: int, left: int, top: int) -> tuple[float, float, float, float]:
    """Returns the corners (x, y, x, y) of the outermost pixels of the frame; pixel p spans scale * p to scale * (p + 1) - 1."""
    (x, y), (height, width) = center.tolist(), frame
    first_x, first_y = scale * (x - (width - 1) / 2), scale * (y - (height - 1) / 2)
    return left + first_x, top + first_y, left + first_x + scale * width - 1, top + first_y + scale * height - 1
