"""Text that is safe to print on a terminal: names of files and metadata may hold characters that control it."""

__all__ = ["printable"]


def printable(text: str, keep: str = "") -> str:
    r"""Returns a text with control characters, line breaks and other characters that do not print written as escapes.

    Args:
        text: The text.
        keep: Characters that are not escaped.

    >>> printable("run\x1b[2J\n")
    'run\\x1b[2J\\n'
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else ascii(each)[1:-1] for each in text)
