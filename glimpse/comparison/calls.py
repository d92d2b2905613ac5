"""Comparisons as Python calls, with the names and defaults of the command line."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from glimpse.comparison.estimate import SuiteEstimate, estimate_suite
from glimpse.comparison.measure import measured_comparison
from glimpse.comparison.rows import Comparison
from glimpse.comparison.suite import Runner, plan_suite, run_silently, train_suite
from glimpse.comparison.time_limit import TimeLimit
from glimpse.listener import Listener
from glimpse.settings.requests import CompareRequest, ComparisonOptions, SuiteRequest, from_options
from glimpse.training.engine import Record

__all__ = ["SuiteWatch", "compare", "compare_suite"]


@dataclass(frozen=True)
class SuiteWatch:
    """What watches a suite being trained and compared; by default everything runs silently.

    Attributes:
        listener: Receives progress, notes and warnings.
        run: Runs each training.
        estimated: Called with an estimate of the time before the first training; None estimates nothing.
    """

    listener: Listener = field(default_factory=Listener)
    run: Runner = field(default_factory=run_silently)
    estimated: Callable[[SuiteEstimate], None] | None = None


def compare(
    *sources: str | Path,
    progress: Callable[[Record], None] | None = None,
    listener: Listener | None = None,
    **options: Any,
) -> Comparison:
    """Compares trained classifiers of one task, or trains the models of a suite and compares them.

    Args:
        sources: Runs' folders, weights files or `pretrained:NAME`; none with a suite.
        progress: Called with every record of a suite's trainings.
        listener: Receives progress, notes and warnings; by default Python's warnings and the log `glimpse`.
        options: Those of `glimpse compare` by their names, with `_` for `-`: `data`, `data_dir`, `device`, `threads`, `suite`, and
            with a suite `out`, `models` (names, or one text with commas), `images`, `seeds`, `within`, `precision`, `compile`.

    Returns:
        Rows of what was measured and tests of every pair; `as_dict()` is what `--json` prints.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is nothing to compare, or the models are not classifiers of one task, or options do not fit together.
        FileNotFoundError: If the digits are not available.
        OutOfTimeError: If the minutes `within` are over; what was done is kept, and the same call continues.
    """
    request = from_options(ComparisonOptions, {**options, "sources": tuple(map(str, sources))}).request
    if isinstance(request, CompareRequest):
        return measured_comparison(request, listener)
    return compare_suite(request, SuiteWatch(listener or Listener(), run_silently(progress)))


def compare_suite(request: SuiteRequest, watch: SuiteWatch | None = None) -> Comparison:
    """Trains what a suite's folder lacks, and returns all its models side by side.

    The folder also holds `evaluations`, what was measured of each model's weights, so that nothing is measured twice.

    Args:
        request: Which suite.
        watch: Watches it.

    Raises:
        ValueError: If what is asked does not fit the suite or its folder, or no run could be trained to its end.
        FileNotFoundError: If the digits are not available.
        OutOfTimeError: If the time is over; what was done is kept, and the same call continues.
        StoppedError: If `watch.run` stopped a training; it has been saved.
    """
    watch = watch or SuiteWatch()
    limit = TimeLimit(request.within)
    plan = plan_suite(request)
    if watch.estimated is not None and not all(planned.finished for planned in plan):
        watch.estimated(estimate_suite(plan, watch.listener))
    trained = train_suite(plan, run=watch.run, limit=limit, listener=watch.listener)
    if not trained:
        raise ValueError(f"no run in {request.folder} could be trained to its end")
    models = CompareRequest(
        tuple(str(planned.folder.path) for planned in trained), data_dir=request.data_dir, machine=request.machine
    )
    found = measured_comparison(models, watch.listener, kept=request.folder / "evaluations", limit=limit)
    left_out = [planned.name for planned in plan if planned not in trained]
    if left_out:
        found = replace(found, conditions=replace(found.conditions, left_out=f"{'; '.join(left_out)} (diverged)"))
    return replace(found, suite=request.suite)
