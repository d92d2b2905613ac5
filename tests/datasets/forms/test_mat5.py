"""MATLAB's format 5 against scipy's writer and reader, and against damage that ends scipy's process."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from glimpse.datasets.forms.mat5 import read_arrays
from glimpse.datasets.limits import TooLarge
from tests.helpers.refusals import refusal

DRAW = np.random.default_rng(0)
NUMBERS = {
    name: (DRAW.integers(0, 100, (3, 4, 2)) - (0 if np.dtype(name).kind == "u" else 50)).astype(name)
    for name in ("f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")
}
OTHERS: dict[str, Any] = {
    "flags": np.array([[True, False, True]]),
    "row": np.arange(5)[None],
    "column": np.arange(5.0)[:, None],
    "names": np.array(["ant", "bee", "elephant"]),
    "cells": np.array(["cat", "dog"], dtype=object),
    "few": np.array([1, 300, 70000]),  # written in a smaller type than its class
}


@pytest.mark.parametrize("packed", [False, True])
def test_arrays_are_read_as_scipy_reads_them(tmp_path: Path, packed: bool) -> None:
    written = NUMBERS | OTHERS
    scipy.io.savemat(tmp_path / "a.mat", written, do_compression=packed)
    expected = scipy.io.loadmat(str(tmp_path / "a.mat"), simplify_cells=True)
    found = read_arrays(tmp_path / "a.mat")
    assert found.keys() == written.keys()
    for name, array in found.items():
        wanted = np.char.rstrip(np.asarray(expected[name], dtype=np.str_)) if array.dtype.kind == "U" else expected[name]
        assert np.array_equal(array, wanted), name
        assert array.shape == np.shape(wanted)
        if name in NUMBERS:
            assert array.dtype == np.dtype(name)


def test_fields_of_a_structure_have_names_with_dots_and_other_kinds_are_left_out(tmp_path: Path) -> None:
    inner = {"image": NUMBERS["u1"], "labels": np.arange(3), "deeper": {"more": np.arange(2)}}
    others = {"one": 3.0, "text": "cat", "mixed": np.array(["a", 1], dtype=object), "sparse": scipy.sparse.eye(3).tocsc()}
    others["many"] = np.array([(1, 2), (3, 4)], dtype=[("a", "f8"), ("b", "f8")])
    others["complex"] = np.array([1j, 2j])
    scipy.io.savemat(tmp_path / "a.mat", {"data": inner} | others)
    found = read_arrays(tmp_path / "a.mat")
    assert found.keys() == {"data.image", "data.labels", "data.deeper.more"}
    assert np.array_equal(found["data.image"], NUMBERS["u1"])


def test_a_variable_that_unpacks_to_gigabytes_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scipy.io.savemat(tmp_path / "a.mat", {"images": np.zeros((100, 100), dtype=np.uint8)}, do_compression=True)
    monkeypatch.setattr("glimpse.datasets.limits.MOST_BYTES", 9_000)
    assert (tmp_path / "a.mat").stat().st_size < 1_000
    with pytest.raises(TooLarge, match="a variable takes"):
        read_arrays(tmp_path / "a.mat")


@pytest.mark.parametrize("packed", [False, True])
def test_damage_ends_in_a_sentence_or_in_arrays(tmp_path: Path, packed: bool) -> None:
    """Some of these mutants end scipy's process by a segmentation fault."""
    written = {"images": NUMBERS["u1"], "names": OTHERS["names"], "cells": OTHERS["cells"], "data": {"x": np.arange(3)}}
    scipy.io.savemat(tmp_path / "a.mat", written, do_compression=packed)
    content, refused = (tmp_path / "a.mat").read_bytes(), 0
    for seed in range(600):
        draw, damaged = random.Random(seed), bytearray(content)
        for _ in range(draw.choice((1, 1, 2, 8))):
            damaged[draw.randrange(len(damaged))] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
        (tmp_path / "a.mat").write_bytes(damaged[: draw.choice((len(damaged), len(damaged), draw.randrange(len(damaged))))])
        refused += refusal(lambda: read_arrays(tmp_path / "a.mat")) is not None
    assert refused > 200
