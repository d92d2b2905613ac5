"""Archives, zip and tar (also packed by gzip, bzip2 or xz), of class folders or of the files of any other form.

An archive is unpacked into a temporary folder, which is removed when the program ends, and then recognized like any other folder.
Nothing is written outside that folder, and no more than the limit.
"""

import atexit
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from glimpse.datasets.damage import as_one_line, members_of_zip
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Given
from glimpse.datasets.limits import check_unpacked
from glimpse.datasets.packed import Stream, is_packed, unpacked
from glimpse.datasets.picture_files import is_hidden
from glimpse.digest import sha256_of_file
from glimpse.listener import Listener

__all__ = ["ARCHIVES", "is_archive", "open_archive"]

ARCHIVES = "a .zip, .tar, .tar.gz, .tar.bz2 or .tar.xz of any of these"
"""Name of the form, for messages."""

_ZIP, _TAR = b"PK\x03\x04", (257, b"ustar")  # first bytes; a tar has them at an offset
_PACKED_TARS = (".tar.bz2", ".tbz2", ".tbz", ".tar.xz", ".txz", ".tar.gz", ".tgz")  # archives even if they are damaged
_TORCH = b"data.pkl"  # in the beginning of a file of torch.save
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)  # those whose memory is bounded
_ENCRYPTED = 1  # flag of a file in a zip archive
_LEAST = 4096  # bytes that a file takes at least: many empty files count too
_BLOCK = 1 << 20
_HEAD = 512  # bytes of a tar by which it is recognized
_LONGEST_HEADER = 1 << 20  # bytes of one header of a tar: a name of a file
_LONGEST_END = 1 << 24  # bytes of zeros at the end of a tar

_unpacked: dict[tuple[Path, int, int], tuple[Path, int]] = {}  # by archive, time of its change and size


class _File(NamedTuple):
    """A file in an archive; without content if it is left out.

    Attributes:
        name: Its path in the archive.
        size: Bytes of its content.
        done: Bytes of the archive up to it.
        content: Opens its content; None for a link or a device.
    """

    name: str
    size: int
    done: int
    content: Callable[[], IO[bytes]] | None


def is_archive(given: Given) -> bool:
    """Returns whether a file is a zip archive, besides one of `torch.save`, or a tar archive, by its first bytes."""
    head = given.head
    if is_packed(head):  # by bzip2 or xz: of gzip the head is unpacked
        return given.source.name.lower().endswith(_PACKED_TARS) or _is_tar(_unpacked_head(given))
    return (head.startswith(_ZIP) and _TORCH not in head) or _is_tar(head)


def _is_tar(head: bytes) -> bool:
    return head[_TAR[0] :].startswith(_TAR[1])


def _unpacked_head(given: Given) -> bytes:
    """Returns the first bytes in a packed file; none if it is damaged."""
    try:
        with given.source.open("rb") as file:
            return unpacked(file).read(_HEAD)
    except (OSError, EOFError, zlib.error, lzma.LZMAError):
        return b""


def open_archive(given: Given, recognized: Callable[[Given], Found]) -> Found:
    """Returns the images in an archive.

    Args:
        given: The archive.
        recognized: Returns the images in a folder.

    Raises:
        TooLarge: If more than the limit, or than the disk has room for, would be unpacked.
        ValueError: If it is damaged or encrypted, or a path in it leads out of it; or from `recognized`.
    """
    path: Path = given.source
    change = path.stat()
    key = path, change.st_mtime_ns, change.st_size
    if key not in _unpacked or not _unpacked[key][0].is_dir():
        _unpacked[key] = _unpack(path, given.head, given.listener)
    folder, left_out = _unpacked[key]
    try:
        found = recognized(replace(given, source=folder))
    except (ValueError, OSError) as error:
        raise ValueError(str(error).replace(str(folder), str(path))) from error
    notes = (f"{left_out:,} links and devices: left out.",) if left_out else ()
    return replace(
        found, form=f"{found.form} in an archive", path=str(path), sha256=sha256_of_file(path), notes=(*found.notes, *notes)
    )


