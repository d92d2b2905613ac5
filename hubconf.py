"""Entry points for torch.hub, from a checkout: `torch.hub.load(".", "pretrained", "classifier-8", source="local")`."""

from typing import Any

dependencies = ["torch", "numpy", "safetensors"]


def pretrained(name: str = "classifier-8") -> Any:
    """Returns a trained model that comes with the package, in evaluation mode.

    Args:
        name: Name of the model; `glimpse pretrained` lists them.

    Raises:
        ValueError: If there is no such model.
    """
    from glimpse.models.catalog import open_model
    from glimpse.pretrained import PREFIX

    return open_model(PREFIX + name.removeprefix(PREFIX))
