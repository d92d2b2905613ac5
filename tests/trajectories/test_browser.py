"""The page of trajectories in a real browser, opened from disk; skipped where there is no Chromium."""

import math
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Page, expect, sync_playwright

from glimpse.attention.track import Track
from glimpse.trajectories.page.page import write_page
from glimpse.trajectories.views import UNKNOWN, Trajectories

pytestmark = pytest.mark.slow

Maker = Callable[..., Trajectories]
Opener = Callable[..., Page]

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Opener]:
    """Returns a function that opens a page of trajectories; in the end there was no error and no request but for the file."""
    contexts, problems, requests = [], [], []
    path = tmp_path / "page.html"

    def open_page(part: Trajectories, fragment: str = "", width: int = 1300, height: int = 900, **options: Any) -> Page:
        write_page([part], path, title="A model & its windows")
        options = {"reduced_motion": "reduce", **options}
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + fragment)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []
    assert {url.partition("#")[0] for url in requests if not url.startswith("data:")} == {path.as_uri()}


@pytest.fixture
def part(make_trajectories: Maker) -> Trajectories:
    """Returns trajectories of 12 images, index 100 to 111, of which 100 to 105 are right in the end."""
    part = make_trajectories(12, 4, first=100)
    assert part.predictions is not None
    last = part.predictions[:, -1]
    return replace(part, labels=torch.where(torch.arange(12) < 6, last, (last + 1) % 10))


@pytest.fixture
def generated(make_trajectories: Maker) -> Trajectories:
    """Returns trajectories of a generator: it reads and writes, and believes nothing."""
    part = make_trajectories(4, 5, n=2, channels=3)
    read, write = part.tracks[0], make_trajectories(4, 5, n=5, channels=3, blur=False, first=7).tracks[0]
    return replace(
        part,
        tracks=(read._replace(kind="read"), write._replace(kind="write")),
        labels=torch.full((4,), UNKNOWN),
        digits=torch.full((4, 2), torch.nan),
        probabilities=None,
    )


def expected_box(track: Track, i: int, t: int) -> tuple[float, float, float]:
    """Returns left, top and side of the box through the outermost filters' centers, in plain Python."""
    x, y, stride = (float(field[i, t]) for field in track.window[:3])
    filters = [(k - (track.n - 1) / 2) * stride for k in range(track.n)]
    return x + filters[0], y + filters[0], filters[-1] - filters[0]


def shown_box(page: Page, track: Track) -> tuple[float, ...]:
    rect = page.locator(f"#overlay [data-kind={track.kind}][data-scale='{track.scale}'] .box")
    values = [float(str(rect.get_attribute(name))) for name in ("x", "y", "width", "height")]
    assert values[2] == values[3]
    return tuple(values[:3])


def indices(page: Page) -> list[int]:
    names = page.locator("#gallery button").evaluate_all("buttons => buttons.map((b) => b.getAttribute('aria-label'))")
    return [int(name.split(".")[0].removeprefix("Image ")) for name in names]


def slide(page: Page, name: str, value: int) -> None:
    page.get_by_label(name, exact=True).fill(str(value))


@pytest.mark.parametrize("case", ["scales", "generator"])
def test_stepping_moves_every_box_to_the_exported_coordinates(
    open_page: Opener, make_trajectories: Maker, generated: Trajectories, case: str
) -> None:
    part = make_trajectories(2, 4, scales=4) if case == "scales" else generated
    page = open_page(part, "#image=1")
    for t in range(part.steps):
        expect(page.locator("#step-name")).to_have_text(f"Step {t + 1} of {part.steps}")
        for track in part.tracks:
            assert shown_box(page, track) == pytest.approx(expected_box(track, 1, t), abs=1e-4)
        page.get_by_role("button", name="Step forward").click()
    expect(page.locator("#step-name")).to_have_text(f"Step {part.steps} of {part.steps}")


