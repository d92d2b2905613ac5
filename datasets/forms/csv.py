"""Tables in text: CSV and TSV of files and labels, or of labels and pixels such as Kaggle's digits; possibly compressed by gzip."""

import codecs
import csv
import gzip
import io
from itertools import pairwise
from pathlib import Path

import numpy as np

from glimpse.datasets.damage import as_one_line
from glimpse.datasets.forms.arrays import keys_of
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.picture_files import digest_of_files
from glimpse.datasets.forms.tables import Table, images_in
from glimpse.datasets.limits import check_bytes
from glimpse.datasets.picture_files import PICTURE_ENDINGS
from glimpse.digest import sha256_of_bytes, sha256_of_file
from glimpse.settings.requests import FormChoice

__all__ = ["FORM"]

_BLOCK = 1 << 22
_DELIMITERS = ",;\t|"
_FEW = 32  # columns up to which all are read as text, so that 007 stays 007
_LONGEST_ROWS = 1 << 22  # bytes in which the first two rows are
_GZIP = b"\x1f\x8b"


def _takes(given: Given) -> bool:
    if not given.is_file or not given.head:
        return False
    head = _in_utf8(given.head)
    if b"\0" in head:
        return False
    rows = _first_rows(head)
    return (len(rows) > 1 and len(rows[0]) > 1) or (len(rows) == 1 and len(rows[0]) > _FEW)


def _open(given: Given) -> Found:
    """Returns the images that a table names or holds.

    Raises:
        Undecided: If it cannot be decided which columns hold the images or the labels.
        ValueError: If the table cannot be read, pictures are missing, or pixels have a wrong number or range.
    """
    table = _read(given)
    found = images_in(table, given)
    digest, choice = sha256_of_file(given.source), keys_of(given)
    if found.files:
        digest = sha256_of_bytes(f"{digest}\0{digest_of_files(table.root, found.files)}".encode())
        choice = FormChoice(given.choice.size, given.choice.fit, choice.images_key, choice.labels_key)
    return Found("CSV", str(given.path), digest, found.parts, choice=choice, notes=found.notes)


FORM = Form("a CSV of files and labels, or of labels and pixels", _takes, _open)


def _read(given: Given) -> Table:
    """Returns the columns of a table; those of a wide one are numbers, those of a narrow one text."""
    from pyarrow import csv as arrow
    from pyarrow import string

    path: Path = given.source
    with as_one_line(path, " is no table that can be read"):
        content = _content(path)
    head = content[:_LONGEST_ROWS]
    rows = _first_rows(head)
    has_header = not _is_data(rows[0])
    names = _unique(rows[0]) if has_header else [str(number) for number in range(1, len(rows[0]) + 1)]
    with as_one_line(path, " is no table that can be read"):
        table = arrow.read_csv(
            io.BytesIO(content),
            read_options=arrow.ReadOptions(column_names=names, skip_rows=int(has_header), use_threads=False),
            parse_options=arrow.ParseOptions(delimiter=_delimiter(head)),
            convert_options=arrow.ConvertOptions(column_types=dict.fromkeys(names, string()) if len(names) <= _FEW else None),
        )
        columns = {name: _numbers(table[name].to_numpy()) for name in names}
    if not table.num_rows:
        raise ValueError(f"{path} has no rows")
    return Table(str(path), columns, path.parent, has_header)


def _numbers(values: "np.ndarray[tuple[int], np.dtype[np.object_]]") -> "np.ndarray[tuple[int], np.dtype[np.generic]]":
    """Returns a column of text as numpy's strings, other columns as they are."""
    return values.astype(np.str_) if values.dtype.kind == "O" and all(isinstance(value, str) for value in values) else values


def _content(path: Path) -> bytes:
    """Returns a text, unpacked if it is compressed; its size is checked on the way."""
    blocks, size = [], 0
    with path.open("rb") as plain:
        is_packed = plain.read(2) == _GZIP
    with gzip.open(path) if is_packed else path.open("rb") as file:
        while block := file.read(_BLOCK):
            size = check_bytes(size + len(block), "it")
            blocks.append(block)
    content = _in_utf8(b"".join(blocks)).removeprefix(b"\xef\xbb\xbf")
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1").encode()
    return content


def _in_utf8(content: bytes) -> bytes:
    """Returns a text in UTF-16, as Excel exports it, in UTF-8; any other as it is."""
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16", errors="ignore").encode() if is_utf16 else content


def _first_rows(head: bytes) -> list[list[str]]:
    """Returns the first rows in the beginning of a text, at most two."""
    text = head.decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text), delimiter=_delimiter(head))
    try:
        return [row for _, row in zip(range(2), rows, strict=False)]
    except csv.Error:
        return []


def _delimiter(head: bytes) -> str:
    line = head.decode("utf-8-sig", errors="replace").split("\n", 1)[0]
    return max(_DELIMITERS, key=line.count)


def _is_data(row: list[str]) -> bool:
    """Returns whether the first row is no header: at least half of it is numbers that do not count columns, or one is a picture."""
    numbers = [float(field) for field in row if _is_number(field)]
    counts_columns = len(numbers) > 2 and all(after - before == 1 for before, after in pairwise(numbers))
    is_pixels = 2 * len(numbers) >= len(row) and not counts_columns
    return is_pixels or any(Path(field).suffix.lower() in PICTURE_ENDINGS for field in row)


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _unique(names: list[str]) -> list[str]:
    """Returns column names without spaces around them; a name that comes again gets its number."""
    plain = [name.strip() for name in names]
    return [name if plain.index(name) == place else f"{name}.{place + 1}" for place, name in enumerate(plain)]
