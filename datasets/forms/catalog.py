"""The forms of labeled images, in the order in which they are tried.

To add one, write a module with a `FORM`, and add it to `FORMS`.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from glimpse.datasets.forms import built, class_folders, csv, hdf5, idx, mat, npy, npz, objects
from glimpse.datasets.forms.archives import ARCHIVES, is_archive, open_archive
from glimpse.datasets.forms.found import Found
from glimpse.datasets.forms.given import Form, Given
from glimpse.datasets.forms.objects import OBJECTS
from glimpse.datasets.labels import listed
from glimpse.datasets.limits import check_pixels
from glimpse.datasets.picture_files import PICTURE_ENDINGS, is_hidden

__all__ = ["FORMS", "recognized"]

FORMS: tuple[Form, ...] = (
    built.FORM,
    idx.FORM,
    npy.FORM,
    class_folders.FORM,
    npz.FORM,
    hdf5.FORM,
    mat.FORM,
    csv.FORM,
    objects.FORM,
)
"""All forms."""

_CODE = "which can run code when it is read, so it is not read"
_OTHERS = (  # first bytes of files that are no form, and what they are
    (b"\x80\x02", f"a pickle of Python, {_CODE}"),
    (b"\x80\x03", f"a pickle of Python, {_CODE}"),
    (b"\x80\x04", f"a pickle of Python, {_CODE}"),
    (b"\x80\x05", f"a pickle of Python, {_CODE}"),
    (b"PAR1", "a Parquet file: give the frame of pandas.read_parquet from Python"),
    (b"7z\xbc\xaf", "a 7z archive: unpack it"),
    (b"Rar!", "a rar archive: unpack it"),
    (b"BZh", "compressed by bzip2: unpack it"),
    (b"\xfd7zXZ", "compressed by xz: unpack it"),
)
_MOST_NAMED = 6
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF")
_ABOUT = ("readme", "license", "licence")  # beginnings of the names of files that say something about the others


def recognized(given: Given) -> Found:
    """Returns the images in a source of the first form that takes it.

    An archive is unpacked into a temporary folder. In a folder of no form, the only file in a form or the only folder is opened.

    Args:
        given: What is to be recognized; a path may be a string, and relative.

    Raises:
        FileNotFoundError: If there is nothing at the path.
        TooLarge: If the chosen size has too many pixels.
        ValueError: If no form takes it, the form leaves a question open, or the images cannot be read.
    """
    if isinstance(given.source, str | Path):
        path = Path(given.source).expanduser().resolve()
        if not path.exists():
            raise FileNotFoundError(f"no file {path}")
        given = replace(given, source=path)
    if given.choice.size is not None:
        height, width = given.choice.size
        check_pixels(width, height, f"a picture brought to the size {height} x {width}")
    form = next((form for form in FORMS if form.takes(given)), None)
    if form is not None:
        return form.open(given)
    if is_archive(given):
        return open_archive(given, recognized)
    inside = _only_inside(given) if given.is_folder else None
    if inside is None:
        raise ValueError(_unrecognized(given))
    return recognized(inside)


def _only_inside(given: Given) -> Given | None:
    """Returns the only file in a folder that has a form, else the only folder in it; None if there are several, or other files."""
    entries = [replace(given, source=path) for path in _visible(given.source) if not path.name.lower().startswith(_ABOUT)]
    files = [entry for entry in entries if entry.is_file and any(form.takes(entry) for form in FORMS)]
    if len(files) == 1:
        return files[0]
    return entries[0] if len(entries) == 1 and entries[0].is_folder and not entries[0].source.is_symlink() else None


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_hidden(path.name))


def _unrecognized(given: Given) -> str:
    """Returns what was found in place of a form, and which forms there are."""
    forms = f"glimpse reads {', '.join(form.name for form in FORMS)}; and {ARCHIVES}"
    if given.is_folder:
        files = [path.name for path in _visible(given.source) if _is_form(replace(given, source=path))]
        remedy = f"give one of its files: {', '.join(files[:_MOST_NAMED])}" if files else forms
        return f"{given.path} holds no images in a form that is recognized; it holds {_content(given.source)}; {remedy}"
    if given.is_file:
        return f"{given.path} is {_kind(given)}; {forms}"
    return f"images cannot be read from {_object(given.source)}; from Python glimpse reads {OBJECTS}"


def _object(source: object) -> str:
    """Returns what an object of Python is: its type, and the keys of a dictionary."""
    kind = f"{type(source).__module__}.{type(source).__name__}"
    return f"{kind} with the keys {listed([str(key) for key in source])}" if isinstance(source, Mapping) else kind


def _is_form(given: Given) -> bool:
    """Returns whether a file has a form of its own, or is an archive."""
    return given.is_file and (any(form.takes(given) for form in FORMS) or is_archive(given))


def _content(folder: Path) -> str:
    """Returns what a folder holds, by the endings of its files."""
    visible = _visible(folder)
    folders = sum(path.is_dir() for path in visible)
    endings = Counter(path.suffix.lower() or "without an ending" for path in visible if not path.is_dir())
    files = [f"{count:,} {'file' if count == 1 else 'files'} {ending}" for ending, count in endings.most_common(5)]
    below = (path.suffix.lower() for path in folder.glob("*/*"))
    pictures = sum(count for ending, count in endings.items() if ending in PICTURE_ENDINGS) or any(
        ending in PICTURE_ENDINGS for ending in below
    )
    hint = " (pictures need a folder for each class, or a CSV of file and label)" if pictures else ""
    return (", ".join(files + ([f"{folders:,} {'folder' if folders == 1 else 'folders'}"] if folders else [])) or "nothing") + hint


def _kind(given: Given) -> str:
    """Returns what kind of file is given, by its first bytes."""
    head = given.head
    if not head:
        return "empty"
    if any(head.startswith(start) for start in _PICTURES):
        return "a single picture: classify it with glimpse predict, or give the folder of its class folders"
    if head.startswith(b"PK"):
        if b"data.pkl" in head:
            return f"a file of torch.save, {_CODE}"
        return "an empty or damaged zip archive"
    return next((what for start, what in _OTHERS if head.startswith(start)), "in no form that is recognized")