@pytest.mark.parametrize("width", [1300, 390])
def test_boxes_and_cross_lie_over_the_right_pixels_of_the_image(open_page: Opener, part: Trajectories, width: int) -> None:
    page = open_page(part, "#image=103&step=2", width=width)
    image = page.locator("#image").bounding_box()
    assert image is not None
    scale = image["width"] / 30
    assert scale == pytest.approx(image["height"] / 20, rel=1e-3)
    left, top, side = expected_box(part.tracks[0], 3, 1)
    box = page.locator("#overlay .box").evaluate(
        "e => { const m = e.getScreenCTM(); return [m.a * e.x.baseVal.value + m.e, "
        "m.d * e.y.baseVal.value + m.f, m.a * e.width.baseVal.value]; }"
    )
    expected = (image["x"] + (left + 0.5) * scale, image["y"] + (top + 0.5) * scale, side * scale)
    assert box == pytest.approx(expected, abs=0.1)
    cross = page.locator("#overlay .digit").last.bounding_box()
    assert cross is not None
    middle = (cross["x"] + cross["width"] / 2, cross["y"] + cross["height"] / 2)
    x, y = part.digits[3].tolist()
    assert middle == pytest.approx((image["x"] + (x + 0.5) * scale, image["y"] + (y + 0.5) * scale), abs=0.6)


