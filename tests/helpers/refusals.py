"""Refusals of damaged files."""

from collections.abc import Callable

__all__ = ["refusal"]


def refusal(call: Callable[[], object]) -> str | None:
    """Returns the message of the error that the command line shows as one line; None if there is none.

    Any other error is raised, as is one whose message has several lines.
    """
    try:
        call()
    except (ValueError, OSError) as error:
        message = str(error)
        if not message or not message.isprintable():
            raise AssertionError(f"no line to show: {message!r}") from error
        return message
    return None
