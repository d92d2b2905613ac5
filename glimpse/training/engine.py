"""The training engine: an iterator of records over a budget counted in images.

The engine is independent of models and data: a task provides batches by position, a loss and a validation. It neither prints nor
writes files; `glimpse.training.loop` writes the records. Everything is a function of the settings and the number of images seen, so
that a resumed run equals an uninterrupted one.

References:
    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019, arXiv:1711.05101 (AdamW).
    R. Pascanu, T. Mikolov, Y. Bengio, "On the difficulty of training recurrent neural networks", 2013, arXiv:1211.5063 (clipping
    by global norm).
"""

import contextlib
import math
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel

from glimpse.attention.products import fast_products
from glimpse.models.base import Model
from glimpse.models.noise import ShareGenerator
from glimpse.settings.training import TrainingConfig
from glimpse.training.muon import Muon
from glimpse.training.optimizer import adamw, averaging_update, rate_at
from glimpse.training.restoring import checked_state

__all__ = ["Record", "Task", "Trainer", "TrainingDivergedError", "fit"]

MOST_SKIPPED = 50
"""Number of consecutive steps without a finite loss and gradient after which training stops."""

_PLATEAU_IMAGES = 300_000  # images seen before validations no better than chance cause a warning
_TRIAL_IMAGES = 10_000  # images that a training sees at least before its end causes one: a shorter training is a trial


class TrainingDivergedError(ValueError):
    """Raised if many consecutive steps had no finite loss or gradient."""


