"""The rule that divides images without parts; torch is not imported."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

__all__ = ["SplitKind", "SplitRule"]

SplitKind = Literal["stratified", "legacy"]
"""How images are divided: by class, or without regard to classes as in runs that were started with an earlier version."""


class SplitRule(NamedTuple):
    """Rule that divides images without parts.

    Attributes:
        kind: `stratified`, or `legacy` for the rule of runs whose record names none.
        seed: Random seed, 0 to 2^64 - 1.
    """

    kind: SplitKind = "stratified"
    seed: int = 0

    def record(self) -> dict[str, object]:
        """Returns the rule, for a run's `config.json`."""
        return {"split": self.kind, "seed": self.seed}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "SplitRule":
        """Returns the rule in a run's record or a model's description of its data; `legacy` if it names none."""
        return cls(record.get("split") or "legacy", record.get("seed") or 0)
