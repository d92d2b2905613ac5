"""Digests of files, bytes and sets of labeled images, as hexadecimal digits."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # settings use this module, and load nothing heavy
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["md5_of_file", "sha256_of_blocks", "sha256_of_bytes", "sha256_of_file", "sha256_of_images"]


def sha256_of_file(path: Path) -> str:
    """Returns the SHA-256 of a file's content.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_bytes(content: bytes | memoryview) -> str:
    """Returns the SHA-256 of bytes.

    >>> sha256_of_bytes(b"glimpse")[:16]
    '62c4ea25a1224068'
    """
    return sha256_of_blocks([content])


def sha256_of_blocks(blocks: Iterable[bytes | memoryview]) -> str:
    """Returns the SHA-256 of concatenated blocks of bytes, which may be an iterator."""
    content = hashlib.sha256()
    for block in blocks:
        content.update(block)
    return content.hexdigest()


def sha256_of_images(*parts: "tuple[NDArray[np.uint8], NDArray[np.int64]]") -> str:
    """Returns the SHA-256 of the shapes, pixels and labels of all parts, the same on every machine.

    Args:
        parts: Images of shape (N, ...) with labels of shape (N,).
    """
    return sha256_of_blocks(block for images, labels in parts for block in _blocks(images, labels))


def md5_of_file(path: Path) -> str:
    """Returns the MD5 of a file's content, the checksum of torchvision's downloads.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _blocks(images: "NDArray[Any]", labels: "NDArray[Any]") -> Iterable[bytes | memoryview]:
    yield repr(tuple(images.shape)).encode()
    yield images.tobytes() if not images.flags.c_contiguous else images.data
    yield labels.astype("<i8").tobytes()
