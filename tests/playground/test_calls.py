"""Models of the playground: their export, their description, and the command."""

import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import glimpse
from glimpse.commands import playground
from glimpse.listener import Listener
from glimpse.models.draw import DRAW
from glimpse.playground import calls, models
from glimpse.playground.examples import example_digits
from glimpse.playground.influence import latent_influence
from glimpse.pretrained import available
from glimpse.settings.convolutional import ConvNetConfig
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.requests import PLAYGROUND_MODELS
from tests.helpers.commands import invoked, printed_json, refused, succeeded
from tests.helpers.weights import ON_SKLEARN, RECIPE, SMALL, untrained, written


@pytest.fixture
def without_export(monkeypatch: pytest.MonkeyPatch, small_runtime: Path) -> list[str]:
    """Returns the exported models; short files are written in place of their programs, and of onnxruntime-web."""
    exported: list[str] = []

    def export_request(request: Any, listener: Listener) -> None:
        exported.append(request.model)
        request.out.write_bytes(request.model.encode())

    monkeypatch.setattr(models, "export_request", export_request)
    monkeypatch.setattr(calls, "runtime_folder", lambda *arguments: small_runtime)
    return exported


def test_the_default_models_are_shipped() -> None:
    assert {name.removeprefix("pretrained:") for name in PLAYGROUND_MODELS} <= available().keys()


def test_a_model_is_exported_once_for_its_weights(without_export: list[str], tmp_path: Path) -> None:
    weights = written(tmp_path / "first.safetensors", untrained(), ON_SKLEARN)
    for name in ("one.html", "two.html"):
        glimpse.write_playground(weights, out=tmp_path / name, digits="sklearn")
    assert without_export == [str(weights)]
    written(weights, untrained(replace(SMALL, hidden=7)), ON_SKLEARN)
    glimpse.write_playground(weights, out=tmp_path / "three.html", digits="sklearn")
    assert without_export == [str(weights)] * 2


def test_the_page_is_told_what_a_classifier_takes_and_sees(without_export: list[str], tmp_path: Path) -> None:
    looking = written(tmp_path / "a b.safetensors", untrained(), ON_SKLEARN)
    whole = written(tmp_path / "whole.safetensors", untrained(ConvNetConfig(filters=2)), ON_SKLEARN)
    first, second = glimpse.write_playground(looking, whole, out=tmp_path / "site", digits="sklearn").classifiers
    assert (first.name, first.shape, first.steps, first.window, first.blurs) == ("a-b", (1, 40, 40), 3, 4, True)
    assert (second.steps, second.window, second.blurs) == (1, None, False)
    assert first.classes == tuple("0123456789")


def test_classifiers_of_images_of_other_shapes_are_refused(without_export: list[str], tmp_path: Path) -> None:
    weights = [
        written(tmp_path / f"{side}.safetensors", untrained(), ON_SKLEARN | {"recipe": RECIPE | {"canvas": side}})
        for side in (40, 50)
    ]
    line = refused("try", *weights, "--out", tmp_path / "try.html")
    assert line == "classifiers on one page must take images of the same shape: 40 takes 1 x 40 x 40 and 50 takes 1 x 50 x 50"
    assert not (tmp_path / "try.html").exists()


def test_the_command_writes_a_file_and_prints_what_is_in_it(without_export: list[str], tmp_path: Path) -> None:
    weights = written(tmp_path / "first.safetensors", untrained(), ON_SKLEARN)
    found = printed_json("try", weights, "--digits", "sklearn", "--out", tmp_path / "try.html")
    assert found["bytes"] == (tmp_path / "try.html").stat().st_size
    assert [model["name"] for model in found["classifiers"]] == ["first"]
    assert found["digits"] == "sklearn"
    assert "first" in invoked("try", weights, "--digits", "sklearn", "--out", tmp_path / "site").stdout


def test_without_a_file_the_page_is_served_until_it_is_interrupted(
    without_export: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bytes] = []

    class Interrupted:
        def wait(self) -> None:
            (address,) = opened
            found.append(urllib.request.urlopen(address).read())
            raise KeyboardInterrupt

    opened: list[str] = []
    monkeypatch.setattr(playground, "Event", Interrupted)
    monkeypatch.setattr("webbrowser.open", opened.append)
    weights = written(tmp_path / "first.safetensors", untrained(), ON_SKLEARN)
    result = succeeded("try", weights, "--digits", "sklearn")
    assert f"Serving the page at {opened[0]} on this machine only" in result.stderr
    assert b"<title>Try glimpse</title>" in found[0]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(opened[0])


def test_the_examples_are_the_first_of_every_class_in_turn() -> None:
    digits = example_digits("sklearn", None, Listener())
    assert digits.labels.tolist() == [*range(10)] * 5
    assert digits.images.shape == (50, 28, 28)


def test_the_influence_of_a_latent_is_the_squared_change_of_the_image() -> None:
    torch.manual_seed(0)
    model = DRAW(GeneratorConfig(glimpses=2, hidden=5, latent=3, attention=False, height=1, width=1)).eval()  # a single pixel
    latents, step = model.noise(4, torch.Generator().manual_seed(0)), 1e-3
    expected = torch.zeros(2, 3)
    for t in range(2):
        for i in range(3):
            moved = torch.zeros_like(latents)
            moved[:, t, i] = step
            with torch.no_grad():
                more, less = (model.means(model.draw(latents + sign * moved).canvases[:, -1]) for sign in (1, -1))
            expected[t, i] = ((more - less) / (2 * step)).square().mean()
    torch.testing.assert_close(latent_influence(model, samples=4), expected, rtol=2e-2, atol=1e-6)
