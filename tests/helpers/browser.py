"""A real browser, skipped without Chromium, and what it measures."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:  # imported where a browser starts: all tests import this module
    from playwright.sync_api import Browser, Page

__all__ = ["browser", "contrasts", "opener"]

_CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (;; e = e.parentElement) { const color = rgb(getComputedStyle(e).backgroundColor); if (color[3] !== 0) return color; }
  };
  const texts = [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest("svg, option") &&
    [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()));
  return texts.map((e) => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), `${e.tagName} ${e.className} ${e.textContent.slice(0, 20)}`];
  });
}"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Returns Chromium, started once; skips the test if there is none."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def contrasts() -> str:
    """Returns the script that measures the contrast of every text of a page with what is behind it."""
    return _CONTRAST


@contextmanager
def opener(browser: Browser, *allowed: str) -> Iterator[Callable[..., Page]]:
    """Context with a function that opens an address; asserts at the end that there was no error and no request elsewhere.

    Args:
        browser: The browser.
        allowed: How the addresses that may be requested start.
    """
    contexts, problems, requests = [], [], []

    def open_page(address: str, width: int = 1280, height: int = 900, **options: Any) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **{"reduced_motion": "reduce", **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == [], problems
    elsewhere = [url for url in requests if not url.startswith((*allowed, "data:", "blob:"))]
    assert elsewhere == [], elsewhere
