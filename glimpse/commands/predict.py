"""Output of `glimpse predict`."""

from collections.abc import Sequence

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.evaluation.own_pictures import FailedPicture, FailedPictures
from glimpse.evaluation.prediction import Prediction, predict_request
from glimpse.settings.requests import PredictionRequest

__all__ = ["predict"]


def predict(request: PredictionRequest, *, as_json: bool) -> None:
    """Prints the predicted class of each picture with its probability.

    Args:
        request: Model, pictures and their handling.
        as_json: Whether to print a single line of JSON.

    Raises:
        ValueError: If the model is not a classifier, a folder holds no pictures, or, after the predictions for the others are
            printed, if a picture cannot be used.
    """
    try:
        found = predict_request(request, ConsoleListener())
    except FailedPictures as error:
        if error.results:
            _show(request.model, error.results, error.failures, as_json=as_json)
        raise
    _show(request.model, found, (), as_json=as_json)


def _show(model: str, found: Sequence[Prediction], failed: Sequence[FailedPicture], *, as_json: bool) -> None:
    """Prints predictions; the failed pictures as JSON only, since the error names them."""
    if as_json:
        failures = {"failed": [{"picture": str(each.picture), "reason": each.reason} for each in failed]} if failed else {}
        console.print_json({"model": model, "predictions": [each._asdict() for each in found]} | failures)
    else:
        rows = [(str(each.picture), each.name, round(each.probability, 4)) for each in found]
        console.print_rows(("picture", "class", "probability"), rows)
