"""Mutants that are tried in processes of their own, so that a crash, a hang or a request for all memory is a result too."""

import multiprocessing
import os
import random
import resource
import signal
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.prepared import Prepared
from tests.fuzz.readers import Reader

__all__ = ["Tried"]

_AT_ONCE = 200  # mutants of a reader of cost 1 in one process
_SECONDS = 60  # of computation for one mutant
_LONGEST = 20  # times as much for a mutant that waits
_MEMORY = 6 * 2**30  # bytes that a process may request beyond what it has


class Tried:
    """The mutants of a reader, and what came of those that were tried.

    Args:
        reader: The reader.
        mutants: Number of mutants.
        seed: Seed of the first one.
        place: Folder for files, which is created when the first mutant is tried.

    Attributes:
        left: Number of mutants that were not tried yet.
    """

    def __init__(self, reader: Reader, mutants: int, seed: int, place: Path) -> None:
        self.left, self._reader, self._place, self._seed, self._first = mutants, reader, place, seed, seed
        self._counts, self._seconds = Counter[str](), 0.0

    def turn(self) -> Iterator[str]:
        """Tries the next mutants in one process, and yields a line for each failure, with the seed that gives it again."""
        began = time.monotonic()
        last = self._seed + min(self.left, max(1, _AT_ONCE // self._reader.cost))
        parent, child = multiprocessing.Pipe(duplex=False)
        prepared = self._prepared
        process = os.fork()
        if process == 0:
            _try(prepared, range(self._seed, last), child)
        child.close()
        while True:
            try:
                outcome, said = parent.recv()
            except EOFError:
                break
            self._count(outcome)
            if said:
                yield said
        code = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        if self._seed < last:
            yield f"{self._reader.name}, seed {self._seed}: the process ended with code {code}"
            self._count("crash")
        self._seconds += time.monotonic() - began

    def row(self) -> dict[str, Any]:
        """Returns the name of the reader, the number of mutants that were tried, and how many had each outcome."""
        facts = {"reader": self._reader.name, "mutants": self._counts.total(), "seed": self._first}
        return facts | dict(sorted(self._counts.items())) | {"seconds": round(self._seconds, 1)}

    @cached_property
    def _prepared(self) -> Prepared:
        self._place.mkdir(parents=True)
        return Prepared(self._reader, self._place)

    def _count(self, outcome: str) -> None:
        self._counts[outcome] += 1
        self._seed += 1
        self.left -= 1


def _try(prepared: Prepared, seeds: range, pipe: Connection) -> None:
    """Tries mutants, sends their outcomes and ends the process."""
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _hang)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (used + _MEMORY, hard))
    for seed in seeds:
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        signal.alarm(_LONGEST * _SECONDS)
        try:
            pipe.send((prepared.outcome(random.Random(seed)), ""))
        except BaseException as error:
            lines = traceback.format_exception_only(error)[-1].strip()
            where = traceback.extract_tb(error.__traceback__)[-1]
            said = f"{prepared.reader.name}, seed {seed}: {lines[:300]!r} at {where.filename}:{where.lineno}"
            pipe.send(("hang" if isinstance(error, TimeoutError) else "failure", said))
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.alarm(0)
    pipe.close()
    os._exit(0)


def _hang(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"over {_SECONDS} s of computation, or {_LONGEST * _SECONDS} s")
