"""Initial weights of a classifier's training, those of another trained model (fine-tuning)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor, nn

from glimpse.digest import sha256_of_bytes
from glimpse.models.weights import find_weights, load_weights
from glimpse.settings.catalog import OF_THE_DATA, kind_of_class
from glimpse.settings.classifier import ClassifierKind

__all__ = ["InitialWeights", "fitting", "initial_weights"]


class InitialWeights(NamedTuple):
    """Weights that a training starts from.

    Attributes:
        kind: Kind of the model.
        config: Settings of the model, except those determined by the data.
        tensors: Tensors by name.
        record: `source`, as requested, and `sha256` of the file, for the record of the run.
    """

    kind: ClassifierKind
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    record: Mapping[str, str]


def initial_weights(source: str) -> InitialWeights:
    """Returns the weights of a trained classifier to start a training from.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.

    Raises:
        ValueError: If there are no weights, they are damaged, or they are those of a generator.
        OSError: If the file cannot be read.
    """
    tensors, facts = load_weights(source)
    try:
        kind = kind_of_class(facts["model"])
    except ValueError:
        raise ValueError(f"{source} does not hold the weights of a classifier but of {facts['model']}") from None
    config = {name: value for name, value in facts["config"].items() if name not in OF_THE_DATA}
    return InitialWeights(kind, config, tensors, {"source": source, "sha256": sha256_of_bytes(find_weights(source).read_bytes())})


def differing(model: nn.Module, initial: InitialWeights) -> list[str]:
    """Returns the names of the parameters and buffers whose shapes differ between a model and initial weights.

    Those of the last layer differ if the data have other classes, and those of the first layers if they have other channels.

    Args:
        model: The model; its values are not used.
        initial: Weights of a model of the same kind.

    Raises:
        ValueError: If the names differ, or most of the values are in tensors of other shapes.
    """
    state, source = model.state_dict(), initial.record["source"]
    names = sorted(state.keys() ^ initial.tensors.keys())
    others = [name for name in state if name not in names and state[name].shape != initial.tensors[name].shape]
    count = sum(state[name].numel() for name in others)
    if names or 2 * count > sum(tensor.numel() for tensor in state.values()):
        raise ValueError(
            f"the weights of {source} do not fit the model ({', '.join([*names, *others][:3])}): leave out its settings"
        )
    return others


def fitting(model: nn.Module, initial: InitialWeights) -> dict[str, Tensor]:
    """Returns the state of a new model with the initial weights in place of its own, except for those of other shapes.

    Args:
        model: The model.
        initial: Weights of a model of the same kind.

    Raises:
        ValueError: As `differing`.
    """
    others = differing(model, initial)
    return model.state_dict() | {name: tensor for name, tensor in initial.tensors.items() if name not in others}