class Task(Protocol):
    """A model with its data, loss and validation, trained by the engine."""

    @property
    def model(self) -> nn.Module:
        """The model, on its device."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the scalars that `loss` returns besides the loss."""
        ...

    @property
    def validation_metrics(self) -> tuple[str, ...]:
        """Names of the numbers that `validate` returns; the first one, lower is better, selects the best weights."""
        ...

    def batch(self, positions: Tensor) -> Any:
        """Returns the training images at these positions, shape (B,), on the model's device, as input of `loss`."""
        ...

    def loss(self, network: nn.Module, batch: Any, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the training loss, a scalar, and further scalars by name.

        Args:
            network: The model, possibly compiled or wrapped.
            batch: A batch from `batch`.
            generator: Source of all randomness, on the model's device.
        """
        ...

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Returns the validation metrics, by name, of a model with the architecture of `self.model`."""
        ...

    def plateau(self, best: float) -> str | None:
        """Returns a warning if the lowest value of the first validation metric is no better than chance, else None."""
        ...


@dataclass(frozen=True)
class Record:
    """Report of the engine after a step.

    Attributes:
        kind: `step` if there is nothing else to report; `metrics` with training metrics, and validation metrics if they were due;
            `warning` with a message.
        images: Number of images seen.
        values: Metrics by name; empty unless `kind` is `metrics`.
        best: Whether this validation is the best so far.
        message: Text of the warning; empty unless `kind` is `warning`.
    """

    kind: Literal["step", "metrics", "warning"]
    images: int
    values: dict[str, float] = field(default_factory=dict)
    best: bool = False
    message: str = ""


class Trainer:
    """State of a training: weights, their average, optimizer and counters.

    Under torchrun every process computes its share of each batch, and `torch.distributed` must be initialized. Only the process of
    rank 0 validates.

    Args:
        task: Model, data, loss and validation.
        config: Settings of the training.
        device: Device of the task's model.

    Raises:
        ValueError: If the batch size is not divisible by the number of processes, or CUDA graphs are not possible.
    """

    def __init__(self, task: Task, config: TrainingConfig, device: torch.device) -> None:
        self.task, self.config, self.device = task, config, device
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if config.batch_size % self.world:
            raise ValueError(f"a batch of {config.batch_size} images cannot be divided among {self.world} processes")
        if config.cuda_graph and (device.type != "cuda" or self.world > 1):
            raise ValueError("--cuda-graph is for one process on a CUDA device: leave it out, or choose --device cuda")
        self.averaged = AveragedModel(task.model, multi_avg_fn=averaging_update(config)) if config.averaging else None
        self.network = _network(task.model, config, self.world)
        self.muon = Muon(task.model, config) if config.optimizer == "muon" else None
        self.optimizer = adamw(task.model, config, device, without=() if self.muon is None else self.muon.momentum)
        self.step = self.skipped = self.skipped_in_row = self.stale = 0
        self.best = math.inf
        self._sums: dict[str, float] = defaultdict(float)

    @property
    def images(self) -> int:
        """Number of images seen."""
        return self.step * self.config.batch_size

    @property
    def finished(self) -> bool:
        """Whether the budget is spent, or the training stopped early."""
        return self.step >= self.config.steps or self.stopped_early

    @property
    def stopped_early(self) -> bool:
        """Whether the last validations, as many as the config's patience, were no better than one before."""
        return self.config.stops_early(self.stale)

    @property
    def model(self) -> nn.Module:
        """The model to validate and save: the averaged one if weights are averaged."""
        return self.averaged.module if self.averaged is not None else self.task.model

    def state(self) -> dict[str, Any]:
        """Returns the state that `restore` needs to resume exactly: tensors and plain numbers."""
        muon = {} if self.muon is None else {"muon": self.muon.momentum}
        return muon | {
            "model": self.task.model.state_dict(),
            "averaged": self.averaged.state_dict() if self.averaged is not None else None,
            "optimizer": self.optimizer.state_dict(),
            "counters": {name: getattr(self, name) for name in ("step", "skipped", "skipped_in_row", "best", "stale")},
            "sums": dict(self._sums),
        }

    def checked(self, state: dict[str, Any]) -> dict[str, Any]:
        """Returns a state that was read from a checkpoint, ready to be loaded.

        Raises:
            ValueError: If it is not the state of a trainer with these settings.
        """
        sums = ("taken", "loss", "grad_norm", *self.task.metrics)
        return checked_state(state, self.state(), self.optimizer, steps=self.config.steps, sums=sums)

    def restore(self, state: dict[str, Any]) -> None:
        """Restores a state returned by `state`; errors as `checked`, after which nothing is changed."""
        checked = self.checked(state)
        self.task.model.load_state_dict(checked["model"])
        if self.averaged is not None:
            self.averaged.load_state_dict(checked["averaged"])
        self.optimizer.load_state_dict(checked["optimizer"])
        if self.muon is not None:
            self.muon.load(checked["muon"])
        for name, value in checked["counters"].items():
            setattr(self, name, value)
        self._sums = defaultdict(float, checked["sums"])

    def fit(self) -> Iterator[Record]:
        """Trains to the end of the budget, or until patience ends, yielding at least one record per step.

        Raises:
            TrainingDivergedError: If `MOST_SKIPPED` consecutive steps had no finite loss or gradient.
        """
        since, seen = time.monotonic(), self.images
        while not self.finished:
            self._advance()
            if self.skipped_in_row >= MOST_SKIPPED:
                raise TrainingDivergedError(
                    f"{MOST_SKIPPED} steps in a row had no finite loss or gradient, at {self.images:,} images; "
                    "the saved weights are from before: lower --learning-rate or --clip-norm"
                )
            due = self._due(self.config.validate_every)
            if not due and not self._due(self.config.log_every):
                yield Record("step", self.images)
                continue
            values = self._metrics()
            values["images_per_second"] = (self.images - seen) / max(time.monotonic() - since, 1e-9)
            best = False
            if due and self.rank == 0:
                validation = self._validate()
                values |= {f"valid_{name}": value for name, value in validation.items()}
                score = validation[self.task.validation_metrics[0]]
                if score > self.best + max(5.0, self.best / 2):
                    name = self.task.validation_metrics[0]
                    message = f"validation {name} went from {self.best:.2f} up to {score:.2f}: training may be diverging"
                    yield Record("warning", self.images, message=message)
                if score < self.best:
                    best, self.best = True, score
            if due:
                self.stale = self._from_first(0 if best else self.stale + 1)
                yield from self._plateau()
            yield Record("metrics", self.images, values, best)
            since, seen = time.monotonic(), self.images

    @fast_products()
    def _advance(self) -> None:
        """Performs one step, without an update if its loss or gradient is not finite."""
        share = self.config.batch_size // self.world
        first = self.images + self.rank * share
        generator = ShareGenerator(self.device).of(self.rank, self.world)
        generator.manual_seed((self.config.seed << 20) + self.step)
        batch = self.task.batch(torch.arange(first, first + share))
        before = [buffer.clone() for buffer in self.task.model.buffers()]  # batch statistics, which a skipped step must not change
        with self._autocast():
            loss, metrics = self.task.loss(self.network, batch, generator)
        self.task.model.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.task.model.parameters(), self.config.clip_norm)
        values = self._everywhere({"loss": loss, "grad_norm": norm, **metrics})
        self.step += 1
        if all(math.isfinite(values[name]) for name in ("loss", "grad_norm")):
            rate = self.config.learning_rate * rate_at(self.step - 1, self.config)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            self.optimizer.step()
            if self.muon is not None:
                self.muon.step(rate)
            if self.averaged is not None:
                self.averaged.update_parameters(self.task.model)
            self.skipped_in_row = 0
            for name, value in (values | {"taken": 1.0}).items():
                self._sums[name] += value
        else:
            for buffer, kept in zip(self.task.model.buffers(), before, strict=True):
                buffer.copy_(kept)
            self.skipped += 1
            self.skipped_in_row += 1

    def _everywhere(self, values: dict[str, Tensor]) -> dict[str, float]:
        """Returns the means of scalars over all processes, so that all processes log the same and skip the same steps."""
        joined = torch.stack([value.detach().float() for value in values.values()])
        if self.world > 1:
            dist.all_reduce(joined)
        return dict(zip(values, (joined / self.world).tolist(), strict=True))

    def _from_first(self, count: int) -> int:
        """Returns a number of the process that validates, in every process, so that all of them stop early at the same step."""
        if self.world == 1 or not self.config.patience:
            return count
        shared = torch.tensor(count, device=self.device)
        dist.broadcast(shared, 0)
        return int(shared)

    def _metrics(self) -> dict[str, float]:
        """Returns the means since the last row of metrics, and resets them."""
        taken = max(self._sums.pop("taken", 0.0), 1.0)
        values = {name: self._sums[name] / taken for name in ("loss", "grad_norm", *self.task.metrics) if name in self._sums}
        self._sums.clear()
        return values | {"learning_rate": rate_at(self.step, self.config) * self.config.learning_rate, "skipped": self.skipped}

    def _plateau(self) -> Iterator[Record]:
        """Yields a warning if no validation was better than chance, after many images or at the end."""
        is_long = self.images >= (_TRIAL_IMAGES if self.finished else _PLATEAU_IMAGES)
        message = self.task.plateau(self.best) if is_long and self.rank == 0 else None
        if message is not None:
            yield Record("warning", self.images, message=message)

    @fast_products()
    def _validate(self) -> dict[str, float]:
        """Returns the validation metrics of the model to save."""
        model = self.model
        model.eval()
        with torch.no_grad(), self._autocast():
            values = self.task.validate(model)
        model.train()
        return values

    def _autocast(self) -> contextlib.AbstractContextManager[None]:
        """Returns the autocast context of the configured precision."""
        if self.config.precision == "fp32":
            return contextlib.nullcontext()
        cached = not self.config.cuda_graph  # a replayed graph would not cast cached weights again
        context: contextlib.AbstractContextManager[None] = torch.autocast(
            self.device.type, dtype=torch.bfloat16, cache_enabled=cached
        )
        return context

    def _due(self, every: int) -> bool:
        """Returns whether the last step reached a multiple of this number of images, or the end."""
        return self.finished or self.images // every > (self.images - self.config.batch_size) // every


