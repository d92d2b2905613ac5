"""Downloads from mirrors, with checksums, a time limit and a quick failure if there is no network."""

import contextlib
import queue
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from glimpse.digest import md5_of_file

__all__ = ["PROBE_SECONDS", "Progress", "Remote", "downloaded", "open_url"]

PROBE_SECONDS = 3.0
"""Seconds that a download waits for the first answer of a mirror."""

_STALL_SECONDS = 15.0

Progress = Callable[[int, int], None]
"""Function of how much is done and how much there is in all, 0 if unknown: bytes of the current file in a download."""


class Remote(NamedTuple):
    """A file to download.

    Attributes:
        name: Name of the file.
        md5: MD5 checksum of its content, as hexadecimal digits.
        urls: Its URL at each mirror, in the order to try.
    """

    name: str
    md5: str
    urls: list[str]


def downloaded(files: list[Remote], folder: Path, time_limit: float, progress: Progress | None = None) -> Iterator[Path]:
    """Yields each of several files, downloaded to a temporary folder that exists until the next one.

    Args:
        files: Files to download.
        folder: Folder to make the temporary folders in; it is made if it does not exist.
        time_limit: Seconds that all downloads together may take.
        progress: Called after each block.

    Raises:
        ConnectionError: If no mirror answers within `PROBE_SECONDS`, or none delivers a file within the time limit.
    """
    if not _is_reachable(files[0].urls):
        raise ConnectionError(f"no mirror answers within {PROBE_SECONDS:g} s")
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + time_limit
    for file in files:
        with tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch:
            yield _download(file, Path(scratch), deadline, progress)


def _is_reachable(urls: list[str]) -> bool:
    """Returns whether any of the URLs answers within `PROBE_SECONDS`, name resolution included."""
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


def _download(file: Remote, folder: Path, deadline: float, progress: Progress | None) -> Path:
    """Returns a file in the folder, downloaded from the first mirror that delivers it before the deadline, in monotonic time."""
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
        raise ConnectionError("the downloaded file has another checksum")
    return target


def open_url(url: str, timeout: float, method: str = "GET") -> Any:
    """Returns a server's response, to be closed by the caller.

    Args:
        url: Address.
        timeout: Seconds to wait for the connection and for each block.
        method: HTTP method.

    Raises:
        OSError: If the server does not answer in time or answers with an error.
    """
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "glimpse"})
    return urllib.request.urlopen(request, timeout=timeout)
