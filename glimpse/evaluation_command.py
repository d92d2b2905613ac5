"""What `glimpse evaluate` does between parsing and printing."""

import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from glimpse import console, environment
from glimpse.classification import predictions
from glimpse.classifier import GlimpseClassifier
from glimpse.datasets.batches import PositionalDataset
from glimpse.datasets.clutter import ClutteredMNIST, ClutterRecipe
from glimpse.datasets.digits import DigitSource
from glimpse.datasets.files import open_data
from glimpse.metrics import ClassificationResult, summarise
from glimpse.options import open_digit_source
from glimpse.published import published_classification
from glimpse.run import RunFolder
from glimpse.weights import load_weights

__all__ = ["evaluate"]


def evaluate(source: str, options: dict[str, Any], chosen: dict[str, Any], *, as_json: bool) -> None:
    """Measures a trained classifier's error and prints it.

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
    model = GlimpseClassifier.from_pretrained(source).to(device)
    chosen = {name: value for name, value in chosen.items() if (name, value) != ("digits", "auto")}  # auto: the model's own
    data, described = _images(source, facts["task"], options, chosen, device)
    result, seconds = measure(model, data, options["glimpses"])
    glimpses = options["glimpses"] or model.config.glimpses
    rate = {"images_per_second": round(result.n / seconds, 1), "device": str(device), "threads": threads}
    if as_json:
        console.print_json({"model": source} | result.as_dict() | {"glimpses": glimpses, "data": described} | rate)
    else:
        _show(source, result, described, glimpses, rate)


def measure(model: GlimpseClassifier, data: PositionalDataset, glimpses: int | None = None) -> tuple[ClassificationResult, float]:
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


def _images(
    source: str, task: dict[str, Any], options: dict[str, Any], chosen: dict[str, Any], device: torch.device
) -> tuple[PositionalDataset, dict[str, Any]]:
    """Returns the images to evaluate on and a description of them."""
    path = options["data"]
    if path is None and task["kind"] == "file" and not chosen:
        path = _trained_on(source)
    if path is not None:
        if chosen:
            raise ValueError(
                f"--data brings its own images: leave out {', '.join('--' + name.replace('_', '-') for name in chosen)}"
            )
        parts = open_data(path, device=device)
        if options["data"] is None and parts.sha256 != task["sha256"]:
            raise ValueError(f"{path} has changed since {source} was trained on it: name images with --data")
        part, images = parts.evaluation
        if parts.is_whole and parts.valid is not None and parts.sha256 == task.get("sha256"):
            console.note(f"The model was trained on {path}, which has no test part: measuring on the tenth it was validated on.")
            part, images = "valid", parts.valid
        if options["split"] == "valid":
            if parts.valid is None:
                raise ValueError(f"{path} has no validation part")
            part, images = "valid", parts.valid
        return images, {"kind": "file", "path": str(path), "part": part}
    recipe = ClutterRecipe(**task.get("recipe", {}) | {name: value for name, value in chosen.items() if name != "digits"})
    digits = _digits(source, task, options, chosen)
    split = options["split"]
    images_of_split = ClutteredMNIST(getattr(digits, split).to(device), split, recipe)
    return images_of_split, {"kind": "cluttered", "digits": digits.name, "split": split, "recipe": asdict(recipe)}


def _digits(source: str, task: dict[str, Any], options: dict[str, Any], chosen: dict[str, Any]) -> DigitSource:
    """Returns the digits asked for, else those that the model was trained on, never others in their place."""
    if "digits" in chosen:
        return open_digit_source(chosen["digits"], options["data_dir"], task.get("seed") or 0)  # split as in training
    if task["kind"] == "file":
        raise ValueError(f"{source} was trained on a file of images: say with --digits which digits to put on the canvas")
    name = task["digits"]
    if name == "file":
        if not Path(source).is_dir():
            raise ValueError(f"{source} was trained on a person's own digits: name their file with --digits FILE.npz")
        record = RunFolder(Path(source)).config["data"]["digits"]
        found = open_digit_source(record["digits"], options["data_dir"], record["seed"] or 0)
        if found.sha256 != record["sha256"]:
            raise ValueError(f"{record['digits']} has changed since {source} was trained on it: name digits with --digits")
        return found
    try:
        return open_digit_source(name, options["data_dir"])
    except FileNotFoundError as error:
        cause = str(error).partition(";")[0]
        advice = "name a folder that has it with --data-dir or GLIMPSE_DATA, or give images with --data FILE.npz"
        raise FileNotFoundError(f"{source} was trained on {name}, and {cause}: {advice}") from error


def _trained_on(source: str) -> Path:
    """Returns the file of images that a run was trained on."""
    folder = Path(source)
    if not folder.is_dir():
        raise ValueError(f"{source} was trained on a person's own file; give images with --data")
    return Path(RunFolder(folder).config["data"]["path"])


def _show(source: str, result: ClassificationResult, described: dict[str, Any], glimpses: int, rate: dict[str, Any]) -> None:
    """Prints the result for a person."""
    low, high = result.interval
    facts = [
        ("error %", f"{result.error:.2f}"),
        ("95 % interval", f"{low:.2f} to {high:.2f}"),
        ("images", f"{result.n:,}"),
        ("negative log-likelihood, nats", f"{result.nll:.4f}"),
        ("calibration error", f"{result.calibration_error:.4f}"),
        ("images per second", f"{rate['images_per_second']:,.0f} ({rate['device']}, {rate['threads']} threads)"),
    ]
    console.print_rows((source, " ".join(f"{key}={value}" for key, value in described.items() if key != "recipe")), facts)
    steps = [(step, f"{error:.2f}") for step, error in enumerate(result.error_by_glimpse, start=1)]
    console.print_rows(("glimpse", "error %"), steps)
    classes = range(len(result.confusion))
    counts = [(truth, *row) for truth, row in zip(classes, result.confusion, strict=True)]
    console.print_rows(("true \\ predicted", *map(str, classes)), counts)
    published = _published(described)
    if published:
        here = (f"{source}, {glimpses} glimpses", f"{result.error:.2f}", "measured here", "")
        rows = [(row.model, f"{row.error_percent:.2f}", row.source, row.note) for row in published]
        console.print_rows(("model", "error %", "where", "note"), [here, *rows], title="The same task, published")


def _published(described: dict[str, Any]) -> tuple[Any, ...]:
    """Returns the published rows to set beside a result: none unless digits, recipe and split are those of the papers."""
    recipe = described.get("recipe", {})
    usual = {"piece_size": 8, "border": 0}
    if described.get("split") != "test" or any(recipe.get(name) != value for name, value in usual.items()):
        return ()
    return published_classification(recipe["canvas"], recipe["pieces"], described["digits"])
