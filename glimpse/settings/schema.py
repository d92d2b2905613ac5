"""Checks of values read from JSON against annotations, so that damage and foreign files are found before anything is used."""

import types
from collections.abc import Mapping
from typing import Any, Literal, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from glimpse.settings.base import Config, Range, bounds, from_mapping, shown

__all__ = ["check_value", "checked_fields"]

_LONGEST = 4096  # characters of a text, at least those of every path


def checked_fields(kind: type[Any], values: object, name: str) -> Mapping[str, Any]:
    """Returns a value that is an object with the fields of a `TypedDict`, each of its type and in its range.

    Args:
        kind: The `TypedDict`; its `NotRequired` fields may be missing.
        values: The value, as read from JSON.
        name: Name of the value, for the message.

    Raises:
        ValueError: If it is no object, a field is missing or unknown, or a value has the wrong type or is out of range.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"{name} must be an object, got {shown(values)}")
    hints = get_type_hints(kind, include_extras=True)
    missing = sorted(field for field in kind.__required_keys__ if field not in values)
    if missing:
        raise ValueError(f"{name} has no {', '.join(missing)}")
    unknown = [field for field in values if field not in hints]
    if unknown:
        raise ValueError(f"{name} has no field {shown(unknown[0])}; its fields are {', '.join(sorted(hints))}")
    for field, value in values.items():
        check_value(hints[field], value, f"{name}'s {field}")
    return values


def check_value(hint: Any, value: object, name: str) -> None:
    """Checks that a value read from JSON has the type and the range of an annotation.

    Args:
        hint: A plain type, `Any`, `Literal`, a union, `Annotated` with a `Range`, `list[T]`, `tuple[T, ...]`, `dict[str, T]`, or a
            `TypedDict` or a `Config`, whose fields may be missing.
        value: The value; an integer is accepted as a float, a list as a tuple.
        name: Name of the value, for the message.

    Raises:
        ValueError: If it has another type or is out of range.

    >>> check_value(int | None, True, "seed")
    Traceback (most recent call last):
    ValueError: seed must be of type int or null, got True
    """
    if hint is Any:
        return
    if is_typeddict(hint):
        checked_fields(hint, value, name)
        return
    plain, allowed = bounds(hint)
    if get_origin(plain) is NotRequired:
        check_value(get_args(plain)[0], value, name)
    elif get_origin(plain) in (Union, types.UnionType):
        _check_union(get_args(plain), value, name)
    elif get_origin(plain) in (list, tuple, dict):
        _check_container(plain, value, name)
    elif get_origin(plain) is Literal:
        if not isinstance(value, str) or value not in get_args(plain):
            raise ValueError(f"{name} must be one of {', '.join(get_args(plain))}, got {shown(value)}")
    elif isinstance(plain, type) and issubclass(plain, Config):
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} must be an object, got {shown(value)}")
        from_mapping(plain, value)
    else:
        _check_plain(plain, allowed, value, name)


def _check_union(choices: tuple[Any, ...], value: object, name: str) -> None:
    """Raises ValueError unless a value fits one of the choices."""
    if value is None and type(None) in choices:
        return
    others = [choice for choice in choices if choice is not type(None)]
    if len(others) == 1 and value is not None and get_origin(bounds(others[0])[0]) is not None:
        check_value(others[0], value, name)  # its message tells more than the list of choices
        return
    for choice in others:
        try:
            check_value(choice, value, name)
        except ValueError:
            continue
        return
    raise ValueError(f"{name} must be of type {' or '.join(map(_named, choices))}, got {shown(value)}")


def _check_container(hint: Any, value: object, name: str) -> None:
    """Raises ValueError unless a value is a list or object with items of the annotation's types."""
    kind, items = get_origin(hint), get_args(hint)
    if kind is dict:
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} must be an object, got {shown(value)}")
        for key, item in value.items():
            check_value(items[1], item, f"{name}'s {shown(key)}")
        return
    if not isinstance(value, list | tuple) or (kind is tuple and len(value) != len(items)):
        many = f" of {len(items)}" if kind is tuple else ""
        raise ValueError(f"{name} must be a list{many}, got {shown(value)}")
    for i, item in enumerate(value):
        check_value(items[i if kind is tuple else 0], item, f"{name}'s item {i}")


def _check_plain(kind: type, allowed: Range, value: object, name: str) -> None:
    """Raises ValueError unless a value has a plain type, and a number is in its range."""
    fits = isinstance(value, (int, float) if kind is float else kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{name} must be of type {_named(kind)}, got {shown(value)}")
    if isinstance(value, int | float) and kind in (int, float):
        allowed.check(name, value)
    if isinstance(value, str) and len(value) > _LONGEST:
        raise ValueError(f"{name} must have at most {_LONGEST} characters, got {len(value)}")


def _named(hint: Any) -> str:
    """Returns an annotation in a word."""
    return "null" if hint is type(None) else getattr(bounds(hint)[0], "__name__", str(hint))
