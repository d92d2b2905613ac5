"""What is asked of each capability: one frozen dataclass a request, with the names and defaults of the command line.

A command parses its options into a request; from Python the calls of the package take the same names as keywords.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, get_args, get_type_hints

__all__ = [
    "ClassifierTrainingRequest",
    "ClutterChoice",
    "CompareRequest",
    "EvaluationRequest",
    "GenerativeChoice",
    "GeneratorTrainingRequest",
    "ImageChoice",
    "ImageSelection",
    "InterpolateRequest",
    "Machine",
    "ReconstructRequest",
    "RunChoice",
    "SampleRequest",
    "SetChoice",
    "Setting",
    "SettingValues",
    "Split",
    "SuiteRequest",
    "TrainingImageChoice",
    "chosen",
    "flag",
    "from_options",
]

Setting = int | float | str | bool
"""Value of a setting of a model or of a training."""

SettingValues = Mapping[str, Setting]
"""Settings by name, in place of a preset's."""

Split = Literal["test", "valid"]

Q = TypeVar("Q")


@dataclass(frozen=True)
class Machine:
    """Where and with what something is computed.

    Attributes:
        device: `auto` (CUDA if there is one, else the CPU), `cpu`, `cuda`, `cuda:N` or `mps`.
        threads: Threads on the CPU; None takes as many as there are idle cores.
    """

    device: str = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class ClutterChoice:
    """Constants of the clutter's recipe, None for the recipe's own or those of a trained model.

    Attributes:
        canvas: Side of the images in pixels.
        pieces: Distractors in an image.
        piece_size: Side of a distractor in pixels.
        border: Pixels at the edges kept free of the digit.
    """

    canvas: int | None = None
    pieces: int | None = None
    piece_size: int | None = None
    border: int | None = None


@dataclass(frozen=True)
class ImageChoice:
    """Which images of digits, or which of your own.

    Attributes:
        data: A built set or a file of images and labels, in place of generated images.
        data_dir: Folder to look for MNIST and other downloads in first.
        digits: Source of the digits; None or `auto` for those that a trained model knows, else MNIST where it is found.
        clutter: Constants of the recipe.
    """

    data: Path | None = None
    data_dir: Path | None = None
    digits: str | None = None
    clutter: ClutterChoice = ClutterChoice()

    @property
    def generated(self) -> dict[str, Any]:
        """What describes generated images: constants of the recipe and `digits`, by name, where they are chosen."""
        return chosen(self.clutter) | ({} if self.digits is None else {"digits": self.digits})


@dataclass(frozen=True)
class TrainingImageChoice(ImageChoice):
    """Which images of digits, or which of your own, to train a classifier on.

    Attributes:
        data: A built set or a file of images and labels, in place of generated images.
        data_dir: Folder to look for MNIST and other downloads in first.
        digits: Source of the digits; None or `auto` for MNIST where it is found.
        clutter: Constants of the recipe.
        distort: Number of distorted copies of every training digit, besides the originals; None for none, or for those of another
            run whose settings are taken.
    """

    distort: int | None = None

    @property
    def generated(self) -> dict[str, Any]:
        """What describes generated images: constants of the recipe, `digits` and `distort`, by name, where they are chosen."""
        return super().generated | ({} if self.distort is None else {"distort": self.distort})


@dataclass(frozen=True)
class GenerativeChoice:
    """Which images a generator is for; None for those of its preset or training.

    Attributes:
        data: Name of a set, or the path of your own pictures.
        data_dir: Folder to look for the sets in first.
        binarization: `dynamic` draws black or white by the intensities, `none` leaves them; None is the set's own way.
        crop: Height and width to cut out.
        size: Height and width to bring the pictures of a folder to.
    """

    data: str | None = None
    data_dir: Path | None = None
    binarization: Literal["dynamic", "none"] | None = None
    crop: tuple[int, int] | None = None
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class RunChoice:
    """Where a training runs, and from what it starts.

    Attributes:
        out: The run's folder; None names it by the preset.
        resume: Whether to continue the run in `out`, or to start it where there is nothing yet.
        config: Folder or config.json of a run whose settings to start from.
        epochs: Budget in passes over the training images, in place of one in images.
        checkpoint_every: Seconds between checkpoints.
    """

    out: Path | None = None
    resume: bool = False
    config: Path | None = None
    epochs: float | None = None
    checkpoint_every: float = 60.0


