"""Prints how many hidden units of the canvas classifier respond to any of 32 training photographs, for each saved weights of runs.

    python reports/own-images/live_units.py PHOTOGRAPHS RUN [RUN ...]

A unit that responds to no photograph has no gradient. The networks are in training mode, as they are when units die.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from glimpse.datasets.picture_files import load_picture
from glimpse.models.catalog import open_classifier
from glimpse.models.search import SearchClassifier
from glimpse.models.weights import kept_weights

COUNT = 32


def main() -> None:
    """Prints a line for each run: images seen, and the number of units."""
    files = sorted(Path(sys.argv[1]).glob("train/*/*.jpg"))
    photographs = torch.cat([load_picture(file, 1) for file in files[:: len(files) // COUNT][:COUNT]])
    for run in map(Path, sys.argv[2:]):
        found = {images: live_units(file, photographs) for images, file in kept_weights(run).items()}
        sys.stdout.write(f"{run.name} " + ", ".join(f"{images:,}: {units}" for images, units in found.items()) + "\n")


def live_units(weights: Path, photographs: Tensor) -> int:
    """Returns the number of units that respond to a photograph, for the weights in a file of a run."""
    outputs: list[Tensor] = []
    model = open_classifier(weights)
    assert isinstance(model, SearchClassifier)
    hook = model.reader.connect.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    with torch.no_grad():
        model.train()(photographs)
    hook.remove()
    return int((outputs[0] > 0).any(dim=0).sum())


if __name__ == "__main__":
    main()
