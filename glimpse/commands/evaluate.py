"""What `glimpse evaluate` does between parsing and printing."""

import dataclasses
import time
from typing import Any

import torch

from glimpse import environment
from glimpse.commands import console
from glimpse.commands.evaluate_generator import evaluate_generator
from glimpse.commands.task_images import check_images, open_task_images
from glimpse.comparison.opened import published_on
from glimpse.datasets.batches import PositionalDataset
from glimpse.evaluation.classifier import glimpses_of, predictions, samples_of
from glimpse.evaluation.metrics import ClassificationResult, summarise
from glimpse.models.catalog import Classifier, open_model
from glimpse.models.draw import DRAW
from glimpse.models.ram import RAM
from glimpse.models.weights import load_weights

__all__ = ["evaluate"]


def evaluate(source: str, options: dict[str, Any], chosen: dict[str, Any], *, as_json: bool) -> None:
    """Measures a trained model, the error of a classifier or the bound of a generator, and prints it.

    Args:
        source: A run's folder or `pretrained:NAME`.
        options: All options by name.
        chosen: Those that describe images other than the model was trained on.
        as_json: Whether to print one line with one JSON object.

    Raises:
        ValueError: If there is no such model, or the images do not fit it.
        FileNotFoundError: If the digits it was trained on are not at hand.
    """
    _, facts = load_weights(source)
    threads = environment.use_threads(options["threads"])
    device = environment.choose_device(options["device"])
    model = open_model(source).to(device)
    images = open_task_images(source, facts["task"], options, chosen, device)
    if isinstance(model, DRAW):
        rate = {"device": str(device), "threads": threads}
        evaluate_generator(source, model, images, options, rate, as_json=as_json)
        return
    if options["importance_samples"] is not None:
        raise ValueError("--importance-samples is for a generator: a classifier has no bound")
    if options["test_samples"] is not None:
        if not isinstance(model, RAM):
            raise ValueError("--test-samples is for a recurrent attention model (ram): no other samples where it looks")
        model.config = dataclasses.replace(model.config, test_samples=options["test_samples"])
    check_images(images, model.config)
    data, described, _ = images
    result, seconds = measure(model, data, options["glimpses"])
    glimpses = options["glimpses"] or glimpses_of(model)
    rate = {"images_per_second": round(result.n / seconds, 1), "device": str(device), "threads": threads}
    sampled = {"test_samples": samples_of(model)} if isinstance(model, RAM) else {}
    if as_json:
        console.print_json({"model": source} | result.as_dict() | {"glimpses": glimpses} | sampled | {"data": described} | rate)
    else:
        _show(source, result, described, sampled.get("test_samples"), rate)


def measure(model: Classifier, data: PositionalDataset, glimpses: int | None = None) -> tuple[ClassificationResult, float]:
    """Returns everything a classifier is judged by, over a whole data set, and the seconds that reading it out took.

    Raises:
        ValueError: If the data have a class that the model does not know.
    """
    logits, labels = [], []
    began = time.monotonic()
    with torch.no_grad(), console.ProgressView("Evaluating", len(data)) as view:
        for scores, truth in predictions(model, data, glimpses):
            if int(truth.max()) >= model.config.classes:
                raise ValueError(f"the model knows classes 0 to {model.config.classes - 1}, the images have {int(truth.max())}")
            logits.append(scores.cpu())
            labels.append(truth.cpu())
            view.update(sum(map(len, labels)))
    seconds = time.monotonic() - began
    return summarise(torch.cat(logits), torch.cat(labels), model.config.classes), seconds


def _show(source: str, result: ClassificationResult, described: dict[str, Any], samples: int | None, rate: dict[str, Any]) -> None:
    """Prints the result for a person."""
    glimpses = len(result.error_by_glimpse)
    low, high = result.interval
    facts = [
        ("error %", f"{result.error:.2f}"),
        ("95 % interval", f"{low:.2f} to {high:.2f}"),
        ("images", f"{result.n:,}"),
        ("negative log-likelihood, nats", f"{result.nll:.4f}"),
        ("calibration error", f"{result.calibration_error:.4f}"),
        ("images per second", f"{rate['images_per_second']:,.0f} ({rate['device']}, threads: {rate['threads']})"),
    ]
    if samples is not None:
        sampled = f"{samples} sequences, averaged" if samples > 1 else "1" if samples else "none: the policy's mean"
        facts.insert(1, ("samples of locations at test time", sampled))
    console.print_rows((source, " ".join(f"{key}={value}" for key, value in described.items() if key != "recipe")), facts)
    if glimpses > 1:
        steps = [(step, f"{error:.2f}") for step, error in enumerate(result.error_by_glimpse, start=1)]
        console.print_rows(("glimpse", "error %"), steps)
    classes = range(len(result.confusion))
    counts = [(truth, *row) for truth, row in zip(classes, result.confusion, strict=True)]
    console.print_rows(("true \\ predicted", *map(str, classes)), counts)
    published = published_on(described)
    if published:
        name = f"{source}, {glimpses} glimpses" if glimpses > 1 else source
        here = (name, f"{result.error:.2f}", "measured here", "")
        rows = [(row.model, f"{row.error_percent:.2f}", row.source, row.note) for row in published]
        console.print_rows(("model", "error %", "where", "note"), [here, *rows], title="The same task, published")
