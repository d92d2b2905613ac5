"""Measuring trained models for a comparison: the class each gives to every test image, what it costs, and how fast it is.

What is measured is kept and not measured again. Dimension: N test images.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from glimpse import environment
from glimpse.commands import console
from glimpse.commands.task_images import TaskImages, check_images, open_task_images
from glimpse.commands.time_limit import TimeLimit
from glimpse.comparison.kept import KeptMeasurements, Measured, Speeds
from glimpse.comparison.opened import OpenedModel, open_models, task_words
from glimpse.comparison.rows import Comparison, Trained, compare
from glimpse.datasets.batches import Batch
from glimpse.evaluation.classifier import predictions
from glimpse.evaluation.costs import TIMED_IMAGES, FixedImages, forward_seconds, multiply_adds
from glimpse.evaluation.published import published_on

__all__ = ["measured_comparison"]

_TURNS = 10  # of every model, when they are timed: other work on the machine makes turns longer, never shorter


def measured_comparison(
    sources: Sequence[str], options: Mapping[str, Any], kept: Path | None = None, limit: TimeLimit | None = None
) -> Comparison:
    """Returns the comparison of trained models.

    Args:
        sources: Runs' folders, weights files or `pretrained:NAME`.
        options: `device`, `threads` and `data_dir`.
        kept: Folder of what was measured before; None measures all and keeps nothing.
        limit: Checked before each model that is measured.

    Raises:
        ValueError: If the models are not classifiers of one task, or do not fit its images.
        OutOfTimeError: If the time is over; what was measured until then is kept.
    """
    models = open_models(sources)
    device = environment.choose_device(options["device"])
    threads = environment.use_threads(options["threads"])
    measurements = KeptMeasurements(kept, device)
    measured = _measured(models, measurements, options["data_dir"], device, limit or TimeLimit())
    digests = [model.digest for model in models]
    speeds = measurements.read_speeds(digests, options["threads"])
    if speeds is None:
        speeds = _speeds(models, measured[0].size, device, threads)
        measurements.keep_speeds(digests, speeds)
    trained = [_trained(*each) for each in zip(models, measured, speeds.images_per_second, strict=True)]
    task = models[0].task
    facts = {"data": task_words(task), "part": measured[0].part, "device": speeds.device, "threads": speeds.threads}
    return compare(trained, published_on(task), size=measured[0].size, facts=facts)


def _trained(model: OpenedModel, measured: Measured, images_per_second: float) -> Trained:
    """Returns a model with what was measured of it."""
    return Trained(
        source=model.source,
        config=model.network.config,
        predicted=measured.predicted,
        labels=measured.labels,
        parameters=measured.parameters,
        multiply_adds=measured.multiply_adds,
        images_per_second=images_per_second,
        seed=model.seed,
        images=model.images,
        run=model.run,
        progress=model.progress,
    )


def _measured(
    models: Sequence[OpenedModel], measurements: KeptMeasurements, data_dir: object, device: torch.device, limit: TimeLimit
) -> list[Measured]:
    """Returns what is measured of every model but its speed; the images are opened only for those that were not measured before."""
    images: TaskImages | None = None
    measured = []
    for model in models:
        found = measurements.read(model.digest)
        if found is None:
            limit.check()
            if images is None:
                wanted = {"data_dir": data_dir, "split": "test"}
                images = open_task_images(model.source, model.task, wanted, {}, device)
            found = _measured_now(model, images, device)
            measurements.keep(model.digest, found)
        measured.append(found)
    return measured


def _measured_now(model: OpenedModel, images: TaskImages, device: torch.device) -> Measured:
    """Returns what is measured of one model but its speed."""
    network = model.network
    check_images(images, model.network.config)
    image = images.data.batch(torch.tensor([0])).images.cpu()
    operations = multiply_adds(network, image)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    predicted, labels = [], []
    with torch.no_grad(), console.ProgressView(f"Evaluating {model.source}", len(images.data)) as view:
        for logits, truth in predictions(network.to(device), images.data):
            predicted.append(_classes(model, logits[:, -1], truth))
            labels.append(truth.cpu())
            view.update(sum(map(len, labels)))
    height, width = image.shape[2:]
    part = str(images.description.get("part") or images.description["split"])
    return Measured(torch.cat(predicted).numpy(), torch.cat(labels).numpy(), parameters, operations, (height, width), part)


def _classes(model: OpenedModel, logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the classes (B,) that logits (B, K) say, on the CPU.

    Raises:
        ValueError: If a label is none of the model's classes or a logit is not finite.
    """
    classes = model.network.config.classes
    if int(labels.max()) >= classes:
        raise ValueError(f"{model.source} knows classes 0 to {classes - 1}, the images have {int(labels.max())}")
    if not logits.isfinite().all():
        raise ValueError(f"{model.source} gives logits that are not finite")
    return logits.argmax(dim=-1).cpu()


def _speeds(models: Sequence[OpenedModel], size: tuple[int, int], device: torch.device, threads: int) -> Speeds:
    """Returns how fast models classify: for each the fastest of several turns, which all of them take one after another."""
    data = _noise(models[0].network.config.channels, size, device)
    seconds: list[list[float]] = [[] for _ in models]
    with console.ProgressView("Timing inference", (_TURNS + 1) * len(models), unit="turns") as view:
        for turn in range(_TURNS + 1):
            for i, model in enumerate(models):
                taken = forward_seconds(model.network.to(device), data)
                if turn:  # the first one warms up
                    seconds[i].append(taken)
                view.update(turn * len(models) + i + 1)
    rates = [round(len(data) / min(each), 1) for each in seconds]
    return Speeds(rates, torch.cuda.get_device_name(device) if device.type == "cuda" else str(device), threads)


def _noise(channels: int, size: tuple[int, int], device: torch.device) -> FixedImages:
    """Returns images of noise: what images show does not matter to the speed."""
    images = torch.rand(TIMED_IMAGES, channels, *size, generator=torch.Generator().manual_seed(0)).to(device)
    labels = torch.zeros(TIMED_IMAGES, dtype=torch.long, device=device)
    return FixedImages(Batch(images, labels, torch.zeros(TIMED_IMAGES, 2, device=device)))
