"""Models of the playground: exported to ONNX once, and described for the page.

Dimensions: T glimpses or steps, K classes, Z latent variables per step, windows of n x n filters.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from glimpse import environment, pretrained
from glimpse.datasets import folders
from glimpse.digest import sha256_of_bytes, sha256_of_file
from glimpse.evaluation.own_pictures import training_images
from glimpse.exporting import formats
from glimpse.exporting.calls import export_request
from glimpse.generation.sampling import most_used
from glimpse.listener import Listener
from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_model
from glimpse.models.draw import DRAW
from glimpse.models.weights import class_names, find_weights, read_facts
from glimpse.playground.influence import latent_influence
from glimpse.settings.clutter import ClutterRecipe
from glimpse.settings.requests import ModelExportRequest

__all__ = ["PageClassifier", "PageGenerator", "PageModel", "image_shape", "page_models", "recipe_of"]

_SLIDERS = 8  # latent variables that can be pulled


@dataclass(frozen=True)
class PageModel:
    """A model of the playground.

    Attributes:
        name: Name shown, unique on the page.
        source: Run's folder, weights file or `pretrained:NAME`.
        file: Its ONNX file.
        shape: Channels, height and width of the images.
        steps: Number T of glimpses or steps.
        window: Side n of its windows, which a generator writes; None without windows.
    """

    name: str
    source: str
    file: Path
    shape: tuple[int, int, int]
    steps: int
    window: int | None

    def as_dict(self) -> dict[str, Any]:
        """Returns the description in JSON's types, as the page has it: without the file."""
        return {name: value for name, value in asdict(self).items() if name != "file"}


@dataclass(frozen=True)
class PageClassifier(PageModel):
    """A classifier of the playground.

    Attributes:
        classes: Name of each of the K classes.
        error: Error on the test set in percent, of a shipped model; None if unknown.
        blurs: Whether its windows are Gaussian filters.
    """

    classes: tuple[str, ...]
    error: float | None
    blurs: bool


@dataclass(frozen=True)
class PageGenerator(PageModel):
    """A generator of the playground.

    Attributes:
        latent: Number Z of latent variables per step.
        sliders: Step and index, from 0, of the latent variables that change an image most, the strongest first.
    """

    latent: int
    sliders: tuple[tuple[int, int], ...]


def page_models(
    sources: Sequence[str], threads: int | None, listener: Listener
) -> tuple[list[PageClassifier], list[PageGenerator]]:
    """Returns the classifiers and the generators among models, exported to ONNX files in the user's cache.

    Args:
        sources: Runs' folders, weights files or `pretrained:NAME`.
        threads: Number of CPU threads of the comparison after an export.
        listener: Receives progress and notes.

    Raises:
        ValueError: If there is no such model, or it cannot be exported; or the classifiers have images of different shapes.
        OSError: If a file cannot be read or written.
    """
    classifiers, generators = [], []
    for source, name in zip(sources, _names(sources), strict=True):
        model, file = open_model(source), _exported(source, threads, listener)
        if isinstance(model, DRAW):
            generators.append(_generator(name, source, file, model))
        else:
            classifiers.append(_classifier(name, source, file, model))
    image_shape(classifiers)
    return classifiers, generators


def image_shape(classifiers: Iterable[PageClassifier]) -> tuple[int, int, int] | None:
    """Returns channels, height and width of the images of all classifiers; None if there are none.

    Raises:
        ValueError: If they are not the same.
    """
    shapes: dict[tuple[int, int, int], str] = {}
    for classifier in classifiers:
        shapes.setdefault(classifier.shape, classifier.name)
    if len(shapes) > 1:
        listed = " and ".join(f"{name} takes {' x '.join(map(str, shape))}" for shape, name in shapes.items())
        raise ValueError(f"classifiers on one page must take images of the same shape: {listed}")
    return next(iter(shapes), None)


def recipe_of(sources: Iterable[str]) -> ClutterRecipe:
    """Returns the clutter of the first model that was trained on cluttered digits; the default recipe if there is none."""
    tasks = (read_facts(source)["task"] for source in sources)
    return next((ClutterRecipe(**task["recipe"]) for task in tasks if task["kind"] == "cluttered"), ClutterRecipe())


def _names(sources: Sequence[str]) -> list[str]:
    """Returns a short name for each source, with its number where two are the same."""
    short = [re.sub(r"\W+", "-", _stem(source)).strip("-") or "model" for source in sources]
    return [name if short.count(name) == 1 else f"{name}-{i + 1}" for i, name in enumerate(short)]


def _stem(source: str) -> str:
    path = Path(source)
    return source.removeprefix(pretrained.PREFIX) if source.startswith(pretrained.PREFIX) else path.resolve().name.split(".")[0]


def _exported(source: str, threads: int | None, listener: Listener) -> Path:
    """Returns the ONNX file of a model in the user's cache, which depends on its weights and on the code that exports it."""
    weights, code = sha256_of_file(find_weights(source)), sha256_of_file(Path(formats.__file__))
    key = sha256_of_bytes(f"{weights} {code} {environment.package_version()} {torch.__version__}".encode())[:32]
    file = folders.cache_folder() / "exported" / f"{key}.onnx"
    if not file.is_file():
        export_request(ModelExportRequest(source, file, threads=threads), listener)
    return file


def _classifier(name: str, source: str, file: Path, model: ImageClassifier) -> PageClassifier:
    facts = read_facts(source)
    size = training_images(facts, model.config.image_size).size
    if size is None:
        raise ValueError(f"{source} does not hold the size of its training images")
    shipped = pretrained.available().get(source.removeprefix(pretrained.PREFIX), {})
    return PageClassifier(
        name=name,
        source=source,
        file=file,
        shape=(model.config.channels, *size),
        steps=model.glimpses,
        window=model.config.window if model.shows_windows else None,  # type: ignore[attr-defined]
        classes=class_names(facts) or (),
        error=shipped.get("test_error_percent") if source.startswith(pretrained.PREFIX) else None,
        blurs=_blurs(model, size),
    )


@torch.no_grad()
def _blurs(model: ImageClassifier, size: tuple[int, int]) -> bool:
    """Returns whether a classifier has windows with a sigma."""
    image, uniforms = torch.zeros(1, model.config.channels, *size), torch.full((1, model.glimpses, 2), 0.5)
    windows = model.named_outputs(image, **model.inputs(None, uniforms)).get("windows")
    return windows is not None and bool(windows.isfinite().all())


def _generator(name: str, source: str, file: Path, model: DRAW) -> PageGenerator:
    config = model.config
    return PageGenerator(
        name=name,
        source=source,
        file=file,
        shape=(config.channels, config.height, config.width),
        steps=config.glimpses,
        window=config.write if config.attention else None,
        latent=config.latent,
        sliders=tuple(most_used(latent_influence(model), _SLIDERS)),
    )
