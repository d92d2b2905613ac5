"""Downloads: files from mirrors, with a checksum, a time limit and a quick answer where there is no network."""

import contextlib
import queue
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from glimpse.digest import md5_of_file

__all__ = ["PROBE_SECONDS", "Progress", "Remote", "download_file", "is_reachable", "open_url"]

PROBE_SECONDS = 3.0
"""How long a download waits to learn whether there is a network at all."""

_STALL_SECONDS = 15.0

Progress = Callable[[int, int], None]
"""Function of the bytes of the present file that have arrived, and of its size, 0 if unknown."""


class Remote(NamedTuple):
    """A file to download.

    Attributes:
        name: Its name.
        md5: Its checksum.
        urls: Where it is, first to last.
    """

    name: str
    md5: str
    urls: list[str]


def is_reachable(urls: list[str]) -> bool:
    """Returns whether any of these answers within `PROBE_SECONDS`, a hanging look-up of names included."""
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:
            with open_url(url, PROBE_SECONDS, method="HEAD"):
                answers.put(True)
        except (OSError, HTTPException, ValueError):
            answers.put(False)

    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + PROBE_SECONDS
    with contextlib.suppress(queue.Empty):
        return any(answers.get(timeout=max(0.0, deadline - time.monotonic())) for _ in urls)
    return False


def download_file(file: Remote, folder: Path, deadline: float, progress: Progress | None = None) -> Path:
    """Returns a file in the folder, downloaded from the first mirror that has it whole.

    Args:
        file: What to download.
        folder: Where to write it.
        deadline: When to give up, on the clock of `time.monotonic`.
        progress: Called after each block.

    Raises:
        ConnectionError: If no mirror delivers the file in time.
    """
    failures = []
    for url in file.urls:
        try:
            return _from_one(url, file, folder, deadline, progress)
        except (OSError, HTTPException) as error:
            failures.append(str(error))
    raise ConnectionError(f"{file.name}: {'; '.join(failures)}")


def _from_one(url: str, file: Remote, folder: Path, deadline: float, progress: Progress | None) -> Path:
    target, done = folder / file.name, 0
    with open_url(url, _STALL_SECONDS) as response, target.open("wb") as out:
        total = int(response.headers.get("Content-Length") or 0)
        while block := response.read1(1 << 16):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the time limit is over after {done / 1e6:.1f} MB")
            out.write(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    if md5_of_file(target) != file.md5:
        raise ConnectionError("what came has another checksum")
    return target


def open_url(url: str, timeout: float, method: str = "GET") -> Any:
    """Returns the response of a server.

    Raises:
        OSError: If it does not answer within `timeout` seconds, or with an error.
    """
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "glimpse"})
    return urllib.request.urlopen(request, timeout=timeout)
