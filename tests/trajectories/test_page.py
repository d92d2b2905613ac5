"""The page of trajectories, parsed without a browser: its data against the tensors, escaping, and no outside addresses."""

import base64
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from glimpse.trajectories.page.page import write_page
from glimpse.trajectories.views import Trajectories

Maker = Callable[..., Trajectories]


class Reader(HTMLParser):
    """Collects every element with its attributes, and the text of each kind of element, like a browser."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.setdefault(self._open[-1], []).append(data)


def written(tmp_path: Path, *parts: Trajectories, title: str = "A model", **options: Any) -> tuple[str, list[dict[str, Any]]]:
    path = tmp_path / "page.html"
    write_page(parts, path, title=title, **options)
    text = path.read_text("utf-8")
    chunks = re.findall(r'<script type="application/json" class="chunk">(.*?)</script>', text, flags=re.DOTALL)
    return text, [json.loads(chunk) for chunk in chunks]


def floats(text: str, *shape: int) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(shape)


def test_windows_probabilities_and_digits_are_exactly_the_exported_ones(tmp_path: Path, make_trajectories: Maker) -> None:
    part = make_trajectories(3, 4, scales=2)
    _, (chunk,) = written(tmp_path, part)
    for track, there in zip(part.tracks, chunk["tracks"], strict=True):
        assert (there["kind"], there["scale"], there["n"]) == (track.kind, track.scale, track.n)
        windows = floats(there["windows"], 3, 4, 5)
        for i, name in enumerate(("center_x", "center_y", "stride", "sigma", "intensity")):
            assert np.array_equal(windows[..., i], getattr(track.window, name).numpy())
    assert part.probabilities is not None
    assert np.array_equal(floats(chunk["probabilities"], 3, 4, 10), part.probabilities.numpy())
    assert np.array_equal(floats(chunk["digits"], 3, 2), part.digits.numpy())
    assert (chunk["index"], chunk["labels"]) == (part.index.tolist(), part.labels.tolist())


def test_names_of_pictures_are_exported_and_cannot_end_their_element(tmp_path: Path, make_trajectories: Maker) -> None:
    names = ("a.png", "</script><img src=x>.png", "c d.jpg")
    text, chunks = written(tmp_path, replace(make_trajectories(3), names=names), make_trajectories(2, first=3))
    assert [chunk["names"] for chunk in chunks] == [list(names), None]
    assert "<img src=x>" not in text


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_the_exported_ones_to_half_a_shade(tmp_path: Path, make_trajectories: Maker, channels: int) -> None:
    part = make_trajectories(channels=channels)
    _, (chunk,) = written(tmp_path, part)
    for image, text in zip(part.images, chunk["images"], strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).reshape(20, 30, channels)
        assert np.abs(pixels.transpose(2, 0, 1) / 255 - image.numpy()).max() <= 0.5 / 255 + 1e-6


def test_glimpses_are_the_exported_ones_to_half_of_a_255th_of_their_range(tmp_path: Path, make_trajectories: Maker) -> None:
    part = make_trajectories(3, 4, n=3)
    seen = 5 * torch.rand(3, 4, 1, 3, 3, generator=torch.Generator().manual_seed(0)) - 2
    part = replace(part, tracks=(part.tracks[0]._replace(patches=seen),))
    _, (chunk,) = written(tmp_path, part)
    there = chunk["tracks"][0]
    q = np.frombuffer(base64.b64decode(there["patches"]), np.uint8).reshape(3, 4, 1, 3, 3)
    assert (q.min(), q.max()) == (0, 255)
    assert np.abs(there["low"] + q / 255 * (there["high"] - there["low"]) - seen.numpy()).max() <= 0.5 * 5 / 255 + 1e-6


@pytest.mark.parametrize("channels", [1, 3])
def test_canvases_are_one_below_the_other_in_a_picture_for_each_image(
    tmp_path: Path, make_trajectories: Maker, channels: int
) -> None:
    part = make_trajectories(3, 4, channels=channels)
    canvases = torch.rand(3, 4, channels, 5, 7, generator=torch.Generator().manual_seed(0))
    part = replace(part, tracks=(part.tracks[0]._replace(canvases=canvases),))
    _, (chunk,) = written(tmp_path, part)
    (track,) = chunk["tracks"]
    assert track["canvas"] == [5, 7]
    for each, text in zip(canvases, track["canvases"], strict=True):
        film = np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))).reshape(4, 5, 7, channels)
        assert np.abs(film.transpose(0, 3, 1, 2) / 255 - each.numpy()).max() <= 0.5 / 255 + 1e-6


def test_one_of_a_hundred_written_values_is_beyond_their_symmetric_scale(tmp_path: Path, make_trajectories: Maker) -> None:
    part = make_trajectories(10, 4, n=5)
    patches = torch.randn(10, 4, 1, 5, 5, generator=torch.Generator().manual_seed(0))
    part = replace(part, tracks=(part.tracks[0]._replace(kind="write", patches=patches),))
    _, (chunk,) = written(tmp_path, part)
    track = chunk["tracks"][0]
    limit = np.quantile(patches.abs().numpy(), 0.99)
    assert (track["low"], track["high"]) == pytest.approx((-limit, limit), rel=1e-6)
    q = np.frombuffer(base64.b64decode(track["patches"]), np.uint8).reshape(patches.shape)
    expected = patches.numpy().clip(-limit, limit)
    assert np.abs(track["low"] + q / 255 * 2 * limit - expected).max() <= limit / 255 + 1e-6


def test_glimpses_that_were_not_kept_and_unknown_numbers_are_left_out(tmp_path: Path, make_trajectories: Maker) -> None:
    part = replace(make_trajectories(2, 3, patches=False, blur=False), probabilities=None, digits=torch.full((2, 2), torch.nan))
    _, (chunk,) = written(tmp_path, part)
    assert chunk["tracks"][0]["patches"] is None
    assert chunk["tracks"][0]["canvases"] is None
    assert chunk["probabilities"] is None
    assert chunk["classes"] == 0
    assert np.isnan(floats(chunk["tracks"][0]["windows"], 2, 3, 5)[..., 3]).all()
    assert np.isnan(floats(chunk["digits"], 2, 2)).all()


def test_chunks_are_in_order_and_empty_ones_are_left_out(tmp_path: Path, make_trajectories: Maker) -> None:
    part = make_trajectories(5)
    nothing = part.rows(torch.zeros(5, dtype=torch.bool))
    _, chunks = written(tmp_path, part.rows(torch.tensor([3, 4])), nothing, part.rows(torch.tensor([0, 1, 2])))
    assert [chunk["index"] for chunk in chunks] == [[3, 4], [0, 1, 2]]


def test_text_is_escaped(tmp_path: Path, make_trajectories: Maker) -> None:
    evil = '</title></script><img src=x onerror=alert(1)><!-- data --> $style & "it\'s"'
    plain = Reader(written(tmp_path, make_trajectories(), title="t", facts={"model": "m"})[0])
    text, chunks = written(tmp_path, make_trajectories(), title=evil, facts={evil: evil})
    reader = Reader(text)
    assert [tag for tag, _ in reader.elements] == [tag for tag, _ in plain.elements]
    for place in ("title", "h1", "dt", "dd"):
        assert evil in "".join(reader.texts[place])
    assert len(chunks) == 1


def test_no_text_in_the_data_ends_its_element(tmp_path: Path, make_trajectories: Maker) -> None:
    part = make_trajectories()
    evil = "</script><!--<script><img src=x>"
    text, (chunk,) = written(tmp_path, replace(part, tracks=(part.tracks[0]._replace(kind=evil),)))  # type: ignore[arg-type]
    assert chunk["tracks"][0]["kind"] == evil
    assert [tag for tag, _ in Reader(text).elements] == [tag for tag, _ in Reader(written(tmp_path, part)[0]).elements]


def test_nothing_on_the_page_has_an_address_elsewhere(tmp_path: Path, make_trajectories: Maker) -> None:
    text, _ = written(tmp_path, make_trajectories())
    elements = Reader(text).elements
    policy = [a["content"] for tag, a in elements if tag == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policy
    assert str(policy[0]).startswith("default-src 'none'; img-src data: blob:;")
    addresses = [value for _, attributes in elements for name, value in attributes.items() if name in ("src", "href", "action")]
    assert all(str(address).startswith(("data:", "#")) for address in addresses)
    assert set(re.findall(r"https?://[^\s'\"]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, never fetched


def test_every_button_and_field_has_a_name(tmp_path: Path, make_trajectories: Maker) -> None:
    text, _ = written(tmp_path, make_trajectories())
    assert 'lang="en"' in text
    for tag, body in re.findall(r"<(button[^>]*)>(.*?)</button>", text):
        assert "aria-label=" in tag or re.sub(r"<[^>]+>", "", body).strip(), tag
    for tag in re.findall(r'<input type="range"[^>]*>', text):
        assert "aria-label=" in tag


def test_nothing_to_show_is_refused_and_leaves_no_file(tmp_path: Path, make_trajectories: Maker) -> None:
    nothing = make_trajectories(2).rows(torch.zeros(2, dtype=torch.bool))
    for parts in ([], [nothing]):
        with pytest.raises(ValueError, match="not one image to show"):
            write_page(parts, tmp_path / "page.html", title="t")
    assert not list(tmp_path.iterdir())


def test_images_with_two_channels_and_other_endings_are_refused(tmp_path: Path, make_trajectories: Maker) -> None:
    with pytest.raises(ValueError, match=r"gray or RGB.*\(3, 2, 20, 30\)"):
        write_page([make_trajectories(channels=2)], tmp_path / "page.html", title="t")
    with pytest.raises(ValueError, match=r"must end in \.html, got .*page\.png"):
        write_page([make_trajectories()], tmp_path / "page.png", title="t")
