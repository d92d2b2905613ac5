"""Samples, reconstructions and interpolations as Python calls, against the command line and direct calls of the model."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from glimpse.cli import glimpse
from glimpse.datasets.generative import open_generative
from glimpse.figures.files import rendered
from glimpse.generation import Interpolation, Traversal, interpolate, reconstruct, sample
from glimpse.generation.figures import sample_gallery
from glimpse.listener import Advance, Listener
from glimpse.models.draw import DRAW
from glimpse.settings.requests import InterpolateRequest, ReconstructRequest, SampleRequest, from_options
from tests.helpers.commands import succeeded
from tests.helpers.weights import untrained, written, written_generator

CALLS: dict[str, Any] = {"sample": sample, "reconstruct": reconstruct, "interpolate": interpolate}
REQUESTS: dict[str, Any] = {"sample": SampleRequest, "reconstruct": ReconstructRequest, "interpolate": InterpolateRequest}


class Recorder(Listener):
    """Keeps notes and progress."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, message: str) -> None:
        self.heard.append(message)

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        done = [0]
        yield done.append
        self.heard.append(f"{title}: {done[-1]} of {total} {unit}")


@pytest.fixture(scope="module")
def digest() -> str:
    return open_generative("digits").sha256


@pytest.fixture
def weights(tmp_path: Path, digest: str) -> Path:
    return written_generator(tmp_path / "draw.safetensors", {"sha256": digest})


@pytest.fixture
def model(weights: Path) -> DRAW:
    return DRAW.from_pretrained(weights)


def digits_at(*positions: int) -> Tensor:
    """Returns images of scikit-learn's test digits."""
    return open_generative("digits").test.batch(torch.tensor(positions)).images


def drawn(model: DRAW, latents: Tensor) -> Tensor:
    """Returns the canvases that the model draws from latents, as probabilities."""
    with torch.no_grad():
        return torch.sigmoid(model.draw(latents).canvases)


# Files


