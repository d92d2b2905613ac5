"""The directive `glimpse-explained`: `How a glimpse works` with the windows of a pretrained model, run while the page is built."""

from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import glimpse
from glimpse.trajectories import Trajectories
from glimpse.trajectories.how.how import how_fragment


class Explained(SphinxDirective):
    """Inserts the section with images of scikit-learn's digits, which need no download; the argument is the model."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {"indices": lambda text: tuple(map(int, text.split(",")))}

    def run(self) -> list[nodes.Node]:
        """Returns the fragment as raw HTML."""
        looked = glimpse.trajectories.look(self.arguments[0], digits="sklearn", indices=self.options["indices"])
        return [nodes.raw("", how_fragment(Trajectories.joined(list(looked))), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("glimpse-explained", Explained)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
