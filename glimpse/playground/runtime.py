"""onnxruntime-web, which runs exported models in a browser: its files are found or downloaded once, and checked by digest.

The build is the single-threaded one for the CPU: it needs no shared memory, and thus no special headers of a server.

References:
    The package `onnxruntime-web` of npm, MIT license: github.com/microsoft/onnxruntime.
"""

import tarfile
from pathlib import Path

from glimpse.atomic import write_atomically
from glimpse.datasets import folders
from glimpse.datasets.fetch import Remote, downloaded
from glimpse.digest import sha256_of_bytes, sha256_of_file
from glimpse.listener import Listener

__all__ = ["MODULE", "SHA256", "VERSION", "WASM", "runtime_folder"]

VERSION = "1.30.0"
"""Version of onnxruntime-web."""

MODULE = "ort.wasm.bundle.min.mjs"
"""Name of its JavaScript module."""

WASM = "ort-wasm-simd-threaded.wasm"
"""Name of its WebAssembly program, which runs in one thread or several."""

SHA256 = {
    MODULE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
"""Digests of the two files, as hexadecimal digits."""

_ARCHIVE = Remote(
    f"onnxruntime-web-{VERSION}.tgz",
    "7677e2cac4b2d0a14154aef901cdab13",
    [f"https://registry.npmjs.org/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"],
)
_TIME_LIMIT = 600.0  # seconds for 33 MB


def runtime_folder(given: Path | None = None, listener: Listener | None = None) -> Path:
    """Returns a folder with both files of onnxruntime-web, whose digests are those of this version.

    Args:
        given: Folder that has them; if None, they are in the user's cache, or downloaded to it.
        listener: Receives a note on the download.

    Raises:
        ValueError: If a file in the given folder is missing or another one.
        ConnectionError: If they cannot be downloaded; the message says how to get them by hand.
        OSError: If the cache cannot be written.
    """
    if given is not None:
        wrong = _wrong_files(given)
        if wrong:
            raise ValueError(f"{given} does not hold the {wrong[0]} of onnxruntime-web {VERSION}: {_by_hand()}")
        return given
    cache = folders.cache_folder() / f"onnxruntime-web-{VERSION}"
    if _wrong_files(cache):
        (listener or Listener()).note(f"Downloading onnxruntime-web {VERSION}, 33 MB, once")
        _download(cache)
    return cache


def _by_hand() -> str:
    return f"with network, run `npm pack onnxruntime-web@{VERSION}` and unpack it, then name its folder package/dist with --runtime"


def _wrong_files(folder: Path) -> list[str]:
    """Returns the names of the files that are missing in a folder, or have another digest."""
    return [name for name, digest in SHA256.items() if not (folder / name).is_file() or sha256_of_file(folder / name) != digest]


def _download(cache: Path) -> None:
    """Downloads the package and keeps the two files."""
    try:
        for archive in downloaded([_ARCHIVE], cache.parent, _TIME_LIMIT):
            contents = _members(archive)
    except ConnectionError as error:
        raise ConnectionError(f"onnxruntime-web is not in {cache} and cannot be downloaded ({error}): {_by_hand()}") from error
    cache.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_atomically(cache / name, content)


def _members(archive: Path) -> dict[str, bytes]:
    """Returns the contents of the two files in the package, after checking their digests."""
    contents = {}
    with tarfile.open(archive) as package:
        for name, digest in SHA256.items():
            file = package.extractfile(f"package/dist/{name}")
            content = b"" if file is None else file.read()
            if sha256_of_bytes(content) != digest:
                raise ConnectionError(f"the {name} in {archive.name} has another checksum")
            contents[name] = content
    return contents
