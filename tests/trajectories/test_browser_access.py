"""Accessibility of the page in a real browser: keys, contrast, phones, screen readers, reduced motion."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from glimpse.trajectories.views import Trajectories

pytestmark = pytest.mark.slow

Maker = Callable[..., Trajectories]
Opener = Callable[..., Page]


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


def test_keys_that_a_control_needs_are_left_to_it(open_page: Opener, part: Trajectories) -> None:
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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1300])
def test_every_text_has_a_contrast_of_4_5(open_page: Opener, part: Trajectories, contrasts: str, scheme: str, width: int) -> None:
    page = open_page(part, "#image=107&step=4", width=width, color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(c) for c in ground[4:-1].split(",")) < 300) == (scheme == "dark")
    for selector in (None, "#help"):
        if selector:
            page.locator(selector).click()
        measured = page.evaluate(contrasts)
        assert len(measured) > 50
        assert [text for contrast, text in measured if contrast < 4.5] == []


@pytest.mark.parametrize("case", ["classifier", "scales", "generator"])
def test_a_phone_needs_no_horizontal_scrolling_and_has_touch_targets(
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
    columns = page.locator(".stage, .column + .column").evaluate_all("all => all.map((e) => e.getBoundingClientRect().left)")
    assert columns[0] == columns[1]


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


def test_a_screen_reader_gets_no_announcements_during_playback(open_page: Opener, part: Trajectories) -> None:
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


def test_focus_is_visible_and_the_list_can_be_skipped_to(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=103")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the list of images")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#images")).to_be_focused()
    expect(page.locator("#image-name")).to_have_text("Image 103")
    page.get_by_role("button", name="Step back").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"


def test_boxes_glide_unless_reduced_motion_is_requested(open_page: Opener, part: Trajectories) -> None:
    for motion, glides in (("no-preference", True), ("reduce", False)):
        page = open_page(part, reduced_motion=motion)
        page.keyboard.press("ArrowRight")
        expect(page.locator("#overlay.gliding")).to_have_count(1)
        durations = page.locator("#overlay .box").evaluate("e => getComputedStyle(e).transitionDuration")
        assert (max(float(part.strip(" s")) for part in durations.split(",")) > 0) == glides


def test_forced_colors_keep_the_bars_of_the_belief_and_the_mark_of_the_chosen_image(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=108", forced_colors="active")
    color = "e => getComputedStyle(e).backgroundColor"
    fills = {page.locator("#bars .fill").nth(k).evaluate(color) for k in range(10)}
    assert page.locator("#bars .track").first.evaluate(color) not in fills
    outlines = page.locator("#gallery button").evaluate_all("all => all.map((e) => getComputedStyle(e).outlineStyle)")
    assert [i for i, style in enumerate(outlines) if style == "solid"] == [8]


def test_of_nested_windows_only_the_smallest_has_earlier_boxes(
    open_page: Opener, make_trajectories: Callable[..., Trajectories]
) -> None:
    page = open_page(make_trajectories(2, 4, scales=3), "#step=4")
    shown = page.locator("#overlay .earlier:not([hidden])")
    expect(shown).to_have_count(3)
    assert shown.evaluate_all("all => all.map((e) => e.parentElement.dataset.scale)") == ["0"] * 3
