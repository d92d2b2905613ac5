"""The bytes of a checkpoint: an archive of torch with a digest of its content, read without running code.

The content is a dictionary of dictionaries, lists, plain values and tensors:

    trainer     the state of the trainer
    seconds     how long the run took until then
    run         digest of the settings that the run was started with
    metrics     digest of the rows of metrics.csv until then
    sha256      digest of all that

Checkpoints of older versions have only the first two.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from glimpse.digest import sha256_of_blocks
from glimpse.settings.base import shown
from glimpse.settings.record import DIGEST

__all__ = ["digest_of", "packed", "unpacked"]


def packed(content: dict[str, Any]) -> bytes:
    """Returns the bytes of a checkpoint: its content with a digest."""
    buffer = io.BytesIO()
    torch.save(content | {DIGEST: digest_of(content)}, buffer)
    return buffer.getvalue()


def unpacked(content: bytes) -> dict[str, Any]:
    """Returns the content of a checkpoint, with its tensors on the CPU, without the digest.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError: If they are damaged, or are no checkpoint.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
                raise ValueError("it is compressed")  # torch compresses nothing, and a small file could ask for all memory
            if archive.testzip() is not None:  # verifies the checksums, which torch does not
                raise ValueError("a checksum differs")
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
        if DIGEST in state and state.pop(DIGEST) != digest_of(state):
            raise ValueError("its content differs from its digest")
        step, seconds = state["trainer"]["counters"]["step"], state["seconds"]
        if type(step) is not int or step < 0 or type(seconds) is not float or not 0 <= seconds < math.inf:
            raise ValueError(f"it cannot be at step {shown(step)} after {shown(seconds)} seconds")
    except ValueError:
        raise
    except Exception as error:  # damage raises many types of errors
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error
    checked: dict[str, Any] = state
    return checked


def digest_of(content: object) -> str:
    """Returns the SHA-256 of nested dictionaries, lists, plain values and tensors, whatever the order of the names.

    Raises:
        TypeError: If there is a value of another type.
    """
    return sha256_of_blocks(_blocks(content))


def _blocks(value: object) -> Iterator[bytes | memoryview]:
    """Yields bytes that differ between any two values."""
    if isinstance(value, dict):
        yield f"dict {len(value)};".encode()
        for key in sorted(value, key=lambda key: (type(key).__name__, key)):
            yield from _blocks(key)
            yield from _blocks(value[key])
    elif isinstance(value, list | tuple):
        yield f"{type(value).__name__} {len(value)};".encode()
        for item in value:
            yield from _blocks(item)
    elif isinstance(value, Tensor):
        yield f"tensor {value.dtype} {tuple(value.shape)};".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data
    elif value is None or isinstance(value, bool | int | float | str):
        text = repr(value)
        yield f"{type(value).__name__} {len(text)} {text};".encode()
    else:
        raise TypeError(f"a checkpoint cannot hold a {type(value).__name__}")
