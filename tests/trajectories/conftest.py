"""Trajectories, and a real browser that opens their page; skipped without Chromium."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page

from glimpse.trajectories.page.page import write_page
from glimpse.trajectories.views import UNKNOWN, Trajectories
from tests.helpers.browser import opener

Maker = Callable[..., Trajectories]
Opener = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Returns a function that opens a page of trajectories, and asserts afterwards that there was no error and no other request."""
    path = tmp_path / "page.html"
    with opener(browser, path.as_uri()) as opened:

        def open_page(part: Trajectories, fragment: str = "", width: int = 1300, **options: Any) -> Page:
            write_page([part], path, title="A model & its windows")
            return opened(path.as_uri() + fragment, width, **options)

        yield open_page


@pytest.fixture
def part(make_trajectories: Maker) -> Trajectories:
    """Returns trajectories of 12 images, index 100 to 111, of which 100 to 105 are classified correctly at the end."""
    part = make_trajectories(12, 4, first=100)
    assert part.predictions is not None
    last = part.predictions[:, -1]
    return replace(part, labels=torch.where(torch.arange(12) < 6, last, (last + 1) % 10))


@pytest.fixture
def generated(make_trajectories: Maker) -> Trajectories:
    """Returns trajectories of a generator, which reads and writes and has no classes."""
    part = make_trajectories(4, 5, n=2, channels=3)
    read, write = part.tracks[0], make_trajectories(4, 5, n=5, channels=3, blur=False, first=7).tracks[0]
    return replace(
        part,
        tracks=(read._replace(kind="read"), write._replace(kind="write")),
        labels=torch.full((4,), UNKNOWN),
        digits=torch.full((4, 2), torch.nan),
        probabilities=None,
    )


@pytest.fixture
def drawing(generated: Trajectories) -> Trajectories:
    """Returns trajectories of a generator with canvases, all of whose pixels are red of level t / 5 after step t."""
    read, write = generated.tracks
    canvases = torch.zeros(4, 5, 3, 20, 30)
    canvases[:, :, 0] = (torch.arange(1, 6) / 5)[:, None, None]
    return replace(generated, tracks=(read, write._replace(canvases=canvases)))
