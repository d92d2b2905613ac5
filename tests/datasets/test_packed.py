"""Packed streams against the modules that pack them."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable

import numpy as np
import pytest

from glimpse.datasets.packed import is_packed, unpacked

CONTENT = np.random.default_rng(0).integers(0, 9, 300_000, dtype=np.uint8).tobytes()


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_stream_is_read_forward_like_its_content(pack: Callable[[bytes], bytes]) -> None:
    packed = pack(CONTENT)
    assert is_packed(packed)
    stream = unpacked(io.BytesIO(packed))
    assert (stream.read(7), stream.tell()) == (CONTENT[:7], 7)
    assert (stream.seek(200_000), stream.read(3)) == (200_000, CONTENT[200_000:200_003])
    assert stream.read(1_000_000) == CONTENT[200_003:]
    assert (stream.read(1), stream.seek(400_000)) == (b"", 300_000)
    assert unpacked(io.BytesIO(packed)).read() == CONTENT
    assert unpacked(io.BytesIO(packed)).read(0) == b""


def test_a_file_that_is_not_packed_is_itself() -> None:
    assert not is_packed(CONTENT)
    assert unpacked(io.BytesIO(CONTENT)).read() == CONTENT


def test_several_streams_of_xz_with_padding_are_one() -> None:
    packed = lzma.compress(CONTENT[:1000]) + bytes(8) + lzma.compress(CONTENT[1000:]) + bytes(4)
    assert unpacked(io.BytesIO(packed)).read(len(CONTENT) + 1) == CONTENT


def test_xz_is_not_read_backward_nor_beyond_a_missing_end() -> None:
    stream = unpacked(io.BytesIO(lzma.compress(CONTENT)))
    stream.read(9)
    with pytest.raises(ValueError, match="cannot be read backward, from 9 to 8"):
        stream.seek(8)
    with pytest.raises(EOFError, match="it ends before its end is marked"):
        unpacked(io.BytesIO(lzma.compress(CONTENT)[:-40])).read()


def test_xz_that_asks_for_much_memory_is_refused() -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 29}]
    packed = lzma.compress(b"small", filters=filters)
    with pytest.raises(lzma.LZMAError, match=r"[Mm]emory"):
        unpacked(io.BytesIO(packed)).read()
