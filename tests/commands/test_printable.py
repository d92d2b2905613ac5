"""What reaches the terminal: names of files and metadata are printed without the characters that control it."""

from pathlib import Path

import pytest

from glimpse.commands.console import ProgressView, note, print_line, print_rows, warn
from glimpse.commands.printable import printable
from glimpse.environment import requested_threads
from glimpse.models.weights import save_weights
from tests.helpers.commands import invoked
from tests.helpers.weights import SMALL, untrained

NAME = "run\x1b[2J\r\n\x07\u202eevil"
SHOWN = r"run\x1b[2J\r\n\x07\u202eevil"


def test_ordinary_text_is_printed_as_it_is() -> None:
    text = "Größe ± 0.1 … 日本"
    assert printable(text) == text
    assert printable(NAME) == SHOWN
    assert printable("a\nb\tc", keep="\n") == "a\nb\\tc"
    assert printable("\udcff") == r"\udcff"  # a byte of a file name that is no UTF-8


def test_nothing_is_printed_raw(capsys: pytest.CaptureFixture[str]) -> None:
    note(NAME)
    warn(NAME)
    print_line(NAME.replace("\n", ""))
    print_rows(["name"], [[NAME]], title=NAME)
    with ProgressView(NAME, 3) as view:
        view.say(NAME)
    out, err = capsys.readouterr()
    assert (out + err).count(SHOWN) == 6
    assert not {*(out + err)} & {"\x1b", "\r", "\x07", "\u202e"}


def test_errors_that_name_a_file_or_metadata_are_one_printable_line(tmp_path: Path) -> None:
    task = {"kind": "cluttered", "digits": NAME, "recipe": {}}
    save_weights(tmp_path / "digits", untrained().state_dict(), {"model": "GlimpseClassifier", "config": vars(SMALL), "task": task})
    save_weights(tmp_path / "model", untrained().state_dict(), {"model": NAME, "config": {}, "task": task})
    for arguments in (
        ["evaluate", tmp_path / NAME],
        ["evaluate", tmp_path / "digits"],
        ["evaluate", tmp_path / "model"],
        ["predict", "pretrained:glimpse-4", tmp_path / NAME],
        ["train-classifier", "--config", tmp_path / NAME],
        ["evaluate", f"pretrained:{NAME}"],
        ["evaluate", "x", f"--{NAME}"],
        [NAME],
    ):
        result = invoked(*arguments)
        assert result.exit_code in (1, 2), arguments
        assert not {*result.output} & {"\x1b", "\r", "\x07", "\u202e"}, arguments
        assert "[2J" in result.output, arguments
        assert not [line for line in result.output.splitlines() if line.startswith(r"\x07")], arguments  # a line that a name adds
        assert "Traceback" not in result.output


@pytest.mark.parametrize("command", [["evaluate", "pretrained:glimpse-4"], ["train-classifier"], ["bench"]])
def test_the_number_of_threads_is_bounded(command: list[str]) -> None:
    result = invoked(*command, "--threads=9999")
    assert result.exit_code == 2
    assert "9999 is not in the range 1<=x<=1024" in result.stderr


def test_the_number_of_threads_in_the_environment_is_bounded_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("9999", "1" * 5000):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        with pytest.raises(ValueError, match=f"OMP_NUM_THREADS must be in 1 to 1024, got {number[:20]}"):
            requested_threads()
        assert requested_threads(2) == 2
    for number, found in (("3", 3), ("0", None), ("many", None)):
        monkeypatch.setenv("OMP_NUM_THREADS", number)
        assert requested_threads() == found
