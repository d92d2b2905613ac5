"""Fixtures of all tests: the number of processes, no network, no digits unless requested, GPU tests only with a GPU."""

import os

os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # set before torch is imported: threads that spin on a shared core make the suite 30 times slower
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["OMP_NUM_THREADS"] = "1"  # in this process and its children: there is one process per core

import socket
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from glimpse.trajectories.views import Trajectories
from tests.helpers.browser import browser, contrasts
from tests.helpers.trajectories import random_trajectories

__all__ = ["browser", "contrasts"]

_GIVEN = os.environ.get("GLIMPSE_DATA", "")
_LOCAL = ("localhost", "127.0.0.1", "::1", None)

torch.set_num_threads(1)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> Generator[None, int, int]:
    """Runs tests in one process per core, at most 8; tests selected by `-k` or of a single file run in this process."""
    cores = yield
    picked = config.option.keyword or (len(config.args) == 1 and ".py" in config.args[0])
    return 0 if picked else min(cores, 8)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests marked `gpu` if there is no GPU."""
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Isolates a test from the network and from digits on this machine, and keeps torch on one thread."""

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in _LOCAL:
            raise OSError(f"tests use no network, asked for {name}")
        return found(host, *rest, **options)

    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    torch.set_num_threads(1)
    monkeypatch.delenv("GLIMPSE_DATA", raising=False)
    monkeypatch.setattr("glimpse.datasets.folders.cache_folder", lambda: tmp_path / "user-cache")


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Returns the folder with the real MNIST; skips the test if GLIMPSE_DATA does not name one."""
    from glimpse.datasets.mnist import is_complete

    if not _GIVEN or not is_complete("mnist", Path(_GIVEN)):
        pytest.skip("GLIMPSE_DATA names no folder with MNIST")
    return Path(_GIVEN).resolve()


@pytest.fixture(scope="session")
def cifar_subset() -> Path:
    """Returns a file with some of CIFAR-10's images; skips the test if GLIMPSE_DATA names no folder that has it."""
    path = Path(_GIVEN) / "cifar10_subset" / "cifar10_subset.npz"
    if not _GIVEN or not path.is_file():
        pytest.skip("GLIMPSE_DATA names no folder with cifar10_subset")
    return path.resolve()


@pytest.fixture
def no_gradients() -> Iterator[None]:
    """Runs a test without gradients."""
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def without_pictures() -> Iterator[None]:
    """Leaves out the pictures for TensorBoard, which take three times as long as a tiny training."""
    from glimpse.training.loop import train_in

    def bare(*arguments: Any, **options: Any) -> Any:
        return train_in(*arguments, **options | {"draw": None})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glimpse.training.session.train_in", bare)
        yield


@pytest.fixture
def make_trajectories() -> Callable[..., Trajectories]:
    """Returns a function that makes random trajectories of any size."""
    return random_trajectories
