"""Exported models: in onnxruntime and reloaded by torch, against the models themselves."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

import glimpse
from glimpse import environment
from glimpse.exporting import calls, formats
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_classifier, open_generator
from glimpse.settings.convolutional import ConvConfig, ConvNetConfig
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.ram import RAMConfig
from glimpse.settings.search import SearchConfig
from glimpse.settings.spatial_transformer import SpatialTransformerConfig
from tests.helpers.classifiers import built
from tests.helpers.commands import invoked, printed_json, refused
from tests.helpers.weights import ON_SKLEARN, written, written_generator

SIDE = 40  # of the images in ON_SKLEARN
GLIMPSE = ClassifierConfig(glimpses=2, window=4, hidden=6, features=5, scales=2)
RAM = RAMConfig(glimpses=2, window=4, hidden=6, features=5, scales=2)
SPATIAL = SpatialTransformerConfig(window=4, filters=2, features=5)
SEARCH = SearchConfig(glimpses=4, window=4, hidden=6, features=5, filters=2, extent=9.0, candidates=2)


def saved(folder: Path, config: Any) -> Path:
    """Writes a small classifier of 40x40 images, and returns the file of weights."""
    return written(folder / "model.safetensors", built(config, moved=0.1), ON_SKLEARN)


def digits(batch: int, seed: int = 1) -> Tensor:
    """Returns seeded images with a bright block each on black."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.zeros(batch, 1, SIDE, SIDE)
    for image, (row, column) in zip(images, torch.randint(4, 24, (batch, 2), generator=generator).tolist(), strict=True):
        image[0, row : row + 12, column : column + 12] = torch.rand(12, 12, generator=generator)
    return images


