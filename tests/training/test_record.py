"""Setup of a training, and that it learns."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from glimpse.datasets.classification import ClassifierData, cluttered_data, file_data
from glimpse.datasets.digits import open_digits
from glimpse.datasets.labeled_images import open_data
from glimpse.listener import Listener
from glimpse.settings.classifier import ClassifierSettings
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.glimpse_classifier import ClassifierConfig
from glimpse.settings.requests import ClassifierTrainingRequest, TrainingImageChoice
from glimpse.settings.training import TrainingConfig
from glimpse.training.classifier import ClassificationTask, ClassifierPlan, classifier_trainer
from glimpse.training.processes import joined_processes
from glimpse.training.record import StartingPoint, image_facts, merged, refuse_differences, run_record, task_facts
from tests.helpers.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS, TRAINING_PRESETS

CPU = torch.device("cpu")
MODEL = ClassifierConfig(glimpses=2, window=4, hidden=6, features=5)
TRAINING = TrainingConfig(images=64, batch_size=16, warmup=16, averaging=32)


def data(seed: int = 0, canvas: int = 40, pieces: int = 2) -> ClassifierData:
    return cluttered_data(open_digits("sklearn"), ClutterRecipe(canvas=canvas, pieces=pieces), seed=seed, device=CPU)


def run(
    model: ClassifierSettings = MODEL,
    training: TrainingConfig = TRAINING,
    images: ClassifierData | None = None,
    *,
    preset: str = "tuned",
) -> dict[str, Any]:
    start = StartingPoint(preset, {})
    return run_record("train-classifier", start, model, training, (images or data()).record, (CPU, 1))


@pytest.mark.parametrize(
    "preset", [pytest.param(preset, marks=[pytest.mark.slow] * (preset == "paper")) for preset in sorted(CLASSIFIER_PRESETS)]
)
def test_a_tiny_training_really_learns(preset: str) -> None:
    small: dict[str, Any] = {
        "glimpses": 4,
        "window": 6,
        "hidden": 48,
        "features": 48,
        "sigma": 3.0 if preset == "paper" else 0.5,
        "filters": 4,
    }
    small |= {"kernel": 6, "step": 3, "scales": 3 if preset == "ram" else 1, "policy_std": 0.2, "first_glimpse": "centered"}
    budget = {"tuned": 20_000, "paper": 30_000}.get(preset, 10_000)
    training = replace(TRAINING_PRESETS[preset], images=budget, batch_size=50, learning_rate=4e-3, warmup=2_000, averaging=5_000)
    training = replace(training, validate_every=budget, log_every=budget)
    images = data() if preset in CLASSIFIER_MODELS["glimpse"] else data(canvas=30, pieces=0)
    model = merged(type(CLASSIFIER_PRESETS[preset]), vars(CLASSIFIER_PRESETS[preset]), small | images.shape)
    trainer = classifier_trainer(run(model, training, images, preset=preset), images, CPU)
    last = list(trainer.fit())[-1].values
    assert last["valid_error"] < 35  # chance is 90
    assert last["valid_nll"] < np.log(10)


def test_initial_weights_depend_only_on_the_seed() -> None:
    images, weights = data(), []
    for seed, noise in ((0, 1), (0, 2), (1, 1)):
        torch.manual_seed(noise)
        before = torch.random.get_rng_state()
        trainer = classifier_trainer(run(training=replace(TRAINING, seed=seed)), images, CPU)
        assert torch.equal(before, torch.random.get_rng_state())
        weights.append(torch.cat([parameter.flatten() for parameter in trainer.task.model.parameters()]))
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_training_clutter_follows_the_seed_and_validation_does_not() -> None:
    first, other = data(0), data(1)
    positions = torch.arange(5)
    assert not torch.equal(first.train.batch(positions).images, other.train.batch(positions).images)
    assert torch.equal(first.valid.batch(positions).images, other.valid.batch(positions).images)


def test_validation_is_the_error_after_the_last_glimpse_over_the_whole_set() -> None:
    images = data()
    trainer = classifier_trainer(run(), images, CPU)
    assert isinstance(trainer.task, ClassificationTask)
    wrong, nats = 0, 0.0
    with torch.no_grad():
        for index in range(len(images.valid)):
            image, label, _ = images.valid[index]
            scores = trainer.task.model(image[None])[0][0, -1]
            wrong += int(scores.argmax()) != int(label)
            nats -= float(torch.log_softmax(scores, dim=0)[label])
        found = trainer.task.validate(trainer.task.model)
    assert found["error"] == pytest.approx(100 * wrong / 300)
    assert found["nll"] == pytest.approx(nats / 300, rel=1e-5)


def test_settings_are_json_and_restore_the_same_trainer() -> None:
    images = data()
    record = json.loads(json.dumps(run(images=images)))
    trainer = classifier_trainer(record, images, CPU)
    assert trainer.config == TRAINING
    assert isinstance(trainer.task, ClassificationTask)
    assert trainer.task.model.config == MODEL
    assert set(record["environment"]) == {"versions", "platform", "device", "threads", "processes", "commit"}


def test_a_weights_file_does_not_depend_on_the_machine(tmp_path: Path) -> None:
    facts = []
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        np.savez(tmp_path / folder / "own.npz", images=np.zeros((20, 9, 9), dtype=np.uint8), labels=np.arange(20) % 2)
        facts.append(task_facts(file_data(open_data(tmp_path / folder / "own.npz")).record))
    assert facts[0] == facts[1]
    assert task_facts(data().record) == {
        "kind": "cluttered",
        "digits": "sklearn",
        "recipe": {"canvas": 40, "pieces": 2, "piece_size": 8, "border": 0},
    }


@pytest.mark.parametrize(("light", "ground"), [(0, "dark"), (30, "light"), (10, None)])
def test_the_size_and_the_ground_of_own_images_are_kept_with_the_weights(tmp_path: Path, light: int, ground: str | None) -> None:
    images = np.zeros((30, 9, 12), dtype=np.uint8)
    images[:, 3:6, 4:8] = 200
    images[:light] = 255 - images[:light]
    np.savez(tmp_path / "own.npz", images=images, labels=np.arange(30) % 2)
    record = json.loads(json.dumps(file_data(open_data(tmp_path / "own.npz", shuffle_seed=1)).record))
    assert image_facts(record) == {"images": {"size": [9, 12], "ground": ground}}
    assert image_facts(data().record) == {}


def test_a_model_that_does_not_fit_the_data_is_refused() -> None:
    with pytest.raises(ValueError, match="they have classes 10, not 9"):
        classifier_trainer(run(replace(MODEL, classes=9)), data(), CPU)


def resumed(record: dict[str, Any], **choice: Any) -> ClassifierData:
    """Returns the data of a resumed run."""
    request = ClassifierTrainingRequest(images=TrainingImageChoice(**choice))
    return ClassifierPlan(request, Listener()).data_of(json.loads(json.dumps(record)), CPU)


def test_a_run_of_an_earlier_version_keeps_its_split_and_its_classes(tmp_path: Path) -> None:
    file, training = tmp_path / "own.npz", {"seed": 3}
    np.savez(file, images=np.arange(40, dtype=np.uint8).repeat(9).reshape(40, 3, 3), labels=1 + np.arange(40) // 4)
    new = file_data(open_data(file, shuffle_seed=3)).record
    old = {name: value for name, value in new.items() if name not in ("split", "seed", "class_names")} | {"n_classes": 11}
    found = resumed({"data": old, "training": training})
    assert [round(float(image[0, 0, 0]) * 255) for image, _, _ in found.valid] == [36, 37, 38, 39]  # type: ignore[attr-defined]
    assert found.valid.batch(torch.arange(4)).labels.tolist() == [10] * 4
    assert found.class_names == tuple(map(str, range(11)))
    assert resumed({"data": new, "training": training}).record == new


def test_a_run_on_digits_of_an_earlier_version_keeps_its_split(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "own.npz", images=np.random.default_rng(0).integers(0, 256, (50, 9, 9)).astype("u1"), labels=np.arange(50) % 2
    )
    file, recipe = str(tmp_path / "own.npz"), {"canvas": 12, "pieces": 0}
    for split in ("stratified", "legacy"):
        source = open_digits(file, seed=3, split=split)
        new = cluttered_data(source, ClutterRecipe(**recipe), seed=3, device=CPU).record
        old = {
            name: value for name, value in new["digits"].items() if split == "stratified" or name not in ("split", "class_names")
        }
        assert resumed({"data": new | {"digits": old}, "training": {"seed": 3}}).record["digits"]["sha256"] == source.sha256


def test_a_file_with_nothing_to_learn_from_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.npz"
    np.savez(file, X_test=np.zeros((4, 9, 9), dtype=np.uint8), y_test=np.arange(4))
    with pytest.raises(ValueError, match="no training images"):
        file_data(open_data(file))


def test_chosen_settings_replace_those_of_the_base() -> None:
    base = {"hidden": 5, "features": 6, "something_else": 1}
    assert merged(ClassifierConfig, base, {"hidden": 7, "images": 3}) == ClassifierConfig(hidden=7, features=6)


def test_every_setting_that_differs_is_refused_by_name() -> None:
    started = run()
    same = {"hidden": 6, "images": 64, "canvas": 40, "digits": "sklearn", "preset": "tuned", "threads": 1}
    refuse_differences(started, same)
    for name in same:
        with pytest.raises(ValueError, match=rf"--{name} .* not other"):
            refuse_differences(started, same | {name: "other"})


def test_without_torchrun_there_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes(CPU) as rank:
        assert rank == 0
        assert not torch.distributed.is_initialized()
