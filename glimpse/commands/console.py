"""Terminal output of the commands: notes and progress on stderr, results on stdout as tables or as a single line of JSON."""

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column, Table
from rich.text import Text

from glimpse.commands.printable import printable
from glimpse.commands.tables import cell, table_parts
from glimpse.listener import Advance, Listener

__all__ = ["ConsoleListener", "ProgressView", "cell", "duration", "note", "print_json", "print_line", "print_rows", "warn"]


def note(message: str) -> None:
    """Prints a note to stderr."""
    _stderr().print(printable(message), markup=False, highlight=False, soft_wrap=True)


def warn(message: str) -> None:
    """Prints a warning to stderr, in bold yellow on a terminal."""
    _stderr().print(f"Warning: {printable(message)}", style="bold yellow", markup=False, highlight=False, soft_wrap=True)


def print_line(result: str) -> None:
    """Prints a result to stdout, as one line or several."""
    print(printable(result, keep="\n"))  # noqa: T201


def print_json(result: Any) -> None:
    """Prints a result to stdout as a single line of strict JSON; NaN and infinity become null."""
    print_line(json.dumps(_finite(result), allow_nan=False, default=str))


def print_rows(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None, names: int = 1) -> None:
    """Prints a result to stdout as a table, with numbers aligned right.

    On a terminal no word or number is split: a table that is too wide is printed in parts, each with the columns that name the
    rows. If stdout is not a terminal, every row is one line, without a frame.

    Args:
        columns: Headings.
        rows: Cells of every row; None is shown as `-`.
        title: Title above the table.
        names: Number of columns that name the rows.
    """
    if sys.stdout.isatty():
        if title is not None:
            Console().print(
                Text(printable(title), style="table.title")
            )  # as a title of the table it would wrap at the table's width
        for table in table_parts(columns, rows, names):
            Console().print(table)
    else:
        (table,) = table_parts(columns, rows, names)
        lines = [*([printable(title)] if title is not None else []), *_text_of(table).splitlines()]
        print_line("\n".join(line.rstrip() for line in lines))


def duration(seconds: float) -> str:
    """Returns a time in seconds as text in the two largest units.

    >>> duration(7), duration(754), duration(7384)
    ('7 s', '12 min 34 s', '2 h 3 min')
    """
    total = round(seconds)
    if total < 60:
        return f"{total} s"
    return f"{total // 60} min {total % 60} s" if total < 3600 else f"{total // 3600} h {total % 3600 // 60} min"


class ProgressView:
    """Progress of a long job on stderr, with rate and remaining time: a bar on a terminal, otherwise a line at regular intervals.

    Args:
        title: Name of the job.
        total: Total number of units.
        unit: Name of the units, in the plural.
        start: Number of units done by an earlier run; the rate does not count them.
        every: Seconds between two lines if stderr is not a terminal.
    """

    def __init__(self, title: str, total: int, *, unit: str = "images", start: int = 0, every: float = 10.0) -> None:
        self.title, self.total, self.unit, self.start, self.every = printable(title), total, unit, start, every
        self.done, self.status = start, ""
        self._began = self._shown = time.monotonic()
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        self._began = self._shown = time.monotonic()
        console = _stderr()
        if console.is_terminal:
            bar = BarColumn(bar_width=None, table_column=Column(max_width=16))  # the only part that becomes narrower
            columns = (_Part(lambda: self.title), bar, _Part(self._counts), _Part(self.time_left))
            self._bar = _Lines(self, *columns, console=console)
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, completed=self.start)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None:
            note(self.line())

    def update(self, done: int, status: str = "") -> None:
        """Updates the total number of units done and the status.

        Args:
            done: Number of units, including those of an earlier run.
            status: Short status; if empty, the last one is kept.
        """
        self.done, self.status = done, status or self.status
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
        elif time.monotonic() - self._shown >= self.every:
            self._shown = time.monotonic()
            note(self.line())

    def say(self, message: str) -> None:
        """Prints a line above the bar."""
        console = self._bar.console if self._bar is not None else _stderr()
        console.print(printable(message), markup=False, highlight=False, soft_wrap=True)

    @property
    def rate(self) -> float:
        """Units per second since the job started."""
        return (self.done - self.start) / max(time.monotonic() - self._began, 1e-9)

    def line(self) -> str:
        """Returns the progress as one line."""
        left, status = (f", {text}" if text else "" for text in (self.time_left(), self.status))
        return f"{self.title}: {self.done:,} of {self.total:,} {self.unit}, {self.rate:,.0f}/s{left}{status}"

    def _counts(self) -> str:
        """Returns the number of units done, their total and the rate."""
        return f"{self.done:,}/{self.total:,} {self.unit} {self.rate:,.0f}/s"

    def time_left(self) -> str:
        """Returns the remaining time as text; empty before the first and after the last unit."""
        return f"{duration((self.total - self.done) / self.rate)} left" if self.start < self.done < self.total else ""


class ConsoleListener(Listener):
    """A listener that prints notes, warnings and progress to stderr."""

    def note(self, message: str) -> None:
        """Prints a note."""
        note(message)

    def warn(self, message: str) -> None:
        """Prints a warning."""
        warn(message)

    @contextlib.contextmanager
    def progress(self, title: str, total: int, *, unit: str = "images") -> Iterator[Advance]:
        """Shows progress; see the base class."""
        with ProgressView(title, total, unit=unit) as view:
            yield view.update


class _Lines(Progress):
    """Progress in two lines: bar, rate and time left, which fit 80 columns, and the status, which is cut if it is too long."""

    def __init__(self, view: ProgressView, *columns: ProgressColumn, console: Console) -> None:
        self.view = view
        super().__init__(*columns, console=console)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yields the lines."""
        yield from super().get_renderables()
        if self.view.status:
            yield Text(self.view.status, no_wrap=True, overflow="ellipsis")


class _Part(ProgressColumn):
    """Column of a progress bar: a text that is never cut."""

    def __init__(self, text: Callable[[], str]) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self.text = text

    def render(self, task: Task) -> Text:
        """Returns the column's text."""
        return Text(self.text())


def _stderr() -> Console:
    """Returns a console on the current stderr, which may have been redirected."""
    return Console(stderr=True)


def _text_of(table: Table) -> str:
    """Returns a table as plain text, as wide as it is."""
    console = Console(width=10_000, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _finite(value: Any) -> Any:
    """Returns the value with NaN and infinity replaced by None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
