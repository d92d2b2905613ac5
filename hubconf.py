"""Entry points for torch.hub: `torch.hub.load(REPOSITORY, "pretrained", "classifier-8")`."""

from typing import Any

dependencies = ["torch", "numpy", "safetensors"]


def pretrained(name: str = "classifier-8") -> Any:
    """Returns a trained model that comes with the package, in evaluation mode; `glimpse pretrained` lists the names."""
    from glimpse.models.catalog import open_model
    from glimpse.pretrained import PREFIX

    return open_model(PREFIX + name.removeprefix(PREFIX))
