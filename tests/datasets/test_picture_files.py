"""Decoded pictures: their bit depth, and the same rules for a folder and a single picture."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glimpse.datasets.generative import open_generative
from glimpse.datasets.limits import TooLarge
from glimpse.datasets.picture_files import load_picture, read_picture, to_eight_bits

DEEP = np.random.default_rng(0).integers(0, 65536, (5, 6), dtype=np.uint16)


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_are_kept_until_eight_are_requested(tmp_path: Path, channels: int) -> None:
    Image.fromarray(DEEP).save(tmp_path / "deep.png")
    pixels = read_picture(tmp_path / "deep.png", channels)
    assert pixels.dtype == np.uint16
    assert pixels.shape == (5, 6, channels)
    assert (pixels == DEEP[..., None]).all()
    np.testing.assert_allclose(load_picture(tmp_path / "deep.png", channels)[0, 0].numpy(), DEEP / 65535, rtol=1e-6)
    assert np.array_equal(to_eight_bits(pixels)[..., 0], np.floor(DEEP / 257 + 0.5))


def test_eight_bits_are_not_changed(tmp_path: Path) -> None:
    colors = np.random.default_rng(1).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(colors).save(tmp_path / "colors.png")
    assert np.array_equal(to_eight_bits(read_picture(tmp_path / "colors.png")), colors)


@pytest.mark.parametrize("pixels", [DEEP.astype(np.float32), DEEP.astype(np.int32) - 65536, DEEP.astype(np.int32) + 65536])
def test_pixels_without_a_known_range_are_refused_in_a_folder_as_in_a_single_picture(
    tmp_path: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
) -> None:
    for number in range(3):
        Image.fromarray(pixels).save(tmp_path / f"{number}.tif")
    for refused in (lambda: open_generative(str(tmp_path)), lambda: load_picture(tmp_path / "0.tif", 1)):
        with pytest.raises(
            ValueError,
            match=r"0\.tif is no picture that can be read .its pixels have mode [FI]; use a picture with 8 or 16 bits per pixel",
        ):
            refused()


def test_a_missing_file_is_not_reported_as_a_damaged_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_picture(tmp_path / "none.png")


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """Returns a black PNG, or one with fewer rows than its header states."""
    packed = zlib.compress(bytes(width + 1) * (height if rows is None else rows))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", packed), (b"IEND", b""))
    framed = (struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(framed)


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [
        (13_000, 13_000, r"it has 13,000 x 13,000 pixels, the limit is 64 million pixels and 50,000 a side; if you trust"),
        (170_000_000, 1, "it has 170,000,000 x 1 pixels"),
        (1, 50_001, "it has 1 x 50,001 pixels"),
        (20_000, 20_000, r"Image size \(400000000 pixels\) exceeds limit"),  # Pillow's
    ],
)
def test_a_picture_that_would_take_gigabytes_is_refused_by_its_header(
    tmp_path: Path, width: int, height: int, message: str, recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "bomb.png").write_bytes(png(width, height, rows=0))
    with pytest.raises(TooLarge, match=rf"bomb\.png: {message}") as caught:
        read_picture(tmp_path / "bomb.png")
    assert "--no-limits" in str(caught.value)
    assert not recwarn


def test_a_limit_on_pixels_is_lifted_by_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 5)
    (tmp_path / "wide.png").write_bytes(png(50_001, 1))
    with pytest.raises(TooLarge):
        read_picture(tmp_path / "wide.png")
    monkeypatch.setenv("GLIMPSE_NO_LIMITS", "1")
    assert read_picture(tmp_path / "wide.png", 1).shape == (1, 50_001, 1)


def test_a_postscript_program_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "run.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n(x) run\n%%EOF\n")
    with pytest.raises(ValueError, match=r"run\.png is no picture that can be read \(EPS is a program, which would have to be run"):
        read_picture(tmp_path / "run.png")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LA", "RGBA", "LAB"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("low", "ground"), [(100, "black"), (0, "white")])
def test_pixels_are_those_of_a_composition_on_black_or_of_dark_ink_on_white(
    tmp_path: Path, mode: str, channels: int, low: int, ground: str
) -> None:
    pixels = np.random.default_rng(2).integers(low, low + 156, (20, 30, 4), dtype=np.uint8)  # its mean is 78 from low
    colors = Image.fromarray(pixels)
    picture = (colors if mode.endswith("A") else colors.convert("RGB")).convert(mode)
    picture.save(tmp_path / "some.tif")
    flat = Image.alpha_composite(Image.new("RGBA", picture.size, ground), picture.convert("RGBA"))
    expected = np.asarray(flat.convert("L" if channels == 1 else "RGB")).reshape(20, 30, channels)
    assert np.array_equal(read_picture(tmp_path / "some.tif", channels), expected)
