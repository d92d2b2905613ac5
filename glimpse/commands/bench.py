"""What `glimpse bench` shows."""

from collections.abc import Sequence

from glimpse.benchmarking.calls import benchmark_request
from glimpse.benchmarking.rows import BenchResult, BenchRow
from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.settings.requests import BenchRequest

__all__ = ["bench", "table_row"]

_COLUMNS = ("case", "best/s", "med/s", "madd", "GF/s", "%mm", "bytes", "%copy", "MB")


def bench(request: BenchRequest, *, as_json: bool) -> None:
    """Measures how fast the package is on this machine and prints it."""
    found = benchmark_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
    else:
        _show(found)


def table_row(row: BenchRow) -> tuple[str, ...]:
    """Returns a row of the table, which fits 80 columns with its frame; what does not apply is `-`."""
    multiplies = row.multiply_adds > 0
    return (
        row.case,
        _short(row.best).rjust(6),
        _short(row.median).rjust(5),
        _short(row.multiply_adds).rjust(5) if multiplies else "-".rjust(5),
        _short(row.gflops).rjust(5) if multiplies else "-".rjust(5),
        _percent(row.product_share) if multiplies else "-",
        _short(row.bytes).rjust(5),
        "-" if row.copy_share is None else _percent(row.copy_share),
        "-" if row.memory is None else f"{row.memory / 1e6:.0f}",
    )


def _show(found: BenchResult) -> None:
    """Prints the machine's rates, the table, how steps grow, and what the columns mean."""
    machine = found.machine
    where = f"{found.device}, threads: {found.threads}"
    facts = [
        ("product of 1,024 in float32", f"{machine.float32_gflops:,.1f} GFLOP/s"),
        ("product of 1,024 in bfloat16", f"{machine.bfloat16_gflops:,.1f} GFLOP/s"),
        ("copy, read and written", f"{machine.copy_gb:,.1f} GB/s"),
    ]
    console.print_rows(("this machine", where), facts)
    console.print_rows(_COLUMNS, [table_row(row) for row in found.rows])
    if found.growth:
        rows = [(each.part, each.setting, f"{each.value}", *_step(each.row)) for each in found.growth]
        columns = ("step of", "with", "of", "ms", "images/s", "madd", "GF/s", "MB")
        console.print_rows(columns, rows)
    console.note(_LEGEND)


def _step(row: BenchRow) -> Sequence[str]:
    """Returns a training step's time, rate, operations and memory."""
    _, rate, _, multiply_adds, gflops, _, _, _, memory = table_row(row)
    return f"{row.milliseconds:,.1f}", rate.rjust(8), multiply_adds, gflops, memory


def _percent(share: float) -> str:
    """Returns a share in percent.

    >>> _percent(0.1234), _percent(0.0123)
    ('12', '1.2')
    """
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


def _short(number: float) -> str:
    """Returns a number with three digits and k, M or G for thousands, millions or billions.

    >>> _short(43.21), _short(999), _short(64_926), _short(2_217_301), _short(999_999)
    ('43.2', '999', '64.9k', '2.22M', '1M')
    """
    for letter in ("", "k", "M"):
        text = f"{number:.3g}"
        if float(text) < 1000:
            return f"{text}{letter}"
        number /= 1000
    return f"{number:.3g}G"


_LEGEND = """\
best/s, med/s: images (or filters) a second, best and median round. madd, bytes:
multiply-adds and least traffic of one of them; a training step counts three
forward passes. GF/s: 10^9 operations a second, two a multiply-add. %mm, %copy:
share of this machine's product of matrices, of its copy. MB: growth of memory."""
