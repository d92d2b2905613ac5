"""Names of classes in files of trajectories: as columns of every format, whatever characters they have."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glimpse.trajectories.files import load
from glimpse.trajectories.table import COLUMNS, Table
from glimpse.trajectories.views import UNKNOWN, Trajectories
from tests.helpers.saved import FORMATS, saved

Make = Callable[..., Trajectories]

NAMES = ("cat", 'say "hi"', "a, b", "größer 猫", "null", "NA", '"', "x" * 60, ",", '"label":1')


def named(make_trajectories: Make, **shape: int) -> Trajectories:
    """Returns trajectories whose classes have names; the label of the second image is unknown."""
    made = make_trajectories(**{"count": 6, "patches": False, **shape})
    made.labels[1] = UNKNOWN
    return replace(made, class_names=NAMES)


@FORMATS
def test_every_format_restores_the_names_of_labels_and_predictions(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    made = named(make_trajectories)
    assert made.predictions is not None
    table = Table.from_trajectories(made, pixels=True)
    found = load(saved(tmp_path / f"some.{kind}", table))
    assert found.equals(table)
    for image, step in np.ndindex(len(made), made.steps):
        row, label = image * made.steps + step, int(made.labels[image])
        assert found["prediction_name"][row] == NAMES[int(made.predictions[image, step])]
        assert found["label_name"][row] == ("" if label == UNKNOWN else NAMES[label])


@FORMATS
def test_pixels_and_several_chunks_keep_the_names(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    parts = [replace(make_trajectories(first=first), class_names=NAMES) for first in (0, 3, 6)]
    chunks = [Table.from_trajectories(part, pixels=True) for part in parts]
    whole = Table.from_trajectories(Trajectories.joined(parts), pixels=True)
    assert list(whole.columns) == [column.name for column in COLUMNS]
    assert load(saved(tmp_path / f"some.{kind}", *chunks)).equals(whole)


@pytest.mark.parametrize("kind", ["csv", "parquet", "npz"])
def test_a_table_of_named_classes_without_rows_is_restored(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    none = Table.from_trajectories(named(make_trajectories).rows(np.arange(0)))  # type: ignore[arg-type]
    assert load(saved(tmp_path / f"none.{kind}", none)).equals(none)


def test_the_csv_and_the_json_module_see_the_names(tmp_path: Path, make_trajectories: Make) -> None:
    table = Table.from_trajectories(named(make_trajectories))
    with saved(tmp_path / "some.csv", table).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [json.loads(line) for line in saved(tmp_path / "some.jsonl", table).read_text("utf-8").splitlines()]
    for name in ("label_name", "prediction_name"):
        assert [row[name] for row in rows] == table[name].tolist()
        assert [line[name] or "" for line in lines] == table[name].tolist()


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_frame_filtered_by_the_name_of_a_class_is_read_again(tmp_path: Path, make_trajectories: Make, kind: str) -> None:
    table = Table.from_trajectories(named(make_trajectories))
    path, again = saved(tmp_path / f"some.{kind}", table), tmp_path / f"again.{kind}"
    name = table["label_name"][0]
    if kind == "parquet":
        frame = pd.read_parquet(path)
        frame[frame["label_name"] == name].to_parquet(again)
    elif kind == "csv":
        frame = pd.read_csv(path, keep_default_na=False)
        frame[frame["label_name"] == name].to_csv(again, index=False)
    else:
        frame = pd.read_json(path, lines=True)
        frame[frame["label_name"] == name].to_json(again, orient="records", lines=True, double_precision=15)
    with pytest.warns(UserWarning, match="whether it is complete cannot be checked"):
        found = load(again)
    assert found["label_name"].tolist() == [name] * len(found) != []
    assert np.array_equal(found["prediction_name"], table["prediction_name"][table["label_name"] == name])


def test_csv_cut_off_between_two_rows_or_quoted_throughout_is_no_whole_file(tmp_path: Path, make_trajectories: Make) -> None:
    path = saved(tmp_path / "some.csv", Table.from_trajectories(named(make_trajectories)))
    content = path.read_bytes()
    path.write_bytes(content[: content.rindex(b"\n", 0, -1) + 1])
    with pytest.warns(UserWarning, match="cut off, or saved again"):
        load(path)
    path.write_bytes(content)
    frame = pd.read_csv(path, keep_default_na=False)
    frame.to_csv(path, index=False, quoting=csv.QUOTE_NONNUMERIC)
    with pytest.warns(UserWarning, match="cut off, or saved again"):
        assert len(load(path)) == len(frame)


def test_line_breaks_and_control_characters_in_a_name_become_spaces(tmp_path: Path, make_trajectories: Make) -> None:
    made = replace(named(make_trajectories), class_names=tuple(f"a\n{k}\x1b" for k in range(10)))
    found = load(saved(tmp_path / "some.csv", Table.from_trajectories(made)))
    assert set(found["prediction_name"]) <= {f"a {k} " for k in range(10)}


@pytest.mark.parametrize("name", ["label", "prediction"])
def test_a_class_with_two_names_is_refused(make_trajectories: Make, name: str) -> None:
    columns = dict(Table.from_trajectories(named(make_trajectories)).columns)
    names = columns[f"{name}_name"].copy()
    rows = np.flatnonzero(columns[name] == np.bincount(columns[name][columns[name] >= 0]).argmax())
    names[rows[-1]] = "dog"
    with pytest.raises(ValueError, match=f"row {rows[-1] + 1} has {name}_name 'dog', expected"):
        Table({**columns, f"{name}_name": names}, is_whole=False)


def test_classes_that_are_numbers_have_no_columns_of_names(make_trajectories: Make) -> None:
    columns = Table.from_trajectories(make_trajectories(patches=False)).columns
    assert not {"label_name", "prediction_name"} & columns.keys()
