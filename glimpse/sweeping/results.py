"""The result of a sweep: its trials, the best of them, and how much each setting matters."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from glimpse.settings.requests import Setting
from glimpse.settings.variation import ModelKind
from glimpse.sweeping.study import IDENTITY, REASON, RUN, stored_study, worker_runs
from glimpse.training.folder import RunFolder

__all__ = ["SweepResult", "SweepTrial", "TrialStatus", "read_sweep"]

TrialStatus = Literal["complete", "pruned", "diverged", "failed", "running", "stopped"]
"""Status of a trial: `stopped` if its process was stopped or killed, so that the next call continues it."""

_METRICS = {"classifier": "error", "generator": "bound"}
_LEAST = 4  # number of completed trials from which on the importance of the settings is estimated


@dataclass(frozen=True)
class SweepTrial:
    """A trial of a sweep.

    Attributes:
        run: Name of the run's folder in the sweep's folder.
        status: How far it is, or how it ended.
        settings: The varied settings.
        best: Lowest value of the validation metric so far; None before the first validation.
        images: Number of images at the last validation.
        validations: Number of images and value of the metric at each validation.
        reason: Why it failed or diverged; empty otherwise.
    """

    run: str
    status: TrialStatus
    settings: Mapping[str, Setting]
    best: float | None
    images: int
    validations: tuple[tuple[int, float], ...]
    reason: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in JSON's types."""
        validations = [list(validation) for validation in self.validations]
        facts = {"run": self.run, "status": self.status, "settings": dict(self.settings), "best": self.best}
        return facts | {"images": self.images, "validations": validations, "reason": self.reason}


@dataclass(frozen=True)
class SweepResult:
    """A sweep: its trials so far.

    Attributes:
        out: The sweep's folder.
        study: File of the study.
        kind: Kind of model.
        metric: Validation metric that is minimized: `error` in percent, or `bound` in nats.
        varied: Ranges of the varied settings in their notation.
        trials: The trials in the order in which they were first started.
        importance: Share of the variance of the metric that each setting explains, by name, in 0 to 1; empty if there are too few
            completed trials.
    """

    out: Path
    study: Path
    kind: ModelKind
    metric: str
    varied: tuple[str, ...]
    trials: tuple[SweepTrial, ...]
    importance: Mapping[str, float]

    @property
    def best(self) -> SweepTrial | None:
        """The completed trial with the lowest value of the metric; None if there is none."""
        done = [trial for trial in self.trials if trial.status == "complete" and trial.best is not None]
        return min(done, key=lambda trial: trial.best or 0.0, default=None)

    def as_dict(self) -> dict[str, Any]:
        """Returns the fields by name, in JSON's types."""
        best = self.best
        facts = {"out": str(self.out), "study": str(self.study), "kind": self.kind, "metric": self.metric}
        found = {"varied": list(self.varied), "best": None if best is None else best.run}
        return facts | found | {"trials": [trial.as_dict() for trial in self.trials], "importance": dict(self.importance)}


def read_sweep(out: Path, study: Path | None = None) -> SweepResult:
    """Returns a sweep as far as it is.

    Args:
        out: The sweep's folder.
        study: File of the study; None for `study.db` in the folder.

    Raises:
        ValueError: If there is no study, or the metrics of a run cannot be read.
    """
    file = study or out / "study.db"
    stored = stored_study(file)
    identity = json.loads(stored.user_attrs.get(IDENTITY, "{}"))
    kind: ModelKind = identity.get("kind", "classifier")
    column = f"valid_{_METRICS[kind]}"
    last = {trial.user_attrs[RUN]: trial for trial in stored.get_trials(deepcopy=False) if RUN in trial.user_attrs}
    return SweepResult(
        out=out,
        study=file,
        kind=kind,
        metric=_METRICS[kind],
        varied=tuple(identity.get("vary", ())),
        trials=tuple(_trial(out, run, trial, column) for run, trial in sorted(last.items())),
        importance=_importance(stored),
    )


def _trial(out: Path, run: str, trial: FrozenTrial, column: str) -> SweepTrial:
    """Returns a trial, the last of those with the same run."""
    rows = RunFolder(out / run).rows()
    validations = tuple((int(row["images"]), float(row[column])) for row in rows if row.get(column))
    values = [value for _, value in validations if math.isfinite(value)]
    return SweepTrial(
        run=run,
        status=_status(out, trial),
        settings=trial.params,
        best=trial.value if trial.state == TrialState.COMPLETE else min(values, default=None),
        images=validations[-1][0] if validations else 0,
        validations=validations,
        reason=trial.user_attrs.get(REASON, "" if trial.state != TrialState.FAIL else "its process was killed repeatedly"),
    )


def _status(out: Path, trial: FrozenTrial) -> TrialStatus:
    """Returns the status of a trial."""
    if trial.state == TrialState.PRUNED:
        return "diverged" if REASON in trial.user_attrs else "pruned"
    if trial.state == TrialState.RUNNING:
        return "running" if worker_runs(out, trial) else "stopped"
    return {TrialState.COMPLETE: "complete", TrialState.FAIL: "failed", TrialState.WAITING: "stopped"}[trial.state]  # type: ignore[return-value]


def _importance(study: optuna.Study) -> dict[str, float]:
    """Returns the importance of each setting, the most important first; empty if it cannot be estimated."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(done) < _LEAST or len({trial.value for trial in done}) < 2:
        return {}
    return optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0))
