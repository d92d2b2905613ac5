"""A pickle that runs code when it is loaded."""

from typing import Any


class Bomb:
    """An object whose pickle writes a file `exploded` to the current folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import pathlib; pathlib.Path('exploded').write_text('')",)
