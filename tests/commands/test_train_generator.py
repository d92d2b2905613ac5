"""`glimpse train-generator`: presets, settings, training and images."""

from pathlib import Path

import numpy as np
import pytest
import torch

from glimpse.datasets.generative import open_generative
from glimpse.models.weights import load_weights
from glimpse.settings.draw import GENERATOR_PRESETS, GeneratorConfig
from glimpse.training.generator import GenerationTask
from tests.helpers.commands import invoked, succeeded
from tests.helpers.generator_runs import FEW, MODEL, SMALL, color_file, numbers, pictures, refused, train
from tests.helpers.runs import metrics, settings_of

# Presets


def test_presets_have_the_papers_settings() -> None:
    table = {"mnist": (64, 256, 100, 2, 5), "svhn": (32, 800, 100, 12, 12), "cifar10": (64, 400, 200, 5, 5)}
    for name, settings in table.items():
        model = GENERATOR_PRESETS[name].model
        assert (model.glimpses, model.hidden, model.latent, model.read, model.write) == settings
        assert model.attention
    without = GENERATOR_PRESETS["mnist-no-attention"].model
    assert (without.glimpses, without.hidden, without.latent, without.attention) == (64, 256, 100, False)
    for name, preset in GENERATOR_PRESETS.items():
        assert (preset.model.beta, preset.model.beta_warmup) == (1, 0)
        assert preset.model.prior == ("learned" if name in ("mnist-small", "mnist-long", "two-digit", "svhn-32") else "standard")
        assert preset.model.observation == ("logistic" if name in ("svhn-32", "cifar10") else "bernoulli")
    sets = ("auto", "binarized-mnist", "binarized-mnist", "binarized-mnist", "two-digit", "svhn", "svhn-32", "cifar10")
    assert tuple(preset.data for preset in GENERATOR_PRESETS.values()) == sets


@pytest.mark.parametrize("preset", GENERATOR_PRESETS)
def test_every_preset_trains(preset: str, tmp_path: Path) -> None:
    shapes = {"two-digit": (60, 60), "svhn": (64, 64, 3), "svhn-32": (32, 32, 3), "cifar10": (32, 32, 3)}
    data = color_file(tmp_path, shapes[preset], 20) if preset in shapes else "digits"
    more = ["--crop", 54, 54] if preset == "svhn" else []
    out = train(f"--preset={preset}", f"--data={data}", *SMALL, *more, "--images=24", "--batch-size=8", "--out", tmp_path / "run")
    given, model = vars(GENERATOR_PRESETS[preset].model), settings_of(out)["model"]
    side = {"svhn": 54, "two-digit": 60, "svhn-32": 32, "cifar10": 32}.get(preset, 28)
    size = {"channels": shapes.get(preset, (0, 0, 1))[-1] if preset != "two-digit" else 1, "height": side, "width": side}
    assert model == given | {"hidden": 16, "latent": 4} | size
    (last,) = metrics(out)
    assert last["images"] == 24
    assert np.isfinite(list(last.values())).all()
    assert last["skipped"] == 0


# Training


def test_a_generator_learns(generator_run: Path) -> None:
    bounds = [row["valid_bound"] for row in metrics(generator_run) if "valid_bound" in row]
    assert len(bounds) == 4
    mean = open_generative("digits").valid.batch(torch.arange(300)).images.mean(dim=0).double()
    apart = -float((torch.xlogy(mean, mean) + torch.xlogy(1 - mean, 1 - mean)).sum())  # the best for pixels on their own
    assert bounds[-1] < bounds[0] - 5
    assert bounds[-1] < apart - 8
    assert metrics(generator_run)[-1]["kl"] > 1