@dataclass(frozen=True)
class ClassifierTrainingRequest:
    """A training of a classifier.

    Attributes:
        model: Kind of classifier in the catalog; None follows from the preset.
        preset: Named settings to start from; None takes the kind's first.
        settings: Of the model and the training, in place of the preset's.
        images: What it is trained on.
        run: Where.
        machine: With what.
    """

    model: str | None = None
    preset: str | None = None
    settings: SettingValues = field(default_factory=lambda: MappingProxyType({}))
    images: TrainingImageChoice = TrainingImageChoice()
    run: RunChoice = RunChoice()
    machine: Machine = Machine()


@dataclass(frozen=True)
class GeneratorTrainingRequest:
    """A training of a generator.

    Attributes:
        preset: Named settings to start from; None takes `mnist-small`.
        settings: Of the model and the training, in place of the preset's.
        images: What it is trained on.
        run: Where.
        machine: With what.
    """

    preset: str | None = None
    settings: SettingValues = field(default_factory=lambda: MappingProxyType({}))
    images: GenerativeChoice = GenerativeChoice()
    run: RunChoice = RunChoice()
    machine: Machine = Machine()


@dataclass(frozen=True)
class EvaluationRequest:
    """A measurement of a trained model.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        split: Part of the data.
        glimpses: Other than trained.
        test_samples: Of a model that samples where it looks: sequences to average over, 0 for the policy's mean.
        importance_samples: Of a generator: samples of a tighter bound.
        images: Other than the task's own.
        machine: With what.
    """

    model: str
    split: Split = "test"
    glimpses: int | None = None
    test_samples: int | None = None
    importance_samples: int | None = None
    images: ImageChoice = ImageChoice()
    machine: Machine = Machine()


@dataclass(frozen=True)
class SetChoice:
    """The set of images that a trained generator is asked about.

    Attributes:
        data: Name or path of a set, in place of the one the generator was trained on.
        data_dir: Folder to look for the sets in first.
    """

    data: Path | None = None
    data_dir: Path | None = None


@dataclass(frozen=True)
class ImageSelection:
    """Which images of a set, or which of your pictures.

    Attributes:
        split: Part of the set.
        indices: Positions in that part, counted from 0: a text such as `0,5,10-19`, or numbers; None for the first ones.
        pictures: Picture files, in place of a set's images.
    """

    split: Split = "test"
    indices: str | Sequence[int] | None = None
    pictures: tuple[Path, ...] = ()


@dataclass(frozen=True)
class SampleRequest:
    """Samples of a trained generator.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        count: How many samples.
        temperature: Factor on the latents: 1 is the model's own, less is tamer.
        binary: Whether every pixel is drawn black or white by its probability.
        seed: Key of what is random.
        out: File to write: a sheet (`.png`), an animation (`.gif`) or arrays (`.npz`); None writes none.
        frames: Folder for one picture a step; None writes none.
        images: The set whose nearest images a sheet shows.
        machine: With what.
    """

    model: str
    count: int = 16
    temperature: float = 1.0
    binary: bool = False
    seed: int = 0
    out: Path | None = None
    frames: Path | None = None
    images: SetChoice = SetChoice()
    machine: Machine = Machine()


@dataclass(frozen=True)
class ReconstructRequest:
    """Images that a trained generator draws again.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        count: At most this number of images; None takes 8, or all that are named.
        seed: Without effect: the latents are the posteriors' means.
        out: File to write: a sheet (`.png`) or an animation (`.gif`); None writes none.
        frames: Folder for one picture a step; None writes none.
        selection: Which images.
        images: Of which set.
        machine: With what.
    """

    model: str
    count: int | None = None
    seed: int = 0
    out: Path | None = None
    frames: Path | None = None
    selection: ImageSelection = ImageSelection()
    images: SetChoice = SetChoice()
    machine: Machine = Machine()


@dataclass(frozen=True)
class InterpolateRequest:
    """The way from one image to another through a generator's latents, or a sample with single latents changed.

    Attributes:
        model: A run's folder, a weights file or `pretrained:NAME`.
        steps: Images on the way, both ends counted; None takes 33 for a `.gif`, else 9.
        latent: Whether single latents of a sample are changed instead, those that say most.
        count: With `latent`, how many of them; None takes 8.
        seed: Key of what is random.
        out: File to write: a sheet (`.png`) or an animation (`.gif`); None writes none.
        selection: The two images.
        images: Of which set.
        machine: With what.
    """

    model: str
    steps: int | None = None
    latent: bool = False
    count: int | None = None
    seed: int = 0
    out: Path | None = None
    selection: ImageSelection = ImageSelection()
    images: SetChoice = SetChoice()
    machine: Machine = Machine()


