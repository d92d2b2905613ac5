"""Tables as Parquet and as NumPy's archives, both with checksums of what they hold."""

import contextlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from glimpse.trajectories.arrow import array_of, columns_of
from glimpse.trajectories.table import COLUMNS, Table
from glimpse.trajectories.text_files import Unmarked

__all__ = ["npz_sink", "parquet_sink", "read_npz", "read_parquet"]


@contextlib.contextmanager
def parquet_sink(file: BinaryIO, folder: Path) -> Iterator[Callable[[Table], None]]:
    """Context with a function that appends a table to a Parquet file, as one group of rows."""
    with contextlib.ExitStack() as stack:
        writer: Any = None

        def write(table: Table) -> None:
            nonlocal writer
            present = [c for c in COLUMNS if c.name in table.columns]
            arrays = [array_of(c, table[c.name]) for c in present]
            rows = pa.table(arrays, pa.schema([(c.name, a.type) for c, a in zip(present, arrays, strict=True)]))
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(file, rows.schema, write_page_checksum=True))
            writer.write_table(rows)

        yield write


def read_parquet(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Returns the columns of a Parquet file, its pages checked.

    Raises:
        Unmarked: If another program has written it.
    """
    opened = pq.ParquetFile(file, page_checksum_verification=True)
    creator = str(opened.metadata.created_by)  # empty, or hardly ASCII, if it is damaged
    is_other = creator.isascii() and creator != "" and not creator.startswith("parquet-cpp-arrow")
    if is_other or b"pandas" in (opened.schema_arrow.metadata or {}):
        raise Unmarked("it was saved again by another program")
    return columns_of(opened.read(use_threads=False))


@contextlib.contextmanager
def npz_sink(file: BinaryIO, folder: Path) -> Iterator[Callable[[Table], None]]:
    """Context with a function that appends a table to an archive of arrays.

    An array's length stands before it, so the columns wait in nameless files beside the archive until all rows are there.
    """
    waiting: dict[str, Any] = {}
    headers: dict[str, dict[str, Any]] = {}
    rows = 0
    with contextlib.ExitStack() as stack:

        def write(table: Table) -> None:
            nonlocal rows
            rows += len(table)
            for name, values in table.columns.items():
                if name not in waiting:
                    headers[name] = np.lib.format.header_data_from_array_1_0(np.ascontiguousarray(values[:0]))
                    waiting[name] = stack.enter_context(tempfile.TemporaryFile(dir=folder))
                waiting[name].write(values.tobytes())

        yield write
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, column in waiting.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    header = headers[name] | {"shape": (rows, *headers[name]["shape"][1:])}
                    np.lib.format.write_array_header_1_0(member, header)
                    column.seek(0)
                    shutil.copyfileobj(column, member, 1 << 20)


def read_npz(file: BinaryIO) -> dict[str, NDArray[Any]]:
    """Returns the columns of an archive of arrays, their checksums checked before anything is made of them.

    Raises:
        ValueError: If a part has a comment: a damaged length in its directory makes one of the parts that follow.
    """
    with zipfile.ZipFile(file) as archive:
        if commented := [part.filename for part in archive.infolist() if part.comment]:
            raise ValueError(f"the directory of its parts is damaged behind {commented[0]}")
        return {
            name.removesuffix(".npy"): np.load(io.BytesIO(archive.read(name)), allow_pickle=False) for name in archive.namelist()
        }
