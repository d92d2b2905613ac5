"""The files of onnxruntime-web: checked by digest, downloaded once, or given in a folder."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimpse.datasets import folders
from glimpse.digest import sha256_of_bytes
from glimpse.playground import runtime
from glimpse.playground.runtime import MODULE, WASM, runtime_folder

CONTENTS = {MODULE: b"a module", WASM: b"a program"}


def package(path: Path, contents: dict[str, bytes]) -> Path:
    """Writes an archive as npm does, with another file in it."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in {"ort.js": b"not needed", **contents}.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """Returns the archives to be downloaded, one after the other; the digests are those of `CONTENTS`."""
    waiting: list[Path] = []

    def downloaded(*arguments: Any) -> Iterator[Path]:
        if not waiting:
            raise ConnectionError("no mirror answers within 3 s")
        yield waiting.pop()

    monkeypatch.setattr(runtime, "downloaded", downloaded)
    monkeypatch.setattr(runtime, "SHA256", {name: sha256_of_bytes(content) for name, content in CONTENTS.items()})
    return waiting


def test_the_two_files_are_downloaded_once_to_the_users_cache(downloads: list[Path], tmp_path: Path) -> None:
    downloads.append(package(tmp_path / "package.tgz", CONTENTS))
    folder = runtime_folder()
    assert folder.parent == folders.cache_folder()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS
    assert runtime_folder() == folder  # there is nothing left to download


def test_a_damaged_file_in_the_cache_is_downloaded_again(downloads: list[Path], tmp_path: Path) -> None:
    downloads += [package(tmp_path / name, CONTENTS) for name in ("second.tgz", "first.tgz")]
    folder = runtime_folder()
    (folder / WASM).write_bytes(b"half")
    assert (runtime_folder() / WASM).read_bytes() == CONTENTS[WASM]


def test_a_package_with_another_file_is_refused_and_nothing_is_kept(downloads: list[Path], tmp_path: Path) -> None:
    downloads.append(package(tmp_path / "package.tgz", CONTENTS | {WASM: b"another program"}))
    with pytest.raises(ConnectionError, match=f"the {WASM} in package.tgz has another checksum"):
        runtime_folder()
    assert not list(folders.cache_folder().rglob("*.mjs"))


def test_without_network_one_line_says_how_to_get_the_files(downloads: list[Path]) -> None:
    with pytest.raises(ConnectionError, match=r"no mirror answers within 3 s\): with network, run `npm pack"):
        runtime_folder()


def test_a_given_folder_must_hold_the_files_of_this_version(downloads: list[Path], tmp_path: Path) -> None:
    (tmp_path / MODULE).write_bytes(CONTENTS[MODULE])
    with pytest.raises(ValueError, match=f"does not hold the {WASM} of onnxruntime-web"):
        runtime_folder(tmp_path)
    (tmp_path / WASM).write_bytes(CONTENTS[WASM])
    assert runtime_folder(tmp_path) == tmp_path
