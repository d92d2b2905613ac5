"""Trajectories from Python, against those of the command and a plain loop over the model."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import glimpse
from glimpse import cli
from glimpse.datasets.clutter import ClutteredMNIST
from glimpse.datasets.digits import open_digits
from glimpse.datasets.generative import open_generative
from glimpse.evaluation.classifier import uniforms
from glimpse.listener import Listener
from glimpse.models.catalog import open_model
from glimpse.models.weights import kept_weights
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.ram import RAMConfig
from glimpse.settings.requests import ExportRequest, TrajectoryRequest, from_options
from glimpse.trajectories import Trajectories, export, learning, load, look, summarize
from tests.helpers.commands import invoked
from tests.helpers.weights import ON_SKLEARN, RECIPE, untrained, written, written_generator

NAMES = [("jsonl", {}), ("csv", {"pixels": True}), ("parquet", {"only": "wrong", "count": 5}), ("npz", {"indices": "7,2,4-5"})]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Returns the file of an untrained model of scikit-learn's digits."""
    return written(tmp_path / "model.safetensors", untrained(), ON_SKLEARN)


def flags(options: dict[str, Any]) -> list[str]:
    """Returns options in the form of the command line."""
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in options.items()]


class Notes(Listener):
    """Keeps notes and progress."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def note(self, message: str) -> None:
        self.heard.append(message)


@pytest.mark.parametrize(("kind", "options"), [*NAMES, ("png", {"count": 2}), ("gif", {"count": 2}), ("html", {"count": 2})])
def test_export_writes_the_same_file_as_the_command(weights: Path, tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    here, there = tmp_path / f"here.{kind}", tmp_path / f"there.{kind}"
    result = invoked("trajectories", weights, "--out", there, *flags(options), "--threads=1", "--json")
    assert result.exit_code == 0, result.output
    exported = export(str(weights), str(here), threads=1, **options).as_dict()
    if kind in ("parquet", "npz"):  # whose bytes may differ, as in any archive
        assert load(here).equals(load(there))
    else:
        assert here.read_bytes() == there.read_bytes()
    unlike = {"out": None, "seconds": None}
    assert exported | unlike == json.loads(result.stdout) | unlike


def test_look_yields_what_a_loop_over_the_model_returns(weights: Path) -> None:
    found = Trajectories.joined(list(look(weights, count=300, pixels=True, threads=1)))
    data, model = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE)), open_model(weights)
    assert len(found) == 300
    assert found.probabilities is not None
    for i in (0, 7, 249, 250, 299):
        batch = data.batch(torch.tensor([i]))
        with torch.no_grad():
            logits, (track,) = model.look(batch.images, patches=True)
        assert logits is not None
        assert (int(found.index[i]), int(found.labels[i])) == (i, int(batch.labels[0]))
        torch.testing.assert_close(found.probabilities[i], torch.softmax(logits[0], dim=-1))
        torch.testing.assert_close(tuple(found.tracks[0].rows(slice(i, i + 1)).window), tuple(track.window))
        assert found.tracks[0].patches is not None
        assert track.patches is not None
        torch.testing.assert_close(found.tracks[0].patches[i], track.patches[0], rtol=1e-4, atol=1e-6)


def test_look_keeps_no_pixels_unless_requested(weights: Path) -> None:
    (found,) = look(weights, indices="5,1", threads=1)
    assert found.index.tolist() == [5, 1]
    assert found.tracks[0].patches is None


@pytest.mark.parametrize("only", ["wrong", "right"])
def test_look_stops_at_enough_of_a_kind(weights: Path, only: str) -> None:
    whole = Trajectories.joined(list(look(weights, threads=1)))
    found = Trajectories.joined(list(look(weights, only=only, count=7, threads=1)))
    assert whole.predictions is not None
    right = whole.predictions[:, -1] == whole.labels
    assert found.index.tolist() == (right if only == "right" else ~right).nonzero()[:7, 0].tolist()


def test_a_model_that_samples_is_shown_with_its_first_sample_and_a_note(tmp_path: Path) -> None:
    config = RAMConfig(glimpses=3, window=4, hidden=6, features=5, test_samples=4)
    weights, notes = written(tmp_path / "ram.safetensors", untrained(config), ON_SKLEARN), Notes()
    (found,) = look(weights, indices=[3, 1], listener=notes, threads=1)
    batch = ClutteredMNIST(open_digits("sklearn").test, "test", ClutterRecipe(**RECIPE)).batch(torch.tensor([3, 1]))
    with torch.no_grad():
        _, tracks = untrained(config).look(batch.images, None, uniforms(torch.tensor([3, 1]), 3))
    assert torch.equal(found.tracks[0].window.center_x, tracks[0].window.center_x)
    assert notes.heard == ["One of 4 sampled sequences is shown; `glimpse evaluate` averages over all of them."]


def test_a_generator_is_looked_at_without_classes(tmp_path: Path) -> None:
    weights = written_generator(tmp_path / "draw.safetensors", {"sha256": open_generative("digits").sha256})
    (found,) = look(weights, count=3, threads=1)
    assert found.probabilities is None
    assert [track.kind for track in found.tracks] == ["read", "write"]
    with pytest.raises(ValueError, match="only a model that classifies"):
        next(look(weights, only="wrong", threads=1))


def test_pictures_are_looked_at_one_at_a_time(weights: Path, tmp_path: Path) -> None:
    shades = np.random.default_rng(0).integers(0, 256, (30, 50), dtype=np.uint8)
    Image.fromarray(shades).save(tmp_path / "own.png")
    Image.fromarray(255 - shades).save(tmp_path / "dark.png")
    (light,) = look(weights, pictures=tmp_path / "own.png", threads=1)
    (dark,) = look(weights, pictures=[str(tmp_path / "dark.png")], invert=True, threads=1)
    assert light.images.shape == (1, 1, 30, 50)
    assert light.labels.tolist() == [-1]
    torch.testing.assert_close(light.images, dark.images)
    torch.testing.assert_close(light.probabilities, dark.probabilities)


def test_summarize_returns_what_the_command_prints(weights: Path, tmp_path: Path) -> None:
    result = invoked("trajectories", weights, "--summary", "--count=50", "--json", "--threads=1")
    found = summarize(weights, count=50, out=tmp_path / "summary.png", threads=1)
    assert json.loads(json.dumps(found.as_dict())) == json.loads(result.stdout)
    assert found.out == tmp_path / "summary.png"
    with Image.open(io.BytesIO(found.out.read_bytes())) as picture:
        assert picture.format == "PNG"


def test_learning_shows_the_weights_kept_along_the_way(weights: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    for seen in (10, 2000, 300):
        (run / "checkpoints" / f"weights-{seen:010d}.safetensors").write_bytes(weights.read_bytes())
    assert [*kept_weights(run)] == [10, 300, 2000]
    found = learning(run, tmp_path / "learning.gif", count=2, threads=1)
    assert (found.images, found.frames, found.as_dict()["format"]) == (2, 3, "gif")
    with Image.open(tmp_path / "learning.gif") as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no weights kept along the way"):
        learning(tmp_path, tmp_path / "none.gif")
    pictures = tmp_path / "wide.png", tmp_path / "tall.png"
    for path, size in zip(pictures, ((50, 30), (28, 40)), strict=True):
        Image.linear_gradient("L").resize(size).save(path)
    with pytest.raises(ValueError, match=r"images of 28 x 40 and 50 x 30 pixels do not go together"):
        learning(run, tmp_path / "own.gif", pictures=pictures, threads=1)


@pytest.mark.parametrize("call", ["look", "export", "summarize", "learning"])
def test_an_unknown_option_is_a_type_error_at_once(weights: Path, tmp_path: Path, call: str) -> None:
    out = {"out": tmp_path / "x.gif"} if call in ("export", "learning") else {}
    with pytest.raises(TypeError, match="unexpected option 'color'"):
        getattr(glimpse.trajectories, call)(weights, **out, color="red")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "train"}, "split must be one of test, valid, got 'train'"),
        ({"count": 0}, "count must be at least 1, got 0"),
        ({"glimpses": 0}, "glimpses must be at least 1, got 0"),
        ({"only": "rong"}, "only must be one of wrong, right, unsure, got 'rong'"),
        ({"only": "unsure", "margin": 2.0}, "margin must be in 0 to 1, got 2.0"),
        ({"invert": True}, "--invert is for --image"),
        ({"pictures": "x.png", "split": "valid"}, "leave out --split"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_is_looked_at(weights: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        look(weights, **options)


def test_the_command_and_the_request_have_the_same_defaults() -> None:
    context = cli.trajectories.make_context("trajectories", ["m", "--out=x.csv"])
    given = {name: value for name, value in context.params.items() if name not in ("summary", "learning", "as_json")}
    assert from_options(ExportRequest, given) == ExportRequest(Path("x.csv"), TrajectoryRequest("m"))


def test_an_unknown_format_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="format must be one of jsonl, csv"):
        export(weights, tmp_path / "x.txt", format="xlsx")


def test_trajectories_is_available_after_importing_the_package(weights: Path, tmp_path: Path) -> None:
    export(weights, tmp_path / "glimpses.csv", count=1)
    code = (
        "import glimpse, sys; assert 'torch' not in sys.modules; "
        f"print(len(glimpse.trajectories.load({str(tmp_path / 'glimpses.csv')!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "3"