@pytest.mark.parametrize(
    ("command", "ending", "flags", "options"),
    [
        ("sample", "png", ["--count", 3, "--seed", 4], {"count": 3, "seed": 4}),
        ("sample", "gif", ["--count", 2, "--binary"], {"count": 2, "binary": True}),
        ("sample", "npz", ["--count", 2, "--temperature", 0.5], {"count": 2, "temperature": 0.5}),
        ("reconstruct", "png", ["--indices", "3,5-6"], {"indices": [3, 5, 6]}),
        ("reconstruct", "gif", ["--count", 2, "--split", "valid"], {"count": 2, "split": "valid"}),
        ("interpolate", "png", ["--indices", "0,1"], {"indices": "0,1"}),
        ("interpolate", "gif", ["--indices", "0,1", "--steps", 4], {"indices": "0,1", "steps": 4}),
        ("interpolate", "png", ["--latent", "--count", 2], {"latent": True, "count": 2}),
        ("interpolate", "gif", ["--latent", "--steps", 3], {"latent": True, "steps": 3}),
    ],
)
def test_a_call_writes_the_file_of_the_command_and_reports_the_same(
    command: str, ending: str, flags: list[object], options: dict[str, Any], weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"drawn.{ending}"
    printed = json.loads(succeeded(command, weights, "--out", out, "--threads", 1, *flags, "--json").stdout)
    content = out.read_bytes()
    out.unlink()
    found = CALLS[command](weights, out=str(out), threads=1, **options)
    assert out.read_bytes() == content
    assert found.as_dict() | {"seconds": 0} == printed | {"seconds": 0}


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("sample", {"count": 2}),
        ("reconstruct", {"count": 2}),
        ("interpolate", {"indices": "0,1"}),
        ("interpolate", {"latent": True}),
    ],
)
def test_without_a_file_nothing_is_written(
    command: str, options: dict[str, Any], weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = CALLS[command](weights, threads=1, **options).as_dict()
    assert sorted(tmp_path.rglob("*")) == before
    assert (found["out"], found["frames"]) == (None, None)


def test_frames_are_written_without_a_file_too(weights: Path, tmp_path: Path) -> None:
    sample(weights, count=2, frames=tmp_path / "frames", threads=1)
    assert sorted(path.name for path in (tmp_path / "frames").iterdir()) == ["step-0.png", "step-1.png", "step-2.png"]


@pytest.mark.parametrize("command", CALLS)
def test_a_call_takes_the_options_of_its_command_with_their_defaults(command: str) -> None:
    options = {option.name: option.default for option in glimpse.commands[command].params if option.name not in ("help", "as_json")}
    given = {name: value for name, value in options.items() if isinstance(value, bool | int | float | str)}
    assert from_options(REQUESTS[command], given | {"model": "m"}) == from_options(REQUESTS[command], {"model": "m"})
    for name in options:
        pictures = {"pictures": "a.png"} if "pictures" in options else {}
        from_options(REQUESTS[command], {"model": "m", **pictures, name: 1 if name in ("resize", "threads") else ()})


# What is returned


def test_samples_are_drawn_by_the_model_from_their_latents(weights: Path, model: DRAW) -> None:
    found = sample(weights, count=40, seed=3, threads=1)
    canvases = drawn(model, found.latents)
    torch.testing.assert_close(found.canvases, canvases, atol=1e-6, rtol=0)
    assert torch.equal(found.images, found.canvases[:, -1])
    assert found.latents.shape == (40, 2, 3)
    assert [(track.kind, track.window.stride.shape) for track in found.tracks] == [("write", (40, 2))]
    assert found.neighbors is None
    tamer = sample(weights, count=40, seed=3, temperature=0.5, threads=1)
    torch.testing.assert_close(tamer.latents, found.latents / 2)
    assert set(sample(weights, count=2, binary=True, threads=1).images.flatten().tolist()) == {0.0, 1.0}


def test_a_sheet_of_samples_includes_the_nearest_training_images(weights: Path, tmp_path: Path) -> None:
    found = sample(weights, count=3, out=tmp_path / "samples.png", threads=1)
    assert found.neighbors is not None
    gray = open_generative("digits", binarization="none").train
    nearest = found.neighbors.nearest
    torch.testing.assert_close(nearest.images, gray.batch(nearest.positions).images)
    distances = (nearest.images - found.images).double().flatten(1).norm(dim=1)
    torch.testing.assert_close(nearest.distances, distances, atol=1e-5, rtol=0)
    assert found.neighbors.compared == len(gray)


def test_an_animation_begins_with_the_canvas_after_the_first_step_and_ends_without_windows(weights: Path, tmp_path: Path) -> None:
    for command in ("sample", "reconstruct"):
        found = CALLS[command](weights, count=1, out=tmp_path / "drawn.gif", frames=tmp_path / command, threads=1)
        with Image.open(tmp_path / "drawn.gif") as film:
            assert film.n_frames == found.drawn.steps + 1 == 3  # type: ignore[attr-defined]
            shown = []
            for t in range(3):
                film.seek(t)
                shown.append(np.asarray(film.convert("RGB")).astype(int))
        for step in (1, 2):
            picture = np.asarray(Image.open(tmp_path / command / f"step-{step}.png")).astype(int)
            distances = [np.abs(frame - picture).mean() for frame in shown]
            assert distances[step - 1] == min(distances) < 2


def test_many_samples_become_a_gallery_next_to_their_nearest_training_images(weights: Path, tmp_path: Path) -> None:
    found = sample(weights, count=33, out=tmp_path / "gallery.png", threads=1)
    assert found.neighbors is not None
    pixels = np.asarray(Image.open(tmp_path / "gallery.png").convert("RGB"))[..., 0]
    figure = sample_gallery(found.images, nearest=found.neighbors.nearest.images, title=found.title, note=found.neighbors.note)
    np.testing.assert_array_equal(pixels, rendered(figure)[..., 0])
    for axes, images in zip(figure.axes, (found.images, found.neighbors.nearest.images), strict=True):
        grid = np.asarray(axes.images[0].get_array())[..., 0]
        assert grid.shape == (6 * 29 - 1, 6 * 29 - 1)
        for i in range(33):
            top, left = 29 * (i // 6), 29 * (i % 6)
            np.testing.assert_allclose(grid[top : top + 28, left : left + 28], 255 * images[i, 0].numpy(), atol=0.51)
        assert set(grid[28].tolist()) == {128}


def test_reconstructions_are_drawn_from_the_posteriors_means(weights: Path, model: DRAW) -> None:
    found = reconstruct(weights, indices="4,120-240", threads=1)
    images = digits_at(4, *range(120, 241))
    assert torch.equal(found.originals, images)
    with torch.no_grad():
        drawing, latents = model.reconstruct(images, torch.zeros(122, 2, 3))
    torch.testing.assert_close(found.canvases, torch.sigmoid(drawing.canvases), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.latents, latents, atol=1e-5, rtol=0)
    assert [track.kind for track in found.tracks] == ["read", "write"]
    assert found.facts() == {"images": 122, "steps": 2}


def test_your_pictures_are_reconstructed(weights: Path, model: DRAW, tmp_path: Path) -> None:
    for name, level in (("a", 51), ("b", 204)):
        Image.new("L", (28, 28), level).save(tmp_path / f"{name}.png")
    a, b = tmp_path / "a.png", str(tmp_path / "b.png")
    assert reconstruct(weights, pictures=b, threads=1).originals[:, 0, 0, 0].tolist() == pytest.approx([0.8])
    assert reconstruct(weights, pictures=[a, b], threads=1).originals[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.8])
    way = interpolate(weights, pictures=(a, b), threads=1)
    assert isinstance(way, Interpolation)
    assert way.ends[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.8])


