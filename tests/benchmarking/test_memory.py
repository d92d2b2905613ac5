"""How far memory grows: what a call holds for a moment counts, what was there before does not."""

import threading
import time
import warnings
from pathlib import Path

import pytest
import torch

from glimpse.benchmarking.cases import bench_plan
from glimpse.benchmarking.memory import allocated_growth, peak_growths, resident_growth
from glimpse.listener import Listener
from glimpse.settings.requests import BenchRequest

MB = 2**20


def test_a_moments_memory_counts_though_it_is_given_back() -> None:
    def work() -> None:
        held = torch.ones(64 * MB // 4)
        time.sleep(0.01)
        del held

    assert 60 * MB < resident_growth(work, 0.1) < 140 * MB


def test_memory_that_was_there_before_does_not_count() -> None:
    held = torch.ones(64 * MB // 4)
    assert resident_growth(lambda: float(held[0]), 0.05) < 20 * MB


def test_each_case_is_measured_in_a_process_of_its_own() -> None:
    request = BenchRequest("clutter")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = peak_growths(request, bench_plan(request).cases, torch.device("cpu"), Listener())
    assert list(found) == ["clutter 128", "clutter 1024"]
    assert found["clutter 1024"] > found["clutter 128"] > 128 * 100 * 100 * 4


def test_a_child_process_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.warns(UserWarning, match="the memory of some cases could not be measured: 1"):
        found = peak_growths(BenchRequest("ram"), [], torch.device("cpu"), Listener())
    assert found == {}


def test_a_child_process_with_many_warnings_does_not_block(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    child = tmp_path / "child"
    lines = """#!/bin/sh
cat > /dev/null
timeout 5 head -c 300000 /dev/zero >&2 || exit 3
echo '{"name": "a", "bytes": 7}'
"""
    child.write_text(lines)
    child.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(child))
    assert peak_growths(BenchRequest("ram"), [], torch.device("cpu"), Listener()) == {"a": 7}


def test_an_error_ends_the_sampling() -> None:
    def failing() -> None:
        raise ValueError("no")

    before = threading.active_count()
    with pytest.raises(ValueError, match="no"):
        resident_growth(failing)
    assert threading.active_count() == before


@pytest.mark.gpu
def test_on_cuda_what_torch_allocates_counts() -> None:
    assert allocated_growth(lambda: torch.ones(16 * MB, device="cuda"), torch.device("cuda")) == 64 * MB