def run_onnx(file: Path, *inputs: Tensor) -> dict[str, Tensor]:
    """Returns the outputs of an ONNX file by name."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    feeds = {entry.name: values.numpy() for entry, values in zip(session.get_inputs(), inputs, strict=True)}
    return dict(zip(names, map(torch.from_numpy, session.run(names, feeds)), strict=True))


@torch.no_grad()
def looked(model: ImageClassifier, images: Tensor, **inputs: Any) -> tuple[Tensor, Tensor]:
    """Returns the probabilities, and the windows of all scales as fields in the last axis."""
    logits, tracks = model.look(images, **inputs)
    assert logits is not None
    windows = np.stack([np.stack([field.numpy() for field in track.window], axis=-1) for track in tracks], axis=2)
    return logits.softmax(dim=-1), torch.from_numpy(windows)


def test_onnxruntime_and_the_glimpse_classifier_agree_for_any_number_of_images(tmp_path: Path) -> None:
    weights, out = saved(tmp_path, GLIMPSE), tmp_path / "model.onnx"
    found = glimpse.export(weights, out=out, threads=1)
    assert found.inputs == {"images": ("batch", 1, SIDE, SIDE)}
    assert found.outputs == {"probabilities": ("batch", 2, 10), "windows": ("batch", 2, 2, 5)}
    assert found.largest_difference <= 1e-5
    assert found.bytes == out.stat().st_size
    for batch in (1, 2, 7):
        probabilities, windows = looked(open_classifier(weights), digits(batch))
        outputs = run_onnx(out, digits(batch))
        torch.testing.assert_close(outputs["probabilities"], probabilities, rtol=0, atol=1e-5)
        torch.testing.assert_close(outputs["windows"], windows, rtol=1e-5, atol=1e-5)
    written_facts = {entry.key: entry.value for entry in onnx.load(out).metadata_props}
    assert json.loads(written_facts["glimpse"])["model"] == "GlimpseClassifier"


@pytest.mark.slow
def test_a_black_image_gets_the_same_answer_in_onnxruntime(tmp_path: Path) -> None:
    weights, out = saved(tmp_path, SEARCH), tmp_path / "model.onnx"
    glimpse.export(weights, out=out, threads=1)
    black = torch.zeros(1, 1, SIDE, SIDE)  # its center of mass is a quotient of weights of 1e-12
    with torch.no_grad():
        expected = open_classifier(weights).named_outputs(black)
    torch.testing.assert_close(run_onnx(out, black), expected, rtol=1e-5, atol=1e-5)


def test_ram_follows_its_policys_mean_from_the_first_location_that_the_noise_gives(tmp_path: Path) -> None:
    weights, out = saved(tmp_path, RAM), tmp_path / "model.pt2"
    found = glimpse.export(weights, out=out, threads=1)
    assert found.inputs["uniforms"] == ("batch", 2, 2)
    loaded, model = torch.export.load(out).module(), open_classifier(weights)
    centered = loaded(digits(3), torch.full((3, 2, 2), 0.5))
    probabilities, windows = looked(model, digits(3))
    torch.testing.assert_close(centered["probabilities"], probabilities, rtol=0, atol=1e-6)
    torch.testing.assert_close(centered["windows"], windows, equal_nan=True)
    uniforms = torch.rand(3, 2, 2, generator=torch.Generator().manual_seed(0))
    probabilities, _ = looked(model, digits(3), uniforms=uniforms, std=0.0)
    torch.testing.assert_close(loaded(digits(3), uniforms)["probabilities"], probabilities, rtol=0, atol=1e-6)


def test_the_spatial_transformers_matrix_is_an_output(tmp_path: Path) -> None:
    weights, out = saved(tmp_path, SPATIAL), tmp_path / "model.onnx"
    found = glimpse.export(weights, out=out, size=(30, 50), threads=1)
    assert found.inputs == {"images": ("batch", 1, 30, 50)}
    images = digits(4)[:, :, :30].repeat(1, 1, 1, 2)[..., :50]
    with torch.no_grad():
        logits, affine = open_classifier(weights)(images)
    outputs = run_onnx(out, images)
    torch.testing.assert_close(outputs["probabilities"], logits.softmax(dim=-1), rtol=0, atol=1e-5)
    torch.testing.assert_close(outputs["affine"], affine, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "pt2"])
@pytest.mark.parametrize(
    "config",
    [
        GLIMPSE,
        replace(GLIMPSE, parametrization="random"),
        replace(GLIMPSE, parametrization="paper", encoder="none"),
        RAM,
        replace(RAM, test_samples=2, first_glimpse="centered"),
        SEARCH,
        ConvConfig(filters=2, hidden=6, height=SIDE, width=SIDE),
        ConvNetConfig(filters=2),
        SPATIAL,
    ],
    ids=lambda config: config.kind,
)
def test_every_classifier_is_exported_to_every_format(config: Any, form: str, tmp_path: Path) -> None:
    found = glimpse.export(saved(tmp_path, config), out=tmp_path / f"model.{form}", threads=1)
    assert found.largest_difference <= 1e-5
    assert ("windows" in found.outputs) == (config.glimpses is not None)
    assert ("canvases" in found.outputs) == (config.kind == "search")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["glimpse-8", "ram-8", "classifier-8", "convnet", "conv", "spatial-transformer", "draw-mnist"])
def test_every_kind_of_shipped_model_is_exported_to_onnx(name: str, tmp_path: Path) -> None:
    found = glimpse.export(f"pretrained:{name}", out=tmp_path / "model.onnx")
    assert found.largest_difference <= max(1e-5, 4 * found.rounding)


def test_the_decoder_of_a_generator_draws_its_canvases_in_onnxruntime(tmp_path: Path) -> None:
    weights, out = written_generator(tmp_path / "draw.safetensors", height=8, width=9), tmp_path / "draw.onnx"
    found = glimpse.export(weights, out=out, threads=1)
    assert found.inputs == {"latents": ("batch", 2, 3)}
    assert found.outputs == {"canvases": ("batch", 3, 1, 8, 9), "write_windows": ("batch", 2, 5)}
    latents = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        drawing = open_generator(weights).draw(latents)
    torch.testing.assert_close(run_onnx(out, latents)["canvases"], drawing.canvases.sigmoid(), rtol=0, atol=1e-5)


def test_a_generators_reconstruction_is_exported_with_its_latents(tmp_path: Path) -> None:
    weights, out = written_generator(tmp_path / "draw.safetensors", attention=False, height=8, width=9), tmp_path / "draw.pt2"
    found = glimpse.export(weights, out=out, part="reconstruct", threads=1)
    assert found.outputs.keys() == {"canvases", "latents"}
    images, noise = torch.rand(4, 1, 8, 9).round(), torch.zeros(4, 2, 3)
    with torch.no_grad():
        drawing, latents = open_generator(weights).reconstruct(images, noise)
    outputs = torch.export.load(out).module()(images, noise)
    torch.testing.assert_close(outputs["canvases"], drawing.canvases.sigmoid(), rtol=0, atol=1e-6)
    torch.testing.assert_close(outputs["latents"], latents, rtol=0, atol=1e-6)


def test_a_file_that_answers_otherwise_is_refused_and_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights, out = saved(tmp_path, ConvNetConfig(filters=2)), tmp_path / "model.pt2"
    load = formats.load_program

    def altered(*arguments: Any) -> Any:
        runner = load(*arguments)
        return lambda *inputs: {name: values + 2e-3 for name, values in runner(*inputs).items()}

    monkeypatch.setattr(calls, "load_program", altered)
    with pytest.raises(ValueError, match=r"differs from the model in probabilities by 2\.0e-03, more than"):
        glimpse.export(weights, out=out)
    assert not out.exists()


def test_the_command_prints_one_line_of_json(tmp_path: Path) -> None:
    weights, out = saved(tmp_path, ConvNetConfig(filters=2)), tmp_path / "model.pt2"
    found = printed_json("export", weights, "--format", "pt2", "--out", out, "--threads", 1)
    assert found["inputs"] == {"images": ["batch", 1, SIDE, SIDE]}
    assert found["outputs"] == {"probabilities": ["batch", 1, 10]}
    assert found["largest_difference"] <= 1e-5
    assert found["images_per_second"] > 0
    shown = invoked("export", weights, "--out", out, "--threads", 1).stdout
    assert "batch x 1 x 40 x 40" in shown


def test_options_that_do_not_fit_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = saved(tmp_path, ConvConfig(filters=2, hidden=6, height=SIDE, width=SIDE))
    out = tmp_path / "model.onnx"
    assert refused("export", weights, "--out", tmp_path / "model.bin").startswith("--out writes a .onnx or a .pt2 file")
    assert refused("export", weights, "--out", out, "--format", "pt2").startswith("--out writes a .pt2 file")
    assert refused("export", weights, "--out", out, "--part", "draw").startswith("--part is for a generator")
    assert refused("export", weights, "--out", out, "--size", 30, 30).startswith("the model requires images of 40 x 40 pixels")
    assert "sees the whole image at once" in refused("export", weights, "--out", out, "--glimpses", 2)
    monkeypatch.setattr(environment, "find_spec", lambda name: None if name == "onnxruntime" else object())
    line = refused("export", weights, "--out", out)
    assert line == "export to ONNX needs onnxruntime: pip install 'glimpse-attention[export]'"