def test_an_interpolation_leads_from_one_reconstruction_to_the_other(weights: Path, model: DRAW) -> None:
    found = interpolate(weights, indices="7,2", steps=6, threads=1)
    assert isinstance(found, Interpolation)
    assert torch.equal(found.ends, digits_at(7, 2))
    with torch.no_grad():
        drawing, latents = model.reconstruct(found.ends, torch.zeros(2, 2, 3))
    torch.testing.assert_close(found.images[[0, -1]], torch.sigmoid(drawing.canvases[:, -1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(found.latents[[0, -1]], latents, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.canvases, drawn(model, found.latents), atol=1e-5, rtol=0)
    assert len(found.images) == 6


def test_a_traversal_changes_one_latent_of_the_sample_at_a_time(weights: Path, model: DRAW) -> None:
    found = interpolate(weights, latent=True, count=2, steps=5, seed=9, threads=1)
    assert isinstance(found, Traversal)
    base = sample(weights, count=1, seed=9, threads=1)
    torch.testing.assert_close(found.sample, base.images[0])
    assert found.values.tolist() == [-3.0, -1.5, 0.0, 1.5, 3.0]
    assert found.title == f"{weights}: one latent at -3 ... 3 (seed 9)"
    assert replace(found, values=torch.tensor([0.5, 2.0])).title == f"{weights}: one latent at 0.5 ... 2 (seed 9)"
    greatest = found.usage.flatten().topk(2).indices.tolist()
    assert [3 * step + latent for step, latent in found.variables] == greatest
    for (step, latent), rows, images in zip(found.variables, torch.split(found.latents, 5), found.rows, strict=True):
        wanted = base.latents.repeat(5, 1, 1)
        wanted[:, step, latent] = found.values
        torch.testing.assert_close(rows, wanted)
        torch.testing.assert_close(images, drawn(model, wanted)[:, -1], atol=1e-5, rtol=0)
    assert [len(track.window.sigma) for track in found.tracks] == [10]


def test_a_listener_is_told_of_progress_and_missing_images(
    weights: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    listener = Recorder()
    sample(weights, count=150, threads=1, listener=listener)
    interpolate(weights, indices="0,1", out=tmp_path / "way.gif", steps=4, threads=1, listener=listener)
    assert listener.heard == ["Drawing: 150 of 150 images", "Drawing: 4 of 4 images", "Rendering: 4 of 4 frames"]
    other = written_generator(tmp_path / "svhn.safetensors", {"name": "svhn", "binarization": "none"}, channels=3, attention=False)
    listener.heard.clear()
    assert sample(other, count=2, out=tmp_path / "s.png", threads=1, listener=listener).neighbors is None
    assert listener.heard[1].startswith("Nearest training images are left out: svhn is not in")
    assert "--data-dir" in listener.heard[2]
    assert capfd.readouterr() == ("", "")


# Refused input


@pytest.mark.parametrize("command", CALLS)
def test_an_unknown_option_is_a_type_error(command: str, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="unexpected option 'canvas'"):
        CALLS[command](tmp_path / "no-model", canvas=40)


@pytest.mark.parametrize("command", CALLS)
def test_a_file_of_another_ending_is_refused_before_anything_is_read(command: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"drawn\.jpg must end in \.png or \.gif"):
        CALLS[command](tmp_path / "no-model", out="drawn.jpg")


@pytest.mark.parametrize("command", CALLS)
def test_a_classifier_is_refused(command: str, tmp_path: Path) -> None:
    file = written(tmp_path / "classifier.safetensors", untrained(), {"kind": "file", "sha256": ""})
    with pytest.raises(ValueError, match="holds a classifier, which draws no images"):
        CALLS[command](file)


@pytest.mark.parametrize(
    ("command", "options", "words"),
    [
        ("sample", {"count": 0}, "count must be at least 1, got 0"),
        ("sample", {"temperature": -1.0}, "temperature must be 0 or more, got -1.0"),
        ("sample", {"count": 10**6}, "over 4 GiB"),
        ("sample", {"count": 101, "frames": "frames"}, "a .gif shows at most 100 samples, not 101"),
        ("reconstruct", {"count": 0}, "count must be at least 1, got 0"),
        ("reconstruct", {"split": "train"}, "split must be test or valid, got 'train'"),
        ("reconstruct", {"indices": [300]}, "300 is not in 0 to 299"),
        ("reconstruct", {"data": "no-such-set"}, "no-such-set"),
        ("interpolate", {}, "say which two images"),
        ("interpolate", {"indices": [1, 2], "steps": 1}, "steps must be at least 2, got 1"),
        ("interpolate", {"latent": True, "count": 33}, "count must be 1 to 32, got 33"),
        ("interpolate", {"latent": True, "steps": 10**6}, "over 4 GiB"),
    ],
)
def test_what_cannot_be_drawn_is_a_value_error(command: str, options: dict[str, Any], words: str, weights: Path) -> None:
    with pytest.raises(ValueError, match=words):
        CALLS[command](weights, threads=1, **options)
