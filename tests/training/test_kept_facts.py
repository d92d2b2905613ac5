"""What a run keeps of its data, of every kind: config.json and the metadata of its weights fit their schemas, and are read back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glimpse.models.catalog import build_classifier
from glimpse.models.weights import read_facts, save_weights
from glimpse.settings.base import from_mapping
from glimpse.settings.catalog import setting_names
from glimpse.settings.requests import ClassifierTrainingRequest, GeneratorTrainingRequest, from_options
from glimpse.settings.search import SearchConfig
from glimpse.training.classifier import ClassifierPlan
from glimpse.training.folder import RunFolder
from glimpse.training.generator import GeneratorPlan
from glimpse.training.record import image_facts, task_facts

CPU = torch.device("cpu")
DRAW = np.random.default_rng(0)
IMAGES = DRAW.integers(0, 256, (120, 12, 12), dtype=np.uint8)
NAMES = np.array(["cat", "dog", "emu"])[np.arange(120) % 3]


def npz(folder: Path, **more: Any) -> Path:
    np.savez(folder / "own.npz", images=IMAGES, labels=NAMES, **more)
    return folder / "own.npz"


def class_folders(folder: Path) -> Path:
    for index, (image, name) in enumerate(zip(IMAGES, NAMES, strict=True)):
        (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / "pictures" / name / f"{index}.png")
    return folder / "pictures"


OF_CLASSIFIERS: dict[str, Any] = {
    "digits": lambda folder: {"digits": "sklearn", "distort": 1, "canvas": 40},
    "own digits": lambda folder: {"digits": str(npz(folder)), "split_seed": 3, "canvas": 40},
    "a file": lambda folder: {"data": npz(folder), "class_weights": "balanced"},
    "a file with keys": lambda folder: {"data": npz(folder, other=NAMES[::-1]), "images_key": "images", "labels_key": "other"},
    "class folders": lambda folder: {"data": class_folders(folder), "size": (10, 14), "fit": "pad", "split_seed": 3},
    "arrays": lambda folder: {"data": (IMAGES, NAMES)},
}


@pytest.mark.parametrize("kind", OF_CLASSIFIERS)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_of_a_classifier_is_read_back(tmp_path: Path, kind: str) -> None:
    options = OF_CLASSIFIERS[kind](tmp_path) | {"glimpses": 2}
    plan = ClassifierPlan(from_options(ClassifierTrainingRequest, options, setting_names()))
    record, _ = plan.new_run(CPU, 1)
    RunFolder(tmp_path / "run").start(record)
    kept = RunFolder(tmp_path / "run").config
    kept.pop("sha256")
    assert kept == json.loads(json.dumps(record, default=str))
    facts = {"model": "SearchClassifier", "config": record["model"], "task": task_facts(record["data"])}
    facts |= image_facts(record["data"])
    weights = build_classifier(from_mapping(SearchConfig, record["model"])).state_dict()
    save_weights(tmp_path / "run" / "model.safetensors", weights, facts)
    assert read_facts(tmp_path / "run") == json.loads(json.dumps(facts))


OF_GENERATORS: dict[str, Any] = {
    "digits": lambda folder: {"data": "digits"},
    "a file": lambda folder: {"data": str(npz(folder)), "crop": (8, 8), "binarization": "none"},
    "pictures": lambda folder: {"data": str(class_folders(folder) / "cat"), "size": (10, 14), "binarization": "dynamic"},
}
FROM_MNIST = ("binarized-mnist", "dynamic-mnist", "two-digit", "auto")


@pytest.mark.parametrize("kind", [*OF_GENERATORS, *FROM_MNIST])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_run_of_a_generator_is_read_back(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    if kind in OF_GENERATORS:
        options = OF_GENERATORS[kind](tmp_path)
    else:
        options = {"data": kind, "data_dir": request.getfixturevalue("mnist_folder")}
    plan = GeneratorPlan(from_options(GeneratorTrainingRequest, options, setting_names()))
    record, _ = plan.new_run(CPU, 1)
    RunFolder(tmp_path / "run").start(record)
    kept = RunFolder(tmp_path / "run").config
    kept.pop("sha256")
    assert kept == json.loads(json.dumps(record, default=str))
    save_weights(tmp_path / "run" / "w", {}, {"model": "DRAW", "config": record["model"], "task": task_facts(record["data"])})
    assert read_facts(tmp_path / "run" / "w")["task"] == json.loads(json.dumps(task_facts(record["data"])))
