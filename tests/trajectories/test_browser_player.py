"""The player of the page in a real browser: boxes, glimpses and numbers of every step."""

import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Page, expect

from glimpse.attention.track import Track
from glimpse.attention.window import Window
from glimpse.trajectories.views import Trajectories

pytestmark = pytest.mark.slow

Maker = Callable[..., Trajectories]
Opener = Callable[..., Page]


def expected_box(track: Track, i: int, t: int) -> tuple[float, float, float]:
    """Returns left, top and side of the box through the centers of the outermost filters, in plain Python."""
    x, y, stride = (float(field[i, t]) for field in track.window[:3])
    filters = [(k - (track.n - 1) / 2) * stride for k in range(track.n)]
    return x + filters[0], y + filters[0], filters[-1] - filters[0]


def shown_box(page: Page, track: Track) -> tuple[float, ...]:
    rect = page.locator(f".overlay [data-kind={track.kind}][data-scale='{track.scale}'] .box")
    values = [float(str(rect.get_attribute(name))) for name in ("x", "y", "width", "height")]
    assert values[2] == values[3]
    return tuple(values[:3])


@pytest.mark.parametrize("case", ["scales", "generator", "drawing"])
def test_stepping_moves_every_box_to_the_exported_coordinates(
    open_page: Opener, make_trajectories: Maker, generated: Trajectories, drawing: Trajectories, case: str
) -> None:
    part = {"scales": make_trajectories(2, 4, scales=4), "generator": generated, "drawing": drawing}[case]
    page = open_page(part, "#image=1")
    for t in range(part.steps):
        expect(page.locator("#step-name")).to_have_text(f"Step {t + 1} of {part.steps}")
        for track in part.tracks:
            assert shown_box(page, track) == pytest.approx(expected_box(track, 1, t), abs=1e-4)
        page.get_by_role("button", name="Step forward").click()
    expect(page.locator("#step-name")).to_have_text(f"Step {part.steps} of {part.steps}")


@pytest.mark.parametrize("width", [1300, 390])
def test_boxes_and_cross_are_over_the_right_pixels_of_the_image(open_page: Opener, part: Trajectories, width: int) -> None:
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
    expect(page.locator("#overlay .blur:not([hidden])")).to_have_count(0)  # a page opens without it: a wide band hides the image
    page.get_by_label("Blur").check()
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


def test_each_glimpse_has_the_exported_shades_from_0_to_its_largest_number(open_page: Opener, part: Trajectories) -> None:
    page = open_page(part, "#image=104&step=3")
    seen = part.tracks[0].patches
    assert seen is not None
    pixels = page.locator("#seen canvas").evaluate("e => [...e.getContext('2d').getImageData(0, 0, e.width, e.height).data]")
    expected = 255 * seen[4, 2, 0].flatten() / seen[4, 2].max()
    assert pixels[::4] == pytest.approx(expected.tolist(), abs=1.01)
    assert pixels[::4] == pixels[1::4] == pixels[2::4]
    expect(page.locator("#shades")).to_have_text("Every glimpse: black is 0, white its largest one.")


def test_a_generator_has_neither_probabilities_nor_filters(open_page: Opener, generated: Trajectories) -> None:
    page = open_page(generated)
    for selector in ("#beliefs", "#filters", "#digit-toggle"):
        expect(page.locator(selector)).to_be_hidden()
    expect(page.locator("#strip li").first.locator("canvas")).to_have_count(2)
    expect(page.locator("#kinds")).to_have_text("readwrite")
    colors = page.locator("#overlay .box").evaluate_all("all => all.map((e) => getComputedStyle(e).stroke)")
    assert len(set(colors)) == 2
    expect(page.locator("[data-kind=write] .blur:not([hidden])")).to_have_count(0)
    expect(page.locator("#numbers tr").last).to_contain_text("none")


