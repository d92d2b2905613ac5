"""Errors of damaged files as one line with the file.

Decoders raise many types of errors on damage, those of tokenize, struct, zipfile, zlib and of parsers among them. A reader decodes
within `as_one_line(path, " is no IDX file", "; get it again")`.
"""

import contextlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

from glimpse.datasets.limits import TooLarge

__all__ = ["as_one_line", "members_of_zip", "one_line"]

_MEMBER = b"PK\x01\x02"  # begins the entry of a file in the directory of a zip archive

_LONGEST = 500  # characters


@contextlib.contextmanager
def as_one_line(path: Path, what: str, remedy: str = "") -> Iterator[None]:
    """Context in which every error, except one of the file system, becomes a `ValueError` of one line.

    Args:
        path: The file.
        what: What it is not, with the space or colon after the path; the reason follows in parentheses.
        remedy: What to do about it, the end of the message.

    Raises:
        OSError: If the file cannot be opened; the error has its name.
        TooLarge: If a limit is exceeded; the file is put in front.
        ValueError: For all other errors.
    """
    try:
        yield
    except TooLarge as error:
        raise TooLarge(f"{path}: {error}") from error
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise
        raise ValueError(f"{path}{what} ({one_line(error)}){remedy}") from error


def one_line(error: BaseException) -> str:
    r"""Returns the message of an error as one line, shortened if it is long; its type if it has none.

    >>> one_line(ValueError("two\n  lines")), one_line(EOFError())
    ('two lines', 'EOFError')
    """
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def members_of_zip(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Returns the entries in the directory of a zip archive, which has no checksum.

    Raises:
        ValueError: If an entry's comment contains other entries, as after damage to its length: their files would be missing.
    """
    members = archive.infolist()
    for member in members:
        if _MEMBER in member.comment:
            raise ValueError(f"its directory is damaged after {member.filename!r}")
    return members
