"""Tables and progress on terminals of different widths."""

import re
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from glimpse.cli import glimpse
from glimpse.commands import console


def on_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("command", ["presets", "pretrained"])
def test_no_word_of_a_list_is_split(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, columns: int
) -> None:
    words = {*CliRunner().invoke(glimpse, [command]).stdout.split()}
    on_terminal(monkeypatch, columns)
    glimpse.commands[command].main([], standalone_mode=False)
    lines = printed(capsys)
    assert max(map(len, lines)) <= columns
    assert {word for line in lines for word in re.split(r"[\s┏┳┓┡╇┩└┴┘│┃━─]+", line) if word} == words


def test_a_table_that_is_too_wide_is_printed_in_parts_with_the_names_of_the_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch, 30)
    console.print_rows(("a", "b", *"cde"), [("x", "y", 1, "two words", "long" * 3), ("z", "z", 2, "", "")], names=2)
    rows = [tuple(cell.strip() for cell in line.split("│")[1:-1]) for line in printed(capsys) if line.startswith("│")]
    assert rows == [("x", "y", "1", "two words"), ("z", "z", "2", ""), ("x", "y", "long" * 3), ("z", "z", "")]


def test_text_wraps_between_words_before_a_table_is_printed_in_parts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(monkeypatch, 24)
    console.print_rows(("name", "meaning"), [("first", "one two three four")])
    assert [line for line in printed(capsys) if line.startswith("│")] == ["│ first │ one two      │", "│       │ three four   │"]


@pytest.mark.parametrize("columns", [72, 80, 120])
def test_progress_on_a_terminal_shows_the_time_left_and_cuts_only_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    now = [0.0]
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with console.ProgressView("Training", 1_000_000) as view:
        now[0] = 100.0
        view.update(100_000, "loss 0.123, training error 12.3 %, validation error 12.34 %, " + "more " * 20)
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "\n", capsys.readouterr().err).splitlines()]
    text = "".join(lines)
    assert re.search(r"100,000/1,000,000 images 1,000/s 15 min 0 s left", text)
    assert "loss 0.123, training error 12.3 %" in text
    assert "…" in text
