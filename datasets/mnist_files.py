"""The files of a set in MNIST's format, wherever they were put: in torchvision's layout, flat, packed by gzip, with dotted names.

FOLDER/MNIST/raw/train-images-idx3-ubyte        torchvision's layout
FOLDER/MNIST/train-images-idx3-ubyte.gz         FOLDER is the one that is searched
FOLDER/raw/train-images.idx3-ubyte              FOLDER is the set's own, as given to --data-dir
FOLDER/train-images-idx3-ubyte                  flat

The name of the set's folder is found in any spelling: `FashionMNIST`, `fashion-mnist`, `fashion_mnist`.
"""

import gzip
import hashlib
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from glimpse.datasets.forms.idx import idx_name

__all__ = ["Names", "files_of", "md5_of_content", "traces_of", "wanted_layout"]

_KINDS = ("images", "labels")
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz")
_OTHERS = (".npz", ".csv", ".mat", ".parquet", ".pkl")  # files of a set in other forms


class Names(NamedTuple):
    """Names of the files of a set.

    Attributes:
        folder: Name of the set's folder.
        prefixes: Prefixes of the names of the training and of the test files.
        archive: Name of an archive of all files; None if there is none.
        labels_md5: MD5 of the training labels of other sets whose files have the same names.
        others: Names of the folders of those sets.
    """

    folder: str
    prefixes: tuple[str, str]
    archive: str | None
    labels_md5: frozenset[str]
    others: frozenset[str] = frozenset()


def files_of(names: Names, place: Path) -> dict[tuple[str, str], Path] | None:
    """Returns the files of a set in a folder that is searched, by prefix and by `images` or `labels`; None if not all are there.

    In a folder without the set's name, files that are those of another set with the same names are passed over.

    Args:
        names: Names of the files.
        place: Folder that is searched.
    """
    wanted = {(prefix, kind) for prefix in names.prefixes for kind in _KINDS}
    for folder, has_name in _folders(names, place):
        found = _files_in(folder, names.prefixes)
        if found.keys() == wanted and (has_name or not _is_another(names, found)):
            return found
    return None


def traces_of(names: Names, place: Path) -> list[Path]:
    """Returns files of a set that is not complete, is packed in an archive, or has another form; empty if there are none."""
    for folder, has_name in _folders(names, place):
        found = _files_in(folder, names.prefixes)
        if found and (has_name or not _is_another(names, found)):
            return sorted(found.values())
        packed = [path for path in _listed(folder) if _is_archive(path) and (has_name or _is_archive_of(names, path))]
        others = [path for path in _listed(folder) if path.suffix.lower() in _OTHERS and _is_named(path.name, names.folder)]
        if packed or others:
            return sorted(packed + others)
    return []


def wanted_layout(names: Names) -> str:
    """Returns the names of the files of a set, for messages."""
    files = [f"{prefix}-{kind}-idx{3 if kind == 'images' else 1}-ubyte" for prefix in names.prefixes for kind in _KINDS]
    return f"{names.folder}/raw with {', '.join(files)}, each possibly with .gz"


def md5_of_content(path: Path) -> str:
    """Returns the MD5 of a file's content, unpacked if the name ends in `.gz`.

    Raises:
        OSError: If the file cannot be read.
        EOFError: If it is cut off.
    """
    content = hashlib.md5(usedforsecurity=False)
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while block := file.read(1 << 20):
            content.update(block)
    return content.hexdigest()


def _folders(names: Names, place: Path) -> Iterator[tuple[Path, bool]]:
    """Yields the folders that may hold a set, and whether their path has the set's name."""
    named = sorted(path for path in _listed(place) if _plain(path.name) == _plain(names.folder) and path.is_dir())
    for own in named:
        for folder in (own / "raw", own, own / "gzip"):
            yield folder, True
    for folder in (place / "raw", place, place / "gzip"):
        yield folder, _plain(names.folder) in (_plain(place.name), _plain(place.parent.name))


def _files_in(folder: Path, prefixes: Sequence[str]) -> dict[tuple[str, str], Path]:
    """Returns the files with these prefixes in a folder; of packed and unpacked ones, the unpacked."""
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(_listed(folder), key=lambda path: (path.suffix == ".gz", path.name)):
        name = idx_name(path.name)
        if name is not None and name.prefix in prefixes and path.is_file():
            found.setdefault((name.prefix, name.holds), path)
    return found


def _is_another(names: Names, found: Mapping[tuple[str, str], Path]) -> bool:
    """Returns whether the training labels are those of another set."""
    labels = found.get((names.prefixes[0], "labels"))
    if labels is None or not names.labels_md5:
        return False
    try:
        return md5_of_content(labels) in names.labels_md5
    except (OSError, EOFError):
        return False


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() in _ARCHIVES and idx_name(path.name) is None and path.is_file()


def _is_archive_of(names: Names, path: Path) -> bool:
    """Returns whether an archive is that of a set, by its name or by the names of the files in it."""
    if path.name == names.archive or _is_named(path.name, names.folder):
        return True
    if any(_is_named(path.name, other) for other in names.others):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [idx_name(name.rsplit("/", 1)[-1]) for name in archive.namelist()]
    except (zipfile.BadZipFile, OSError, NotImplementedError):
        return False
    return {*names.prefixes} <= {name.prefix for name in inside if name is not None}


def _is_named(name: str, folder: str) -> bool:
    """Returns whether a file's name begins with that of a set's folder, in any spelling."""
    return _plain(name).startswith(_plain(folder))


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _listed(folder: Path) -> list[Path]:
    try:
        return [*folder.iterdir()]
    except OSError:
        return []
