"""Peak growth of the memory in use while a case runs.

On CUDA, it is the peak of the memory that torch allocates, minus the memory allocated before. On the CPU, every case runs in its
own process, so that memory freed by another case does not hide its needs: a child process imports torch once and forks for every
case; a thread samples the resident memory every half millisecond with psutil, without the pages of files such as libraries. The
growth is the highest sample minus the one before the first call, when data and model are in memory: it consists of activations,
gradients and the optimizer's state.

    python -m glimpse.benchmarking.memory

is this child process: it reads a request as JSON on stdin and writes one line of JSON per case on stdout.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from glimpse.benchmarking.cases import Case, bench_plan
from glimpse.evaluation.timing import Work
from glimpse.listener import Listener
from glimpse.settings.requests import BenchRequest

__all__ = ["allocated_growth", "peak_growths", "resident_growth"]

_SECONDS = 0.2  # least time that a case runs while its memory is sampled
_EVERY = 0.0005  # seconds between samples


def peak_growths(request: BenchRequest, cases: Sequence[Case], device: torch.device, listener: Listener) -> dict[str, int]:
    """Returns the peak growth of the memory in bytes by name of the case; a case that could not be measured is missing.

    Args:
        request: The request.
        cases: Its cases.
        device: Device; memory is measured on CUDA devices and on the CPU, with torch's current number of threads.
        listener: Receives the progress, and a warning if a case could not be measured.
    """
    found: dict[str, int] = {}
    with listener.progress("Measuring memory", len(cases), unit="cases") as advance:
        if device.type == "cuda":
            for case in cases:
                found[case.name] = allocated_growth(case.build(device), device)
                advance(len(found))
        elif device.type == "cpu":
            for name, growth in _in_child(request, listener):
                found[name] = growth
                advance(len(found))
    return found


def allocated_growth(work: Work, device: torch.device) -> int:
    """Returns the peak growth in bytes of the memory that torch allocates on a CUDA device during two calls.

    Args:
        work: Function to call.
        device: CUDA device.
    """
    gc.collect()
    torch.cuda.synchronize(device)
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    work()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device)) - before


def resident_growth(work: Work, seconds: float = _SECONDS) -> int:
    """Returns the peak growth in bytes of this process's resident memory during calls of a function.

    Args:
        work: Function to call, at least twice.
        seconds: Least time in seconds during which it is called.
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
    try:
        began, calls = time.perf_counter(), 0
        while calls < 2 or time.perf_counter() - began < seconds:
            work()
            calls += 1
    finally:
        done.set()
        sampler.join()
    return max(peak, _resident()) - before


def _resident() -> int:
    """Returns the resident memory of this process in bytes, without the pages of files if the system reports them."""
    memory = psutil.Process().memory_info()
    return int(memory.rss - getattr(memory, "shared", 0))


def _in_child(request: BenchRequest, listener: Listener) -> Iterator[tuple[str, int]]:
    """Yields the name and growth of every case from the child process."""
    content = json.dumps({"what": request.what, "growth": request.growth, "threads": torch.get_num_threads()})
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command, environment = [sys.executable, "-m", "glimpse.benchmarking.memory"], os.environ | {"PYTHONPATH": path}
    with (
        tempfile.TemporaryFile("w+") as errors,  # not a pipe, which blocks the child process once it is full
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment
        ) as child,
    ):
        assert child.stdin is not None
        assert child.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # the child process has failed: its exit code is checked below
            child.stdin.write(content)
            child.stdin.close()
        for line in child.stdout:
            case = json.loads(line)
            yield case["name"], case["bytes"]
        if child.wait():
            errors.seek(0)
            lines = errors.read().strip().splitlines()
            listener.warn(f"the memory of some cases could not be measured: {lines[-1] if lines else child.returncode}")


def _main() -> int:
    """Measures every case of the request on stdin in a forked process; returns the exit code."""
    content: dict[str, Any] = json.loads(sys.stdin.read())
    failed = 0
    for case in bench_plan(BenchRequest(content["what"], content["growth"])).cases:
        pid = os.fork()
        if pid == 0:
            torch.set_num_threads(content["threads"])
            line = json.dumps({"name": case.name, "bytes": resident_growth(case.build(torch.device("cpu")))})
            os.write(1, f"{line}\n".encode())
            os._exit(0)
        failed |= os.waitpid(pid, 0)[1]
    return int(failed != 0)


if __name__ == "__main__":
    sys.exit(_main())