def fit(task: Task, config: TrainingConfig, device: torch.device | str = "cpu") -> Iterator[Record]:
    """Trains a task's model over the whole budget, yielding records: `list(fit(...))` trains in one line.

    Args:
        task: Model, data, loss and validation.
        config: Settings of the training.
        device: Device of the task's model.

    Raises:
        ValueError: If the settings do not fit the device.
        TrainingDivergedError: If many consecutive steps had no finite loss or gradient.
    """
    return Trainer(task, config, torch.device(device)).fit()


def _network(model: nn.Module, config: TrainingConfig, world: int) -> nn.Module:
    """Returns the model as called by the loss: compiled, captured or with gradients averaged over processes, as configured."""
    if config.checkpoint_activations:
        if config.cuda_graph or not isinstance(model, Model):
            raise ValueError("--checkpoint-activations is for models with steps, without --cuda-graph")
        model.checkpoint_activations()
    if config.compile:
        model.compile_step() if isinstance(model, Model) else model.compile()
    if config.cuda_graph:
        return _Captured(model)
    if world > 1:
        return DistributedDataParallel(model, static_graph=True)  # a single glimpse leaves a pointer's parameters unused
    return model


class _Captured(nn.Module):
    """A model whose first call captures its forward and backward passes as CUDA graphs, which every call replays.

    All calls must have inputs of the same shapes. In evaluation mode the model runs without the graphs.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.captured = False

    def forward(self, *inputs: Tensor) -> Any:
        """Returns the output of the model."""
        if not self.captured:
            torch.autograd.graph.set_warn_on_accumulate_grad_stream_mismatch(False)  # torch captures on a stream of its own
            torch.cuda.make_graphed_callables(self.model, inputs, allow_unused_input=True)  # replaces the model's forward
            self.captured = True
        return self.model(*inputs)
