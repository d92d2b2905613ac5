"""Requests from flat options by name, and the names under which the command line has them."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar, get_args, get_type_hints

__all__ = ["chosen", "flag", "from_options"]

Q = TypeVar("Q")


def from_options(kind: type[Q], options: Mapping[str, Any], settings: Iterable[str] = ()) -> Q:
    """Returns a request built from options by name; an option that is None keeps its default.

    Args:
        kind: Class of the request. Fields that are dataclasses themselves are built from the same mapping.
        options: Values by name.
        settings: Names of the options that are collected in the request's field `settings`.

    Raises:
        TypeError: If the request has no option of a given name, or an option without a default is missing.

    >>> from glimpse.settings.requests import EvaluationRequest
    >>> from_options(EvaluationRequest, {"model": "runs/search-8", "canvas": 60}).images.clutter
    ClutterChoice(canvas=60, pieces=None, piece_size=None, border=None)
    """
    left = {name: value for name, value in options.items() if value is not None}
    request = _built(kind, left, frozenset(settings))
    if left:
        name, known = next(iter(left)), [*_names(kind, settings)]
        alike = difflib.get_close_matches(name, known, n=3)
        hint = f"did you mean {' or '.join(alike)}?" if alike else f"there are {', '.join(known)}"
        raise TypeError(f"unexpected option {name!r}: {hint}")
    return request


def chosen(request: object) -> dict[str, Any]:
    """Returns the fields of a request that are not None, by name.

    >>> from glimpse.settings.requests import ClutterChoice
    >>> chosen(ClutterChoice(canvas=60))
    {'canvas': 60}
    """
    values = {each.name: getattr(request, each.name) for each in fields(request)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if value is not None}


def flag(name: str) -> str:
    """Returns the command-line option for a name.

    >>> flag("piece_size")
    '--piece-size'
    """
    return f"--{name.replace('_', '-')}"


def _built(kind: type[Q], left: dict[str, Any], settings: frozenset[str]) -> Q:
    """Returns a request, and removes the options that it was built from."""
    hints, values = get_type_hints(kind), dict[str, Any]()
    for each in fields(kind):  # type: ignore[arg-type]
        if each.name == "settings":
            values["settings"] = MappingProxyType({name: left.pop(name) for name in list(left) if name in settings})
        elif is_dataclass(hints[each.name]):
            values[each.name] = _built(hints[each.name], left, settings)
        elif each.name in left:
            values[each.name] = _converted(left.pop(each.name), hints[each.name])
    return kind(**values)


def _converted(value: Any, hint: Any) -> Any:
    """Returns a value, its strings converted to paths if the field holds paths."""
    if hint == tuple[Path, ...]:
        return tuple(map(Path, [value] if isinstance(value, str | Path) else value))
    return Path(value) if isinstance(value, str) and Path in (hint, *get_args(hint)) else value


def _names(kind: type[Any], settings: Iterable[str]) -> Iterator[str]:
    """Yields the names of all options of a request."""
    hints = get_type_hints(kind)
    for each in fields(kind):
        if each.name == "settings":
            yield from settings
        elif is_dataclass(hints[each.name]):
            yield from _names(hints[each.name], settings)
        else:
            yield each.name
