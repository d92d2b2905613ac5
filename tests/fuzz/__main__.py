"""The long run of the fuzz: `python -m tests.fuzz --mutants 10000`.

Readers take turns. Every failure is printed with the seed that gives it again; the exit code is 1 if there is one.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from tests.fuzz.faults import full_disk, killed_trainings
from tests.fuzz.readers import all_readers
from tests.fuzz.soak import soaked
from tests.fuzz.tried import Tried


def main() -> int:
    """Runs the fuzz and the soak, prints one line of JSON for each part, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Damages files and reads them; kills trainings.")
    parser.add_argument("--mutants", type=int, default=1000, help="mutants of each reader of cost 1; slower readers get fewer")
    parser.add_argument("--each", action="store_true", help="as many mutants of slow readers")
    parser.add_argument("--minutes", type=float, help="time after which no more mutants are tried, of all readers together")
    parser.add_argument("--only", help="names of readers, separated by commas")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first mutant")
    parser.add_argument("--kills", type=int, default=0, help="trainings killed at random moments and resumed")
    parser.add_argument("--disk", action="store_true", help="full and read-only disks at every write of a training")
    parser.add_argument("--soak", type=float, default=0, help="seconds of trainings and evaluations in one process")
    options = parser.parse_args()
    torch.set_num_threads(1)
    readers = all_readers()
    with tempfile.TemporaryDirectory(prefix="glimpse-fuzz-") as place:
        waiting = []
        for name in options.only.split(",") if options.only else readers:
            mutants = options.mutants if options.each else max(1, options.mutants // readers[name].cost)
            waiting.append(Tried(readers[name], mutants, options.seed, Path(place) / name))
        failed = _tried(waiting, options.minutes)
    parts: tuple[tuple[object, Callable[[], dict[str, Any]]], ...] = (
        (options.kills, lambda: killed_trainings(options.kills, options.seed)),
        (options.disk, full_disk),
        (options.soak, lambda: soaked(options.soak)),
    )
    for wanted, part in parts:
        if wanted:
            result = part()
            failed |= bool(result["failures"])
            _print(result)
    return int(failed)


def _tried(waiting: Sequence[Tried], minutes: float | None) -> bool:
    """Tries mutants for some time, or all of them; prints a row for each reader, and returns whether there was a failure."""
    began, failed = time.monotonic(), False
    while waiting:
        for each in waiting:
            if over := minutes is not None and time.monotonic() - began > 60 * minutes:
                break
            for line in each.turn():
                failed = True
                print(line, file=sys.stderr, flush=True)  # noqa: T201
        for each in waiting:
            if over or not each.left:
                _print(each.row())
        waiting = [each for each in waiting if each.left and not over]
    return failed


def _print(result: dict[str, Any]) -> None:
    print(json.dumps(result), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
