"""The summary of trajectories against plain loops over every image and step, and its figure."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from glimpse.attention.track import Track
from glimpse.attention.window import Window
from glimpse.trajectories.summary import FAR, cell_side, summarize_trajectories
from glimpse.trajectories.summary_figure import summary_figure
from glimpse.trajectories.views import Trajectories


def test_every_number_is_that_of_a_plain_loop(make_trajectories: Callable[..., Trajectories]) -> None:
    views = make_trajectories(7, 3, n=4, height=40, width=60)
    summary = summarize_trajectories([views], (14, 28))
    window = views.tracks[0].window
    assert views.probabilities is not None
    for t, step in enumerate(summary.steps):
        wrong, distances, inside, covered, strides = 0, [], 0, [], []
        for i in range(7):
            wrong += int(np.argmax(views.probabilities[i, t].numpy()) != int(views.labels[i]))
            x, y, stride = (float(field[i, t]) for field in window[:3])
            digit_x, digit_y = views.digits[i].tolist()
            distances.append(math.dist((x, y), (digit_x, digit_y)))
            half = 1.5 * stride
            inside += abs(x - digit_x) <= half and abs(y - digit_y) <= half
            across = max(0.0, min(x + half, digit_x + 10) - max(x - half, digit_x - 10))
            down = max(0.0, min(y + half, digit_y + 5) - max(y - half, digit_y - 5))
            covered.append(across * down / (20 * 10))
            strides.append(stride)
        assert step.step == t + 1
        assert step.error == pytest.approx(100 * wrong / 7)
        assert step.distance == pytest.approx(np.median(distances), rel=1e-5)
        assert step.distance_quartiles == pytest.approx(tuple(np.quantile(distances, (0.25, 0.75))), rel=1e-5)
        assert step.far == pytest.approx(100 * np.mean([distance > FAR for distance in distances]))
        outside = [
            not (-0.5 <= float(x) < 59.5 and -0.5 <= float(y) < 39.5) for x, y in zip(*(f[:, t] for f in window[:2]), strict=True)
        ]
        assert step.outside == pytest.approx(100 * np.mean(outside))
        assert step.on_center == pytest.approx(100 * inside / 7)
        assert step.covered == pytest.approx(100 * np.mean(covered), rel=1e-4, abs=1e-4)
        assert step.stride == pytest.approx(np.median(strides), rel=1e-5)


def test_the_summary_does_not_depend_on_batches(make_trajectories: Callable[..., Trajectories]) -> None:
    views = make_trajectories(9, 2)
    whole = summarize_trajectories([views], (10, 10))
    parts = summarize_trajectories([views.rows(torch.arange(4)), views.rows(torch.arange(4, 9))], (10, 10))
    assert whole.steps == parts.steps
    assert np.array_equal(whole.heat["glimpse"], parts.heat["glimpse"])


@pytest.mark.parametrize(("height", "width"), [(40, 40), (60, 60), (100, 75), (28, 28), (55, 101)])
def test_centers_on_every_pixel_fill_the_heat_map_evenly(height: int, width: int) -> None:
    y, x = (index.flatten().double()[:, None] for index in torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))
    count, nothing = len(x), torch.full((len(x), 2), torch.nan)
    tracks = (Track("glimpse", 0, 2, Window(x, y, *(torch.ones_like(x),) * 3)),)
    views = Trajectories(torch.arange(count), torch.zeros(count, 1, height, width), -torch.ones(count).long(), nothing, tracks)
    heat = summarize_trajectories([views]).heat["glimpse"][0] * count
    whole = heat[: height // cell_side(height, width), : width // cell_side(height, width)]
    assert heat.sum() == pytest.approx(count)
    assert whole.min() == pytest.approx(whole.max()) == pytest.approx(cell_side(height, width) ** 2)


def test_the_heat_map_counts_each_image_once_in_the_cell_of_its_center() -> None:
    def field(*values: float) -> torch.Tensor:
        return torch.tensor([list(values)])

    window = Window(field(10.0, 500.0), field(30.0, -3.0), field(1.0, 1.0), field(1.0, 1.0), field(1.0, 1.0))
    views = Trajectories(
        torch.tensor([0]),
        torch.zeros(1, 1, 50, 100),
        torch.tensor([-1]),
        torch.full((1, 2), torch.nan),
        (Track("read", 0, 2, window),),
    )
    heat = summarize_trajectories([views]).heat["read"]
    assert heat.shape == (2, 25, 50)  # cells of two pixels
    assert heat[0, 15, 5] == 1.0
    assert heat[1, 0, 49] == 1.0
    assert heat.sum() == 2.0


def test_unknown_values_are_none(make_trajectories: Callable[..., Trajectories]) -> None:
    views = make_trajectories(3, 2, classes=0, blur=False)
    unknown = Trajectories(views.index, views.images, torch.full((3,), -1), torch.full((3, 2), torch.nan), views.tracks)
    step = summarize_trajectories([unknown], (10, 10)).steps[0]
    assert (step.error, step.distance, step.far, step.on_center, step.covered, step.sigma) == (None,) * 6
    assert step.stride > 0


def test_the_smallest_of_nested_windows_counts(make_trajectories: Callable[..., Trajectories]) -> None:
    views = make_trajectories(3, 2, scales=3)
    assert len(summarize_trajectories([views]).steps) == 2
    assert summarize_trajectories([views]).steps[0].stride == pytest.approx(float(views.tracks[0].window.stride[:, 0].median()))


def test_images_of_different_sizes_share_the_heat_map_of_the_first(make_trajectories: Callable[..., Trajectories]) -> None:
    first, second = make_trajectories(2, 3, height=40, width=60), make_trajectories(3, 3, height=70, width=30, first=5)
    summary = summarize_trajectories([first, second])
    assert (summary.size, summary.images) == ((40, 60), 5)
    alone = summarize_trajectories([first]).heat["glimpse"]
    assert summary.heat["glimpse"].shape == alone.shape
    assert summary.heat["glimpse"].sum(axis=(1, 2)) == pytest.approx(np.ones(3))


def test_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="not one image"):
        summarize_trajectories([])


@pytest.mark.parametrize("known", [True, False])
def test_the_figure_is_drawn(known: bool, make_trajectories: Callable[..., Trajectories], tmp_path: Path) -> None:
    views = make_trajectories(5, 12, classes=10 if known else 0, blur=known)
    if not known:
        views = Trajectories(views.index, views.images, views.labels, torch.full((5, 2), torch.nan), views.tracks)
    summary_figure(summarize_trajectories([views], (10, 10) if known else None), tmp_path / "deep" / "summary.png")
    with Image.open(tmp_path / "deep" / "summary.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 20
    with pytest.raises(ValueError, match=r"\.png"):
        summary_figure(summarize_trajectories([views]), tmp_path / "summary.pdf")


@pytest.mark.parametrize("labels", [True, False])
def test_the_figure_shows_the_error_without_the_digits_positions(
    labels: bool, make_trajectories: Callable[..., Trajectories], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr("glimpse.trajectories.summary_figure.save", lambda path, figure: kept.append(figure))
    views = replace(make_trajectories(5, 3), digits=torch.full((5, 2), torch.nan))
    summary = summarize_trajectories([views if labels else replace(views, labels=torch.full((5,), -1))])
    summary_figure(summary, tmp_path / "summary.png")
    panels = {axes.get_ylabel(): axes for axes in kept[0].axes if axes.get_ylabel() and "images in" not in axes.get_ylabel()}
    assert list(panels) == (["%", "median (px)"] if labels else ["median (px)"])
    if labels:
        (curve,) = panels["%"].get_lines()
        assert curve.get_label() == "error"
        np.testing.assert_allclose(np.asarray(curve.get_ydata()), [step.error or 0.0 for step in summary.steps])


def test_one_runaway_cell_does_not_darken_the_maps_which_have_one_scale_and_name_the_share_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr("glimpse.trajectories.summary_figure.save", lambda path, figure: kept.append(figure))
    count = 2000
    x = torch.rand(count, 2, generator=torch.Generator().manual_seed(0)) * 49
    x[:200, 1] = 300.0  # a tenth of the images at the second step
    y = torch.where(x > 49, -5.0, torch.rand(count, 2, generator=torch.Generator().manual_seed(1)) * 49)
    window = Window(x, y, *(torch.ones_like(x),) * 3)
    unknown = torch.full((count, 2), torch.nan)
    views = Trajectories(
        torch.arange(count), torch.zeros(count, 1, 50, 50), -torch.ones(count).long(), unknown, (Track("glimpse", 0, 2, window),)
    )
    summary = summarize_trajectories([views])
    assert [step.outside for step in summary.steps] == [0, pytest.approx(10, abs=0.2)]
    summary_figure(summary, tmp_path / "summary.png")
    maps = [axes for axes in kept[0].axes if axes.images]
    assert [axes.get_title() for axes in maps[:2]] == ["glimpse 1", f"glimpse 2\n{summary.steps[1].outside:.1f} % outside"]
    first, second = (axes.images[0].get_clim() for axes in maps[:2])
    assert first == second
    assert second[1] is not None
    assert second[1] < 100 * summary.heat["glimpse"].max() / 5
