"""Writing the playground: one file that opens from disk, or a folder that any web server hosts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glimpse import environment
from glimpse.datasets.digits import Digits
from glimpse.exporting.formats import check_format
from glimpse.listener import Listener
from glimpse.playground.examples import example_digits
from glimpse.playground.models import PageClassifier, PageGenerator, image_shape, page_models, recipe_of
from glimpse.playground.page.page import PageContent, check_folder, write_file, write_folder
from glimpse.playground.runtime import VERSION, runtime_folder
from glimpse.settings.requests import PlaygroundRequest, from_options

__all__ = ["Playground", "playground_request", "write_playground"]


@dataclass(frozen=True)
class Playground:
    """A playground that was written.

    Attributes:
        out: File or folder.
        classifiers: Its classifiers.
        generators: Its generators.
        digits: Source of the example digits; None without classifiers.
        runtime: Version of onnxruntime-web.
        bytes: Size of all files.
    """

    out: Path
    classifiers: tuple[PageClassifier, ...]
    generators: tuple[PageGenerator, ...]
    digits: str | None
    runtime: str
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        """Returns the result in JSON's types."""
        models = {name: [model.as_dict() for model in getattr(self, name)] for name in ("classifiers", "generators")}
        return vars(self) | {"out": str(self.out)} | models


def write_playground(*models: str | Path, out: str | Path, listener: Listener | None = None, **options: Any) -> Playground:
    """Writes a page on which trained models run in the browser, in one file or as a folder.

    The models are exported to ONNX, once, and run by onnxruntime-web. The page fetches nothing from another address.

    Args:
        models: Runs' folders, weights files or `pretrained:NAME`: classifiers of images of one size, and generators. Two shipped
            models if there are none.
        out: File to write, a `.html` that opens from disk; or a folder for any web server.
        listener: Receives progress and notes.
        options: Options of `glimpse try` by name: `digits`, `data_dir`, `runtime`, `threads`.

    Returns:
        The models and the size; `--json` prints its `as_dict()`.

    Raises:
        TypeError: If there is no such option.
        ValueError: If there is no such model, the classifiers take images of different shapes, a package is missing, or the folder
            holds another page.
        OSError: If a file cannot be read or written, or onnxruntime-web cannot be downloaded.
    """
    given = {"models": tuple(map(str, models))} if models else {}
    return playground_request(from_options(PlaygroundRequest, {"out": Path(out), **given, **options}), listener)


def playground_request(request: PlaygroundRequest, listener: Listener | None = None) -> Playground:
    """Writes the playground as requested; see `write_playground`."""
    listener = listener or Listener()
    check_format("onnx")
    if not request.is_file:
        check_folder(request.out)
    environment.use_threads(request.threads)
    runtime = runtime_folder(request.runtime, listener)
    classifiers, generators = page_models(request.models, request.threads, listener)
    digits = _digits(request, classifiers, listener)
    content = PageContent(tuple(classifiers), tuple(generators), digits, recipe_of(request.models), runtime)
    write = write_file if request.is_file else write_folder
    size = write(content, request.out)
    name = None if digits is None else digits.source
    return Playground(request.out, content.classifiers, content.generators, name, VERSION, size)


def _digits(request: PlaygroundRequest, classifiers: list[PageClassifier], listener: Listener) -> Digits | None:
    """Returns the example digits if they fit on the images of the classifiers."""
    shape = image_shape(classifiers)
    if shape is None:
        return None
    digits = example_digits(request.digits, request.data_dir, listener)
    fits = all(side >= own for side, own in zip(shape[1:], digits.images.shape[1:], strict=True))
    return digits if fits else None
