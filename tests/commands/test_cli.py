"""The command line: entry points, imports, output and errors."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from glimpse import __version__, cli
from glimpse.commands import console
from glimpse.commands.options import Commands
from tests.helpers.presets import CLASSIFIER_MODELS, CLASSIFIER_PRESETS

ROOT = Path(__file__).parent.parent.parent
HEAVY = {"torch", "torchvision", "matplotlib", "numpy", "sklearn", "pyarrow", "tensorboard"}


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command, environment = [sys.executable, *arguments], os.environ | (environment or {})
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)


@pytest.fixture
def failing() -> Callable[[BaseException], click.Group]:
    """Returns a function that makes a command line whose nested command `fail` raises a given error."""

    def make(error: BaseException) -> click.Group:
        @click.group(cls=Commands)
        @click.option("--debug", is_flag=True)
        def top(debug: bool) -> None: ...

        @top.group()
        def inner() -> None: ...

        @inner.command()
        def fail() -> None:
            raise error

        return top

    return make


@pytest.mark.parametrize("start", [("cli.py",), ("-m", "glimpse")])
def test_a_checkout_and_the_module_are_the_command(start: tuple[str, ...]) -> None:
    assert run(*start, "--version").stdout == f"glimpse, version {__version__}\n"
    assert run(*start, "--help").stdout.startswith("Usage: glimpse [OPTIONS] COMMAND [ARGS]...\n")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["pretrained"], ["completion", "bash"], ["nonsense"]])
def test_nothing_heavy_is_loaded_to_answer(arguments: list[str]) -> None:
    code = f"""
import atexit, sys
loaded = lambda: {HEAVY!r} & {{name.partition(".")[0] for name in sys.modules}}
atexit.register(lambda: print("loaded", *loaded(), file=sys.stderr))
sys.argv = ["glimpse", *{arguments!r}]
from glimpse.cli import main
main()
"""
    assert run("-c", code).stderr.splitlines()[-1] == "loaded"


@pytest.mark.parametrize("command", sorted(cli.glimpse.commands))
def test_every_command_has_a_help_text(command: str) -> None:
    result = CliRunner().invoke(cli.glimpse, [command, "--help"])
    assert result.exit_code == 0
    assert cli.glimpse.commands[command].help


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("sigma must be positive,\ngot -1"), "Error: sigma must be positive, got -1\n"),
        (FileNotFoundError(2, "No such file or directory", "digits.npz"), "Error: digits.npz: No such file or directory\n"),
        (OSError(28, "No space left on device"), "Error: [Errno 28] No space left on device\n"),
        (ValueError(), "Error: ValueError\n"),
    ],
)
def test_an_expected_error_is_one_line(failing: Callable[[BaseException], click.Group], error: Exception, line: str) -> None:
    result = CliRunner().invoke(failing(error), ["inner", "fail"])
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", line)


def test_debug_shows_where_an_error_comes_from(failing: Callable[[BaseException], click.Group]) -> None:
    result = CliRunner().invoke(failing(ValueError("no")), ["--debug", "inner", "fail"])
    assert isinstance(result.exception, ValueError)


def test_a_bug_is_not_shown_as_an_expected_error(failing: Callable[[BaseException], click.Group]) -> None:
    result = CliRunner().invoke(failing(TypeError("a bug")), ["inner", "fail"])
    assert isinstance(result.exception, TypeError)


def test_an_interruption_ends_with_130(failing: Callable[[BaseException], click.Group]) -> None:
    result = CliRunner().invoke(failing(KeyboardInterrupt()), ["inner", "fail"])
    assert (result.exit_code, result.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_completes_the_command(shell: str) -> None:
    script = CliRunner().invoke(cli.glimpse, ["completion", shell]).stdout
    assert f"_GLIMPSE_COMPLETE={shell}_complete" in script
    asked = {"_GLIMPSE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "glimpse doc", "COMP_CWORD": "doc" if shell == "fish" else "1"}
    answer = run("-m", "glimpse", environment=asked).stdout
    assert "doctor" in answer
    assert "presets" not in answer


def test_doctor_prints_one_json_object_on_one_line() -> None:
    result = CliRunner().invoke(cli.glimpse, ["doctor", "--json"])
    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout)["versions"]["glimpse"] == __version__


@pytest.mark.parametrize(("given", "kept"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_that_wait_sleep_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch, given: str | None, kept: str) -> None:
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    result = CliRunner().invoke(cli.glimpse, ["doctor", "--json"])
    assert json.loads(result.stdout)["environment"]["OMP_WAIT_POLICY"] == kept


def test_the_table_of_doctor_has_the_facts_of_its_json() -> None:
    lines = CliRunner().invoke(cli.glimpse, ["doctor"]).stdout.splitlines()
    assert ["versions.glimpse", __version__] in [line.split() for line in lines]


def test_presets_lists_every_setting_of_every_preset() -> None:
    listed = json.loads(CliRunner().invoke(cli.glimpse, ["presets", "--json"]).stdout)
    assert listed["classifier"].keys() == listed["training"].keys() == CLASSIFIER_PRESETS.keys()
    assert {preset for presets in CLASSIFIER_MODELS.values() for preset in presets} == CLASSIFIER_PRESETS.keys()
    assert listed["generator"].keys() == listed["generator_training"].keys() >= {"mnist", "mnist-small", "cifar10"}
    assert listed["generator"]["svhn"]["data"] == "svhn"
    rows = [line.split() for line in CliRunner().invoke(cli.glimpse, ["presets"]).stdout.splitlines()]
    glimpses = [str(config.get("glimpses", "-")) for config in listed["classifier"].values()]
    assert {"8", "-"} == set(glimpses)
    assert ["glimpses", *glimpses] in rows
    assert len(rows) == sum(1 + len({name for config in configs.values() for name in config}) for configs in listed.values())


def test_json_has_no_numbers_that_are_none(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"loss": float("nan"), "errors": (1.5, float("inf")), "path": Path("run")})
    assert capsys.readouterr().out == '{"loss": null, "errors": [1.5, null], "path": "run"}\n'


def test_progress_off_a_terminal_is_plain_lines_with_rate_and_time_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(console, "time", SimpleNamespace(monotonic=lambda: now[0]))  # a busy machine changes rates
    with console.ProgressView("Training", 2000, start=1000, every=0.0) as view:
        now[0] += 10.0
        view.update(1500, "loss 0.25")
        view.update(2000)
    captured = capsys.readouterr()
    assert captured.out == ""
    middle, end, closing = captured.err.splitlines()
    assert middle == "Training: 1,500 of 2,000 images, 50/s, 10 s left, loss 0.25"
    assert end == closing == "Training: 2,000 of 2,000 images, 100/s, loss 0.25"


def test_a_table_keeps_long_paths_whole_where_it_is_not_read_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_rows(("name", "error"), [("a/" * 60, 3.25), ("b", None)])
    assert capsys.readouterr().out.splitlines()[1].split() == ["a/" * 60, "3.25"]


def test_a_tables_title_is_one_line_though_the_table_is_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    title = "which of these many models is better than which other one? " * 2
    console.print_rows(("name", "error"), [("a", 3.25)], title=title)
    assert capsys.readouterr().out.splitlines()[0] == title.rstrip()
