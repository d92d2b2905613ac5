"""Mutants of files: damaged bytes, and edited values in files that a program wrote again."""

import copy
import io
import json
import random
from collections.abc import Callable
from typing import Any

import torch

__all__ = ["Mutator", "damaged_bytes", "edited_json", "edited_metadata", "edited_pickle"]

Mutator = Callable[[bytes, random.Random], bytes]
"""Function of the content of a file and a source of randomness that returns other content."""

_NUMBERS = (0, 1, -1, 2, 5, 256, 10**9, 2**63, 10**30, 0.5, -0.0, 1e-300, 3e30, 1e308, float("inf"), float("nan"))
_WORDS = ("", "x", "mnist", "cpu", "\x1b[2J", "a\nb", "../..", "\ud800", "0" * 64, "9" * 5000)
_VALUES: tuple[Any, ...] = (*_NUMBERS, *_WORDS, None, True, [], {}, [[]], {"kind": "cluttered"})


def damaged_bytes(content: bytes, draw: random.Random) -> bytes:
    """Returns content with a few bits flipped, bytes replaced, removed, repeated or cut off."""
    found = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        place = draw.randrange(len(found) + 1)
        length = draw.choice((1, 1, 2, 4, 8, 64, 512))
        kind = draw.choice(("flip", "flip", "set", "remove", "repeat", "zero", "cut"))
        if kind == "flip" and place < len(found):
            found[place] ^= 1 << draw.randrange(8)
        elif kind == "set" and place < len(found):
            found[place] = draw.choice((0, 1, 0x2D, 0x30, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        elif kind == "remove":
            del found[place : place + length]
        elif kind == "repeat":
            found[place:place] = found[place : place + length]
        elif kind == "zero":
            found[place : place + length] = bytes(len(found[place : place + length]))
        elif kind == "cut" and draw.random() < 0.2:
            del found[place:]
    return bytes(found)


def edited_json(content: bytes, draw: random.Random) -> bytes:
    """Returns JSON in which a value is replaced, renamed or removed."""
    return json.dumps(_edited(json.loads(content), draw)).encode()


def edited_metadata(content: bytes, draw: random.Random) -> bytes:
    """Returns a safetensors file in whose description of the model a value is replaced, renamed or removed."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"]["glimpse"] = json.dumps(_edited(json.loads(header["__metadata__"]["glimpse"]), draw))
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + content[8 + length :]


def edited_pickle(content: bytes, draw: random.Random) -> bytes:
    """Returns a file of `torch.save` in which a value or a tensor is replaced, renamed or removed."""
    buffer = io.BytesIO()
    torch.save(_edited(torch.load(io.BytesIO(content), weights_only=True), draw), buffer)
    return buffer.getvalue()


def _edited(value: Any, draw: random.Random) -> Any:
    """Returns nested dictionaries and lists with one change at a random place."""
    found = copy.deepcopy(value)
    parent = found
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        key = draw.choice(keys)
        if not isinstance(parent[key], dict | list) or not parent[key] or draw.random() < 0.1:
            break
        parent = parent[key]
    kind = draw.choice(("replace", "replace", "replace", "remove", "rename", "add"))
    if kind == "replace" or isinstance(parent, list):
        parent[key] = _other(parent[key], draw)
    elif kind == "remove":
        del parent[key]
    elif kind == "rename":
        parent[f"{key}x" if isinstance(key, str) else draw.choice(_NUMBERS)] = parent.pop(key)
    else:
        parent[draw.choice(_WORDS)] = draw.choice(_VALUES)
    return found


def _other(value: Any, draw: random.Random) -> Any:
    """Returns a value in place of another, of the same type half of the time."""
    if isinstance(value, torch.Tensor):
        return _other_tensor(value, draw)
    if draw.random() < 0.5 or not isinstance(value, int | float | str):
        return draw.choice(_VALUES)
    if isinstance(value, str):
        return draw.choice(_WORDS)
    other = draw.choice(_NUMBERS)
    return other if isinstance(value, float) or other != other or abs(other) == float("inf") else int(other)


def _other_tensor(value: torch.Tensor, draw: random.Random) -> Any:
    """Returns a tensor of another shape, type, layout or content, or no tensor."""
    flat = value.flatten()
    changes: tuple[Callable[[], Any], ...] = (
        lambda: torch.zeros(draw.choice((0, 1, 7, value.numel() + 1))),
        lambda: torch.zeros(1).expand(value.shape),
        lambda: flat.to(draw.choice((torch.float64, torch.float16, torch.int64, torch.bool))).reshape(value.shape),
        lambda: torch.full_like(value, draw.choice((-1, 0, 1, 100))),
        lambda: torch.where(torch.arange(flat.numel()) == draw.randrange(max(1, flat.numel())), 3e30, flat.double()).reshape(
            value.shape
        ),
        lambda: torch.full(value.shape, draw.choice((float("nan"), float("inf"), 1e30))),
        lambda: value.to_sparse() if value.ndim else value[None],
        lambda: value.T.contiguous().T if value.ndim == 2 else value[None],
        lambda: draw.choice(_VALUES),
    )
    return draw.choice(changes)()