def _unpack(path: Path, head: bytes, listener: Listener) -> tuple[Path, int]:
    """Returns a temporary folder with the files of an archive, named after it, and the number of files that were left out."""
    root = Path(tempfile.mkdtemp(prefix="glimpse-"))
    atexit.register(_remove, root, os.getpid())
    folder = root / path.name
    folder.mkdir()
    left_out = size = 0
    files = _files_of_zip if head.startswith(_ZIP) else _files_of_tar
    total = path.stat().st_size
    try:
        with (
            as_one_line(path, " is no archive that can be read"),
            files(path) as found,
            listener.progress("Unpacking", total, unit="bytes") as advance,
        ):
            for file in found:
                size = check_unpacked(size + max(file.size, _LEAST), root, "its content")
                target = _target(folder, file.name)
                if file.content is None:
                    left_out += 1
                elif target is not None:
                    _write(file.content, target)
                advance(file.done)
            advance(total)
    except BaseException:
        _remove(root, os.getpid())
        raise
    return folder, left_out


def _remove(root: Path, process: int) -> None:
    """Removes a folder, in the process that made it."""
    if os.getpid() == process:
        shutil.rmtree(root, ignore_errors=True)


def _target(folder: Path, name: str) -> Path | None:
    r"""Returns where a file of an archive is written; None for a hidden one.

    Raises:
        ValueError: If its path leads out of the archive.
    """
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or any(part == ".." or part.endswith(":") for part in path.parts):
        raise ValueError(f"the path {name!r} in it leads out of the archive")
    return None if any(map(is_hidden, path.parts)) else folder.joinpath(*path.parts)


def _write(content: Callable[[], IO[bytes]], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with content() as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, _BLOCK)


@contextmanager
def _files_of_zip(path: Path) -> Iterator[Iterator[_File]]:
    """Context with the files of a zip archive."""
    with zipfile.ZipFile(path) as archive:
        yield (_file_of_zip(archive, info) for info in members_of_zip(archive) if not info.is_dir())


def _file_of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _File:
    if info.flag_bits & _ENCRYPTED:
        raise ValueError(f"{info.filename!r} in it is encrypted: unpack it and give the folder")
    if info.compress_type not in _METHODS:
        raise ValueError(f"{info.filename!r} in it is packed by method {info.compress_type}: unpack it and give the folder")
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    return _File(info.filename, info.file_size, info.header_offset, None if is_link else lambda: archive.open(info))


@contextmanager
def _files_of_tar(path: Path) -> Iterator[Iterator[_File]]:
    """Context with the files of a tar archive, packed or not."""
    with path.open("rb") as raw:
        yield _members(_Bounded(unpacked(raw)), raw)


def _members(content: "_Bounded", raw: IO[bytes]) -> Iterator[_File]:
    """Yields the files of a tar archive.

    Raises:
        tarfile.TarError: If it is damaged.
        ValueError: If it continues after its end, as archives do that were put together in one file.
    """
    with tarfile.open(fileobj=content, mode="r:") as archive:  # type: ignore[call-overload]
        while (member := archive.next()) is not None:
            archive.members.clear()  # else they are all kept
            if not member.isdir():
                yield _File(member.name, member.size, raw.tell(), _opened(archive, member) if member.isreg() else None)
        content.seek(max(archive.offset, content.tell()))  # of the end, zeros may have been read
        size = 0
        while block := content.read(_BLOCK):
            size += len(block)
            if block.strip(b"\0") or size > _LONGEST_END:
                raise ValueError("it continues after its end: unpack it and give the folder")


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def opened() -> IO[bytes]:
        content = archive.extractfile(member)
        assert content is not None
        return content

    return opened


class _Bounded:
    """File of which only a little is read at once, since the length of a name in a tar archive may be anything.

    Args:
        content: The file.
    """

    def __init__(self, content: Stream) -> None:
        self._content = content
        self.seek, self.tell = content.seek, content.tell

    def read(self, size: int = -1) -> bytes:
        """Returns the next bytes.

        Raises:
            ValueError: If they are too many.
        """
        if not 0 <= size <= _LONGEST_HEADER:
            raise ValueError(f"a header in it has {size:,} bytes")
        return self._content.read(size)
