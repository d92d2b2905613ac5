"""MNIST and its kin, laid out as torchvision does: finding, reading and, into the user's cache alone, downloading them."""

import contextlib
import gzip
import hashlib
import queue
import shutil
import tempfile
import threading
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any, NamedTuple

from torch import Tensor

__all__ = ["PROBE_SECONDS", "TIME_LIMITS", "cache_folder", "download", "is_complete", "load"]

PROBE_SECONDS = 3.0
"""How long a download waits to learn whether there is a network at all."""
TIME_LIMITS = {"mnist": 600.0, "fashion-mnist": 600.0, "emnist-digits": 3600.0}
"""Seconds a whole download may take: 12, 31 and 562 MB."""

_STALL_SECONDS = 15.0

_EXPECTED = {"mnist": (60_000, 10_000), "fashion-mnist": (60_000, 10_000), "emnist-digits": (240_000, 40_000)}


def cache_folder() -> Path:
    """Returns the user's cache for digits; it need not exist."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("glimpse"))


def is_complete(name: str, folder: Path) -> bool:
    """Returns whether a folder holds all files of a source; nothing is read."""
    family, prefixes = _layout(name)
    raw = folder / family / "raw"
    return all((raw / f"{prefix}-{kind}-ubyte").is_file() for prefix in prefixes for kind in ("images-idx3", "labels-idx1"))


def load(name: str, folder: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Returns the official training or test glyphs (N, 28, 28), uint8 and upright, and their labels (N,), int64.

    Raises:
        ValueError: If the files are damaged.
    """
    dataset, options = _torchvision(name)
    expected = _EXPECTED[name][0 if train else 1]
    try:
        opened = dataset(folder, train=train, download=False, **options)
    except (RuntimeError, ValueError, AssertionError, OSError, EOFError, IndexError) as error:
        raise ValueError(f"{name} in {folder} is damaged ({error}); remove its files, or name another --data-dir") from error
    images, labels = opened.data, opened.targets.long()
    if images.shape != (expected, 28, 28) or labels.shape != (expected,):
        raise ValueError(f"the files of {name} in {folder} hold {tuple(images.shape)} images, {expected} of 28 x 28 expected")
    return (images.mT.contiguous() if name == "emnist-digits" else images), labels


def download(name: str, progress: Callable[[int, int], None] | None = None) -> None:
    """Downloads a source into the user's cache, from the mirrors and with the checksums that torchvision knows.

    Args:
        name: Which source.
        progress: Called with the bytes that are there of the present file and with its size, 0 if unknown.

    Raises:
        OSError: If no mirror answers within `PROBE_SECONDS`, or the files do not arrive whole within the time limit.
    """
    files = _remote(name)
    if not _answers(files[0].urls):
        raise ConnectionError(f"no mirror of it answers within {PROBE_SECONDS:g} s")
    raw = cache_folder() / _layout(name)[0] / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + TIME_LIMITS[name]
    for file in files:
        with tempfile.TemporaryDirectory(dir=raw, prefix="download-") as scratch:
            arrived = _from_any(file, Path(scratch), deadline, progress)
            for unpacked in _unpack(arrived):
                unpacked.replace(raw / unpacked.name)


class _Remote(NamedTuple):
    """A file to download: its name, its MD5 and where it lies."""

    name: str
    md5: str
    urls: list[str]


def _remote(name: str) -> list[_Remote]:
    dataset, _ = _torchvision(name)
    if name == "emnist-digits":
        return [_Remote("gzip.zip", dataset.md5, [dataset.url])]
    return [_Remote(file, md5, [mirror + file for mirror in dataset.mirrors]) for file, md5 in dataset.resources]


def _answers(urls: list[str]) -> bool:
    """Returns whether any of these can be reached within `PROBE_SECONDS`, a hanging look-up of names included."""
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ask(url: str) -> None:
        try:
            with _open(url, PROBE_SECONDS, method="HEAD"):
                answers.put(True)
        except (OSError, HTTPException, ValueError):
            answers.put(False)

    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + PROBE_SECONDS
    with contextlib.suppress(queue.Empty):
        return any(answers.get(timeout=max(0.0, deadline - time.monotonic())) for _ in urls)
    return False


def _from_any(file: _Remote, folder: Path, deadline: float, progress: Callable[[int, int], None] | None) -> Path:
    """Returns a file in the folder, downloaded from the first mirror that has it whole."""
    failures = []
    for url in file.urls:
        try:
            return _from_one(url, file, folder, deadline, progress)
        except (OSError, HTTPException) as error:
            failures.append(str(error))
    raise ConnectionError(f"{file.name}: {'; '.join(failures)}")


def _from_one(url: str, file: _Remote, folder: Path, deadline: float, progress: Callable[[int, int], None] | None) -> Path:
    target, digest, done = folder / file.name, hashlib.md5(usedforsecurity=False), 0
    with _open(url, _STALL_SECONDS) as response, target.open("wb") as out:
        total = int(response.headers.get("Content-Length") or 0)
        while block := response.read1(1 << 16):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the time limit is over after {done / 1e6:.1f} MB")
            out.write(block)
            digest.update(block)
            done += len(block)
            if progress is not None:
                progress(done, total)
    if digest.hexdigest() != file.md5:
        raise ConnectionError("what came has another checksum")
    return target


def _open(url: str, timeout: float, method: str = "GET") -> Any:
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "glimpse"})
    return urllib.request.urlopen(request, timeout=timeout)


def _unpack(archive: Path) -> Iterator[Path]:
    """Yields the unpacked files beside an archive: the one in a `.gz`, or those of EMNIST's digits in its `.zip`."""
    if archive.suffix == ".gz":
        yield _gunzip(archive, archive.with_suffix(""))
        return
    with zipfile.ZipFile(archive) as members:
        for member in members.namelist():
            name = member.rsplit("/", 1)[-1]
            if name.startswith("emnist-digits-") and name.endswith("-ubyte.gz"):
                with members.open(member) as packed:
                    yield _gunzip(packed, archive.with_name(name.removesuffix(".gz")))


def _gunzip(packed: Path | IO[bytes], target: Path) -> Path:
    with gzip.open(packed) as unpacked, target.open("wb") as out:
        shutil.copyfileobj(unpacked, out)
    return target


def _layout(name: str) -> tuple[str, tuple[str, str]]:
    """Returns the folder's name and the prefixes of the training and the test files."""
    if name == "emnist-digits":
        return "EMNIST", ("emnist-digits-train", "emnist-digits-test")
    return ("MNIST" if name == "mnist" else "FashionMNIST"), ("train", "t10k")


def _torchvision(name: str) -> tuple[Any, dict[str, str]]:
    """Returns torchvision's class for a source and the further arguments it needs."""
    from torchvision import datasets

    if name == "emnist-digits":
        return datasets.EMNIST, {"split": "digits"}
    return (datasets.MNIST if name == "mnist" else datasets.FashionMNIST), {}
