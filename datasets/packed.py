"""Streams packed by gzip, bzip2 or xz, read forward with bounded memory."""

import bz2
import gzip
import lzma
from typing import IO, Any, Protocol, cast

__all__ = ["Stream", "is_packed", "unpacked"]

_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ"
_BLOCK = 1 << 16
_MOST_MEMORY = 1 << 28  # bytes that xz may take: its strongest preset takes 65 MB, a header may ask for 4 GB


class Stream(Protocol):
    """A stream that is read forward."""

    def read(self, size: int = ..., /) -> bytes:
        """Returns at most this number of bytes; none at the end."""
        ...

    def seek(self, position: int, /) -> int:
        """Moves to a position in bytes and returns it."""
        ...

    def tell(self) -> int:
        """Returns the position in bytes."""
        ...


def is_packed(head: bytes) -> bool:
    """Returns whether a file that starts with these bytes is packed by gzip, bzip2 or xz."""
    return head.startswith((_GZIP, _BZIP2, _XZ))


def unpacked(raw: IO[bytes]) -> Stream:
    """Returns the unpacked content of a file from its start, or the file itself if it is not packed.

    Args:
        raw: The file, open for reading.
    """
    raw.seek(0)
    head = raw.read(len(_XZ))
    raw.seek(0)
    if head.startswith(_GZIP):
        return cast("IO[bytes]", gzip.open(raw))
    if head.startswith(_BZIP2):
        return cast("IO[bytes]", bz2.open(raw))
    return _Xz(raw) if head.startswith(_XZ) else raw


class _Xz:
    """Content of a file packed by xz, whose memory is limited, in contrast to that of `lzma.open`.

    Args:
        raw: The file.
    """

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw, self._position = raw, 0
        self._decompressor: Any = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)

    def read(self, size: int = -1) -> bytes:
        """Returns this number of bytes, fewer at the end; all of them if it is negative.

        Raises:
            EOFError: If the file ends too early.
            lzma.LZMAError: If it is damaged, or asks for too much memory.
        """
        parts: list[bytes] = []
        wanted = size
        while wanted and not self._at_end():
            packed = self._raw.read(_BLOCK) if self._decompressor.needs_input else b""
            if self._decompressor.needs_input and not packed:
                raise EOFError("it ends before its end is marked")
            parts.append(self._decompressor.decompress(packed, wanted))
            wanted -= len(parts[-1]) if size > 0 else 0
        content = b"".join(parts)
        self._position += len(content)
        return content

    def seek(self, position: int) -> int:
        """Moves forward to a position, or to the end if it is beyond.

        Raises:
            ValueError: If the position is behind.
        """
        if position < self._position:
            raise ValueError(f"it cannot be read backward, from {self._position:,} to {position:,}")
        while self._position < position and self.read(min(_BLOCK, position - self._position)):
            pass
        return self._position

    def tell(self) -> int:
        """Returns the position in bytes."""
        return self._position

    def _at_end(self) -> bool:
        """Returns whether all was read; begins the next stream if the file has several, as parallel programs write it."""
        if not self._decompressor.eof:
            return False
        rest = self._decompressor.unused_data or self._raw.read(_BLOCK)
        rest = rest.lstrip(b"\0")  # padding between streams
        if not rest:
            return True
        self._decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
        self._raw.seek(-len(rest), 1)
        return False
