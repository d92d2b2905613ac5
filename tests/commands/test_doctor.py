"""Devices, numbers of threads, and `glimpse doctor`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from glimpse import environment
from glimpse.commands.doctor import report


@pytest.fixture
def threads() -> Iterator[None]:
    """Gives torch its number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("cores", "busy", "expected"), [(1, 0.0, 1), (2, 0.0, 2), (2, 1.0, 1), (2, 9.0, 1), (6, 2.2, 4), (96, 0.0, 8)]
)
def test_there_are_as_many_threads_as_idle_cores(cores: int, busy: float, expected: int) -> None:
    assert environment.safe_threads(cores, busy) == expected


@pytest.mark.usefixtures("threads")
def test_threads_asked_for_are_taken_before_those_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert (environment.use_threads(3), torch.get_num_threads()) == (3, 3)
    assert (environment.use_threads(), torch.get_num_threads()) == (2, 2)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("variable", ["", "0", "many"])
def test_threads_are_chosen_where_nothing_sensible_is_asked_for(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", variable)
    monkeypatch.setattr(environment, "usable_cores", lambda: 5)
    monkeypatch.setattr(environment, "busy_cores", lambda: 1.9)
    assert environment.use_threads() == 3


def test_a_core_kept_busy_is_seen() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        try:
            busy = environment.busy_cores(1.0)
        finally:
            other.kill()
    assert 0.5 < busy <= (os.cpu_count() or 1)


def test_a_quota_of_the_container_bounds_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_allowed_cpus", lambda: {901, 902, 903, 904})
    texts = {"/sys/fs/cgroup/cpu.max": "max 100000"}
    monkeypatch.setattr(environment, "_text", lambda path: texts.get(str(path), ""))
    assert environment.usable_cores() == 4
    texts["/sys/fs/cgroup/cpu.max"] = "150000 100000"
    assert environment.usable_cores() == 2


def test_two_cpus_on_one_core_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_allowed_cpus", lambda: {0, 1, 2})
    monkeypatch.setattr(environment, "_text", lambda path: {"cpu0": "0,2", "cpu1": "1,3", "cpu2": "0,2"}.get(path.parts[-3], ""))
    assert environment.usable_cores() == 2


def test_only_the_cpus_that_this_process_may_use_count_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_allowed_cpus", lambda: {0, 2})
    monkeypatch.setattr("psutil.cpu_percent", lambda interval, percpu: [50.0, 100.0, 20.0])
    assert environment.busy_cores(0.0) == pytest.approx(0.7)


def test_auto_takes_cuda_where_there_is_one_and_the_cpu_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setattr(environment, "cuda_devices", lambda: (0, ""))
    assert environment.choose_device() == torch.device("cpu")
    monkeypatch.setattr(environment, "cuda_devices", lambda: (2, ""))
    assert environment.choose_device() == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert environment.choose_device() == torch.device("cuda", 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda", "no device cuda .*found: 1; the driver is too old.*--device cpu or auto"),
        ("cuda:7", "no device cuda:7"),
        ("toaster", "unknown device 'toaster'; choose auto"),
        ("meta", "'meta' is not supported"),
    ],
)
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(environment, "cuda_devices", lambda: (1, "; the driver is too old"))
    with pytest.raises(ValueError, match=message):
        environment.choose_device(name)


@pytest.mark.gpu
def test_the_report_names_the_gpu() -> None:
    assert torch.cuda.get_device_name(0) in report()["device"]["cuda:0"]


@pytest.mark.usefixtures("threads")
def test_the_report_has_the_folders_of_the_digits(tmp_path: Path) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (raw / f"{name}-ubyte").touch()
    facts = report(tmp_path)
    assert facts["digits"]["mnist"] == str(tmp_path)
    assert facts["digits"]["fashion-mnist"] is None
    assert facts["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert facts["disk_free_gb"] > 0
