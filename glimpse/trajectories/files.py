"""Files of trajectories: tables written chunk after chunk, and read back the same from every format."""

import contextlib
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from glimpse.atomic import atomic_file
from glimpse.listener import Listener
from glimpse.trajectories.binary_files import npz_sink, parquet_sink, read_npz, read_parquet
from glimpse.trajectories.resaved import read_resaved
from glimpse.trajectories.table import Table
from glimpse.trajectories.text_files import Unmarked, csv_sink, jsonl_sink, read_csv, read_jsonl

__all__ = ["DATA_FORMATS", "DataFormat", "Writer", "load", "open_writer"]

DataFormat = Literal["jsonl", "csv", "parquet", "npz"]

DATA_FORMATS: tuple[DataFormat, ...] = get_args(DataFormat)
"""By these names and endings."""

_SINKS = {"jsonl": jsonl_sink, "csv": csv_sink, "parquet": parquet_sink, "npz": npz_sink}
_READERS = {"jsonl": read_jsonl, "csv": read_csv, "parquet": read_parquet, "npz": read_npz}
_DAMAGE = (
    *(ValueError, LookupError, TypeError, OSError, EOFError, RuntimeError, MemoryError, OverflowError),
    *(pa.ArrowException, zipfile.BadZipFile, zlib.error, struct.error),
)
"""What readers raise at a file whose bytes are not as they were written."""


class Writer:
    """Takes tables, one after the other, to where they go; counts their rows."""

    def __init__(self, sink: Callable[[Table], None]) -> None:
        self.rows = 0
        self.last: Table | None = None
        self._sink = sink

    def write(self, table: Table) -> None:
        """Writes the next chunk.

        Raises:
            ValueError: If its classes, pixels, steps or windows are others than those of the chunks before, or some are missing.
            OSError: If the disk is full.
        """
        if not table.is_whole:
            raise ValueError("a table in which steps or windows are missing is not written")
        if self.last is not None and not table.continues(self.last):
            raise ValueError("these trajectories have other classes, pixels, steps or windows than those before them in the file")
        if self.last is None or len(table):
            self.last = table
        self._sink(table)
        self.rows += len(table)


@contextlib.contextmanager
def open_writer(path: str | Path, format: DataFormat | None = None) -> Iterator[Writer]:  # noqa: A002
    """Context with a writer of one file, which takes the path's place when the context ends well, and otherwise leaves nothing.

    Args:
        path: File to write; its folder is made.
        format: One of `DATA_FORMATS`; None to go by the path's ending.

    Raises:
        ValueError: At once if the format is unknown; in the end if nothing was written.
        OSError: At once if the file cannot be written, later if the disk is full.
    """
    path = Path(path)
    sink = _SINKS[_format(path, format)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file, sink(file, path.parent) as write:
        writer = Writer(write)
        yield writer
        if writer.last is None:
            raise ValueError(f"{path}: there are no trajectories to write")


def load(path: str | Path, format: DataFormat | None = None, *, listener: Listener | None = None) -> Table:  # noqa: A002
    """Returns the table that a file of any of the formats holds.

    A `.jsonl` or `.csv` that ends without the mark on its last line was saved again by another program, for example filtered with
    pandas, or was cut off between two lines: it is read with a warning that its completeness cannot be checked. So is a `.parquet`
    of another program. A digit that was changed in text is not noticed.

    Args:
        path: File to read.
        format: One of `DATA_FORMATS`; None to go by the path's ending.
        listener: Receives the warning.

    Raises:
        ValueError: If the file is damaged, cut off within a line, of another version or none of trajectories.
        OSError: If there is no such file, or it may not be read.
    """
    path = Path(path)
    kind = _format(path, format)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a .{kind} file of trajectories")
    with path.open("rb") as file:
        try:
            if not file.read(1):
                raise ValueError("it is empty")
            file.seek(0)
            try:
                return Table(_READERS[kind](file))
            except Unmarked as error:
                file.seek(0)
                table, notes = read_resaved(file, kind)
                reason = "; ".join([f"{path}: {error}, and whether it is complete cannot be checked", *notes])
                (listener or Listener()).warn(reason)
                return table
        except _DAMAGE as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ValueError(f"{path} is no whole .{kind} file of trajectories: {reason[:300]}") from error


def _format(path: Path, named: str | None) -> DataFormat:
    """Returns the format that was named, else the one of the path's ending."""
    kind = named or path.suffix.lower().removeprefix(".")
    for known in DATA_FORMATS:
        if kind == known:
            return known
    raise ValueError(f"{path}: choose an ending or a format among {', '.join(DATA_FORMATS)}, got {kind!r}")
