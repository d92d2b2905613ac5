"""Picture files contain the pixels they were given and are written whole or not at all."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from glimpse.figures.curves import error_by_glimpse_figure, error_curves
from glimpse.figures.files import gif, png, save, tiled


def test_a_png_contains_the_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png(pixels)))), pixels)


@pytest.mark.parametrize(("colors", "tolerance"), [(200, 5), (5000, 40)])
def test_a_gif_contains_the_frames_and_their_times(colors: int, tolerance: int) -> None:
    random = np.random.default_rng(0)
    choice = random.integers(0, 256, (colors, 3), dtype=np.uint8)
    frames = [choice[random.integers(0, colors, (40, 60))] for _ in range(3)]
    for frame in frames:
        frame[:20] = 255
    with Image.open(io.BytesIO(gif(frames, [0.1, 0.25, 2.0]))) as film:
        assert (getattr(film, "n_frames", 1), film.info["loop"]) == (3, 0)
        for t, frame in enumerate(frames):
            film.seek(t)
            assert film.info["duration"] == [100, 250, 2000][t]
            shown = np.asarray(film.convert("RGB")).astype(int)
            assert (shown[:20] == 255).all()
            assert np.abs(shown - frame).mean() < tolerance


def test_pictures_are_laid_out_in_rows() -> None:
    grid = tiled([np.full((2, 3, 3), i, dtype=np.uint8) for i in range(3)], 2)
    assert grid[..., 0].tolist() == 2 * [[0, 0, 0, 1, 1, 1]] + 2 * [[2, 2, 2, 255, 255, 255]]


@pytest.mark.parametrize(("content", "name"), [(b"GIF89a", "a.png"), (b"\x89PNG", "a.gif"), (Figure(), "a.pdf")])
def test_a_path_with_another_ending_is_refused(tmp_path: Path, content: Figure | bytes, name: str) -> None:
    with pytest.raises(ValueError, match=rf"must end in \.(png|gif), got .*{name}"):
        save(tmp_path / "new" / name, content)
    assert not list(tmp_path.iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "a.gif"
    save(path, b"GIF89a one")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        save(path, b"GIF89a two")
    assert [file.read_bytes() for file in path.parent.iterdir()] == [b"GIF89a one"]


def test_a_gif_keeps_plain_backgrounds_and_the_colors_of_thin_boxes() -> None:
    """White, black and the colors of two boxes are exact in every frame, next to thousands of dull colors."""
    dull = np.random.default_rng(0).integers(0, 120, (3, 80, 80, 3), dtype=np.uint8)
    frames = [np.concatenate([np.zeros_like(part), part, np.full_like(part, 255)]) for part in dull]
    boxes = ((251, 159, 58), (86, 180, 233))
    for t, frame in enumerate(frames):
        for color, top in zip(boxes, (10, 40), strict=True):
            frame[top : top + 30, 10 + t : 40 + t] = color
            frame[top + 2 : top + 28, 12 + t : 38 + t] = 0
    with Image.open(io.BytesIO(gif(frames, [0.1] * 3))) as film:
        for t in range(3):
            film.seek(t)
            shown = np.asarray(film.convert("RGB")).astype(int)
            assert (shown[160:] == 255).all()
            assert (shown[:10] == 0).all()
            for color, top in zip(boxes, (10, 40), strict=True):
                assert np.abs(shown[top, 10 + t : 40 + t] - color).max() < 12


def test_a_figure_is_written_whole_or_not_at_all_and_leaves_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "new" / "curves.png"
    error_curves({"a": ([0, 1], [2.0, 1.0])}, path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "disk full")))
    with pytest.raises(OSError, match="disk full"):
        error_curves({"b": ([0, 1], [9.0, 1.0])}, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_same_figure_has_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        error_by_glimpse_figure({"a": [2.0, 1.0]}, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.png"):
        error_by_glimpse_figure({"a": [1.0]}, tmp_path / "figure.pdf")


def test_figures_need_neither_pyplot_nor_a_display() -> None:
    code = "import sys, glimpse.trajectories.pictures; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
