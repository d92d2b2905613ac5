"""The page as one file with everything inlined, or as a folder of the page, the models and onnxruntime-web.

The page has one JSON object, the element `facts`:

- `runtime`: `module` and `wasm`, where the files of onnxruntime-web are;
- `classifiers`, `generators`: the fields of `PageClassifier` and `PageGenerator`, and `file`, where the ONNX file is;
- `recipe`: the fields of `ClutterRecipe`; `digits`: null, or `height`, `width`, `labels` and `images`, base64 of (N, H, W) bytes.

Where a file is: an object with its address `url`, relative to the page; or `id`, the element that holds its bytes, compressed by
gzip, in base64.
"""

import base64
import gzip
import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import count
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from glimpse import environment
from glimpse.atomic import atomic_file, write_atomically
from glimpse.datasets.digits import Digits
from glimpse.playground.models import PageClassifier, PageGenerator
from glimpse.playground.runtime import MODULE, WASM
from glimpse.settings.clutter import ClutterRecipe
from glimpse.trajectories.how.how import how_script, how_section, how_style
from glimpse.trajectories.page.shared import page_head, page_style

__all__ = ["PageContent", "check_folder", "write_file", "write_folder"]

_INDEX = "index.html"
_MARK = '<meta name="generator" content="glimpse try">'
_DATA = "<!-- data -->"


class Tab(NamedTuple):
    """A tab of the page.

    Attributes:
        name: Name of its markup (`NAME.html`), and of its panel.
        title: Text shown.
        scripts: Its scripts, in their order.
    """

    name: str
    title: str
    scripts: tuple[str, ...]


_CLASSIFY = Tab("classify", "Classify", ("optics.js", "scene.js", "pad.js", "cards.js", "classify.js"))
_DRAW = Tab("draw", "Draw", ("draw.js",))
_EXPLAIN = Tab("explain", "How a glimpse works", ("explain.js",))
_SHARED = ("engine.js", "player.js")  # after the elements of the page of trajectories, before the tabs
_LAST = "tabs.js"


@dataclass(frozen=True)
class PageContent:
    """Content of the page.

    Attributes:
        classifiers: Classifiers of images of one shape.
        generators: Generators.
        digits: Example digits; None for none.
        recipe: Constants of the clutter.
        runtime: Folder with the files of onnxruntime-web.
    """

    classifiers: tuple[PageClassifier, ...]
    generators: tuple[PageGenerator, ...]
    digits: Digits | None
    recipe: ClutterRecipe
    runtime: Path

    @property
    def files(self) -> dict[str, Path]:
        """Files besides the page, by their path in the folder."""
        models = {f"models/{model.name}.onnx": model.file for model in (*self.classifiers, *self.generators)}
        return models | {f"onnxruntime/{name}": self.runtime / name for name in (MODULE, WASM)}

    @property
    def tabs(self) -> list[Tab]:
        """Tabs for which there are models."""
        explained = [model for model in self.classifiers if model.blurs]
        return [tab for tab, models in ((_CLASSIFY, self.classifiers), (_DRAW, self.generators), (_EXPLAIN, explained)) if models]


def check_folder(folder: Path) -> None:
    """Checks that a folder is new, empty or holds an earlier playground, which is replaced.

    Raises:
        ValueError: If it holds another page, or is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out writes a .html file or a folder, and {folder} is another file")
    index = folder / _INDEX
    if index.exists() and _MARK not in index.read_text("utf-8", errors="replace"):
        raise ValueError(f"{index} is another page: choose a new folder")


def write_folder(content: PageContent, folder: Path) -> int:
    """Writes the page as a folder, and returns the size of its files.

    Args:
        content: Content of the page.
        folder: Folder to write; it is made.

    Raises:
        OSError: If a file cannot be written.
    """
    size = 0
    for name, source in content.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        copied = source.read_bytes()
        write_atomically(folder / name, copied)
        size += len(copied)
    page = _page(content, {name: {"url": name} for name in content.files}, "'self'").replace(_DATA, "").encode()
    write_atomically(folder / _INDEX, page)
    return size + len(page)


def write_file(content: PageContent, path: Path) -> int:
    """Writes the page as one file that opens from disk, and returns its size.

    Args:
        content: Content of the page.
        path: File to write; its folder is made.

    Raises:
        OSError: If the file cannot be written.
    """
    places = {name: {"id": f"file-{number}"} for name, number in zip(content.files, count())}
    before, after = _page(content, places, "'none'").split(_DATA)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(before.encode())
        for name, place in places.items():
            packed = base64.b64encode(gzip.compress(content.files[name].read_bytes(), mtime=0))
            file.write(f'<script type="application/octet-stream" id="{place["id"]}">'.encode() + packed + b"</script>\n")
        file.write(after.encode())
        return file.tell()


def _page(content: PageContent, places: Mapping[str, dict[str, str]], connect: str) -> str:
    """Returns the page without the bytes of the files.

    Args:
        content: Content of the page.
        places: Where each file is, by its path in the folder.
        connect: Where the page may fetch from, in the words of a Content-Security-Policy.
    """
    tabs = content.tabs
    scripts = [*_SHARED, *(name for tab in tabs for name in tab.scripts), _LAST]
    facts = json.dumps(_facts(content, places), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Template(_part("page.html")).substitute(
        head=page_head(),
        generator=_MARK,
        connect=connect,
        version=html.escape(environment.package_version() or ""),
        style=page_style() + _shared("page.css") + how_style() + _part("playground.css"),
        tabs="\n    ".join(_tabs(tabs)),
        panels="\n".join(Template(_part(f"{tab.name}.html")).substitute(section=how_section()) for tab in tabs),
        facts=facts,
        script="\n".join([how_script(), _shared("page-elements.js"), *map(_part, scripts)]),
    )


def _tabs(tabs: list[Tab]) -> Iterator[str]:
    """Yields the markup of the tabs."""
    for tab in tabs:
        yield (
            f'<button type="button" role="tab" id="tab-{tab.name}" aria-controls="{tab.name}" aria-selected="false" tabindex="-1">'
            f"{html.escape(tab.title)}</button>"
        )


def _facts(content: PageContent, places: Mapping[str, dict[str, str]]) -> dict[str, Any]:
    """Returns what the page is told, in JSON's types."""

    def described(model: PageClassifier | PageGenerator) -> dict[str, Any]:
        return model.as_dict() | {"file": places[f"models/{model.name}.onnx"]}

    return {
        "runtime": {"module": places[f"onnxruntime/{MODULE}"], "wasm": places[f"onnxruntime/{WASM}"]},
        "classifiers": list(map(described, content.classifiers)),
        "generators": list(map(described, content.generators)),
        "recipe": asdict(content.recipe),
        "digits": None if content.digits is None else _digits(content.digits),
    }


def _digits(digits: Digits) -> dict[str, Any]:
    """Returns digits in JSON's types."""
    height, width = digits.images.shape[1:]
    pixels = base64.b64encode(digits.images.contiguous().numpy().tobytes()).decode("ascii")
    return {"height": height, "width": width, "labels": digits.labels.tolist(), "images": pixels}


def _part(name: str) -> str:
    return (files("glimpse.playground.page") / name).read_text("utf-8")


def _shared(name: str) -> str:
    """Returns a part that the page has in common with the page of trajectories."""
    return (files("glimpse.trajectories.page") / name).read_text("utf-8")
