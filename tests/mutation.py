"""Mutation testing of the core: small breaks of its modules, each of which a test must notice.

    python -m tests.mutation --most 15 --seed 0         at most 15 breaks of each module
    python -m tests.mutation --only latent --most 100

A break swaps an operator, moves a comparison or a number, or negates a condition. The tests of the module run in a process of their
own on a copy of the tree with the break. Survivors are printed with their line; the exit code is 1 if there is one.
"""

import argparse
import ast
import contextlib
import copy
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

_ROOT = Path(__file__).resolve().parent.parent
_SECONDS = 120  # of computation for the tests of one break; a longer run counts as noticed

TESTS = {
    "glimpse/attention/filterbank.py": ("attention/test_filterbank.py",),
    "glimpse/attention/window.py": ("attention/test_window.py", "attention/test_window_batches.py", "models/test_scales.py"),
    "glimpse/models/placing.py": ("models/test_placing.py",),
    "datasets/clutter.py": ("datasets/test_clutter.py",),
    "glimpse/models/latent.py": ("models/test_latent.py",),
    "glimpse/models/likelihood.py": ("models/test_likelihood.py",),
    "glimpse/models/lstm.py": ("models/test_lstm.py",),
    "glimpse/training/engine.py": ("training/test_engine.py", "training/test_engine_steps.py", "training/test_engine_failures.py"),
    "glimpse/training/folder.py": ("training/test_loop.py", "training/test_resume.py", "training/test_record.py"),
    "glimpse/training/checkpoint.py": ("training/test_restoring.py", "training/test_loop.py"),
    "glimpse/training/restoring.py": ("training/test_restoring.py",),
}
"""Modules of the core, and the tests of each of them, in the folder of tests."""

_SKIPPED = "not statistics and not workers and not pinned and not loader"  # slow tests whose promises quick ones hold, too

_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


class Break(NamedTuple):
    """A break of a module.

    Attributes:
        line: Line in the module.
        change: The expression before and after.
        source: The module with the break.
    """

    line: int
    change: str
    source: str


def breaks(source: str) -> Iterator[Break]:
    """Yields every break of a module."""
    tree = ast.parse(source)
    for number, node in enumerate(ast.walk(tree)):
        broken = copy.deepcopy(tree)
        target: Any = next(each for index, each in enumerate(ast.walk(broken)) if index == number)
        if _changed(target):
            yield Break(target.lineno, f"{ast.unparse(node)} -> {ast.unparse(target)}", ast.unparse(broken))


def _changed(node: Any) -> bool:
    """Breaks a node in place, and returns whether it is of a kind that is broken."""
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in _OPERATORS:
        node.op = _OPERATORS[type(node.op)]()
    elif isinstance(node, ast.Compare) and type(node.ops[0]) in _OPERATORS:
        node.ops[0] = _OPERATORS[type(node.ops[0])]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        node.op = ast.UAdd()
    elif isinstance(node, ast.If | ast.IfExp):
        node.test = ast.UnaryOp(ast.Not(), node.test)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        node.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        node.value += 1
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        node.value = 2 * node.value + 1e-3
    else:
        return False
    return True


def survives(tree: Path, module: str, source: str) -> bool:
    """Returns whether the tests of a module pass with another source."""
    path = tree / module
    intact = path.read_text(encoding="utf-8")
    path.write_text(source, encoding="utf-8")
    try:
        child = os.fork()
        if child == 0:
            _run(tree, [str(tree / "tests" / name) for name in TESTS[module]])
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        path.write_text(intact, encoding="utf-8")


def _run(tree: Path, tests: list[str]) -> None:
    """Runs tests in this process, and ends it with their exit code."""
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)  # ends the process, and does not count the time that others compute
    signal.alarm(20 * _SECONDS)
    os.chdir(tree)
    sys.path.insert(0, str(tree))
    sys.dont_write_bytecode = True
    with Path(os.devnull).open("w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
        code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", _SKIPPED, *tests])
    os._exit(int(code))


def main() -> int:
    """Breaks every module, prints one line of JSON for each, and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--most", type=int, default=15, help="breaks of each module, chosen at random")
    parser.add_argument("--only", default="", help="part of the names of the modules")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice")
    options = parser.parse_args()
    torch.set_num_threads(1)
    alive = False
    with tempfile.TemporaryDirectory(prefix="glimpse-mutation-") as place:
        tree = Path(place) / "tree"
        shutil.copytree(
            _ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(".git", "__pycache__", "reports", "runs", ".*cache")
        )
        for module in (name for name in TESTS if options.only in name):
            began, source = time.monotonic(), (tree / module).read_text(encoding="utf-8")
            if not survives(tree, module, source):
                raise SystemExit(f"{module}: its tests fail without a break")
            every = list(breaks(source))
            chosen = random.Random(options.seed).sample(every, min(options.most, len(every)))
            left = [f"line {each.line}: {each.change}" for each in chosen if survives(tree, module, each.source)]
            alive |= bool(left)
            facts = {"module": module, "breaks": len(every), "tried": len(chosen), "survivors": left}
            print(json.dumps(facts | {"seconds": round(time.monotonic() - began)}), flush=True)  # noqa: T201
    return int(alive)


if __name__ == "__main__":
    sys.exit(main())
