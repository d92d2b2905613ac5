"""Output of `glimpse evaluate`."""

from glimpse.commands import console
from glimpse.commands.confusion import show_confusion
from glimpse.commands.console import ConsoleListener
from glimpse.commands.diagnosis import show_diagnosis
from glimpse.evaluation.evaluate import Evaluation, evaluate_request
from glimpse.evaluation.generator import GenerationResult
from glimpse.evaluation.metrics import ClassificationResult
from glimpse.settings.draw import GeneratorConfig
from glimpse.settings.requests import EvaluationRequest

__all__ = ["evaluate"]


def evaluate(request: EvaluationRequest, *, as_json: bool) -> None:
    """Evaluates a trained model and prints the error of a classifier or the bound of a generator."""
    found = evaluate_request(request, ConsoleListener())
    if as_json:
        console.print_json(found.as_dict())
    elif isinstance(found.result, ClassificationResult):
        _show_classifier(found, found.result)
    else:
        _show_generator(found, found.result)
    for path in (found.figure, found.csv):
        if path is not None:
            console.note(f"Wrote {path}")


def _show_classifier(found: Evaluation, result: ClassificationResult) -> None:
    """Prints the results of a classifier: error, error by glimpse, confusion matrix and published results."""
    low, high = result.interval
    facts = [
        ("error %", f"{result.error:.2f}"),
        ("95 % interval", f"{low:.2f} to {high:.2f}"),
        ("images", f"{result.n:,}"),
        ("negative log-likelihood, nats", f"{result.nll:.4f}"),
        ("calibration error", f"{result.calibration_error:.4f}"),
        ("images per second", _rate(found)),
    ]
    if found.test_samples is not None:
        samples = found.test_samples
        sampled = f"{samples}, averaged" if samples > 1 else "1" if samples else "none: the policy's mean"
        facts.insert(1, ("sampled location sequences", sampled))
    described = " ".join(f"{key}={value}" for key, value in found.data.items() if key != "recipe")
    console.print_rows((found.model, described), facts)
    glimpses = len(result.error_by_glimpse)
    names = found.class_names or tuple(map(str, range(len(result.confusion))))
    if found.diagnosis is not None:
        show_diagnosis(found.diagnosis, names)
    if glimpses > 1 and (found.diagnosis is None or found.diagnosis.by_glimpse is None):
        steps = [(step, f"{error:.2f}") for step, error in enumerate(result.error_by_glimpse, start=1)]
        console.print_rows(("glimpse", "error %"), steps)
    is_whole = show_confusion(result.confusion, names)
    if not is_whole and found.csv is None:
        console.note("--csv FILE writes the whole confusion matrix.")
    name = f"{found.model}, {glimpses} glimpses" if glimpses > 1 else found.model
    rows = [(row.model, f"{row.error_percent:.2f}", row.source, row.note) for row in found.published]  # type: ignore[union-attr]
    if rows:
        here = (name, f"{result.error:.2f}", "measured here", "")
        console.print_rows(("model", "error %", "source", "note"), [here, *rows], title="Published results on the same task")
    console.print_line(f"{name}: error {result.error:.2f} % (95 % interval {low:.2f} to {high:.2f}) on {result.n:,} images")


def _show_generator(found: Evaluation, result: GenerationResult) -> None:
    """Prints the results of a generator: bound, divergence by step and published results."""
    data = found.data
    gray = isinstance(found.config, GeneratorConfig) and found.config.observation == "bernoulli" and data["binarization"] == "none"
    facts = [
        ("cost, nats (gray under Bernoulli: not a likelihood)" if gray else "bound, nats", f"{result.bound_nats:.2f}"),
        ("standard error", f"{result.standard_error:.2f}" if result.n > 1 else None),
        ("images", f"{result.n:,}"),
        ("reconstruction, nats", f"{result.reconstruction_nats:.2f}"),
        ("KL divergence, nats", f"{result.kl_nats:.2f}"),
        ("binarization", data["binarization"]),
    ]
    if result.bits_per_dimension is not None:
        facts.insert(1, ("bits per dimension", f"{result.bits_per_dimension:.4f}"))
    if result.importance_nats is not None:
        error = result.importance_standard_error or 0.0
        facts.append((f"with {result.importance_samples} importance samples", f"{result.importance_nats:.2f} (s.e. {error:.2f})"))
    facts.append(("images per second", _rate(found)))
    subset = ", a subset" if data["note"] is not None else ""
    console.print_rows((found.model, f"{data['name']}{subset}, {data['split']}"), facts)
    console.print_rows(("step", "KL, nats"), [(step, f"{kl:.3f}") for step, kl in enumerate(result.kl_by_step, start=1)])
    _show_published_bounds(found, result)
    spread = f" (standard error {result.standard_error:.2f})" if result.n > 1 else ""
    name = "cost" if gray else "bound"
    console.print_line(f"{found.model}: {name} {result.bound_nats:.2f} nats{spread} on {result.n:,} images")


def _show_published_bounds(found: Evaluation, result: GenerationResult) -> None:
    """Prints published results below the measured one, if there are any."""
    rows = [(row.model, f"{row.relation} {row.value:.2f}", row.source, row.note) for row in found.published]  # type: ignore[union-attr]
    if rows:
        in_nats = result.bits_per_dimension is None
        value = result.bound_nats if result.bits_per_dimension is None else result.bits_per_dimension
        here = (f"{found.model}, {found.glimpses} glimpses", f"<= {value:.2f}", "measured here, one sample", "")
        columns = ("model", "nats" if in_nats else "bits per dimension", "source", "note")
        console.print_rows(columns, [here, *rows], title="Published results on the same test set")


def _rate(found: Evaluation) -> str:
    """Returns the speed with its device and number of threads."""
    return f"{found.images_per_second:,.0f} ({found.device}, threads: {found.threads})"
