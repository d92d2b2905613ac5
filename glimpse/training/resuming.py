"""Resuming a run: whether a folder's run continues, with which settings, and a larger budget for a finished one."""

import os
from typing import Any

from glimpse.settings.base import from_mapping
from glimpse.settings.training import TrainingConfig
from glimpse.training.folder import RunFolder
from glimpse.training.optimizer import rate_at
from glimpse.training.plan import TrainingPlan
from glimpse.training.processes import launcher
from glimpse.training.record import refuse_differences

__all__ = ["extension_note", "processes_note", "record_to_resume"]


def record_to_resume(plan: TrainingPlan[Any], folder: RunFolder) -> dict[str, Any] | None:
    """Returns the record of the run that a plan continues; None if the plan starts a run.

    A run continues if the plan resumes it, or if torchrun started it and now restarts its processes.

    Args:
        plan: Plan of the training. If it asks for a larger budget of a finished run, the record has that.
        folder: Folder of the run.

    Raises:
        ValueError: If the run is one of another command or was started with other settings, or its files are damaged.
    """
    if not folder.started:
        return None
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    if not plan.run.resume and not (restarted and folder.config["environment"].get("launcher") == launcher()):
        return None
    record = folder.config
    if record["command"] != plan.command:
        raise ValueError(f"{folder.path} was started by glimpse {record['command']}: continue it with that command")
    asked = plan.asked(record)
    explicit = "images" in plan.settings or plan.run.epochs is not None
    if explicit and asked["images"] > record["training"]["images"]:
        record = _extended(folder, record, asked.pop("images"))
    refuse_differences(record, asked)
    return record


def extension_note(before: dict[str, Any], record: dict[str, Any]) -> str:
    """Returns what a larger budget means for the learning rate.

    Args:
        before: Record of the run until then.
        record: Its record with the larger budget.
    """
    old, new = (from_mapping(TrainingConfig, each["training"]) for each in (before, record))
    last, first = (config.learning_rate * rate_at(step, config) for config, step in ((old, old.steps - 1), (new, old.steps)))
    title = f"Extending the run from {old.images:,} to {new.images:,} images"
    if old.schedule == "constant":
        same = "as in a run with this budget from the start" if old.images / 5 >= old.warmup else "after a shorter warmup"
        return f"{title}: the learning rate stays {first:.2g}, {same}"
    return (
        f"{title}: the learning rate follows the cosine of the new budget and rises from {last:.2g} to {first:.2g}; the result "
        "differs from that of a run with this budget from the start"
    )


def processes_note(record: dict[str, Any], processes: int) -> str | None:
    """Returns what another number of processes than that of the start means, None for the same number."""
    before = record["environment"].get("processes", 1)
    if processes == before:
        return None
    return f"Started with {before} processes, continued with {processes}: sums are rounded differently, so the last digits differ"


def _extended(folder: RunFolder, record: dict[str, Any], images: int) -> dict[str, Any]:
    """Returns the record of a finished run with a larger budget.

    Raises:
        ValueError: If the run is not finished, or it cannot continue since its checkpoints were removed.
    """
    config = from_mapping(TrainingConfig, record["training"])
    state = folder.load()
    seen = folder.images_seen(state, config.total_images)
    if seen < config.total_images:
        raise ValueError(
            f"the run has seen {seen:,} of its {config.images:,} images: finish it with --resume alone, and then extend it to "
            f"--images {images}"
        )
    if state is None:
        raise ValueError(f"{folder.path} cannot be extended since its checkpoints were removed: train in another folder")
    budgets = [*record.get("budgets", []), config.images]
    return record | {"training": record["training"] | {"images": images}, "budgets": budgets}
