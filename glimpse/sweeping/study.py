"""The study of a sweep: an SQLite database of its trials, which any number of workers share.

A sweep's folder holds the folder of a run for every trial, `trial-NNNN`, as the training commands write them; the database
`study.db`, unless it is elsewhere; and `workers`, with a locked file for every process that works on the sweep. A trial whose
process no longer runs is repeated by a later trial with the same settings and the same run, which continues from its checkpoint.

References:
    J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011 (the sampler).
"""

import contextlib
import fcntl
import json
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from glimpse.settings.requests import Setting, SweepRequest
from glimpse.settings.variation import Variation
from glimpse.sweeping.identity import refuse_other_request, request_identity
from glimpse.training.folder import RunFolder

__all__ = ["REASON", "RUN", "STOPPED", "Claim", "SweepStudy", "attempts", "stored_study", "worker_runs"]

RUN, WORKER, STOPPED, REASON = "run", "worker", "stopped", "reason"
"""Attributes of a trial: name of its run's folder, name of its worker's file, whether a signal stopped it, why it ended early."""

IDENTITY = "request"
"""Attribute of a study: what all its trials have in common, as JSON."""

_NAME = "sweep"
_MOST_FAILURES = 3  # kills of one run, before it counts as failed; failed trials without any other, before a sweep fails

optuna.logging.set_verbosity(optuna.logging.ERROR)


@dataclass(frozen=True)
class Claim:
    """A trial that a worker is to run.

    Attributes:
        trial: The trial.
        run: Name of the run's folder.
        settings: The varied settings.
    """

    trial: Trial
    run: str
    settings: dict[str, Setting]


