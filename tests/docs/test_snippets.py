"""The code in the documentation: it runs as it is written, and prints what its comments say."""

import re
from pathlib import Path

import pytest
import torch

DOCS = Path(__file__).parents[2] / "docs"


def blocks_of(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_first_lines_of_the_home_page_run() -> None:
    (block,) = blocks_of("index.md")
    names: dict[str, torch.Tensor] = {}
    exec(block, names)
    assert names["patch"].shape == (2, 1, 12, 12)
    assert names["canvas"].shape == (2, 1, 75, 100)


def test_a_glimpse_is_read_as_the_page_on_glimpses_says() -> None:
    names: dict[str, torch.Tensor] = {}
    exec(blocks_of("how-a-glimpse-works.md")[0], names)
    assert names["glimpse"].shape == (1, 1, 12, 12)


def test_a_distant_dot_pulls_a_gaussian_window_and_no_bilinear_one(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks_of("other-implementations.md")
    exec(block, {})
    said = re.findall(r"print\(.*?\)  # (tensor\(.*?\))", block)
    assert len(said) == 2
    assert capsys.readouterr().out.splitlines() == said
