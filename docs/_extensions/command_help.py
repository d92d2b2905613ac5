"""The directive `command-help`: the help of a command, as the command line prints it."""

from click.testing import CliRunner
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from glimpse.cli import glimpse

COLUMNS = 90


class CommandHelp(SphinxDirective):
    """Inserts what `glimpse COMMAND --help` prints; without an argument, what `glimpse --help` prints."""

    optional_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Returns the help as a block of text."""
        words = self.arguments[0].split() if self.arguments else []
        result = CliRunner().invoke(
            glimpse, [*words, "--help"], prog_name="glimpse", terminal_width=COLUMNS, max_content_width=COLUMNS
        )
        if result.exit_code:
            raise self.error(result.output)
        return [nodes.literal_block(result.output, result.output, language="text")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