def test_blur_earlier_boxes_and_path_are_those_of_the_step_and_can_be_hidden(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=101&step=3")
    window = part.tracks[0].window
    bands = page.locator("#overlay .blur").evaluate_all("all => all.map((e) => Number(e.getAttribute('stroke-width')))")
    sigma = float(window.sigma[1, 2])
    assert bands == pytest.approx([4 * sigma, 2 * sigma])
    points = str(page.locator("#overlay .path").get_attribute("points")).replace(",", " ").split()
    centers = torch.stack([window.center_x[1, :3], window.center_y[1, :3]], dim=1).flatten().tolist()
    assert [float(point) for point in points] == pytest.approx(centers)
    expect(page.locator("#overlay .earlier:not([hidden])")).to_have_count(2)
    for name, selector in (("Earlier boxes", ".earlier"), ("Path", ".path"), ("Blur", ".blur"), ("True center", ".digit")):
        page.get_by_label(name).uncheck()
        expect(page.locator(f"#overlay {selector}:not([hidden])")).to_have_count(0)


def test_bars_and_numbers_are_those_of_the_step(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=108&step=2")
    assert part.probabilities is not None
    beliefs = part.probabilities[8, 1]
    shares = page.locator("#bars .share").all_text_contents()
    assert [float(share.split("\u202f")[0]) for share in shares] == pytest.approx((100 * beliefs).tolist(), abs=0.051)
    scales = page.locator("#bars .fill").evaluate_all("all => all.map((e) => Number(e.style.transform.slice(7, -1)))")
    assert scales == pytest.approx(beliefs.tolist(), abs=1e-5)
    assert page.locator("#bars .best .name").text_content() == str(int(beliefs.argmax()))
    expect(page.locator("#bars li", has_text="true")).to_have_count(1)
    assert page.locator("#bars li.true .name").text_content() == str(int(part.labels[8]))
    cells = page.locator("#numbers td").all_text_contents()
    x, y, stride, sigma, intensity = (float(field[8, 1]) for field in part.tracks[0].window)
    assert [float(cell) for cell in (*cells[0].split(","), *cells[1:])] == pytest.approx(
        [x, y, stride, sigma, intensity], rel=0.01, abs=0.06
    )


def test_glimpses_have_the_exported_shades_on_the_scale_that_the_page_names(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=104&step=3")
    seen = part.tracks[0].patches
    assert seen is not None
    pixels = page.locator("#seen canvas").evaluate("e => [...e.getContext('2d').getImageData(0, 0, e.width, e.height).data]")
    expected = 255 * seen[4, 2, 0].flatten() / seen.max()
    assert pixels[::4] == pytest.approx(expected.tolist(), abs=1.01)
    assert pixels[::4] == pixels[1::4] == pixels[2::4]
    expect(page.locator("#shades")).to_have_text(f"Every glimpse: black is 0, white {float(f'{float(seen.max()):.3g}'):g}.")


def test_a_generator_has_neither_beliefs_nor_filters(open_page: Opener, generated: Trajectories) -> None:
    page = open_page(generated)
    for selector in ("#beliefs", "#filters", "#digit-toggle"):
        expect(page.locator(selector)).to_be_hidden()
    expect(page.locator("#strip li").first.locator("canvas")).to_have_count(2)
    expect(page.locator("#kinds")).to_have_text("readwrite")
    colors = page.locator("#overlay .box").evaluate_all("all => all.map((e) => getComputedStyle(e).stroke)")
    assert len(set(colors)) == 2
    expect(page.locator("[data-kind=write] .blur:not([hidden])")).to_have_count(0)
    expect(page.locator("#numbers tr").last).to_contain_text("none")


def test_filters_show_the_images_that_a_plain_loop_finds(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    assert part.probabilities is not None
    best = part.probabilities[:, -1].max(dim=-1).values.tolist()
    label = int(part.labels[7])
    page.get_by_role("radio", name="Wrong").check()
    assert indices(page) == [106, 107, 108, 109, 110, 111]
    expect(page.locator("#count")).to_have_text("6 of 12")
    expect(page.locator("#gallery .cross")).to_have_count(6)
    page.get_by_label("Label", exact=True).select_option(str(label))
    assert indices(page) == [100 + i for i in range(6, 12) if int(part.labels[i]) == label]
    page.get_by_role("radio", name="All").check()
    page.get_by_label("Label", exact=True).select_option("")
    slide(page, "Lowest confidence in percent", 40)
    slide(page, "Highest confidence in percent", 80)
    page.get_by_label("Order").select_option("least confident first")
    assert indices(page) == [100 + i for i in sorted(range(12), key=lambda i: best[i]) if 0.4 <= best[i] <= 0.8]


def test_a_filter_that_nothing_fits_says_so_and_is_undone_by_a_button(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    slide(page, "Lowest confidence in percent", 100)
    expect(page.get_by_text("No image is like that.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    assert indices(page) == list(range(100, 112))


def test_keys_step_change_the_image_and_the_speed_and_open_the_help(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    for key, image, step in (
        ("ArrowRight", 100, 2),
        ("End", 100, 4),
        ("ArrowLeft", 100, 3),
        ("j", 101, 3),
        ("ArrowDown", 102, 3),
        ("k", 101, 3),
        ("ArrowUp", 100, 3),
        ("Home", 100, 1),
        ("ArrowLeft", 100, 1),
    ):
        page.keyboard.press(key)
        expect(page.locator("#image-name")).to_have_text(f"Image {image}")
        expect(page.locator("#step-name")).to_have_text(f"Step {step} of 4")
    page.keyboard.press("7")
    expect(page.get_by_label("Speed")).to_have_value("7")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("j")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("button", name="Keys").click()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#image-name")).to_have_text("Image 100")


def test_keys_that_a_control_needs_are_its_own(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=105&step=2")
    for name, key in (("Label", "j"), ("Order", "ArrowDown"), ("Lowest confidence in percent", "ArrowRight"), ("Speed", "End")):
        page.get_by_label(name, exact=True).focus()
        page.keyboard.press(key)
    page.get_by_label("Path").focus()
    page.keyboard.press(" ")
    expect(page.get_by_label("Path")).not_to_be_checked()
    expect(page.locator("#play-name")).to_have_text("Play")
    expect(page.locator("#image-name")).to_have_text("Image 105")
    expect(page.locator("#step-name")).to_have_text("Step 2 of 4")
    expect(page.locator("#from")).to_have_value("1")
    expect(page.get_by_label("Speed")).to_have_value("9")
    page.get_by_label("Step", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#step-name")).to_have_text("Step 3 of 4")


def test_playing_goes_to_the_last_step_pauses_where_asked_and_begins_anew(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    page.keyboard.press("9")
    page.keyboard.press(" ")
    expect(page.locator("#step-name")).to_have_text("Step 4 of 4")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    page.keyboard.press("1")
    page.get_by_role("button", name="Play").click()
    expect(page.locator("#step-name")).to_have_text("Step 1 of 4")
    expect(page.locator("#step-name")).to_have_text("Step 2 of 4")
    page.get_by_role("button", name="Pause").click()
    page.wait_for_timeout(1100)
    expect(page.locator("#step-name")).to_have_text("Step 2 of 4")


def test_a_glimpse_in_the_strip_and_a_thumbnail_can_be_clicked(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    page.locator("#strip button").nth(2).click()
    expect(page.locator("#step-name")).to_have_text("Step 3 of 4")
    expect(page.locator("#strip [aria-current=step]")).to_have_count(1)
    page.locator("#gallery button").nth(5).click()
    expect(page.locator("#image-name")).to_have_text("Image 105")
    expect(page.locator("#step-name")).to_have_text("Step 1 of 4")
    assert page.locator("#gallery [aria-current]").get_attribute("aria-label") == page.locator("#gallery button").nth(
        5
    ).get_attribute("aria-label")


def test_the_address_restores_image_step_and_filters_and_follows_them(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=109&step=3&show=wrong&from=1&order=high")
    expect(page.locator("#image-name")).to_have_text("Image 109")
    expect(page.locator("#step-name")).to_have_text("Step 3 of 4")
    expect(page.locator("#count")).to_have_text("6 of 12")
    page.keyboard.press("ArrowRight")
    page.get_by_role("radio", name="Right").check()
    expect(page).to_have_url(re.compile("#image=109&step=4&show=right&order=high&from=1$"))
    entries = page.evaluate("history.length")
    page.evaluate("location.hash = '#image=102&step=2'")
    expect(page.locator("#image-name")).to_have_text("Image 102")
    expect(page.locator("#step-name")).to_have_text("Step 2 of 4")
    expect(page.locator("#count")).to_have_text("12 in all")
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile("#image=102&step=1$"))
    assert page.evaluate("history.length") == entries + 1  # the address set by hand; what the page writes adds none


@pytest.mark.parametrize(
    "fragment", ["#image=5&step=99", "#image=x&step=-3&show=no&class=99&order=up&from=a&to=-5", "#%", "#images"]
)
def test_an_address_that_makes_no_sense_shows_an_image_all_the_same(open_page: Opener, part: Trajectories, fragment: str) -> None:
    page = open_page(part, fragment)
    expect(page.locator("#image-name")).to_have_text("Image 100")
    expect(page.locator("#step-name")).to_have_text("Step 4 of 4" if "99" in fragment[:20] else "Step 1 of 4")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1300])
def test_every_text_has_a_contrast_of_4_5(open_page: Opener, part: Trajectories, scheme: str, width: int) -> None:
    page = open_page(part, "#image=107&step=4", width=width, color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(c) for c in ground[4:-1].split(",")) < 300) == (scheme == "dark")
    for selector in (None, "#help"):
        if selector:
            page.locator(selector).click()
        measured = page.evaluate(_CONTRAST)
        assert len(measured) > 50
        assert [text for contrast, text in measured if contrast < 4.5] == []


@pytest.mark.parametrize("case", ["classifier", "scales", "generator"])
def test_a_phone_needs_no_scrolling_sideways_and_has_targets_for_fingers(
    open_page: Opener, part: Trajectories, make_trajectories: Maker, generated: Trajectories, case: str
) -> None:
    shown = {"classifier": part, "scales": make_trajectories(3, 24, scales=4), "generator": generated}[case]
    page = open_page(shown, width=390, height=844, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sizes = page.locator("button, select, input[type=range], .toggles label, .choice label").evaluate_all(
        "all => all.filter((e) => e.checkVisibility()).map((e) => [e.getBoundingClientRect(), e.id || e.textContent])"
        ".map(([r, name]) => [r.width, r.height, r.right, name])"
    )
    assert len(sizes) > 15
    assert [size for size in sizes if min(size[:2]) < 39.9] == []
    columns = page.locator(".column").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
    assert columns[0] == columns[1]


def test_a_tap_on_a_thumbnail_below_brings_the_player_back(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, width=390, height=844, has_touch=True, is_mobile=True)
    page.locator("#gallery button").last.tap()
    expect(page.locator("#image-name")).to_have_text("Image 111")
    expect(page.locator("#image")).to_be_in_viewport()


def test_a_screen_reader_finds_landmarks_names_and_what_happened(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=106&step=1")
    assert part.probabilities is not None
    for role, name in (
        ("main", None),
        ("banner", None),
        ("region", "Image 106"),
        ("region", "Images"),
        ("group", "Playback"),
        ("slider", "Step"),
        ("heading", "All steps"),
        ("group", "Prediction"),
        ("group", "Confidence"),
    ):
        expect(page.get_by_role(role, name=name, exact=True) if name else page.get_by_role(role)).to_have_count(1)  # type: ignore[arg-type]
    nameless = page.locator("button, select, input").evaluate_all(
        "all => all.filter((e) => !e.ariaLabel && !e.labels?.length && !e.textContent.trim()).map((e) => e.outerHTML)"
    )
    assert nameless == []
    expect(page.get_by_alt_text(f"Image 106, label {int(part.labels[6])}")).to_be_visible()
    page.keyboard.press("End")
    best = part.probabilities[6, 3].max()
    said = f"Predicted {int(part.probabilities[6, 3].argmax())}, {100 * float(best):.1f}\u202f%, wrong: it is {int(part.labels[6])}"
    expect(page.locator("[aria-live=polite]")).to_have_text(f"Image 106, step 4 of 4. {said}")


def test_nothing_is_said_while_it_plays(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    page.evaluate("""() => { window.said = []; const spoken = document.getElementById("spoken");
        new MutationObserver(() => said.push(spoken.textContent)).observe(spoken, { childList: true }); }""")
    page.keyboard.press("9")
    page.keyboard.press(" ")
    expect(page.locator("#step-name")).to_have_text("Step 4 of 4")
    expect(page.locator("#play-name")).to_have_text("Play")
    said = page.evaluate("said")
    assert len(said) == 1
    assert said[0].startswith("Image 100, step 4 of 4.")


def test_focus_can_be_seen_and_the_list_be_skipped_to(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=103")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the list of images")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#images")).to_be_focused()
    expect(page.locator("#image-name")).to_have_text("Image 103")
    page.get_by_role("button", name="Step back").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_boxes_glide_unless_less_motion_is_asked_for(open_page: Opener, part: Trajectories) -> None:
    for motion, glides in (("no-preference", True), ("reduce", False)):
        page = open_page(part, reduced_motion=motion)
        page.keyboard.press("ArrowRight")
        expect(page.locator("#overlay.gliding")).to_have_count(1)
        durations = page.locator("#overlay .box").evaluate("e => getComputedStyle(e).transitionDuration")
        assert (max(float(part.strip(" s")) for part in durations.split(",")) > 0) == glides


def test_a_thousand_images_load_and_filter_at_once_with_few_thumbnails(open_page: Opener, make_trajectories: Maker) -> None:
    part = make_trajectories(1000, 8, n=12, height=100, width=100)
    page = open_page(part)
    expect(page.locator("#count")).to_have_text("1,000 in all")
    assert page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd") < 10_000
    assert page.locator("#gallery li").count() <= 120
    spent = page.evaluate("""() => { const start = performance.now(); const radio = document.querySelector("[value=wrong]");
        radio.checked = true; radio.dispatchEvent(new Event("input", { bubbles: true }));
        document.getElementById("gallery").getBoundingClientRect(); return performance.now() - start; }""")
    assert spent < 1000
    page.evaluate("location.hash = '#image=900'")
    expect(page.locator("#gallery [aria-current]")).to_be_in_viewport()


def test_every_image_can_be_scrolled_to(open_page: Opener, make_trajectories: Maker) -> None:
    page = open_page(make_trajectories(200, 2))
    for count in (120, 180, 200):
        page.locator("#gallery li").last.scroll_into_view_if_needed()
        page.wait_for_function("count => document.querySelectorAll('#gallery li').length >= count", arg=count)
    assert indices(page) == list(range(200))
    assert math.isclose(page.evaluate("scrollX"), 0)
