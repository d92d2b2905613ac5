"""Measuring trained models for a comparison: the class each gives to every test image, what it costs, and how fast it is.

What is measured is kept and not measured again. Dimensions: B images of a batch, N test images, K classes.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from glimpse import environment
from glimpse.comparison.assembling import Trained, assembled
from glimpse.comparison.kept import KeptMeasurements, Measured, Speeds
from glimpse.comparison.opened import OpenedModel, open_models, task_words
from glimpse.comparison.rows import Comparison, Conditions
from glimpse.comparison.time_limit import TimeLimit
from glimpse.datasets.batches import EVALUATION_BATCH
from glimpse.evaluation.classifier import check_classes, predictions
from glimpse.evaluation.costs import forward_pass, multiply_adds
from glimpse.evaluation.images import ImageQuery, TaskImages, check_images, open_task_images
from glimpse.evaluation.published import published_on
from glimpse.evaluation.timing import interleaved
from glimpse.listener import Listener
from glimpse.settings.requests import CompareRequest, ImageChoice

__all__ = ["measured_comparison"]

_ROUNDS = 10  # of the timing: other work on the machine makes a round longer, never shorter


def measured_comparison(
    request: CompareRequest, listener: Listener | None = None, *, kept: Path | None = None, limit: TimeLimit | None = None
) -> Comparison:
    """Returns the comparison of trained models.

    Args:
        request: Which models, measured with what.
        listener: Receives progress, notes, and warnings, such as that a run is not finished.
        kept: Folder of what was measured before; None measures all and keeps nothing.
        limit: Checked before each model that is measured.

    Raises:
        ValueError: If the models are not classifiers of one task, or do not fit its images.
        FileNotFoundError: If the digits are not available.
        OutOfTimeError: If the time is over; what was measured until then is kept.
    """
    listener = listener or Listener()
    models = open_models(request.sources, on_other_images=request.data is not None)
    for model in models:
        if model.unfinished is not None:
            listener.warn(model.unfinished)
    device = environment.choose_device(request.machine.device)
    threads = environment.use_threads(request.machine.threads)
    choice = ImageChoice(data=request.data, data_dir=request.data_dir)
    bench = _Bench(device, threads, choice, KeptMeasurements(kept, device), limit or TimeLimit(), listener)
    measured = bench.measured(models)
    digests = [model.digest for model in models]
    speeds = bench.kept.read_speeds(digests, request.machine.threads)
    if speeds is None:
        speeds = bench.speeds(models, [each.size for each in measured])
        bench.kept.keep_speeds(digests, speeds)
    trained = [_trained(*each) for each in zip(models, measured, speeds.images_per_second, strict=True)]
    task = models[0].task
    images = task_words(task) if request.data is None else str(request.data)
    conditions = Conditions(images, measured[0].part, speeds.device, speeds.threads)
    return assembled(trained, published_on(task) if request.data is None else (), conditions=conditions)


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
        size=measured.size,
        seed=model.seed,
        images=model.images,
        run=model.run,
        progress=model.progress,
    )


@dataclass(frozen=True)
class _Bench:
    """What models are measured with.

    Attributes:
        device: Where.
        threads: Threads of the CPU.
        choice: Images in place of the task's, and where the digits are searched first.
        kept: What was measured before.
        limit: Checked before each model that is measured.
        listener: Receives the progress.
    """

    device: torch.device
    threads: int
    choice: ImageChoice
    kept: KeptMeasurements
    limit: TimeLimit
    listener: Listener

    def measured(self, models: Sequence[OpenedModel]) -> list[Measured]:
        """Returns what is measured of every model but its speed; the images are opened only for what was not measured before."""
        images: dict[str, TaskImages] = {}  # by the task, on which the size and the part of them depend
        measured = []
        for model in models:
            found = self.kept.read(model.digest)
            if found is None:
                self.limit.check()
                task = json.dumps(model.task, sort_keys=True)
                if task not in images:
                    images[task] = open_task_images(_query(model, self.choice, self.device, self.listener))
                found = self._measured_now(model, images[task])
                self.kept.keep(model.digest, found)
            measured.append(found)
        return measured

    def _measured_now(self, model: OpenedModel, images: TaskImages) -> Measured:
        """Returns what is measured of one model but its speed."""
        network = model.network
        check_images(images, network.config.channels, network.config.image_size)
        image = images.data.batch(torch.tensor([0])).images.cpu()
        operations = multiply_adds(network, image)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        predicted, labels = [], []
        with self.listener.progress(f"Evaluating {model.source}", len(images.data)) as advance:
            for logits, truth in predictions(network.to(self.device), images.data):
                predicted.append(_classes(model, logits[:, -1], truth))
                labels.append(truth.cpu())
                advance(sum(map(len, labels)))
        height, width = image.shape[2:]
        part = str(images.description.get("part") or images.description["split"])
        return Measured(torch.cat(predicted).numpy(), torch.cat(labels).numpy(), parameters, operations, (height, width), part)

    def speeds(self, models: Sequence[OpenedModel], sizes: Sequence[tuple[int, int]]) -> Speeds:
        """Returns how many images per second models classify in the fastest of several rounds, each of which times every model.

        Args:
            models: The models.
            sizes: Height and width of the images of each.
        """
        images: dict[tuple[int, ...], Tensor] = {}
        works = {}
        for i, (model, size) in enumerate(zip(models, sizes, strict=True)):
            shape = (EVALUATION_BATCH, model.network.config.channels, *size)
            if shape not in images:  # the content does not affect the speed
                images[shape] = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(self.device)
            works[str(i)] = partial(forward_pass, model.network.to(self.device), images[shape])
        timings = interleaved(works, 0, least_rounds=_ROUNDS, listener=self.listener)
        rates = [round(EVALUATION_BATCH / timing.best, 1) for timing in timings.values()]
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else str(self.device)
        return Speeds(rates, name, self.threads)


def _query(model: OpenedModel, choice: ImageChoice, device: torch.device, listener: Listener) -> ImageQuery:
    """Returns the request for the images of a model's task."""
    return ImageQuery(
        model.source,
        model.task,
        choice,
        device=device,
        listener=listener,
        can_name_data=False,
        class_names=model.class_names,
    )


def _classes(model: OpenedModel, logits: Tensor, labels: Tensor) -> Tensor:
    """Returns the classes (B,) that logits (B, K) say, on the CPU.

    Raises:
        ValueError: If a label is none of the model's classes or a logit is not finite.
    """
    check_classes(model.network, labels, model.source)
    if not logits.isfinite().all():
        raise ValueError(f"{model.source} gives logits that are not finite")
    return logits.argmax(dim=-1).cpu()
