"""The playground in a real browser: the same answers as in Python, drawing, keys, phones, a screen reader."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

import glimpse
from glimpse.attention.window import Window, read
from glimpse.listener import Listener
from glimpse.models.catalog import open_classifier
from glimpse.playground.examples import example_digits
from glimpse.playground.runtime import runtime_folder
from glimpse.playground.server import serving
from tests.helpers.browser import opener
from tests.helpers.weights import written_generator

pytestmark = pytest.mark.slow

LOOKING, WHOLE = "pretrained:classifier-4", "pretrained:convnet"
Opener = Callable[..., Page]


@pytest.fixture(scope="session")
def runtime() -> Path:
    """Returns the folder of onnxruntime-web, which is downloaded if need be; skips the test without a network."""
    try:
        return runtime_folder()
    except ConnectionError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def site(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Serves a playground of two shipped classifiers and a small generator; returns its address, and the same page as one file."""
    folder = tmp_path_factory.mktemp("playground")
    generator = written_generator(folder / "small.safetensors")
    for out in (folder / "site", folder / "try.html"):
        glimpse.write_playground(LOOKING, WHOLE, generator, out=out, digits="sklearn", threads=1)
    with serving(folder / "site") as address:
        yield address, folder / "try.html"


@pytest.fixture(scope="module")
def open_page(browser: Browser, site: tuple[str, Path]) -> Iterator[Opener]:
    """Returns a function that opens an address, and asserts at the end that nothing failed or was asked of another address."""
    address, file = site
    with opener(browser, address, file.as_uri()) as opened:

        def open_page(start: str) -> Page:
            page = opened(start)
            expect(page.locator("#state")).to_be_hidden(timeout=120_000)
            return page

        yield open_page


@pytest.fixture(scope="module")
def opened(open_page: Opener, site: tuple[str, Path]) -> Page:
    """Returns the served page, opened once, since compiling onnxruntime-web takes seconds."""
    return open_page(site[0])


@pytest.fixture
def page(opened: Page) -> Page:
    """Returns the page at its first tab, with a digit and clutter, on a desktop, without motion."""
    opened.set_viewport_size({"width": 1280, "height": 900})
    opened.emulate_media(color_scheme="light", reduced_motion="reduce")
    opened.get_by_role("tab", name="Classify").click()
    opened.get_by_role("checkbox", name="classifier-4").check()
    opened.get_by_label("Clutter").fill("8")
    opened.get_by_role("button", name="Example 3, a 2", exact=True).click()
    settled(opened)
    return opened


def settled(page: Page) -> None:
    """Waits until the page has nothing left to compute."""
    page.wait_for_selector("#panels[aria-busy=false]")


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name)


def beliefs(page: Page, name: str) -> NDArray[np.float32]:
    """Returns the probabilities that a card shows, in full precision."""
    widths = card(page, name).locator(".fill").evaluate_all("all => all.map((e) => Number(e.style.transform.slice(7, -1)))")
    return np.array(widths, np.float32)


def image(page: Page) -> NDArray[np.uint8]:
    """Returns the image that the button saves, from which the models' images are made in Python."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the image").click()
    return np.array(Image.open(io.BytesIO(download.value.path().read_bytes())).convert("L"))


@torch.no_grad()
def expected(source: str, pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Returns what a model predicts in Python after every step, and its windows of shape (T, 5)."""
    model, images = open_classifier(source), torch.from_numpy(pixels.astype(np.float32) / 255)[None, None]
    outputs = model.named_outputs(images)
    windows = outputs.get("windows")
    return outputs["probabilities"][0].numpy(), None if windows is None else windows[0, :, 0].numpy()


def box_of(page: Page) -> list[float]:
    box = page.locator("#models .overlay .box")
    return [float(box.get_attribute(name) or "nan") for name in ("x", "y", "width", "height")]


def check_answers(page: Page) -> None:
    """Compares what the page shows for its image at every step with the models in Python."""
    pixels = image(page)
    probabilities, windows = expected(LOOKING, pixels)
    assert windows is not None
    for step in range(1, 5):
        page.get_by_label("Step", exact=True).first.fill(str(step))
        np.testing.assert_allclose(beliefs(page, "classifier-4"), probabilities[step - 1], atol=1e-3)
        x, y, stride = windows[step - 1, :3]
        np.testing.assert_allclose(box_of(page), [x - 5.5 * stride, y - 5.5 * stride, 11 * stride, 11 * stride], atol=1e-2)
    np.testing.assert_allclose(beliefs(page, "convnet"), expected(WHOLE, pixels)[0][0], atol=1e-3)


def test_the_same_images_get_the_same_answers_and_windows_as_in_python(page: Page) -> None:
    seen = []
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        check_answers(page)
        seen.append(image(page))
        page.get_by_role("button", name="Scatter again").click()
        settled(page)
    assert not np.array_equal(seen[0], seen[1])


