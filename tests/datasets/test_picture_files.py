"""Decoded pictures: their bit depth, and the same rules for a folder and a single picture."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from glimpse.datasets.generative import open_generative
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
        with pytest.raises(ValueError, match=r"0\.tif has pixels of mode [FI]; use a picture with 8 or 16 bits per pixel"):
            refused()


def test_a_missing_file_is_not_reported_as_a_damaged_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        read_picture(tmp_path / "none.png")
