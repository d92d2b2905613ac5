"""`glimpse bench`: a table that fits 80 columns, one line of JSON, and options that are refused."""

import re
import sys
from dataclasses import replace

import pytest

from glimpse.benchmarking.machine import MachineRates
from glimpse.benchmarking.rows import BenchResult, BenchRow, GrowthRow
from glimpse.commands import bench as command
from glimpse.settings.requests import BenchRequest
from tests.helpers.commands import invoked, printed_json, refused, succeeded

LARGE = BenchRow(
    part="filterbank",
    case="filters+grads",
    unit="filters",
    count=1536,
    best=987_654_321.0,
    median=123_456_789.0,
    rounds=3,
    multiply_adds=185_234_567,
    gflops=1234.5,
    product_share=0.876,
    bytes=2_133_456,
    copy_share=0.0123,
    memory=1_337_000_000,
)


def test_the_table_has_a_line_for_each_case() -> None:
    result = succeeded("bench", "--what", "clutter", "--seconds", 0.001, "--threads", 1, "--device", "cpu")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["machine", "cpu,", "threads:", "1"]
    assert [line.split()[0] for line in lines[1:4]] == ["product", "product", "copy,"]
    assert lines[4].split() == ["case", "best/s", "med/s", "madd", "GF/s", "%mm", "bytes", "%copy", "MB"]
    assert [line[:12] for line in lines[5:]] == ["clutter 128 ", "clutter 1024"]
    assert all(len(line) <= 80 for line in result.output.splitlines())
    assert "Timing: " in result.stderr


def test_json_is_one_line_with_every_row() -> None:
    found = printed_json("bench", "--what", "filterbank", "--seconds", 0.001, "--threads", 1, "--device", "cpu")
    assert [row["case"] for row in found["rows"]] == ["filters", "read", "write", "filters+grads", "read+grads", "write+grads"]
    assert all(row["best"] >= row["median"] > 0 and row["memory"] > 0 for row in found["rows"])
    assert all(row["gflops"] > 0 for row in found["rows"] if not row["case"].startswith("filters"))
    assert found["threads"] == 1


def test_large_numbers_fit_80_columns_on_a_terminal_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    growth = (GrowthRow("classifier", "glimpses", 512, LARGE),)
    none = replace(LARGE, multiply_adds=0, copy_share=None, memory=None)
    machine = MachineRates(61_234.5, 712_345.6, 3_351.2)
    found = BenchResult(BenchRequest(growth=True), "cuda:0", 16, None, machine, (LARGE, none), growth)
    monkeypatch.setattr(command, "benchmark_request", lambda *arguments: found)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    command.bench(BenchRequest(), as_json=False)
    printed = capsys.readouterr()
    (line,) = [line for line in printed.out.splitlines() if "1337" in line and "filters" in line]
    cells = [cell.strip() for cell in line.strip("│┃").split("│")]
    assert cells == ["filters+grads", "988M", "123M", "185M", "1.23k", "88", "2.13M", "1.2", "1337"]
    plain = re.sub(r"\x1b\[[0-9;]*m", "", printed.out + printed.err)
    assert max(map(len, plain.splitlines())) <= 80


def test_growth_of_a_part_that_has_none_is_refused() -> None:
    assert refused("bench", "--what", "ram", "--growth").startswith("--growth is for --what classifier, generator or all")


def test_options_out_of_range_are_refused() -> None:
    assert invoked("bench", "--seconds", 0).exit_code == 2
    assert invoked("bench", "--what", "nothing").exit_code == 2