class SweepStudy:
    """A study, opened by one worker.

    Args:
        request: The sweep.
        study: Its trials.
        worker: Name of the worker's file.
    """

    def __init__(self, request: SweepRequest, study: optuna.Study, worker: str) -> None:
        self.request, self.study, self.worker = request, study, worker

    @classmethod
    @contextlib.contextmanager
    def opened(cls, request: SweepRequest) -> Iterator["SweepStudy"]:
        """Context with the study, created if there is none yet. Trials that are claimed in it are repeated if its process ends.

        Raises:
            ValueError: If the study is one of another request, or its file holds no study.
            OSError: If a file cannot be written.
        """
        sweep, worker = request.sweep, uuid.uuid4().hex
        mark = _workers(sweep.out) / worker
        for folder in (mark.parent, sweep.study_file.parent):
            folder.mkdir(parents=True, exist_ok=True)
        with _locked(mark):
            try:
                with _locked(_lock_of(sweep.study_file)):
                    study = _study_of(request)
                yield cls(request, study, worker)
            finally:
                mark.unlink(missing_ok=True)

    @property
    def fails(self) -> bool:
        """Whether several trials failed, and none was trained to its end or pruned."""
        states = [trial.state for trial in self.study.get_trials(deepcopy=False)]
        return states.count(TrialState.FAIL) >= _MOST_FAILURES and not {TrialState.COMPLETE, TrialState.PRUNED} & {*states}

    def claim(self) -> Claim | None:
        """Returns the next trial: one that repeats a stopped or killed one, else a new one; None if there is none left."""
        sweep = self.request.sweep
        with _locked(_lock_of(sweep.study_file)):
            trials = self.study.get_trials(deepcopy=False)
            repeated = [self._repeated(trial, trials) for trial in trials if self._abandoned(trial)]
            runs = {trial.user_attrs[RUN] for trial in trials if RUN in trial.user_attrs}
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if len(runs) >= sweep.trials and not waiting and not any(repeated):
                return None
            trial = self.study.ask()
            if RUN not in trial.user_attrs:
                trial.set_user_attr(RUN, f"trial-{len(runs):04d}")
            trial.set_user_attr(WORKER, self.worker)
            self.study.sampler = optuna.samplers.TPESampler(seed=_seed(sweep.sampler_seed, trial.number))
            settings = {variation.name: _suggested(trial, variation) for variation in sweep.vary}
        return Claim(trial, trial.user_attrs[RUN], settings)

    def _abandoned(self, trial: FrozenTrial) -> bool:
        """Returns whether a trial is running, but its worker is not."""
        return trial.state == TrialState.RUNNING and not worker_runs(self.request.sweep.out, trial)

    def _repeated(self, trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
        """Fails an abandoned trial, and enqueues it again unless its run was killed too often; returns whether it did."""
        run = trial.user_attrs.get(RUN)
        again = run is not None and attempts(run, trials) < _MOST_FAILURES
        if again:
            self.study.enqueue_trial(trial.params, user_attrs={RUN: run})
        self.study.tell(trial.number, state=TrialState.FAIL)
        return again


def _study_of(request: SweepRequest) -> optuna.Study:
    """Returns the study of a request, new if there is none yet; one without a started run is replaced if its request differs."""
    sweep, identity = request.sweep, request_identity(request)
    study = stored_study(sweep.study_file, create=True)
    before = json.loads(study.user_attrs.get(IDENTITY, "{}"))
    if before and before != identity:
        runs = [trial.user_attrs[RUN] for trial in study.get_trials(deepcopy=False) if RUN in trial.user_attrs]
        if any(RunFolder(sweep.out / run).started for run in runs):
            refuse_other_request(before, identity, sweep.study_file)
        optuna.delete_study(study_name=_NAME, storage=_storage(sweep.study_file))
        study = stored_study(sweep.study_file, create=True)
    if before != identity:
        study.set_user_attr(IDENTITY, json.dumps(identity))
    return study


def stored_study(file: Path, *, create: bool = False) -> optuna.Study:
    """Returns the study in a file.

    Args:
        file: The SQLite database.
        create: Whether to create a study if there is none.

    Raises:
        ValueError: If there is no study, or the file is another one.
    """
    if not create and not file.is_file():
        raise ValueError(f"{file} does not exist: name the folder of a sweep")
    try:
        if create:
            return optuna.create_study(storage=_storage(file), study_name=_NAME, load_if_exists=True)
        return optuna.load_study(storage=_storage(file), study_name=_NAME)
    except Exception as error:  # of SQLAlchemy, Alembic and optuna: another file raises many types of errors
        raise ValueError(f"{file} holds no study of a sweep ({str(error).splitlines()[0]})") from error


def _storage(file: Path) -> optuna.storages.RDBStorage:
    """Returns the database in a file; a worker waits a minute for another one that writes."""
    return optuna.storages.RDBStorage(f"sqlite:///{file.resolve()}", engine_kwargs={"connect_args": {"timeout": 60}})


def worker_runs(out: Path, trial: FrozenTrial) -> bool:
    """Returns whether the process that works on a running trial still runs.

    Args:
        out: The sweep's folder.
        trial: The trial.
    """
    mark = _workers(out) / str(trial.user_attrs.get(WORKER, ""))
    if not mark.is_file():
        return False
    with mark.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    mark.unlink(missing_ok=True)
    return False


def attempts(run: str, trials: Sequence[FrozenTrial]) -> int:
    """Returns how many trials of a run were started and not stopped by a signal, which saves their state."""
    return sum(trial.user_attrs.get(RUN) == run and STOPPED not in trial.user_attrs for trial in trials)


def _seed(seed: int, trial: int) -> int:
    """Returns the seed of the sampler for a trial, so that its settings do not depend on how often a sweep was continued."""
    return int(np.random.SeedSequence([seed, trial]).generate_state(1)[0])


def _suggested(trial: Trial, variation: Variation) -> Setting:
    """Returns the value that the sampler chooses for a setting."""
    name, low, high = variation.name, variation.low, variation.high
    if low is None or high is None:
        return cast(Setting, trial.suggest_categorical(name, variation.choices))
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, step=int(variation.step or 1), log=variation.log)
    return trial.suggest_float(name, low, high, step=variation.step, log=variation.log)


def _workers(out: Path) -> Path:
    """Returns the folder of the workers' files."""
    return out / "workers"


def _lock_of(study: Path) -> Path:
    """Returns the file that a worker locks while it changes a study."""
    return study.with_name(f".{study.name}.lock")


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Context in which this process holds the lock of a file, which is created if it does not exist."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
