"""Arrays in files, against numpy's own readers: every form is read, and no damage or declared size goes further than a sentence."""

import gzip
import io
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from glimpse.datasets import limits
from glimpse.datasets.array_files import ArrayArchive, ArrayFile, read_array, read_header, read_idx
from glimpse.datasets.limits import MOST_BYTES, TooLarge

RANDOM = np.random.default_rng(0)
FORMS = [
    RANDOM.integers(0, 256, (5, 4, 3), dtype=np.uint8),
    RANDOM.standard_normal((5, 4)).astype(">f4"),
    np.asfortranarray(RANDOM.standard_normal((5, 4, 2))),
    np.arange(5),
    np.array(["a", "bc", "", "d", "é"]),
    np.zeros((0, 7)),
    np.array(3.5),
]


@pytest.mark.parametrize("array", FORMS, ids=lambda array: f"{array.dtype}{array.shape}")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_is_read_as_numpy_reads_it(tmp_path: Path, array: NDArray[Any], save: Any) -> None:
    save(tmp_path / "some.npz", array=array, other=np.arange(3))
    np.save(tmp_path / "some.npy", array)
    with ArrayArchive(tmp_path / "some.npz") as archive:
        assert archive.names == ["array", "other"]
        assert archive.header("array")[:2] == (array.dtype, array.shape)
        for found in (archive.read("array"), read_array(tmp_path / "some.npy")):
            assert (found.dtype, found.shape) == (array.dtype, array.shape)
            assert np.array_equal(found, array)
        if array.ndim:
            assert np.array_equal(archive.read("array", most=2), array[:2])


@pytest.mark.parametrize("code", [8, 9, 11, 12, 13, 14])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_every_type_of_an_idx_file_is_read(tmp_path: Path, code: int, pack: Any) -> None:
    dtype = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}[code]
    array = RANDOM.integers(0, 100, (3, 4, 5)).astype(dtype)
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    (tmp_path / "some-idx").write_bytes(pack(bytes([0, 0, code, 3]) + sizes + array.tobytes()))
    found = read_idx(tmp_path / "some-idx")
    assert found.dtype == array.dtype
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing, which is no header"),
        (b"\x00\x00\x07\x01\x00\x00\x00\x01x", "starts with 00 00 07 01, which is no header"),
        (b"\x00\x00\x08\x00", "no header"),
        (b"\x00\x00\x08\x03\x00\x00\x00\x01", "ends in its header"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x03ab", "the array ends after 2 of 3 bytes"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x01ab", "more bytes than its header states"),
        (b"\x00\x00\x08\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", "the limit is 8 GB"),
        (gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x01a")[:-9], "Compressed file ended"),
        (b"\x1f\x8b is not compressed", "Unknown compression method"),
    ],
)
def test_a_damaged_idx_file_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "some-idx").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(tmp_path / "some-idx")
    assert str(caught.value).startswith(str(tmp_path / "some-idx"))
    assert "\n" not in str(caught.value)


def npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode("latin1")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header of an array"),
        (b"no array", "no header of an array"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 4), }\n"), r"negative size: \(-1, 4\)"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4), }\n") + b"123", "ends after 3 of 16 bytes"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n") + b"123", "more bytes than its header states"),
        (npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + b"12345678", "no plain values, but object"),
        (npy("{'descr': '|S0', 'fortran_order': False, 'shape': (1,), }\n"), "no plain values"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (4, '''), }\n"), "no header of an array"),
        (npy("(" * 5000), "no header of an array"),
        (npy("{'descr': '|u1', 'fortran_order': False, 'shape': (9000000000,), }\n"), r"takes 9\.0 GB, the limit is 8 GB"),
    ],
)
def test_a_damaged_array_is_one_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "some.npy").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_array(tmp_path / "some.npy")
    assert "\n" not in str(caught.value)
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as members:
        members.writestr("array.npy", content)
    with ArrayArchive(tmp_path / "some.npz") as archive, pytest.raises(ValueError, match=message) as caught:
        archive.read("array")
    assert str(caught.value).startswith(f"{tmp_path / 'some.npz'}: ")


def test_a_header_is_read_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match="no header"):
            read_header(io.BytesIO(npy("{'descr': '\\d', 'fortran_order': False, 'shape': (1L 2,), }\n")), "x")


def test_a_damaged_byte_of_an_archive_is_found_by_its_checksum(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", array=FORMS[0])
    content = bytearray((tmp_path / "some.npz").read_bytes())
    content[content.index(FORMS[0].tobytes())] ^= 1
    (tmp_path / "some.npz").write_bytes(content)
    with ArrayArchive(tmp_path / "some.npz") as archive, pytest.raises(ValueError, match="Bad CRC-32"):
        archive.read("array")


def test_a_comment_that_swallows_an_array_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", images=np.zeros(3), labels=np.arange(3))
    content = bytearray((tmp_path / "some.npz").read_bytes())
    length = content.index(b"PK\1\2") + 32
    assert content[length : length + 2] == b"\0\0"
    content[length + 1] = 1  # 256 bytes, more than the rest of the directory
    (tmp_path / "some.npz").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "some.npz") as archive:
        assert archive.namelist() == ["images.npy"]
    with pytest.raises(ValueError, match=r"its directory is damaged after 'images\.npy'"):
        ArrayArchive(tmp_path / "some.npz")


def test_packings_that_numpy_does_not_write_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", FORMS[0])
    for packing in (zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2):
        with zipfile.ZipFile(tmp_path / "some.npz", "w", packing) as members:
            members.write(tmp_path / "some.npy", "array.npy")
        with ArrayArchive(tmp_path / "some.npz") as archive, pytest.raises(ValueError, match="packed in a way that numpy does not"):
            archive.read("array")


# Rows of a file


def test_rows_are_those_of_the_array(tmp_path: Path) -> None:
    array = RANDOM.integers(0, 256, (50, 3, 2), dtype=np.uint8)
    np.save(tmp_path / "some.npy", array)
    file = ArrayFile(tmp_path / "some.npy")
    assert (file.dtype, file.shape, file.ndim, len(file)) == (array.dtype, array.shape, 3, 50)
    for rows in (np.array([3]), np.array([4, 5, 6, 2, 49, 0, 0]), np.arange(50), np.array([], dtype=int), np.array([-1, -50])):
        assert np.array_equal(file[rows], array[rows])
        assert np.array_equal(file[10:40][rows % 30], array[10:40][rows % 30])
    assert np.array_equal(file[7], array[7])
    assert np.array_equal(np.asarray(file[5:9]), array[5:9])
    assert np.array_equal(np.asarray(file[40:5:-7]), array[40:5:-7])
    assert np.array_equal(np.stack(list(file[:4])), array[:4])
    for outside in (50, -51):
        with pytest.raises(IndexError):
            file[outside]
    for wrong in (np.zeros(50, dtype=bool), np.zeros((2, 2), dtype=int), "x"):
        with pytest.raises(TypeError, match="rows are chosen by an integer, a slice or integers"):
            file[wrong]


def test_a_file_that_shrinks_is_an_error_and_not_a_signal(tmp_path: Path) -> None:
    np.save(tmp_path / "some.npy", np.zeros((100, 1000), dtype=np.uint8))
    file = ArrayFile(tmp_path / "some.npy")
    (tmp_path / "some.npy").write_bytes((tmp_path / "some.npy").read_bytes()[:50_000])
    assert file[3].sum() == 0
    with pytest.raises(ValueError, match=r"some\.npy ends after 0 of 1,000 bytes"):
        file[np.array([3, 80])]
    with pytest.raises(ValueError, match=r"some\.npy holds 49,872 bytes of values, its header states 100,000"):
        ArrayFile(tmp_path / "some.npy")


@pytest.mark.parametrize("array", [np.asfortranarray(np.ones((3, 2))), np.array(1.0)])
def test_a_file_without_rows_is_refused(tmp_path: Path, array: NDArray[Any]) -> None:
    np.save(tmp_path / "some.npy", array)
    with pytest.raises(ValueError, match="does not hold an array of rows"):
        ArrayFile(tmp_path / "some.npy")


# Limits


def test_an_array_of_ten_gigabytes_is_neither_read_unless_asked_for_nor_then(tmp_path: Path) -> None:
    header = npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({10 * 10**9},), }}\n")
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as members:
        members.writestr("unused.npy", header + bytes(1000))
        members.writestr("used.npy", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }\n") + b"ab")
    with ArrayArchive(tmp_path / "bomb.npz") as archive:
        assert archive.read("used").tobytes() == b"ab"
        assert archive.header("unused").size == 10 * 10**9
        assert archive.read("unused", most=5).tobytes() == bytes(5)
        with pytest.raises(TooLarge, match=r"bomb\.npz: unused takes 10\.0 GB, the limit is 8 GB; if you trust the file, lift"):
            archive.read("unused")


def test_a_limit_is_lifted_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    dtype, shape = np.dtype("f4"), (MOST_BYTES // 4 + 1,)
    for value, is_lifted in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv(limits.NO_LIMITS, value)
        assert limits.are_lifted() is is_lifted
        if is_lifted:
            assert limits.check_array(dtype, shape, "x") == MOST_BYTES + 4
            limits.check_pixels(10**6, 10**6, "x")
        else:
            for refused in (lambda: limits.check_array(dtype, shape, "x"), lambda: limits.check_pixels(10**6, 10**6, "x")):
                with pytest.raises(TooLarge, match=r"^x .*the limit is .*glimpse --no-limits or GLIMPSE_NO_LIMITS=1$"):
                    refused()


def test_more_than_the_free_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 100_000_000

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    assert limits.check_bytes(100_000_000, "x") == 100_000_000
    with pytest.raises(TooLarge, match=r"x is too large for this machine's memory: 0\.2 GB, 0\.1 GB are free"):
        limits.check_bytes(200_000_000, "x")


def test_pixels_are_limited_in_number_and_by_side() -> None:
    limits.check_pixels(8000, 8000, "x")
    for width, height in ((8001, 8000), (170_000_000, 1), (1, 50_001)):
        with pytest.raises(
            TooLarge, match=rf"x has {width:,} x {height:,} pixels, the limit is 64 million pixels and 50,000 a side"
        ):
            limits.check_pixels(width, height, "x")


def test_an_array_with_objects_or_a_negative_size_is_refused() -> None:
    with pytest.raises(ValueError, match="x holds Python objects"):
        limits.check_array(np.dtype("O"), (1,), "x")
    with pytest.raises(ValueError, match=r"x has a negative size: \(3, -1\)"):
        limits.check_array(np.dtype("u1"), (3, -1), "x")
