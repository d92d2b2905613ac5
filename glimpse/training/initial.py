"""Initial weights of a training, those of another trained model (fine-tuning)."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from glimpse.digest import sha256_of_bytes
from glimpse.listener import Listener
from glimpse.models.weights import find_weights, load_weights
from glimpse.settings.catalog import OF_THE_DATA
from glimpse.settings.requests import RunChoice

__all__ = ["InitialWeights", "fitting", "initial_record", "initial_weights"]


class InitialWeights(NamedTuple):
    """Weights that a training starts from.

    Attributes:
        model: Class name of the model, such as `DRAW`.
        config: Settings of the model, except those determined by the data.
        tensors: Tensors by name.
        record: `source`, as requested, and `sha256` of the file, for the record of the run.
    """

    model: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    record: Mapping[str, str]


def initial_weights(source: str | None, run: RunChoice) -> InitialWeights | None:
    """Returns the weights of a trained model to start a training from; None if none are requested.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.
        run: Choice of the run.

    Raises:
        ValueError: If there are no weights, they are damaged, or the run starts from the settings of another run.
        OSError: If the file cannot be read.
    """
    if source is None:
        return None
    tensors, facts = load_weights(source)
    if run.config is not None:
        raise ValueError("--config and --init both give settings of the model to start from: leave one of them out")
    config = {name: value for name, value in facts["config"].items() if name not in OF_THE_DATA}
    record = {"source": source, "sha256": sha256_of_bytes(find_weights(source).read_bytes())}
    return InitialWeights(facts["model"], config, tensors, record)


def initial_record(
    model: nn.Module, initial: InitialWeights | None, listener: Listener, optional: Collection[str] = ()
) -> dict[str, Any]:
    """Returns what the record of a run says of its initial weights, and tells the listener which of them do not fit.

    Args:
        model: The model, for example on the device `meta`.
        initial: Weights of a model of the same kind; None for random weights.
        listener: Receives a note if there are weights of other shapes.
        optional: As for `fitting`.

    Raises:
        ValueError: As `fitting`.
    """
    if initial is None:
        return {}
    others = _differing(model, initial, optional)
    if others:
        listener.note(f"Untrained weights in {', '.join(others)}: those of {initial.record['source']} have another shape")
    return {"init": dict(initial.record)}


def fitting(model: nn.Module, initial: InitialWeights, optional: Collection[str] = ()) -> dict[str, Tensor]:
    """Returns the state of a new model with the initial weights in place of its own, except for those of other shapes.

    Args:
        model: The model.
        initial: Weights of a model of the same kind.
        optional: Names that the initial weights may lack.

    Raises:
        ValueError: If other names differ, or most of the values are in tensors of other shapes.
    """
    others = _differing(model, initial, optional)
    return model.state_dict() | {name: tensor for name, tensor in initial.tensors.items() if name not in others}


def _differing(model: nn.Module, initial: InitialWeights, optional: Collection[str]) -> list[str]:
    """Returns the names of the parameters and buffers whose shapes differ between a model and initial weights.

    Those of the last layer differ if the data have other classes, and those of the first layers if they have other channels.
    """
    state, source = model.state_dict(), initial.record["source"]
    names = sorted((state.keys() ^ initial.tensors.keys()) - (set(optional) - initial.tensors.keys()))
    others = [name for name in state.keys() & initial.tensors.keys() if state[name].shape != initial.tensors[name].shape]
    count = sum(state[name].numel() for name in others)
    if names or 2 * count > sum(tensor.numel() for tensor in state.values()):
        raise ValueError(
            f"the weights of {source} do not fit the model ({', '.join([*names, *others][:3])}): leave out its settings"
        )
    return sorted(others)
