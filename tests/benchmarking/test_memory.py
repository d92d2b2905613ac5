"""How far memory grows: what a call holds for a moment counts, what was there before does not."""

import time
import warnings

import pytest
import torch

from glimpse.benchmarking.cases import cases_of
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
        found = peak_growths(request, cases_of(request), torch.device("cpu"), 1, Listener())
    assert list(found) == ["clutter 128", "clutter 1024"]
    assert found["clutter 1024"] > found["clutter 128"] > 128 * 100 * 100 * 4


def test_a_child_process_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    with pytest.warns(UserWarning, match="the memory of some cases could not be measured: 1"):
        found = peak_growths(BenchRequest("ram"), [], torch.device("cpu"), 1, Listener())
    assert found == {}


@pytest.mark.gpu
def test_on_cuda_what_torch_allocates_counts() -> None:
    assert allocated_growth(lambda: torch.ones(16 * MB, device="cuda"), torch.device("cuda")) == 64 * MB