@pytest.mark.parametrize("width", [1300, 390])
def test_the_canvas_after_each_step_is_next_to_the_image_with_only_the_windows_of_that_step(
    open_page: Opener, drawing: Trajectories, width: int
) -> None:
    page = open_page(drawing, "#image=2", width=width)
    for step in range(1, 6):
        shown = Image.open(io.BytesIO(page.locator("#canvas-frame .film").screenshot())).convert("RGB")
        corner = shown.getpixel((2, shown.height - 3))
        assert corner == pytest.approx((51 * step, 0, 0), abs=1)
        expect(page.locator("#canvas")).to_have_attribute("alt", f"The canvas after step {step}")
        page.get_by_role("button", name="Step forward").click()
    image, canvas = (page.locator(name).bounding_box() for name in ("#frame", "#canvas-frame"))
    assert image is not None
    assert canvas is not None
    assert image["y"] == canvas["y"]
    assert image["x"] + image["width"] < canvas["x"]
    assert (image["width"], image["height"]) == (canvas["width"], canvas["height"])
    expect(page.locator("#overlay .box")).to_have_count(1)
    expect(page.locator("#canvas-overlay [data-kind=write] .box")).to_have_count(1)
    for selector in (".earlier", ".path", ".blur"):
        expect(page.locator(f".overlay {selector}:not([hidden])")).to_have_count(0)
    films = page.locator("#strip .film")
    expect(films).to_have_count(5)
    thumb = Image.open(io.BytesIO(films.nth(1).screenshot())).convert("RGB")
    assert thumb.getpixel((thumb.width // 2, thumb.height // 2)) == pytest.approx((102, 0, 0), abs=1)


def test_the_canvas_of_a_classifier_is_next_to_the_image_and_all_its_windows_are_on_the_image(
    open_page: Opener, part: Trajectories
) -> None:
    canvases = torch.zeros(len(part), part.steps, 1, 8, 8)
    canvases[:, 1:] = 1.0  # white from the second step
    page = open_page(replace(part, tracks=(part.tracks[0]._replace(canvases=canvases), *part.tracks[1:])))
    for shade in (0, 255):
        shown = Image.open(io.BytesIO(page.locator("#canvas-frame .film").screenshot())).convert("L")
        assert shown.getpixel((shown.width // 2, shown.height // 2)) == shade
        page.get_by_role("button", name="Step forward").click()
    expect(page.locator("#overlay .box")).to_have_count(len(part.tracks))
    expect(page.locator("#canvas-overlay .box")).to_have_count(0)
    for toggle in ("Earlier boxes", "Path"):
        expect(page.get_by_label(toggle)).to_be_checked()  # nothing of the canvas is hidden by them


def test_without_a_canvas_there_is_no_second_image(open_page: Opener, part: Trajectories, generated: Trajectories) -> None:
    for each in (part, generated):
        page = open_page(each)
        expect(page.locator("#canvas-figure")).to_be_hidden()
        expect(page.locator(".stage figcaption").first).to_be_hidden()
        expect(page.locator("#strip .film")).to_have_count(0)


def test_arrows_point_to_sides_of_a_window_that_are_outside_the_image(open_page: Opener, drawing: Trajectories) -> None:
    read, write = drawing.tracks
    beyond, around = (
        track._replace(window=Window(*(torch.full((4, 5), value) for value in (x, 10.0, stride, 1.0, 1.0))))
        for track, x, stride in ((read, 1.0, 8.0), (write, 15.0, 100.0))
    )
    page = open_page(replace(drawing, tracks=(beyond, around)))
    paths = [str(page.locator(f"{name} .arrows").get_attribute("d")) for name in ("#overlay", "#canvas-overlay")]
    tips = [sorted([float(place) for place in arrow.split("l")[0].split()] for arrow in path.split("M")[1:]) for path in paths]
    far = 0.06 * 30  # from the edges of the image, -0.5 and 29.5 or 19.5; the first box spans x -3 to 5
    np.testing.assert_allclose(tips[0], [(-0.5 - far, 10)])
    np.testing.assert_allclose(tips[1], [(-0.5 - far, 10), (15, -0.5 - far), (15, 19.5 + far), (29.5 + far, 10)])


def test_playback_runs_to_the_last_step_can_be_paused_and_restarts(open_page: Opener, part: Trajectories) -> None:
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
