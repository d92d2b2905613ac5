"""Output of `glimpse bench`."""

from collections.abc import Sequence

from glimpse.benchmarking.calls import benchmark_request
from glimpse.benchmarking.rows import BenchResult, BenchRow
from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.quantities import short_number
from glimpse.settings.requests import BenchRequest

__all__ = ["bench", "table_row"]

_COLUMNS = ("case", "best/s", "med/s", "madd", "GF/s", "%mm", "bytes", "%copy", "MB")


def bench(request: BenchRequest, *, as_json: bool) -> None:
    """Runs a benchmark and prints its result."""
    found = benchmark_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
    else:
        _show(found)


def table_row(row: BenchRow) -> tuple[str | None, ...]:
    """Returns the cells of a row, which fits 80 columns with the frame of the table; None where a column does not apply."""
    multiplies = row.multiply_adds > 0
    return (
        row.case,
        short_number(row.best),
        short_number(row.median),
        short_number(row.multiply_adds) if multiplies else None,
        short_number(row.gflops) if multiplies else None,
        _percent(row.product_share) if multiplies else None,
        short_number(row.bytes),
        None if row.copy_share is None else _percent(row.copy_share),
        None if row.memory is None else f"{row.memory / 1e6:.0f}",
    )


def _show(found: BenchResult) -> None:
    """Prints the rates of the machine, the cases, the growth of training steps, and the legend of the columns."""
    machine = found.machine
    where = f"{found.device}, threads: {found.threads}"
    facts = [
        ("product of 1,024 x 1,024, float32", f"{machine.float32_gflops:,.1f} GFLOP/s"),
        ("product of 1,024 x 1,024, bfloat16", f"{machine.bfloat16_gflops:,.1f} GFLOP/s"),
        ("copy, read and written", f"{machine.copy_gb:,.1f} GB/s"),
    ]
    console.print_rows(("machine", where), facts)
    console.print_rows(_COLUMNS, [table_row(row) for row in found.rows])
    if found.growth:
        rows = [(each.part, each.setting, f"{each.value}", *_step(each.row)) for each in found.growth]
        columns = ("step of", "setting", "value", "ms", "images/s", "madd", "GF/s", "MB")
        console.print_rows(columns, rows)
    for line in _LEGEND.splitlines():
        console.note(line)


def _step(row: BenchRow) -> Sequence[str | None]:
    """Returns the cells of a training step: time, rate, operations and memory."""
    _, rate, _, multiply_adds, gflops, _, _, _, memory = table_row(row)
    return f"{row.milliseconds:,.1f}", rate, multiply_adds, gflops, memory


def _percent(share: float) -> str:
    """Returns a share in percent.

    >>> _percent(0.1234), _percent(0.0123)
    ('12', '1.2')
    """
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


_LEGEND = """\
best/s, med/s: images (or filters) per second, fastest and median round. madd,
bytes: multiply-adds and least memory traffic of one of them; a training step
counts as three forward passes. GF/s: 10^9 operations per second, two per
multiply-add. %mm, %copy: share of this machine's matrix product and of its
copy. MB: peak growth of the memory in use."""
