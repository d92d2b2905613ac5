"""Trajectories that pandas or another program has filtered, sorted and saved again: read with a warning."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from glimpse.listener import Listener
from glimpse.trajectories.files import load, open_writer
from glimpse.trajectories.table import Table
from glimpse.trajectories.views import Trajectories
from tests.helpers.saved import saved

Make = Callable[..., Trajectories]

SHAPES: dict[str, dict[str, Any]] = {
    "classifier": {"patches": False, "count": 5},
    "pixels, three scales": {"scales": 3, "count": 4, "blur": False},
    "no classes": {"classes": 0, "patches": False, "count": 4},
}
SHAPE = pytest.mark.parametrize("shape", list(SHAPES))
KIND = pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])


def table_of(make_trajectories: Make, shape: str) -> Table:
    return Table.from_trajectories(make_trajectories(**SHAPES[shape]), pixels=shape.startswith("pixels"))


def frame_of(path: Path) -> Any:
    """Returns a file of trajectories as a frame."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_json(path, lines=True) if path.suffix == ".jsonl" else pd.read_csv(path)


def save(frame: Any, path: Path, **options: Any) -> Path:
    """Saves a frame in the way of pandas."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, **options)
    elif path.suffix == ".jsonl":
        frame.to_json(path, orient="records", lines=True, double_precision=15, **options)
    else:
        frame.to_csv(path, **options)
    return path


def loaded(path: Path) -> tuple[Table, str]:
    """Returns the table of a file, and the one warning about it."""
    with pytest.warns(UserWarning, match="whether it is complete cannot be checked") as caught:
        table = load(path)
    (warning,) = caught
    return table, str(warning.message)


def same(table: Table, expected: Table, rows: Any = slice(None)) -> bool:
    """Returns whether a table has these rows of another; floats may have passed through decimals."""
    return all(
        np.allclose(values, expected[name][rows], rtol=1e-6, atol=1e-7, equal_nan=True)
        if values.dtype.kind == "f"
        else np.array_equal(values, expected[name][rows])
        for name, values in table.columns.items()
    )


@KIND
@SHAPE
def test_a_frame_saved_with_its_index_is_read_and_the_index_left_out(
    tmp_path: Path, make_trajectories: Make, kind: str, shape: str
) -> None:
    table = table_of(make_trajectories, shape)
    frame = frame_of(saved(tmp_path / f"some.{kind}", table))
    path = save(frame.reset_index(names="row") if kind == "jsonl" else frame, tmp_path / f"again.{kind}")
    found, warning = loaded(path)
    assert found.is_whole
    assert same(found, table)
    assert len(found) == len(table)
    assert warning.startswith(f"{path}: it was ")
    if kind != "parquet":
        assert "other columns are left out: 'row'" in warning if kind == "jsonl" else "other columns are left out: ''" in warning


@KIND
def test_images_that_were_filtered_are_the_rows_of_those_images(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = table_of(make_trajectories, "classifier")
    frame = frame_of(saved(tmp_path / f"some.{kind}", table))
    found, _ = loaded(
        save(frame[frame["index"].isin([1, 3, 4])], tmp_path / f"again.{kind}", **({} if kind == "jsonl" else {"index": False}))
    )
    assert found.is_whole
    assert same(found, table, np.isin(table["index"], [1, 3, 4]))
    assert (found.rows_per_image, len(found)) == (4, 12)


@KIND
@SHAPE
def test_rows_in_any_order_are_sorted(tmp_path: Path, make_trajectories: Make, kind: str, shape: str) -> None:
    table = table_of(make_trajectories, shape)
    frame = frame_of(saved(tmp_path / f"some.{kind}", table)).sample(frac=1, random_state=3)
    found, warning = loaded(save(frame, tmp_path / f"again.{kind}"))
    assert found.is_whole
    assert same(found, table)
    assert "its rows were sorted" in warning


@KIND
def test_steps_that_were_filtered_are_a_table_that_is_not_whole(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = table_of(make_trajectories, "classifier")
    frame = frame_of(saved(tmp_path / f"some.{kind}", table))
    chosen = frame[frame["step"] >= 3].sort_values("center_x")
    found, warning = loaded(save(chosen, tmp_path / f"again.{kind}"))
    assert not found.is_whole
    assert same(found, table, table["step"] >= 3)
    assert "some images lack steps or windows" in warning
    with (
        pytest.raises(ValueError, match="in which steps or windows are missing is not written"),
        open_writer(tmp_path / "x.csv") as w,
    ):
        w.write(found)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_frame_of_json_lines_may_be_saved_in_another_format(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = table_of(make_trajectories, "classifier")
    frame = frame_of(saved(tmp_path / "some.jsonl", table))  # probabilities are lists, which a CSV holds as text
    found, _ = loaded(save(frame, tmp_path / f"again.{kind}"))
    assert same(found, table)


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_frame_of_csv_may_be_saved_in_another_format(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = table_of(make_trajectories, "pixels, three scales")
    frame = frame_of(saved(tmp_path / "some.csv", table))  # one column for each probability and pixel
    found, _ = loaded(save(frame, tmp_path / f"again.{kind}"))
    assert same(found, table)


def test_unknown_labels_that_became_floats_are_read(tmp_path: Path, make_trajectories: Make) -> None:
    columns = dict(table_of(make_trajectories, "classifier").columns)
    columns["label"] = np.where(columns["index"] == 2, -1, columns["label"])
    columns["digit_x"] = np.where(columns["index"] == 2, np.float32(np.nan), columns["digit_x"])
    table = Table(columns)
    for kind in ("csv", "jsonl", "parquet"):
        frame = frame_of(saved(tmp_path / f"some.{kind}", table))
        frame["label"] = frame["label"].astype(float)
        found, _ = loaded(save(frame, tmp_path / f"again.{kind}"))
        assert found["label"].tolist() == table["label"].tolist()


def test_quotes_byte_order_mark_and_another_order_of_columns_do_not_matter(tmp_path: Path, make_trajectories: Make) -> None:
    table = table_of(make_trajectories, "classifier")
    frame = frame_of(saved(tmp_path / "some.csv", table))
    options = {"index": False, "quoting": csv.QUOTE_NONNUMERIC, "encoding": "utf-8-sig", "lineterminator": "\r\n"}
    found, _ = loaded(save(frame[frame.columns[::-1]], tmp_path / "again.csv", **options))
    assert same(found, table)


def test_a_listener_receives_the_warning(tmp_path: Path, make_trajectories: Make) -> None:
    class Heard(Listener):
        lines: list[str] = []  # noqa: RUF012

        def warn(self, message: str) -> None:
            self.lines.append(message)

    frame = frame_of(saved(tmp_path / "some.csv", table_of(make_trajectories, "classifier")))
    load(save(frame, tmp_path / "again.csv"), listener=Heard())
    assert len(Heard.lines) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda frame: frame.drop(columns="stride"), "it has no column stride"),
        (lambda frame: pd.concat([frame, frame.iloc[:1]]), "image 0 has two rows of step 1"),
        (lambda frame: frame.assign(step=frame["step"] + 0.5), "2.5|1.5|truncat"),
        (lambda frame: frame.assign(window="gaze"), "got 'gaze'"),
        (lambda frame: frame.assign(version=2), "version 2"),
        (lambda frame: frame.assign(stride="wide"), "wide|stride"),
    ],
)
def test_a_frame_without_what_a_table_needs_is_refused(tmp_path: Path, make_trajectories: Make, change: Any, said: str) -> None:
    frame = frame_of(saved(tmp_path / "some.csv", table_of(make_trajectories, "classifier")))
    path = save(change(frame), tmp_path / "again.csv", index=False)
    with pytest.raises(ValueError, match=rf"again\.csv is no whole \.csv file of trajectories: .*({said})"):
        load(path)


def test_a_json_array_is_refused_with_a_remedy(tmp_path: Path, make_trajectories: Make) -> None:
    frame = frame_of(saved(tmp_path / "some.jsonl", table_of(make_trajectories, "classifier")))
    frame.to_json(tmp_path / "again.jsonl", orient="records")
    with pytest.raises(ValueError, match="it is one JSON array: save it as JSON Lines"):
        load(tmp_path / "again.jsonl")
    assert isinstance(json.loads((tmp_path / "again.jsonl").read_text()), list)


def test_a_parquet_file_of_this_package_is_still_read_without_a_warning(tmp_path: Path, make_trajectories: Make) -> None:
    table = table_of(make_trajectories, "classifier")
    path = saved(tmp_path / "some.parquet", table)
    assert load(path).equals(table)
    assert pq.ParquetFile(path).schema_arrow.metadata is None
