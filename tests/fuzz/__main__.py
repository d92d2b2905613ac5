"""The long run of the fuzz: `python -m tests.fuzz --mutants 10000`.

Mutants are tried in processes of their own, so that a crash, a hang or a request for all memory is a failure of one mutant. Every
failure is printed with the seed that gives it again; the exit code is 1 if there is one.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType

import torch

from tests.fuzz.faults import full_disk, killed_trainings
from tests.fuzz.prepared import Prepared
from tests.fuzz.readers import Reader, all_readers
from tests.fuzz.soak import soaked

_AT_ONCE = 200  # mutants in one process
_SECONDS = 60  # for one mutant
_MEMORY = 6 * 2**30  # bytes that a process may request beyond what it has


def fuzzed(reader: Reader, mutants: int, seed: int) -> Iterator[tuple[str, str]]:
    """Yields the outcome of every mutant of a reader, and what it raised if that is a failure."""
    with tempfile.TemporaryDirectory(prefix="glimpse-fuzz-") as place:
        prepared = Prepared(reader, Path(place))
        done = 0
        while done < mutants:
            parent, child = multiprocessing.Pipe(duplex=False)
            process = os.fork()
            if process == 0:
                _try(prepared, range(seed + done, seed + min(mutants, done + _AT_ONCE)), child)
            child.close()
            before = done
            while True:
                try:
                    outcome, said = parent.recv()
                except EOFError:
                    break
                done += 1
                yield outcome, said
            code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
            if code or done == before:
                yield "crash", f"{reader.name}, seed {seed + done}: the process ended with code {code}"
                done += 1


def _try(prepared: Prepared, seeds: range, pipe: Connection) -> None:
    """Tries mutants, sends their outcomes and ends the process."""
    signal.signal(signal.SIGALRM, _hang)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (used + _MEMORY, hard))
    for seed in seeds:
        signal.alarm(_SECONDS)
        try:
            pipe.send((prepared.outcome(random.Random(seed)), ""))
        except BaseException as error:
            lines = traceback.format_exception_only(error)[-1].strip()
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{prepared.reader.name}, seed {seed}: {lines[:300]!r} at {where.filename}:{where.lineno}"
            pipe.send(("hang" if isinstance(error, TimeoutError) else "failure", said))
    signal.alarm(0)
    pipe.close()
    os._exit(0)


def _hang(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"over {_SECONDS} s")


def main() -> int:
    """Runs the fuzz and the soak, prints one line of JSON for each part, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Damages files and reads them; kills trainings.")
    parser.add_argument("--mutants", type=int, default=1000, help="mutants of each reader of cost 1; slower readers get fewer")
    parser.add_argument("--each", action="store_true", help="as many mutants of slow readers")
    parser.add_argument("--only", help="names of readers, separated by commas")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first mutant")
    parser.add_argument("--kills", type=int, default=0, help="trainings killed at random moments and resumed")
    parser.add_argument("--disk", action="store_true", help="full and read-only disks at every write of a training")
    parser.add_argument("--soak", type=float, default=0, help="seconds of trainings and evaluations in one process")
    options = parser.parse_args()
    torch.set_num_threads(1)
    readers = all_readers()
    failed = False
    for name in options.only.split(",") if options.only else readers:
        began, counts = time.monotonic(), Counter[str]()
        mutants = options.mutants if options.each else max(1, options.mutants // readers[name].cost)
        for outcome, said in fuzzed(readers[name], mutants, options.seed):
            counts[outcome] += 1
            if said:
                failed = True
                print(said, file=sys.stderr, flush=True)  # noqa: T201
        _print({"reader": name, "mutants": mutants, "seconds": round(time.monotonic() - began, 1)} | counts)
    if options.kills:
        result = killed_trainings(options.kills, options.seed)
        failed |= bool(result["failures"])
        _print(result)
    if options.disk:
        result = full_disk()
        failed |= bool(result["failures"])
        _print(result)
    if options.soak:
        result = soaked(options.soak)
        failed |= bool(result["failures"])
        _print(result)
    return int(failed)


def _print(result: dict[str, object]) -> None:
    print(json.dumps(result), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
