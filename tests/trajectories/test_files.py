"""Files of trajectories: every format against the tensors, other libraries' readers and failures while writing."""

import csv
import errno
import itertools
import json
import math
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

import glimpse.trajectories
from glimpse.atomic import atomic_file
from glimpse.attention.track import Track
from glimpse.attention.window import Window
from glimpse.trajectories.files import load, open_writer
from glimpse.trajectories.table import COLUMNS, Table
from glimpse.trajectories.views import UNKNOWN, Trajectories
from tests.helpers.saved import FORMATS, SHAPES, saved

Make = Callable[..., Trajectories]


def write_and_break_off(path: Path, table: Table) -> None:
    with open_writer(path) as writer:
        writer.write(table)
        raise RuntimeError("midway")


def unknown(trajectories: Trajectories) -> Trajectories:
    """Returns the trajectories with unknown labels and digits."""
    trajectories.labels.fill_(UNKNOWN)
    trajectories.digits.fill_(torch.nan)
    return trajectories


def generator(count: int = 2, steps: int = 3) -> Trajectories:
    """Returns trajectories like a generator's: two windows of different sides and channels, without classes."""
    random = torch.Generator().manual_seed(0)
    tracks = []
    for kind, n, channels in (("read", 2, 2), ("write", 3, 1)):
        window = Window(*(torch.rand(count, steps, generator=random) for _ in Window._fields))
        tracks.append(Track(kind, 0, n, window, torch.randn(count, steps, channels, n, n, generator=random)))  # type: ignore[arg-type]
    return Trajectories(
        index=torch.arange(count),
        images=torch.zeros(count, 1, 9, 9),
        labels=torch.full((count,), UNKNOWN),
        digits=torch.full((count, 2), torch.nan),
        tracks=tuple(tracks),
    )


def rows_of(trajectories: Trajectories) -> Iterator[dict[str, Any]]:
    """Yields the rows as a plain loop over the tensors finds them, None for what is absent."""
    for i in range(len(trajectories)):
        for t, track in itertools.product(range(trajectories.steps), trajectories.tracks):
            x, y, stride, sigma, intensity = (field[i, t].numpy() for field in track.window)
            reach = np.float32((track.n - 1) / 2) * stride
            believed = [] if trajectories.probabilities is None else trajectories.probabilities[i, t].tolist()
            numbers = [x, y, stride, sigma, intensity, x - reach, y - reach, x + reach, y + reach]
            label = int(trajectories.labels[i])
            yield {
                "version": 1,
                "index": int(trajectories.index[i]),
                "step": t + 1,
                "window": track.kind,
                "scale": track.scale,
                **dict(zip([c.name for c in COLUMNS[5:14]], map(present, numbers), strict=True)),
                "probabilities": believed,
                "prediction": believed.index(max(believed)) if believed else None,
                "label": None if label == UNKNOWN else label,
                "digit_x": present(trajectories.digits[i, 0]),
                "digit_y": present(trajectories.digits[i, 1]),
            }


def present(number: Any) -> float | None:
    return None if math.isnan(number) else float(number)


def single(value: Any) -> Any:
    """Returns a value with its numbers rounded to float32."""
    if isinstance(value, list):
        return [single(item) for item in value]
    return float(np.float32(value)) if isinstance(value, float) else value


def rows_in(table: Table) -> list[dict[str, Any]]:
    """Returns the rows of a table, None for what is absent."""
    rows = []
    for i in range(len(table)):
        row = {name: values[i].tolist() for name, values in table.columns.items()}
        for column in COLUMNS[:19]:
            value = row[column.name]
            absent = column.may_miss and not column.each and (math.isnan(value) or (column.dtype == "int64" and value == -1))
            row[column.name] = None if absent else value
        rows.append(row)
    return rows


# Contents


@FORMATS
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("known", [True, False])
def test_every_format_restores_the_tensors_numbers(
    tmp_path: Path, make_trajectories: Make, kind: str, shape: str, known: bool
) -> None:
    made = make_trajectories(**SHAPES[shape])
    if not known:
        made = unknown(made)
    found = load(saved(tmp_path / f"some.{kind}", Table.from_trajectories(made)))
    assert rows_in(found) == list(rows_of(made))
    assert list(found.columns) == [c.name for c in COLUMNS if not c.optional]


@FORMATS
@pytest.mark.parametrize("shape", SHAPES)
def test_every_format_restores_every_bit(tmp_path: Path, make_trajectories: Make, kind: str, shape: str) -> None:
    table = Table.from_trajectories(make_trajectories(**SHAPES[shape]), pixels=True)
    found = load(saved(tmp_path / f"some.{kind}", table))
    assert found.equals(table)
    for name, values in table.columns.items():
        assert found[name].dtype == values.dtype
        assert found[name].tobytes() == np.ascontiguousarray(values).tobytes(), name


