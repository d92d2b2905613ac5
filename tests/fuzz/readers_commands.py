"""Commands that read a run's folder, run in this process: a failure that is no line of text is an error."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from glimpse.training.calls import train_generator
from tests.fuzz.mutants import edited_json, edited_metadata
from tests.fuzz.readers import Reader
from tests.fuzz.runs import CONFIG, METRICS, WEIGHTS, bare_config, bare_weights, copied_run
from tests.helpers.commands import invoked

__all__ = ["READERS"]

_VARYING = ("model", "out", "bytes", "rounding")
"""Keys of results that differ between two equal runs, besides times and speeds."""


def _command(name: str, *options: str, out: str | None = None) -> Callable[[Path], object]:
    """Returns a function that runs a command on a folder and returns the object that it prints, without what varies.

    Args:
        name: Name of the command.
        options: Its options.
        out: Name of the file that it writes; `None` if it writes none.
    """

    def read(folder: Path) -> object:
        written = [] if out is None else [f"--out={folder / out}"]
        result = invoked(name, folder, *options, *written, "--threads=1", "--json")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        if result.exit_code:
            assert not {*result.stderr} & {*map(chr, range(32))} - {"\n"}, "control characters reach the terminal"
            assert not written or not (folder / str(out)).exists(), "a refused command left a file"
            raise ValueError(result.stderr)
        return _without_varying(json.loads(result.stdout))

    return read


def _without_varying(value: Any) -> Any:
    """Returns a result without the values that differ between two equal runs."""
    if isinstance(value, dict):
        kept = {name: each for name, each in value.items() if "second" not in name and name not in _VARYING}
        return {name: _without_varying(each) for name, each in kept.items()}
    return [_without_varying(each) for each in value] if isinstance(value, list) else value


_drawn = partial(copied_run, train=train_generator)
_EVALUATE, _COMPARE = _command("evaluate", "--device=cpu"), _command("compare", "--device=cpu")
_SUMMARY = _command("trajectories", "--summary", "--device=cpu")
_REPORT = _command("report", "--device=cpu", out="report.html")
_EXPORT = _command("export", out="model.pt2")

READERS = (
    Reader("evaluate-weights", copied_run(WEIGHTS), _EVALUATE, exact=True, cost=2),
    Reader("evaluate-weights-edited", copied_run(WEIGHTS, bare_weights), _EVALUATE, edited_metadata, cost=2),
    Reader("evaluate-config-edited", copied_run(CONFIG, bare_config), _EVALUATE, edited_json, cost=3),
    Reader("evaluate-generator-edited", _drawn(WEIGHTS, bare_weights), _EVALUATE, edited_metadata, cost=2),
    Reader("compare-config-edited", copied_run(CONFIG, bare_config), _COMPARE, edited_json, cost=2),
    Reader("compare-metrics", copied_run(METRICS), _COMPARE, cost=25),
    Reader("trajectories-weights-edited", copied_run(WEIGHTS, bare_weights), _SUMMARY, edited_metadata, cost=2),
    Reader("report-metrics", copied_run(METRICS), _REPORT, cost=300),
    Reader("report-config-edited", copied_run(CONFIG, bare_config), _REPORT, edited_json, cost=300),
    Reader("report-weights-edited", copied_run(WEIGHTS, bare_weights), _REPORT, edited_metadata, cost=100),
    Reader("export-weights-edited", copied_run(WEIGHTS, bare_weights), _EXPORT, edited_metadata, cost=200),
)