def test_an_empty_image_gets_the_same_answers_and_windows_as_in_python(page: Page) -> None:
    page.get_by_label("Clutter").fill("0")
    page.get_by_role("button", name="Clear").click()
    settled(page)
    assert not image(page).any()
    check_answers(page)


def test_the_file_opens_from_disk_with_the_same_answers(open_page: Opener, site: tuple[str, Path]) -> None:
    page = open_page(site[1].as_uri())
    settled(page)
    check_answers(page)
    page.close()


def test_a_glimpse_shows_what_the_window_reads(page: Page) -> None:
    pixels = image(page)
    _, windows = expected(LOOKING, pixels)
    assert windows is not None
    window = Window(*(torch.tensor([value]) for value in windows[3].tolist()))
    patch = read(torch.from_numpy(pixels.astype(np.float32) / 255)[None, None], window, 12)[0, 0].numpy()
    seen = page.get_by_role("img", name="Glimpse at step 4, 12 by 12").evaluate(
        "e => [...e.getContext('2d').getImageData(0, 0, 12, 12).data].filter((_, i) => i % 4 === 0)"
    )
    np.testing.assert_allclose(np.array(seen).reshape(12, 12), 255 * patch / patch.max(), atol=1.5)


def test_the_image_is_the_digit_and_pieces_of_other_digits_added_as_by_the_generator(page: Page) -> None:
    digits = example_digits("sklearn", None, Listener()).images.numpy()
    for name, value in (("Clutter", 0), ("Left to right", 11), ("Top to bottom", 60)):
        page.get_by_label(name).fill(str(value))
    page.get_by_role("button", name="Example 4, a 3", exact=True).click()
    settled(page)
    shown = image(page)
    assert np.array_equal(shown, np.pad(digits[3], ((60, 12), (11, 61))))
    crops = np.lib.stride_tricks.sliding_window_view(digits, (8, 8), axis=(1, 2)).reshape(-1, 8, 8).astype(int)
    found = 0
    for count in range(1, 6):
        page.get_by_label("Clutter").fill(str(count))
        settled(page)
        before, shown = shown, image(page)
        rows, columns = np.nonzero(shown != before)
        if len(rows):
            found += 1
            corners = [
                (y, x)
                for y in range(max(0, rows.max() - 7), min(92, rows.min()) + 1)
                for x in range(max(0, columns.max() - 7), min(92, columns.min()) + 1)
            ]
            blocks = [(before[y : y + 8, x : x + 8].astype(int), shown[y : y + 8, x : x + 8]) for y, x in corners]
            assert any((np.minimum(old + crops, 255) == new).all(axis=(1, 2)).any() for old, new in blocks)
    assert found > 1


def test_a_digit_drawn_by_mouse_is_normalized_and_classified(page: Page) -> None:
    page.get_by_label("Clutter").fill("0")
    page.get_by_role("button", name="Clear").click()
    pad = page.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box is not None
    across, down = box["x"] + 0.3 * box["width"], box["y"] + 0.25 * box["height"]
    page.mouse.move(across, down)
    page.mouse.down()
    page.mouse.move(across, down + 0.4 * box["height"], steps=10)
    page.mouse.up()
    expect(card(page, "classifier-4").locator(".verdict")).to_contain_text("1 with")
    pixels = image(page)
    rows, columns = np.nonzero(pixels > 127)
    assert 19 <= np.ptp(rows) + 1 <= 21
    assert 2 <= np.ptp(columns) + 1 <= 6
    left, top = (int(page.get_by_label(name).input_value()) for name in ("Left to right", "Top to bottom"))
    weights = pixels / pixels.sum()
    assert abs((weights.sum(0) * np.arange(100)).sum() - (left + 13.5)) < 0.6
    assert abs((weights.sum(1) * np.arange(100)).sum() - (top + 13.5)) < 0.6


def test_a_picture_of_a_dark_digit_on_white_becomes_light_on_dark(page: Page, tmp_path: Path) -> None:
    picture = np.full((90, 60), 240, np.uint8)
    picture[20:70, 25:35] = 30
    Image.fromarray(picture).save(tmp_path / "picture.png")
    page.get_by_label("Clutter").fill("0")
    page.locator("#file").set_input_files(tmp_path / "picture.png")
    expect(page.get_by_label("Swap dark and light")).to_be_checked()
    settled(page)
    pixels = image(page)
    assert (pixels[:, 33:45].max(axis=1)[30:70] > 200).any()
    assert pixels[2, 2:].max() < 20
    page.get_by_label("Size", exact=True).fill("30")
    settled(page)
    assert np.ptp(np.nonzero(image(page) > 127)[0]) + 1 == pytest.approx(50 / 90 * 30, abs=2)
    (tmp_path / "no.png").write_text("no picture")
    page.locator("#file").set_input_files(tmp_path / "no.png")
    expect(page.get_by_role("status").first).to_contain_text("no.png is no picture")


