"""Trained models on the Hugging Face Hub, with model cards from the numbers of their runs. Needs the extra `hub`.

References:
    The mixin whose `save_pretrained`, `from_pretrained` and `push_to_hub` are used here:
    huggingface.co/docs/huggingface_hub/package_reference/mixins.
"""

from pathlib import Path
from typing import Any, Self

try:
    from huggingface_hub import ModelCard, ModelCardData, ModelHubMixin, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError
except ImportError as error:
    raise ImportError("glimpse.hub needs huggingface_hub: pip install 'glimpse-attention[hub]'") from error

from glimpse.models.base import ImageClassifier
from glimpse.models.catalog import open_model
from glimpse.models.draw import DRAW
from glimpse.models.weights import WEIGHTS, find_weights, read_facts, save_weights
from glimpse.pretrained import PREFIX
from glimpse.settings.record import read_config
from glimpse.training.folder import RunFolder

__all__ = ["HubModel", "model_card"]

_CARD, _LIBRARY = "README.md", "glimpse"


class HubModel(ModelHubMixin):
    """A trained model of any kind that can be saved with a model card, pushed to the Hub and loaded from it.

    `HubModel.open("runs/search-8").push_to_hub("user/name")` uploads a run's weights, and
    `HubModel.from_pretrained("user/name").network` is the trained model. A folder in place of `user/name` needs no network.

    Args:
        network: Trained model.
        facts: Those stored with the weights: the name of the class, its settings and the task.
        card: Text of the model card in Markdown.
    """

    def __init__(self, network: ImageClassifier | DRAW, facts: dict[str, Any], card: str) -> None:
        self.network, self.facts, self.card = network, facts, card
        self._hub_mixin_config = None  # the mixin would write the arguments as config.json, the name of a run's record

    @classmethod
    def open(cls, source: str | Path) -> Self:
        """Returns the model from a run's folder, a weights file or `pretrained:NAME`.

        Raises:
            ValueError: If there is no such model.
            OSError: If the file cannot be read.
        """
        return cls(open_model(source), read_facts(source), model_card(source))

    def generate_model_card(self, *args: Any, **kwargs: Any) -> ModelCard:
        """Returns the model card, with its license, library and tags as metadata."""
        data = ModelCardData(license="mit", library_name=_LIBRARY, tags=["attention", "glimpse", self.facts["model"]])
        return ModelCard(f"---\n{data.to_yaml()}\n---\n\n{self.card}")

    def _save_pretrained(self, save_directory: Path) -> None:
        """Writes the weights, with the same bytes as those of the run."""
        save_weights(save_directory / WEIGHTS, self.network.state_dict(), self.facts)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> Self:
        """Returns the model in a local folder or in a repository of the Hub, with the card that is stored with it."""
        source = Path(model_id)
        card: Path | None = source / _CARD
        if not source.is_dir():
            names = ("revision", "cache_dir", "force_download", "local_files_only", "token")
            given = {name: options[name] for name in names if name in options}
            source = Path(hf_hub_download(model_id, WEIGHTS, **given))
            card = _downloaded_card(model_id, given)
        model = cls.open(source)
        if card is not None and card.is_file():
            stored = ModelCard.load(card, ignore_metadata_errors=True)
            if stored.data.library_name == _LIBRARY:
                model.card = stored.text.strip() + "\n"
        return model


def _downloaded_card(model_id: str, options: dict[str, Any]) -> Path | None:
    """Returns the file of the model card of a repository of the Hub; None if it has none."""
    try:
        return Path(hf_hub_download(model_id, _CARD, **options))
    except EntryNotFoundError:
        return None


def model_card(source: str | Path) -> str:
    """Returns a model card in Markdown: that of a shipped model, else one from the settings and numbers of a run.

    Args:
        source: A run's folder, a weights file or `pretrained:NAME`.

    Raises:
        ValueError: If there is no such model.
        OSError: If a file cannot be read.
    """
    weights = find_weights(source)
    if str(source).startswith(PREFIX):
        return weights.with_suffix(".md").read_text(encoding="utf-8")
    facts, folder = read_facts(source), weights.parent
    lines = [f"# {facts['model']}", "", "A model of the package glimpse: differentiable visual attention in PyTorch.", ""]
    lines += [f"- **Settings** {_listed(facts['config'])}", f"- **Trained on** {_listed(facts['task'])}"]
    if (folder / "config.json").is_file():
        record = read_config(folder)
        lines += [f"- **Training** preset {record['preset']}; {_listed(record['training'])}"]
        lines += [f"- **Commit** {record['environment'].get('commit')}"]
        lines += _best(RunFolder(folder))
    return "\n".join([*lines, '- **Use** `HubModel.from_pretrained("user/name").network` of `glimpse.hub`', ""])


def _best(run: RunFolder) -> list[str]:
    """Returns the line of the best validation; none if there was no validation."""
    rows = run.rows()
    name = next((name for name in ("valid_error", "valid_bound") if rows and name in rows[0]), None)
    validated = [row for row in rows if name is not None and row[name]]
    if name is None or not validated:
        return []
    best = min(validated, key=lambda row: float(row[name]))
    unit = "% error" if name == "valid_error" else "nats"
    return [f"- **Chosen on** validation: {float(best[name]):.2f} {unit} after {int(best['images']):,} images"]


def _listed(values: dict[str, Any]) -> str:
    """Returns names with their values as text."""
    return ", ".join(f"{name} {value}" for name, value in values.items())
