"""The base of training plans, which turn a request into a trainer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import torch
from torch import nn

from glimpse.listener import Listener
from glimpse.settings.requests import Machine, RunChoice, SettingValues
from glimpse.training.engine import Trainer

__all__ = ["Picture", "TrainingPlan"]

D = TypeVar("D")

Picture = Callable[[nn.Module], bytes]
"""Function of a model that draws its windows on some images and returns the content of a PNG file."""


class TrainingPlan(ABC, Generic[D]):
    """Turns a request into a trainer; a subclass does so for one kind of model. The record of a run is the content of config.json.

    Args:
        run: Folder, start and budget of the run.
        machine: Device and threads.
        listener: Receives notes and warnings.

    Attributes:
        command: Name of the command in the run's record.
    """

    command: ClassVar[str]

    def __init__(self, run: RunChoice, machine: Machine, listener: Listener | None = None) -> None:
        self.run, self.machine, self.listener = run, machine, listener or Listener()

    @property
    @abstractmethod
    def settings(self) -> SettingValues:
        """Settings that the request overrides, by name."""

    @abstractmethod
    def default_folder(self) -> Path:
        """Returns the folder of a run whose request names none."""

    @abstractmethod
    def asked(self, record: dict[str, Any]) -> dict[str, Any]:
        """Returns the settings that the request asks of a resumed run, by name; they must equal those it was started with."""

    @abstractmethod
    def new_run(self, device: torch.device, threads: int) -> tuple[dict[str, Any], D]:
        """Returns the record of a new run and its data.

        Args:
            device: Device of the data.
            threads: Number of CPU threads, for the record.
        """

    @abstractmethod
    def data_of(self, record: dict[str, Any], device: torch.device) -> D:
        """Returns the data of a resumed run, on a device."""

    @abstractmethod
    def build(self, record: dict[str, Any], data: D, device: torch.device) -> Trainer:
        """Returns a new trainer for the record of a run; its initial weights depend only on the seed."""

    @abstractmethod
    def picture(self, model: nn.Module, data: D) -> Picture | None:
        """Returns a function that draws the model's windows during training; None if there is nothing to draw."""
