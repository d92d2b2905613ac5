"""A plan of a training: what differs between kinds of models, from a request to a trainer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from glimpse.listener import Listener
from glimpse.settings.requests import Machine, RunChoice
from glimpse.training.engine import Trainer

__all__ = ["Picture", "TrainingPlan"]

D = TypeVar("D")

Picture = Callable[[nn.Module], bytes]
"""Draws where a model looks on a few images, as the content of a PNG file."""


class TrainingPlan(ABC, Generic[D]):
    """From a request to a trainer; a run's record is the content of its config.json.

    Args:
        run: Where the training runs, and from what it starts.
        machine: With what it computes.
        listener: Hears notes and warnings.

    Attributes:
        command: Command that the run's record names.
    """

    command: ClassVar[str]

    def __init__(self, run: RunChoice, machine: Machine, listener: Listener | None = None) -> None:
        self.run, self.machine, self.listener = run, machine, listener or Listener()

    @abstractmethod
    def default_folder(self) -> Path:
        """Returns the folder of a run that names none."""

    @abstractmethod
    def asked(self, record: dict[str, Any]) -> dict[str, Any]:
        """Returns everything that the request asks of a run that continues, by name: it must be what the run was started with."""

    @abstractmethod
    def new_run(self, device: torch.device, threads: int) -> tuple[dict[str, Any], D]:
        """Returns the record of a new run and its data."""

    @abstractmethod
    def data_of(self, record: dict[str, Any], device: torch.device) -> D:
        """Returns the data of a run that continues."""

    @abstractmethod
    def build(self, record: dict[str, Any], data: D, device: torch.device) -> Trainer:
        """Returns a fresh trainer for a run's record; its initial weights depend on the seed alone."""

    @abstractmethod
    def picture(self, model: nn.Module, data: D) -> Picture | None:
        """Returns what draws where the model looks while it trains; None where there is nothing to draw."""