def test_a_run_records_its_settings_and_its_data(generator_run: Path) -> None:
    settings, data = settings_of(generator_run), open_generative("digits")
    chosen = {"glimpses": 2, "hidden": 32, "latent": 8, "read": 5, "write": 5, "prior": "learned", "beta_warmup": 1000}
    assert settings["model"] == vars(GeneratorConfig()) | chosen
    assert (settings["command"], settings["preset"]) == ("train-generator", "mnist-small")
    assert settings["data"] == data.record()
    _, facts = load_weights(generator_run)
    assert facts["task"]["sha256"] == data.sha256
    assert facts["config"] == settings["model"]


def test_beta_and_its_warm_up_weigh_the_divergence(tmp_path: Path) -> None:
    options = [*MODEL, "--data=digits", "--beta=3", "--beta-warmup=8", "--images=16", "--batch-size=1", "--log-every=1"]
    out = train(*options, "--out", tmp_path / "run")
    assert len(metrics(out)) == 16
    for seen, row in enumerate(metrics(out)):
        assert row["loss"] == pytest.approx(row["reconstruction"] + 3 * min(1, seen / 8) * row["kl"], rel=1e-6)
    assert (settings_of(out)["model"]["beta"], settings_of(out)["model"]["beta_warmup"]) == (3, 8)


def test_the_model_and_the_images_can_be_chosen(tmp_path: Path) -> None:
    options = ["--observation=logistic", "--no-attention", "--binarization=none", "--crop", 20, 24, "--data=digits"]
    out = train(*MODEL, *options, *FEW, "--out", tmp_path / "run")
    settings, (weights, _) = settings_of(out), load_weights(out)
    assert (settings["model"]["observation"], settings["model"]["attention"]) == ("logistic", False)
    assert (settings["model"]["height"], settings["model"]["width"]) == (20, 24)
    assert (settings["data"]["binarization"], settings["data"]["crop"]) == ("none", [20, 24])
    assert "log_scale" in weights
    assert not [name for name in weights if "window" in name]
    found = numbers(out)
    assert (found["data"]["binarization"], found["data"]["crop"]) == ("none", [20, 24])
    assert found["bits_per_dimension"] == pytest.approx(found["bound_nats"] / (20 * 24 * np.log(2)))
    assert "built without attention" in refused("trajectories", out, "--out", tmp_path / "x.csv")


def test_a_learned_prior_is_an_option_that_every_command_follows(tmp_path: Path) -> None:
    out = train(*MODEL, "--prior=learned", "--data=digits", *FEW, "--out", tmp_path / "run")
    assert settings_of(out)["model"]["prior"] == "learned"
    assert load_weights(out)[0]["prior.weight"].shape == (8, 16)
    assert np.isfinite(numbers(out, "--importance-samples=2")["importance_nats"])
    for command, ending, options in (
        ("sample", "npz", ()),
        ("reconstruct", "png", ("--count=2",)),
        ("interpolate", "png", ("--indices=0,1",)),
        ("interpolate", "gif", ("--latent", "--count=2", "--steps=3")),
        ("trajectories", "csv", ("--count=2",)),
    ):
        file = tmp_path / f"{command}.{ending}"
        succeeded(command, out, *options, "--out", file)
        assert file.stat().st_size > 0
    line = refused("train-generator", "--resume", "--prior=standard", "--threads=1", "--out", out)
    assert "with --prior learned, not standard" in line


def test_normalized_outputs_and_the_canvas_as_input_are_options_that_are_off_by_default(tmp_path: Path) -> None:
    out = train(*MODEL, "--layer-norm", "--canvas-input", "--data=digits", *FEW, "--out", tmp_path / "run")
    chosen, usual, weights = settings_of(out)["model"], vars(GeneratorConfig()), load_weights(out)[0]
    assert [(name, chosen[name], usual[name]) for name in ("layer_norm", "canvas_input")] == [
        ("layer_norm", True, False),
        ("canvas_input", True, False),
    ]
    assert weights["decoder.gates.weight"].shape == (64, 4 + 28 * 28 + 16)
    assert {name for name in weights if "norm" in name} == {
        f"{part}.norm.{name}" for part in ("encoder", "decoder") for name in ("weight", "bias")
    }
    assert np.isfinite(numbers(out)["bound_nats"])


