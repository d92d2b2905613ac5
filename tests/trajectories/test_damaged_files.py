"""Damaged files of trajectories, cut off, with flipped bytes or columns that do not fit: each is refused in one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.trajectories.files import DataFormat, load
from glimpse.trajectories.table import Table
from glimpse.trajectories.views import Trajectories
from tests.helpers.saved import FORMATS, SHAPES, saved

Make = Callable[..., Trajectories]


def refused(path: Path) -> str:
    """Returns the error of a file that must be refused: one line that names it."""
    with pytest.raises(ValueError) as error:
        load(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@FORMATS
@pytest.mark.parametrize("shape", ["classifier", "pixels"])
def test_a_truncated_file_is_never_accepted_silently(tmp_path: Path, make_trajectories: Make, kind: str, shape: str) -> None:
    table = Table.from_trajectories(make_trajectories(**SHAPES[shape]), pixels=True)
    path = saved(tmp_path / f"some.{kind}", table)
    content = path.read_bytes()
    breaks = [i + 1 for i, byte in enumerate(content[:-1]) if byte == 10] if kind in ("csv", "jsonl") else []
    ends = (
        {*breaks, *(place - 1 for place in breaks)} if kind == "jsonl" else {*breaks}
    )  # behind a row's last byte, or its line break
    for size in {*range(0, len(content), max(len(content) // 60, 1)), *range(len(content) - 12, len(content)), *breaks}:
        path.write_bytes(content[:size])
        if size in ends or (kind == "jsonl" and size >= len(content) - 2):  # as another program may have saved it
            with pytest.warns(UserWarning, match="whether it is complete cannot be checked"):
                part = load(path)
            for name, values in part.columns.items():
                assert np.array_equal(values, table[name][: len(part)], equal_nan=values.dtype.kind == "f")
        else:
            refused(path)


@FORMATS
def test_a_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = Table.from_trajectories(make_trajectories(count=2, classes=2, n=2), pixels=True)
    path = saved(tmp_path / f"some.{kind}", table)
    content = path.read_bytes()
    caught = 0
    for place in range(0, len(content), 13):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            assert load(path).equals(table)
        except ValueError:
            caught += "\n" not in refused(path)
    assert caught > len(content) / 13 / 3


def test_a_comment_that_swallows_columns_is_refused(tmp_path: Path, make_trajectories: Make) -> None:
    path = saved(tmp_path / "some.npz", Table.from_trajectories(make_trajectories(), pixels=True))
    content = path.read_bytes()
    entry = content.rindex(b"PK\1\2", 0, content.rindex(b"pixels_channels.npy"))
    rest = content.rindex(b"PK\5\6") - (entry + 46 + len("pixels_channels.npy"))
    assert content[entry + 32 : entry + 34] == b"\0\0"
    path.write_bytes(content[: entry + 32] + rest.to_bytes(2, "little") + content[entry + 34 :])
    assert "damaged behind pixels_channels" in refused(path)


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("row", [0, 3, 5, 10])
def test_a_row_missing_in_the_middle_is_refused(tmp_path: Path, make_trajectories: Make, kind: str, row: int) -> None:
    path = saved(tmp_path / f"some.{kind}", Table.from_trajectories(make_trajectories()))
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[row + (kind == "csv")]
    path.write_bytes(b"".join(lines))
    assert "step" in refused(path) or "rows" in refused(path)


def damaged(path: Path, columns: dict[str, Any]) -> Path:
    """Writes columns to a file without checks."""
    np.savez(path, **columns)
    return path


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": np.full(12, 2)}, "version 2"),
        ({"sigma": None}, "no column sigma"),
        ({"version": None}, "no column version"),
        ({"pixels": np.zeros((12, 9), np.float32)}, "no column pixels_channels, pixels_side"),
        ({"extra": np.zeros(12)}, "columns are extra"),
        ({"stride": np.zeros(11, np.float32)}, "stride has 11 rows"),
        ({"stride": np.zeros(12)}, "stride has type float64"),
        ({"stride": np.full(12, np.inf, np.float32)}, "stride is infinite in row 1"),
        ({"window": np.full(12, "gaze", "<U7")}, "got 'gaze'"),
        ({"window": np.full(12, None, object)}, "pickle"),
        ({"label": np.arange(12)}, "row 2 has label 1, expected 0"),
        ({"scale": np.array([0] * 7 + [1] + [0] * 4)}, "row 8 has scale 1, expected 0"),
        ({"step": np.array([1, 2, 4, 3] * 3)}, "steps of the first image"),
        ({"step": np.array([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 4, 3])}, "row 11 has step 4, expected 3"),
    ],
)
def test_columns_that_do_not_fit_are_refused(tmp_path: Path, make_trajectories: Make, change: dict[str, Any], said: str) -> None:
    columns = {**Table.from_trajectories(make_trajectories()).columns, **change}
    path = damaged(tmp_path / "some.npz", {name: values for name, values in columns.items() if values is not None})
    assert said in refused(path)


def test_a_last_image_with_fewer_steps_is_refused(tmp_path: Path, make_trajectories: Make) -> None:
    columns = Table.from_trajectories(make_trajectories()).columns
    path = damaged(tmp_path / "some.npz", {name: values[:11] for name, values in columns.items()})
    assert "the last image has 3 rows, the first has 4" in refused(path)


@pytest.mark.parametrize(
    ("kind", "old", "new", "said"),
    [
        ("csv", b"sigma,", b"", "columns"),
        ("csv", b"sigma,", b"stride,", "two columns stride"),
        ("csv", b"probability_4", b"probability_x", "probability_x"),
        ("csv", b"\n1,", b"\n7,", "version 7"),
        ("csv", b"\n1,", b"\n,", "version is absent in 12 rows"),
        ("csv", b"glimpse", b"something-long", "something-long"),
        ("jsonl", b'"sigma"', b'"sigmb"', "no column sigma"),
        ("jsonl", b'"version":1', b'"version":7', "version 7"),
        ("jsonl", b'"step":2', b'"stop":2', "no step"),
        ("jsonl", b'"probabilities":[', b'"probabilities":[0.5,', "row"),
    ],
)
def test_text_that_does_not_fit_is_refused(
    tmp_path: Path, make_trajectories: Make, kind: str, old: bytes, new: bytes, said: str
) -> None:
    path = saved(tmp_path / f"some.{kind}", Table.from_trajectories(make_trajectories()))
    count = 1 if said == "row" else -1
    path.write_bytes(path.read_bytes().replace(old, new, count))
    assert said in refused(path)


@FORMATS
def test_a_file_without_trajectories_is_refused(tmp_path: Path, make_trajectories: Make, kind: DataFormat) -> None:
    (tmp_path / f"folder.{kind}").mkdir()
    (tmp_path / f"empty.{kind}").touch()
    (tmp_path / f"other.{kind}").write_text('a,"b"\n1,"2"\n' if kind == "csv" else '{"a": 1} \n')
    saved(tmp_path / "real.npz", Table.from_trajectories(make_trajectories())).rename(tmp_path / f"wrong.{kind}")
    assert "is a folder" in refused(tmp_path / f"folder.{kind}")
    assert "is empty" in refused(tmp_path / f"empty.{kind}")
    refused(tmp_path / f"other.{kind}")
    if kind != "npz":
        refused(tmp_path / f"wrong.{kind}")
        assert len(load(tmp_path / f"wrong.{kind}", format="npz")) == 12
    with pytest.raises(FileNotFoundError, match="none"):
        load(tmp_path / f"none.{kind}")