def test_the_generator_draws_with_the_temperature_and_the_pulled_latents(page: Page) -> None:
    page.get_by_role("tab", name="Draw").click()
    settled(page)

    def drawn() -> str:
        picture: str = page.locator("#drawn").evaluate("e => e.toDataURL()")
        return picture

    first = drawn()
    page.get_by_label("Temperature").fill("0")
    settled(page)
    samples = page.locator("#samples canvas").evaluate_all("all => all.map((e) => e.toDataURL())")
    assert len(set(samples)) == 1  # at temperature 0 all samples are the same
    page.get_by_label("Temperature").fill("1")
    settled(page)
    assert drawn() == first
    slider = page.locator("#latents input").first
    slider.fill("3")
    settled(page)
    assert drawn() != first
    page.get_by_role("button", name="Let go").click()
    settled(page)
    assert drawn() == first
    page.get_by_role("button", name="Sample 2", exact=True).click()
    expect(page.get_by_role("button", name="Sample 2", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_explanation_has_the_image_and_the_windows_of_the_first_tab(page: Page) -> None:
    page.get_by_role("tab", name="How a glimpse works").click()
    panel = page.get_by_role("tabpanel", name="How a glimpse works")
    expect(panel.get_by_role("status")).to_contain_text("Window 1 of 4 of the model")
    panel.get_by_role("button", name="Next window").click()
    expect(panel.get_by_role("status")).to_contain_text("Window 2 of 4 of the model")


def test_the_keyboard_reaches_every_tab_and_the_examples(page: Page) -> None:
    page.get_by_role("tab", name="Classify").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Draw")).to_be_focused()
    expect(page.get_by_role("tabpanel", name="Draw")).to_be_visible()
    expect(page.get_by_role("tabpanel", name="Classify")).to_be_hidden()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name="Classify")).to_have_attribute("aria-selected", "true")
    page.get_by_role("button", name="Example 8, a 7", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#spoken")).to_contain_text("classifier-4 predicts 7")
    page.get_by_label("Step", exact=True).first.focus()
    page.keyboard.press("Home")
    expect(page.locator("#classify-player output")).to_have_text("Step 1 of 4")
    page.get_by_role("checkbox", name="classifier-4").uncheck()
    expect(page.locator("#classify-player output")).to_have_text("Step 1 of 1")
    expect(page.get_by_role("checkbox", name="convnet")).to_be_disabled()  # one model is left


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_text_has_a_contrast_of_4_5_and_no_page_scrolls_sideways(
    page: Page, contrasts: str, scheme: Literal["light", "dark"], width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    for tab in ("Draw", "Classify"):
        page.get_by_role("tab", name=tab).click()
        settled(page)
        measured = page.evaluate(contrasts)
        assert len(measured) > 20
        assert [text for contrast, text in measured if contrast < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") == width


def test_every_control_has_a_name_and_a_touch_target(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for tab in ("Draw", "Classify"):
        page.get_by_role("tab", name=tab).click()
        expect(page.locator("#state")).to_be_hidden()
        nameless = page.locator("button, select, input, canvas[role=img]").evaluate_all(
            "all => all.filter((e) => e.checkVisibility() && !e.ariaLabel && !e.labels?.length && !e.textContent.trim())"
            ".map((e) => e.outerHTML)"
        )
        assert nameless == []
        sizes = page.locator("button, select, input[type=range], .toggles label").evaluate_all(
            "all => all.filter((e) => e.checkVisibility()).map((e) => [e.getBoundingClientRect(), e.id || e.textContent])"
            ".map(([r, name]) => [r.width, r.height, name])"
        )
        assert len(sizes) > 10
        assert [size for size in sizes if min(size[:2]) < 39.9] == []


def test_playback_moves_the_window_step_by_step_and_tells_the_prediction_once(page: Page) -> None:
    page.wait_for_timeout(700)  # until the fixture's prediction has been told
    page.evaluate("""() => { window.seen = { steps: [], boxes: new Set(), said: [] };
        const watch = (element, note) => new MutationObserver(note).observe(element, { childList: true });
        const steps = document.querySelector("#classify-player output");
        const box = () => document.querySelector("#models .box").getAttribute("x");
        watch(steps, () => { seen.steps.push(steps.textContent); setTimeout(() => seen.boxes.add(box())); });
        const spoken = document.getElementById("spoken");
        watch(spoken, () => seen.said.push(spoken.textContent)); }""")
    page.locator("#classify-player select").select_option("4")
    page.locator("#classify-player").get_by_role("button", name="Play").click()
    for _ in range(40):
        if page.evaluate("seen.steps.length >= 4 && seen.said.length > 0"):
            break
        page.wait_for_timeout(250)
    settled(page)
    assert page.evaluate("seen.steps") == [f"Step {step} of 4" for step in range(1, 5)]
    assert page.evaluate("seen.boxes.size") == 4
    (said,) = page.evaluate("seen.said")
    assert said.startswith("classifier-4 predicts 2 with")
