"""The list of images of the page in a real browser: filters, thumbnails and the address."""

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from playwright.sync_api import Page, expect

from glimpse.trajectories.views import Trajectories

pytestmark = pytest.mark.slow

Maker = Callable[..., Trajectories]
Opener = Callable[..., Page]


def indices(page: Page) -> list[int]:
    names = page.locator("#gallery button").evaluate_all("buttons => buttons.map((b) => b.getAttribute('aria-label'))")
    return [int(name.split(".")[0].removeprefix("Image ")) for name in names]


def slide(page: Page, name: str, value: int) -> None:
    page.get_by_label(name, exact=True).fill(str(value))


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


def test_a_filter_that_hides_the_image_shown_shows_the_first_that_it_keeps(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=103&step=3")
    page.get_by_role("radio", name="Wrong").check()
    expect(page.locator("#image-name")).to_have_text("Image 106")
    expect(page.locator("#gallery [aria-current]")).to_have_count(1)
    page.get_by_role("radio", name="All").check()
    expect(page.locator("#image-name")).to_have_text("Image 106")  # which all images include
    slide(page, "Lowest confidence in percent", 100)
    expect(page.get_by_text("No images match.")).to_be_visible()
    expect(page.locator("#image-name")).to_have_text("Image 106")


def test_on_a_phone_the_images_are_one_row_below_the_player_and_before_what_explains_it(
    open_page: Opener, part: Trajectories
) -> None:
    page = open_page(part, width=390, height=844, has_touch=True, is_mobile=True)
    boxes = {name: page.locator(name).bounding_box() for name in ("#play", "#gallery", "#beliefs", "#steps")}
    places = [box["y"] for box in boxes.values() if box is not None]
    assert places == sorted(places)
    assert places[1] < 1200
    assert (
        len({round(box["y"]) for box in page.locator("#gallery li").evaluate_all("all => all.map((e) => ({y: e.offsetTop}))")}) == 1
    )
    page.locator("#gallery button").last.tap()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_pictures_are_called_by_their_names_which_are_text(open_page: Opener, part: Trajectories) -> None:
    names = tuple(f"<b>{number}</b>.png" for number in range(12))
    page = open_page(replace(part, names=names), "#image=105")
    expect(page.locator("#image-name")).to_have_text("<b>5</b>.png")
    assert page.locator("#gallery .file").all_inner_texts() == list(names)
    expect(page.get_by_alt_text("<b>5</b>.png", exact=False)).to_be_visible()


def test_classes_are_called_by_their_names_everywhere(open_page: Opener, part: Trajectories) -> None:
    names = tuple(f"kind <{k}>" for k in range(10))
    page = open_page(replace(part, class_names=names), "#image=100")
    assert page.locator("#bars .name").all_inner_texts() == list(names)
    label = names[int(part.labels[0])]
    expect(page.locator("#verdict")).to_contain_text(f"label {label}")
    expect(page.get_by_alt_text(f"Image 100, label {label}")).to_be_visible()
    assert set(page.locator("#class option").all_inner_texts()) == {"all", *(names[k] for k in part.labels.tolist())}


def test_a_filter_without_matches_is_reported_and_reset_by_a_button(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part)
    slide(page, "Lowest confidence in percent", 100)
    expect(page.get_by_text("No images match.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    assert indices(page) == list(range(100, 112))


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
    first = indices(page)[0]
    expect(page).to_have_url(re.compile(f"#image={first}&step=1&show=right&order=high&from=1$"))
    entries = page.evaluate("history.length")
    page.evaluate("location.hash = '#image=102&step=2'")
    expect(page.locator("#image-name")).to_have_text("Image 102")
    expect(page.locator("#step-name")).to_have_text("Step 2 of 4")
    expect(page.locator("#count")).to_have_text("12 in all")
    page.keyboard.press("Home")
    expect(page).to_have_url(re.compile("#image=102&step=1$"))
    assert page.evaluate("history.length") == entries + 1  # entered by hand; addresses that the page writes add no entry


@pytest.mark.parametrize(
    "fragment", ["#image=5&step=99", "#image=x&step=-3&show=no&class=99&order=up&from=a&to=-5", "#%", "#images"]
)
def test_an_invalid_address_still_shows_an_image(open_page: Opener, part: Trajectories, fragment: str) -> None:
    page = open_page(part, fragment)
    expect(page.locator("#image-name")).to_have_text("Image 100")
    expect(page.locator("#step-name")).to_have_text("Step 4 of 4" if "99" in fragment[:20] else "Step 1 of 4")


def test_a_tap_on_a_thumbnail_below_brings_the_player_back(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, width=390, height=844, has_touch=True, is_mobile=True)
    page.locator("#gallery button").last.tap()
    expect(page.locator("#image-name")).to_have_text("Image 111")
    expect(page.locator("#image")).to_be_in_viewport()


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
