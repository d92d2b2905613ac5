"""`glimpse sample`, `reconstruct` and `interpolate`: files and errors."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.datasets.generative import open_generative
from glimpse.models.draw import DRAW
from tests.helpers import commands
from tests.helpers.commands import succeeded
from tests.helpers.weights import untrained, written, written_generator

COMMANDS = ("sample", "reconstruct", "interpolate")


@pytest.fixture(scope="module")
def digest() -> str:
    return open_generative("digits").sha256


@pytest.fixture
def weights(tmp_path: Path, digest: str) -> Path:
    return written_generator(tmp_path / "draw.safetensors", {"sha256": digest})


def arrays_of(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as file:
        return dict(file)


def size_of(path: Path) -> tuple[int, int]:
    """Returns the size of a picture that is whole."""
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def refused(*arguments: object) -> str:
    """Returns the one line of the error that a command ends with, perhaps once it has begun to draw."""
    return commands.refused(*arguments, after=("Drawing", "Rendering"))


def test_a_sheet_of_samples_tells_how_near_the_training_images_are(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "samples.png"
    facts = json.loads(succeeded("sample", weights, "--out", out, "--count", 3, "--seed", 4, "--json").stdout)
    succeeded("sample", weights, "--out", tmp_path / "samples.npz", "--count", 3, "--seed", 4)
    samples = arrays_of(tmp_path / "samples.npz")["samples"].astype(float)
    gray = open_generative("digits", binarization="none").train
    train = gray.batch(torch.arange(len(gray))).images.double().numpy()
    wanted = [min(np.sqrt(((train - sample) ** 2).sum(axis=(1, 2, 3)))) for sample in samples]
    np.testing.assert_allclose(facts["nearest_distances"], wanted, rtol=1e-6)
    model, test = DRAW.from_pretrained(weights), open_generative("digits").test
    again, _ = model.reconstruct(test.batch(torch.arange(250)).images, torch.zeros(250, 2, 3))
    means = torch.sigmoid(again.canvases[:, -1]).detach().double().numpy()
    usual = np.median([min(np.sqrt(((train - mean) ** 2).sum(axis=(1, 2, 3)))) for mean in means])
    assert facts["reconstruction_nearest_median"] == pytest.approx(usual, rel=1e-5)
    assert size_of(out) > (100, 100)
    assert [path.name for path in out.parent.iterdir()] == ["samples.png"]


def test_arrays_hold_what_the_model_draws(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "samples.npz"
    succeeded("sample", weights, "--out", out, "--count", 5, "--temperature", 0.5)
    arrays = arrays_of(out)
    model = DRAW.from_pretrained(weights)
    with torch.no_grad():
        drawing = model.draw(torch.from_numpy(arrays["latents"]))
    np.testing.assert_allclose(arrays["canvases"], torch.sigmoid(drawing.canvases), atol=1e-6)
    np.testing.assert_array_equal(arrays["samples"], arrays["canvases"][:, -1])
    assert drawing.write is not None
    for name, field in drawing.write._asdict().items():
        np.testing.assert_allclose(arrays[f"write_{name}"], field, rtol=1e-4)
    assert arrays["write_n"] == 3


def test_the_same_seed_gives_the_same_file(weights: Path, tmp_path: Path) -> None:
    files = []
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        succeeded("sample", weights, "--out", tmp_path / f"{name}.npz", "--count", 2, "--seed", seed)
        files.append(arrays_of(tmp_path / f"{name}.npz")["samples"])
    np.testing.assert_array_equal(files[0], files[1])
    assert (files[0] != files[2]).any()


def test_binary_samples_are_black_or_white(weights: Path, tmp_path: Path) -> None:
    succeeded("sample", weights, "--out", tmp_path / "samples.npz", "--count", 2, "--binary")
    assert set(np.unique(arrays_of(tmp_path / "samples.npz")["samples"])) == {0, 1}


@pytest.mark.parametrize("command", COMMANDS)
def test_an_animation_is_whole(command: str, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "drawn.gif"
    more = {"sample": ("--count", 2), "reconstruct": ("--count", 2), "interpolate": ("--indices", "0,1", "--steps", 4)}
    succeeded(command, weights, "--out", out, *more[command])
    with Image.open(out) as picture:
        assert picture.n_frames == (6 if command == "interpolate" else 3)  # type: ignore[attr-defined]
        for frame in range(picture.n_frames):  # type: ignore[attr-defined]
            picture.seek(frame)
            picture.load()
    assert not list(tmp_path.glob(".*.tmp"))


def test_every_step_becomes_a_numbered_picture_beside_the_sheet(weights: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    succeeded("reconstruct", weights, "--out", tmp_path / "drawn.png", "--indices", "3,5-6", "--frames", frames)
    assert sorted(path.name for path in frames.iterdir()) == ["step-0.png", "step-1.png", "step-2.png"]
    assert len({size_of(path) for path in frames.iterdir()}) == 1
    (frames / "step-3.png").touch()
    line = refused("reconstruct", weights, "--out", tmp_path / "drawn.png", "--frames", frames)
    assert "step-3.png: remove them or name another folder" in line


def test_a_few_images_are_drawn_again_or_all_that_are_named(weights: Path, tmp_path: Path) -> None:
    for more, count in (((), 8), (("--indices", "0-9"), 10), (("--indices", "0-9", "--count", 3), 3)):
        facts = json.loads(succeeded("reconstruct", weights, "--out", tmp_path / "drawn.png", *more, "--json").stdout)
        assert (facts["images"], facts["steps"]) == (count, 2)


def test_your_own_pictures_are_drawn_again(weights: Path, tmp_path: Path) -> None:
    for name, size in (("a", 28), ("b", 28), ("c", 30)):
        Image.new("L", (size, 28), 90).save(tmp_path / f"{name}.png")
    a, b, c = (tmp_path / f"{name}.png" for name in "abc")
    succeeded("reconstruct", weights, "--out", tmp_path / "drawn.png", "--image", a, "--image", b)
    succeeded("interpolate", weights, "--out", tmp_path / "way.png", "--image", a, "--image", b)
    line = refused("reconstruct", weights, "--out", tmp_path / "drawn.png", "--image", c)
    assert line == f"{c} has 30 x 28 pixels, the model requires 28 x 28: --resize 28 --pad fits it"
    succeeded("reconstruct", weights, "--out", tmp_path / "drawn.png", "--image", c, "--resize", 28, "--pad")
    assert "leave out --indices" in refused("reconstruct", weights, "--out", tmp_path / "d.png", "--image", a, "--indices", "0")


@pytest.mark.parametrize("ending", ["png", "gif"])
def test_single_latents_are_drawn(ending: str, weights: Path, tmp_path: Path) -> None:
    out = tmp_path / f"latents.{ending}"
    succeeded("interpolate", weights, "--out", out, "--latent", "--count", 2, "--steps", 3)
    assert size_of(out) > (100, 100)
    assert "leave out --image and --indices" in refused("interpolate", weights, "--out", out, "--latent", "--indices", "0,1")


def test_samples_of_a_model_whose_data_are_not_at_hand_are_drawn_with_a_note(tmp_path: Path) -> None:
    weights = written_generator(
        tmp_path / "draw.safetensors", {"name": "svhn", "binarization": "none"}, height=10, width=12, channels=3, attention=False
    )
    result = succeeded("sample", weights, "--out", tmp_path / "samples.png", "--count", 2, "--json")
    assert "Nearest training images are left out: svhn is not in" in result.stderr
    assert "--data-dir" in result.stderr
    assert "nearest_distances" not in json.loads(result.stdout)
    assert size_of(tmp_path / "samples.png") > (100, 100)
    line = refused("sample", weights, "--out", tmp_path / "samples.png", "--data", "digits")
    assert line == "digits has 28 x 28 pixels in 1 channel, the model draws 12 x 10 pixels in 3 channels: give images of that size"


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_ending_is_refused_before_anything_is_read(command: str, tmp_path: Path) -> None:
    line = refused(command, tmp_path / "no-model", "--out", "drawn.jpg")
    assert line.startswith("drawn.jpg must end in .png or .gif")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_classifier_draws_nothing(command: str, tmp_path: Path) -> None:
    file = written(tmp_path / "classifier.safetensors", untrained(), {"kind": "file", "sha256": ""})
    line = refused(command, file, "--out", tmp_path / "drawn.png")
    assert line == f"{file} holds a classifier, which draws no images"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sample", "--out", "s.png", "--count", "401"), "a .png shows at most 400 samples, not 401"),
        (("sample", "--out", "s.gif", "--count", "101"), "a .gif shows at most 100 samples, not 101"),
        (("reconstruct", "--out", "r.png", "--count", "33"), "a .png shows at most 32 images, not 33"),
        (("reconstruct", "--out", "r.png", "--indices", "300"), "300 is not in 0 to 299"),
        (("interpolate", "--out", "i.png"), "say which two images"),
        (("interpolate", "--out", "i.png", "--indices", "1,2", "--steps", "16"), "a .png shows at most 15 steps, not 16"),
        (("interpolate", "--out", "i.png", "--indices", "1,2", "--count", "3"), "--count is for --latent"),
        (("sample", "--out", "s.png", "--temperature", "nan"), "temperature must be 0 or more, got nan"),
        (("sample", "--out", "s.npz", "--count", "1000000"), "are over 4 GiB"),
        (("interpolate", "--out", "i.png", "--indices", "1,2,3"), "must name two images to go between, got 1,2,3"),
    ],
)
def test_a_drawing_that_is_impossible_is_one_line(
    arguments: tuple[str, ...], words: str, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *rest = arguments
    before = sorted(tmp_path.iterdir())
    assert words in refused(command, weights, *rest)
    assert sorted(tmp_path.iterdir()) == before


def test_levels_and_odd_channels_are_refused_where_they_do_not_fit(tmp_path: Path) -> None:
    levels = written_generator(tmp_path / "draw.safetensors", observation="logistic")
    assert "--binary is for a Bernoulli likelihood" in refused("sample", levels, "--out", tmp_path / "s.npz", "--binary")
    two = written_generator(tmp_path / "draw.safetensors", channels=2)
    assert "pictures have 1 or 3 channels" in refused("sample", two, "--out", tmp_path / "s.png")
    succeeded("sample", two, "--out", tmp_path / "s.npz", "--count", 2)
