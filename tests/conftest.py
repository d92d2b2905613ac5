"""What all tests share: no network, no digits but those a test asks for, no GPU test where there is no GPU."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: threads that spin on a shared core slow the suite down 30 times
os.environ.setdefault("MPLBACKEND", "Agg")

import socket
from pathlib import Path
from typing import Any

import pytest
import torch

_GIVEN = os.environ.get("GLIMPSE_DATA", "")
_LOCAL = ("localhost", "127.0.0.1", "::1", None)

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests marked `gpu` where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if "gpu" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keeps a test away from the network, and from digits that happen to lie on this machine."""

    def resolve(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in _LOCAL:
            raise OSError(f"tests use no network, asked for {name}")
        return found(host, *rest, **options)

    found = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.delenv("GLIMPSE_DATA", raising=False)
    monkeypatch.setattr("glimpse.datasets.fetch.cache_folder", lambda: tmp_path / "user-cache")


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """Returns the folder with the real MNIST; skips where GLIMPSE_DATA does not name one."""
    from glimpse.datasets.fetch import is_complete

    if not _GIVEN or not is_complete("mnist", Path(_GIVEN)):
        pytest.skip("GLIMPSE_DATA names no folder with MNIST")
    return Path(_GIVEN).resolve()