@dataclass(frozen=True)
class CompareRequest:
    """A comparison of trained models of one task.

    Attributes:
        sources: Runs' folders, weights files or `pretrained:NAME`.
        data_dir: Folder to look for the digits in first.
        machine: With what they are measured.
    """

    sources: tuple[str, ...]
    data_dir: Path | None = None
    machine: Machine = field(default_factory=Machine)


@dataclass(frozen=True)
class SuiteRequest:
    """The trainings of a suite's models, and their comparison.

    Attributes:
        suite: Its name.
        out: The suite's folder; None is `runs/compare-SUITE`.
        models: Names of the suite's models; None takes all.
        images: Budget of every model; None takes the suite's own.
        seeds: Every model is trained from the seeds 0 to N - 1; None takes the suite's own.
        within: Minutes after which it stops, to continue at the next call; None never stops, 0 stops before the first training.
        precision: Of the trainings; None takes the presets'.
        compile: Whether the models are compiled; None takes the presets'.
        data_dir: Folder to look for the digits in first.
        machine: With what they are trained and measured.
    """

    suite: str
    out: Path | None = None
    models: tuple[str, ...] | None = None
    images: int | None = None
    seeds: int | None = None
    within: float | None = None
    precision: Literal["fp32", "bf16"] | None = None
    compile: bool | None = None
    data_dir: Path | None = None
    machine: Machine = field(default_factory=Machine)

    @property
    def folder(self) -> Path:
        """The suite's folder."""
        return self.out or Path("runs") / f"compare-{self.suite}"


def from_options(kind: type[Q], options: Mapping[str, Any], settings: Iterable[str] = ()) -> Q:
    """Returns a request from options by name, as the command line and the calls of the package take them; None is not given.

    Args:
        kind: Class of the request; fields that are requests themselves take their options from the same mapping.
        options: Values by name.
        settings: Names that go into the request's `settings`.

    Raises:
        TypeError: If a name is no option of the request.

    >>> from_options(EvaluationRequest, {"model": "runs/tuned-8", "canvas": 60}).images.clutter
    ClutterChoice(canvas=60, pieces=None, piece_size=None, border=None)
    """
    left = {name: value for name, value in options.items() if value is not None}
    request = _taken(kind, left, frozenset(settings))
    if left:
        raise TypeError(f"unexpected option {next(iter(left))!r}; {kind.__name__} takes {', '.join(_names(kind, settings))}")
    return request


def _taken(kind: type[Q], left: dict[str, Any], settings: frozenset[str]) -> Q:
    """Returns a request from what it takes out of the options that are left."""
    hints, values = get_type_hints(kind), dict[str, Any]()
    for each in fields(kind):  # type: ignore[arg-type]
        if each.name == "settings":
            values["settings"] = MappingProxyType({name: left.pop(name) for name in list(left) if name in settings})
        elif is_dataclass(hints[each.name]):
            values[each.name] = _taken(hints[each.name], left, settings)
        elif each.name in left:
            values[each.name] = _as_hinted(left.pop(each.name), hints[each.name])
    return kind(**values)


def _as_hinted(value: Any, hint: Any) -> Any:
    """Returns a value with texts as paths where a field holds paths."""
    if hint == tuple[Path, ...]:
        return tuple(map(Path, [value] if isinstance(value, str | Path) else value))
    return Path(value) if isinstance(value, str) and Path in get_args(hint) else value


def _names(kind: type[Any], settings: Iterable[str]) -> Iterator[str]:
    """Yields the names of all options of a request."""
    hints = get_type_hints(kind)
    for each in fields(kind):
        if each.name == "settings":
            yield from settings
        elif is_dataclass(hints[each.name]):
            yield from _names(hints[each.name], settings)
        else:
            yield each.name


def chosen(request: object) -> dict[str, Any]:
    """Returns the fields of a request that are not None, by name.

    >>> chosen(ClutterChoice(canvas=60))
    {'canvas': 60}
    """
    values = {each.name: getattr(request, each.name) for each in fields(request)}  # type: ignore[arg-type]
    return {name: value for name, value in values.items() if value is not None}


def flag(name: str) -> str:
    """Returns the option of the command line that stands for a name.

    >>> flag("piece_size")
    '--piece-size'
    """
    return f"--{name.replace('_', '-')}"
