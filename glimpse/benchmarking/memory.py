"""How far the memory in use grows while a case runs.

On CUDA it is the peak of what torch allocates less what it held before. On the CPU each case runs in a process of its own, so that
no other case's freed memory hides what it needs: a child process loads torch once and forks for every case; a thread samples the
resident memory every half millisecond by psutil, without the pages of files such as libraries. The growth is the highest sample
less the one before the first call, when the data and the model are there: activations, gradients and the optimizer's state.

    python -m glimpse.benchmarking.memory

is that child process: it reads a request as JSON on stdin and writes one line of JSON a case on stdout.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from glimpse.benchmarking.cases import Case, cases_of
from glimpse.benchmarking.timing import Work
from glimpse.listener import Listener
from glimpse.settings.requests import BenchRequest

__all__ = ["allocated_growth", "peak_growths", "resident_growth"]

_SECONDS = 0.2  # for which a case runs while its memory is sampled, two calls at least
_EVERY = 0.0005  # seconds between samples


def peak_growths(
    request: BenchRequest, cases: Sequence[Case], device: torch.device, threads: int, listener: Listener
) -> dict[str, int]:
    """Returns the bytes that each case makes the memory grow by, by name; a case that could not be measured is missing.

    Args:
        request: What is measured.
        cases: Its cases.
        device: Where.
        threads: Threads on the CPU.
        listener: Hears of the progress, and why a case could not be measured.
    """
    found: dict[str, int] = {}
    with listener.progress("Measuring memory", len(cases), unit="cases") as advance:
        if device.type == "cuda":
            for case in cases:
                found[case.name] = allocated_growth(case.build(device), device)
                advance(len(found))
        elif device.type == "cpu":
            for name, growth in _in_child(request, threads, listener):
                found[name] = growth
                advance(len(found))
    return found


def allocated_growth(work: Work, device: torch.device) -> int:
    """Returns by how many bytes what torch allocates on a CUDA device grows at most while work is called twice."""
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    work()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device)) - before


def resident_growth(work: Work, seconds: float = _SECONDS) -> int:
    """Returns by how many bytes this process's resident memory grows at most while work is called.

    Args:
        work: Called twice at least.
        seconds: How long it is called again.
    """
    gc.collect()
    before = peak = _resident()
    done = threading.Event()

    def sample() -> None:
        nonlocal peak
        while not done.wait(_EVERY):
            peak = max(peak, _resident())

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    began, calls = time.perf_counter(), 0
    while calls < 2 or time.perf_counter() - began < seconds:
        work()
        calls += 1
    done.set()
    sampler.join()
    return max(peak, _resident()) - before


def _resident() -> int:
    """Returns the bytes of this process that are in memory, without the pages of files where the system says which those are."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _in_child(request: BenchRequest, threads: int, listener: Listener) -> Iterator[tuple[str, int]]:
    """Yields each case's name and growth, as the child process finds them."""
    asked = {"what": request.what, "growth": request.growth, "threads": threads}
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "glimpse.benchmarking.memory"]
    environment = os.environ | {"PYTHONPATH": path}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already; its exit code says so
            child.stdin.write(json.dumps(asked))
            child.stdin.close()
        for line in child.stdout:
            case = json.loads(line)
            yield case["name"], case["bytes"]
        said = child.stderr.read().strip()
    if child.returncode:
        listener.warn(f"the memory of some cases could not be measured: {said.splitlines()[-1] if said else child.returncode}")


def _main() -> int:
    """Measures every case of the request on stdin in a process of its own; returns the exit code."""
    asked: dict[str, Any] = json.loads(sys.stdin.read())
    failed = 0
    for case in cases_of(BenchRequest(asked["what"], asked["growth"])):
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            torch.set_num_threads(asked["threads"])
            line = json.dumps({"name": case.name, "bytes": resident_growth(case.build(torch.device("cpu")))})
            os.write(1, f"{line}\n".encode())
            os._exit(0)
        failed |= os.waitpid(pid, 0)[1]
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(_main())
