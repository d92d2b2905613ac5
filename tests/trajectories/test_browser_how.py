"""`How a glimpse works` in a real browser: its numbers are those of `glimpse.read` and `glimpse.write`; keys, phones, contrast."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Page, expect
from torch import Tensor

from glimpse.attention.window import Window, read, write
from glimpse.trajectories.how.how import write_how
from glimpse.trajectories.views import Trajectories
from tests.helpers.browser import opener

pytestmark = pytest.mark.slow

N = 5
Maker = Callable[..., Trajectories]
Opener = Callable[..., Page]


@pytest.fixture
def part(make_trajectories: Maker) -> Trajectories:
    """Returns trajectories of 3 gray images, wider than high, over 4 steps."""
    return make_trajectories(3, 4, n=N, first=7)


@pytest.fixture
def open_how(browser: Browser, part: Trajectories, tmp_path: Path) -> Iterator[Opener]:
    """Returns a function that opens the page, and asserts afterwards that there was no error and no other request."""
    path = tmp_path / "how.html"
    write_how(part, path)
    with opener(browser, path.as_uri()) as opened:
        yield lambda width=1300, **options: opened(path.as_uri(), width, **options)


def window_of(values: list[float]) -> Window:
    return Window(*(torch.tensor([value], dtype=torch.float64) for value in values))


def shown_numbers(page: Page) -> Tensor:
    """Returns the numbers of the glimpse as they are in the page, shape (N, N)."""
    values = page.get_by_role("gridcell").evaluate_all("cells => cells.map((cell) => Number(cell.dataset.value))")
    return torch.tensor(values, dtype=torch.float64).view(N, N)


def chosen_window(page: Page) -> list[float]:
    """Returns the window that the page shows, in full precision."""
    values: list[float] = page.evaluate("GlimpseHow.shown.state.window")
    return values


def test_the_numbers_of_every_window_of_the_model_are_those_of_read(open_how: Opener, part: Trajectories) -> None:
    page = open_how()
    for step in range(4):
        expect(page.get_by_role("status")).to_contain_text(f"Window {step + 1} of 4 of the model.")
        expected = read(part.images[:1], part.tracks[0].window.at(step).rows(slice(0, 1)), N)[0, 0]
        assert (shown_numbers(page) - expected).abs().max() < 1e-4
        if step < 3:
            page.get_by_role("button", name="Next window").click()
    expect(page.get_by_role("button", name="Next window")).to_be_disabled()


@pytest.mark.parametrize(
    "values",
    [
        [9.3, 12.9, 1.7, 0.4, 1.0],
        [-8.0, 40.0, 3.1, 2.5, 0.3],  # outside the picture
        [11.0, 7.0, 0.05, 0.02, 12.0],  # narrower than a pixel
        [3.2, 5.9, 9.0, 30.0, 1.5],
    ],
)
def test_numbers_and_writing_agree_with_the_library_at_any_window(
    open_how: Opener, part: Trajectories, values: list[float]
) -> None:
    page = open_how()
    for name, value in zip(("center x in px", "center y in px", "stride in px", "sigma in px", "intensity"), values, strict=True):
        page.get_by_role("spinbutton", name=name, exact=True).fill(str(value))
    assert chosen_window(page) == values
    image = part.images[:1].double()
    height, width = image.shape[2:]
    glimpse = read(image, window_of(values), N)
    assert (shown_numbers(page) - glimpse[0, 0]).abs().max() < 1e-4
    texts = page.get_by_role("gridcell").all_inner_texts()
    for text, value in zip(texts, glimpse.flatten().tolist(), strict=True):
        assert abs(float(text.replace("\u2212", "-")) - value) <= (0.0051 if value < 9.99 else 0.051)
    written = page.evaluate(
        "([patch, height, width, window, n]) => [...GlimpseHow.write(patch, height, width, window, n)]",
        [glimpse.flatten().tolist(), height, width, values, N],
    )
    expected = write(glimpse, window_of(values), height, width).flatten()
    np.testing.assert_allclose(written, expected.numpy(), atol=1e-4)


def test_the_five_numbers_shown_give_the_window_back(open_how: Opener, part: Trajectories) -> None:
    page = open_how()
    height, width = part.images.shape[2:]
    window = chosen_window(page)
    raw = page.evaluate(f"GlimpseHow.unconstrained({window}, {N}, {height}, {width})")
    again = Window.from_raw(torch.tensor([raw], dtype=torch.float64), n=N, height=height, width=width)
    np.testing.assert_allclose(again.as_tensor()[0].numpy(), window, rtol=1e-9)


def test_sliders_and_cells_work_by_keyboard(open_how: Opener) -> None:
    page = open_how()
    before = chosen_window(page)
    for k, name in enumerate(("center x", "center y", "stride", "sigma", "intensity")):
        page.get_by_role("slider", name=f"{name}, slider").focus()
        page.keyboard.press("ArrowRight")
        assert chosen_window(page)[k] > before[k]
    expect(page.get_by_role("status")).to_have_text("A window of your own: the model has not seen this glimpse.")
    page.get_by_role("button", name="Back to the model's window").click()
    assert chosen_window(page) == before
    page.locator("[role=gridcell][tabindex='0']").focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowRight"):
        page.keyboard.press(key)
    cell = page.locator("[role=gridcell][aria-selected=true]")
    expect(cell).to_be_focused()
    assert float(str(cell.get_attribute("data-value"))) == pytest.approx(float(shown_numbers(page)[0, 3]))
    expect(page.locator("[data-how=cell]")).to_contain_text("Row 0, column 3: ")


def test_a_click_moves_the_grid_to_the_pointer(open_how: Opener, part: Trajectories) -> None:
    page = open_how()
    box = page.locator("[data-how=frame]").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    height, width = part.images.shape[2:]
    assert chosen_window(page)[:2] == pytest.approx([width / 4 - 0.5, height / 2 - 0.5], abs=0.1)


def test_another_picture_is_shown_with_its_own_windows(open_how: Opener, part: Trajectories) -> None:
    page = open_how()
    page.get_by_role("combobox", name="Picture").select_option(index=2)
    expected = read(part.images[2:], part.tracks[0].window.at(0).rows(slice(2, 3)), N)[0, 0]
    assert (shown_numbers(page) - expected).abs().max() < 1e-4


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1300])
def test_nothing_is_cut_off_and_texts_can_be_read(open_how: Opener, contrasts: str, scheme: str, width: int) -> None:
    page = open_how(width=width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    measured = page.evaluate(contrasts)
    assert len(measured) > 50
    assert [text for contrast, text in measured if contrast < 4.5] == []


def test_forced_colors_keep_the_shades_of_the_numbers(open_how: Opener) -> None:
    shades = [
        open_how(forced_colors=forced)
        .get_by_role("gridcell")
        .evaluate_all("all => all.map((e) => getComputedStyle(e).backgroundColor)")
        for forced in ("none", "active")
    ]
    assert shades[0] == shades[1]
    assert len(set(shades[0])) > 5


def test_windows_without_blur_are_refused(make_trajectories: Maker, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="have no blur"):
        write_how(make_trajectories(1, 2, blur=False), tmp_path / "how.html")