def test_training_stops_early_once_the_validation_bound_no_longer_improves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([50.0, 40.0, 41.0, 40.0, 30.0])
    monkeypatch.setattr(GenerationTask, "validate", lambda *_: {"bound": next(scores), "kl": 1.0})
    budget = ["--images=160", "--batch-size=16", "--validate-every=32", "--log-every=16", "--patience=2"]
    done = succeeded("train-generator", *MODEL, "--data=digits", *budget, "--threads=1", "--out", tmp_path / "run")
    rows = metrics(tmp_path / "run")
    assert rows[-1]["images"] == 128
    assert "Stopped early: the last 2 validations were no better than one before" in done.stderr
    (best,) = [row for row in rows if row["images"] == 64]
    assert f"bound 40.00 nats, {40 - best['reconstruction'] - best['kl']:+.2f} over training. Weights" in done.stderr
    again = succeeded("train-generator", "--resume", "--threads=1", "--out", tmp_path / "run")
    assert "is finished: 128 images" in again.stderr
    assert metrics(tmp_path / "run") == rows


def test_the_budget_may_be_given_in_epochs(tmp_path: Path) -> None:
    out = train(*MODEL, "--data=digits", "--epochs=0.05", "--batch-size=16", "--out", tmp_path / "run")
    assert settings_of(out)["training"]["images"] == round(0.05 * 1197)


def test_a_set_that_is_unknown_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    line = refused("train-generator", "--data=nothing", "--out", tmp_path / "run")
    assert "no set called 'nothing', and no such folder: choose auto" in line
    assert not (tmp_path / "run").exists()


def test_your_own_folder_of_pictures_goes_end_to_end_in_color(tmp_path: Path) -> None:
    folder = pictures(tmp_path)
    out = train(*MODEL, "--data", folder, "--size", 6, 8, "--binarization=dynamic", *FEW, "--out", tmp_path / "run")
    settings = settings_of(out)
    assert (settings["data"]["size"], settings["data"]["binarization"]) == ([6, 8], "dynamic")
    assert [settings["model"][name] for name in ("channels", "height", "width")] == [3, 6, 8]
    found, weights = numbers(out), out / "model.safetensors"
    assert (found["data"]["name"], found["data"]["binarization"]) == ("pictures", "dynamic")
    assert found["bound_nats"] == numbers(weights, "--data", folder)["bound_nats"]
    assert "name them with --data" in refused("evaluate", weights)
    assert invoked("trajectories", out, "--out", tmp_path / "sheet.png").exit_code == 0
    other = numbers(weights, "--data", color_file(tmp_path, (6, 8, 3)))
    assert other["data"]["binarization"] == "none"
    (folder / "0.png").unlink()
    assert "its digest differs" in refused("evaluate", out)
    assert "names or digests differ" in refused("train-generator", "--resume", "--out", out)


def test_your_own_file_goes_end_to_end_in_color(tmp_path: Path) -> None:
    out = train(*MODEL, "--data", color_file(tmp_path), "--observation=logistic", *FEW, "--out", tmp_path / "run")
    found = numbers(out)
    assert found["bits_per_dimension"] == pytest.approx(found["bound_nats"] / (7 * 9 * 3 * np.log(2)))
    assert found["data"]["name"] == "pictures"
    assert invoked("trajectories", out, "--out", tmp_path / "page.html").exit_code == 0


def test_a_training_without_one_finite_validation_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "glimpse.training.generator.GenerationTask.validate", lambda task, model: {"bound": float("nan"), "kl": 0.0}
    )
    arguments = ["--data=digits", *MODEL, *FEW, "--threads=1"]
    result = invoked("train-generator", *arguments, "--out", tmp_path / "run")
    assert result.exit_code == 1
    assert "no validation was finite" in result.stderr.splitlines()[-1]