@FORMATS
def test_every_format_restores_every_float32(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    made = make_trajectories(count=500, classes=0, patches=False)
    bits = np.random.default_rng(0).integers(0, 1 << 32, (500, 4), dtype=np.uint64).astype(np.uint32)
    numbers = np.where(np.isfinite(bits.view(np.float32)), bits.view(np.float32), np.float32(-0.0))
    numbers[:4, 0] = (1e-45, 3.4028235e38, -0.0, 16777216)
    made.tracks[0].window.sigma.copy_(torch.from_numpy(numbers))
    found = load(saved(tmp_path / f"some.{kind}", Table.from_trajectories(made)))
    assert found["sigma"].tobytes() == numbers.tobytes()


@FORMATS
def test_windows_of_different_sides_keep_their_pixels(tmp_path: Path, kind: str) -> None:
    made = generator()
    found = load(saved(tmp_path / f"some.{kind}", Table.from_trajectories(made, pixels=True)))
    assert found["window"].tolist() == ["read", "write"] * 6
    for row, (i, t, m) in enumerate(itertools.product(range(2), range(3), range(2))):
        patches = made.tracks[m].patches
        assert patches is not None
        channels, side = found["pixels_channels"][row], found["pixels_side"][row]
        assert (channels, side) == patches.shape[2:4]
        pixels = found["pixels"][row, : channels * side**2].reshape(channels, side, side)
        assert np.array_equal(pixels, patches[i, t])
        assert np.isnan(found["pixels"][row, channels * side**2 :]).all()


@pytest.mark.parametrize(("patches", "asked"), [(True, False), (False, True)])
def test_pixels_are_in_the_table_only_if_kept_and_requested(make_trajectories: Make, patches: bool, asked: bool) -> None:
    table = Table.from_trajectories(make_trajectories(patches=patches), pixels=asked)
    assert list(table.columns) == [c.name for c in COLUMNS if not c.optional]


@FORMATS
def test_chunks_give_the_same_table_as_one_write(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    parts = [make_trajectories(first=first) for first in (0, 3, 6)]
    chunks = [Table.from_trajectories(part, pixels=True) for part in parts]
    whole = Table.from_trajectories(Trajectories.joined(parts), pixels=True)
    assert load(saved(tmp_path / f"some.{kind}", *chunks)).equals(whole)


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_a_table_without_rows_is_restored(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    none = Table.from_trajectories(make_trajectories().rows(torch.arange(0)), pixels=True)
    assert len(none) == 0
    assert load(saved(tmp_path / f"none.{kind}", none)).equals(none)


def test_json_lines_refuse_a_table_without_rows(tmp_path: Path, make_trajectories: Make) -> None:
    with pytest.raises(ValueError, match="without rows"):
        saved(tmp_path / "none.jsonl", Table.from_trajectories(make_trajectories().rows(torch.arange(0))))
    assert not list(tmp_path.iterdir())


# Other readers


def test_the_csv_module_sees_the_same(tmp_path: Path, make_trajectories: Make) -> None:
    made = unknown(make_trajectories(blur=False, scales=2))
    with saved(tmp_path / "some.csv", Table.from_trajectories(made)).open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = list(rows_of(made))
    assert len(rows) == len(expected) == 24
    for row, numbers in zip(rows, expected, strict=True):
        believed = numbers.pop("probabilities")
        assert [single(float(row[f"probability_{k}"])) for k in range(10)] == believed
        for name, value in numbers.items():
            assert (row[name] or None) == value or single(float(row[name])) == value


def test_the_json_module_sees_the_same(tmp_path: Path, make_trajectories: Make) -> None:
    made = unknown(make_trajectories(blur=False, scales=2))
    text = saved(tmp_path / "some.jsonl", Table.from_trajectories(made)).read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [{name: single(value) for name, value in row.items()} for row in rows] == list(rows_of(made))
    assert [list(row) for row in rows] == [[c.name for c in COLUMNS if not c.optional]] * 24


def test_numpy_sees_the_same(tmp_path: Path, make_trajectories: Make) -> None:
    table = Table.from_trajectories(unknown(make_trajectories(blur=False)), pixels=True)
    with np.load(saved(tmp_path / "some.npz", table), allow_pickle=False) as arrays:
        assert arrays.files == [c.name for c in COLUMNS if c.optional in ("", "pixels")]
        for name, values in table.columns.items():
            assert arrays[name].dtype == values.dtype
            assert np.array_equal(arrays[name], values, equal_nan=values.dtype.kind == "f")


def test_parquet_read_by_arrow_sees_the_same(tmp_path: Path, make_trajectories: Make) -> None:
    made = unknown(make_trajectories(blur=False, scales=2))
    assert pq.read_table(saved(tmp_path / "some.parquet", Table.from_trajectories(made))).to_pylist() == list(rows_of(made))


# Streaming, and writing whole or not at all


def test_parquet_has_a_group_of_rows_for_each_chunk(tmp_path: Path, make_trajectories: Make) -> None:
    chunks = [Table.from_trajectories(make_trajectories(first=first)) for first in (0, 3, 6)]
    facts = pq.ParquetFile(saved(tmp_path / "some.parquet", *chunks)).metadata
    assert [facts.row_group(i).num_rows for i in range(facts.num_row_groups)] == [12, 12, 12]


@pytest.mark.parametrize("kind", ["jsonl", "csv", "npz"])
def test_memory_does_not_grow_with_the_chunks(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = Table.from_trajectories(make_trajectories(count=50, n=8), pixels=True)
    size = sum(values.nbytes for values in table.columns.values())
    tracemalloc.start()
    try:
        with open_writer(tmp_path / f"many.{kind}") as writer:
            for _ in range(3):
                writer.write(table)
            before, _ = tracemalloc.get_traced_memory()
            for _ in range(30):
                writer.write(table)
            after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert writer.rows == 33 * len(table)
    assert after - before < size


@FORMATS
def test_an_exception_leaves_only_the_old_file(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    path = tmp_path / f"some.{kind}"
    table = Table.from_trajectories(make_trajectories())
    for old in (None, b"old"):
        if old:
            path.write_bytes(old)
        with pytest.raises(RuntimeError, match="midway"):
            write_and_break_off(path, table)
        assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == ([(path.name, old)] if old else [])
    assert load(saved(path, table)).equals(table)


@FORMATS
def test_no_file_is_at_the_path_before_the_end(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    with open_writer(tmp_path / "new" / f"some.{kind}") as writer:
        writer.write(Table.from_trajectories(make_trajectories()))
        assert not (tmp_path / "new" / f"some.{kind}").exists()
    assert [file.name for file in (tmp_path / "new").iterdir()] == [f"some.{kind}"]


@FORMATS
def test_a_writer_without_rows_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ValueError, match="no trajectories to write"), open_writer(tmp_path / f"some.{kind}"):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "others", [{"classes": 3}, {"steps": 2}, {"scales": 2}, {"n": 4}, {"patches": False}, {"channels": 2}], ids=str
)
def test_chunks_of_another_model_are_refused(tmp_path: Path, make_trajectories: Make, others: dict[str, Any]) -> None:
    tables = [Table.from_trajectories(make_trajectories(**options), pixels=True) for options in ({}, others)]
    with pytest.raises(ValueError, match="other classes, pixels, steps or windows"):
        saved(tmp_path / "some.csv", *tables)
    assert not list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    for path in (tmp_path / "file" / "some.csv", tmp_path / "folder.csv", tmp_path / f"{'x' * 250}.csv"):
        with pytest.raises(OSError) as error, open_writer(path):
            pytest.fail("the work began")
        assert str(error.value.filename) in (str(path), str(path.parent))
    for path, kind in ((tmp_path / "some.txt", None), (tmp_path / "some.csv", "xlsx")):
        with pytest.raises(ValueError, match="jsonl, csv, parquet, npz"), open_writer(path, kind):  # type: ignore[arg-type]
            pytest.fail("the work began")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder.csv"]


@FORMATS
def test_a_full_disk_is_one_error_that_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_trajectories: Make, kind: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("glimpse.atomic.os.fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        saved(tmp_path / f"some.{kind}", Table.from_trajectories(make_trajectories()))
    assert error.value.filename == str(tmp_path / f"some.{kind}")
    assert not list(tmp_path.iterdir())


def test_a_file_written_in_parts_appears_at_its_path_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with atomic_file(path) as file:
        file.write(b"ne")
        file.write(b"w")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


# The package


def test_the_package_loads_its_names_when_they_are_used() -> None:
    code = "import sys, glimpse.trajectories; assert not {'torch', 'numpy', 'pyarrow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert glimpse.trajectories.load is load
    assert set(glimpse.trajectories.__all__) <= set(dir(glimpse.trajectories))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = glimpse.trajectories.nothing
