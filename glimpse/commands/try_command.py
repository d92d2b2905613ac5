"""The command `glimpse try`: its options and help."""

from pathlib import Path
from typing import Any

import click

from glimpse.commands.help import HelpCommand, adding
from glimpse.commands.options import data_dir_option, digits_option, json_option, threads_option
from glimpse.settings.requests import PlaygroundRequest, from_options

__all__ = ["try_models"]

_OPTIONS = (
    click.option("--out", type=click.Path(path_type=Path), help="Write the page as one file (.html) or as a folder instead."),
    click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port of the page. Default: a free one."),
    click.option("--browser/--no-browser", default=True, help="Whether to open a browser. Default: yes."),
    digits_option,
    data_dir_option,
    click.option(
        "--runtime",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder with the files of onnxruntime-web. Default: the user's cache, to which they are downloaded once.",
    ),
    threads_option,
    json_option,
)


@click.command("try", cls=HelpCommand)
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@adding(_OPTIONS)
def try_models(models: tuple[str, ...], out: Path | None, port: int, browser: bool, as_json: bool, **options: Any) -> None:
    """Try models on a page in the browser.

    MODEL is a run's folder, a weights file or pretrained:NAME. The page is served on this machine only and opened in a browser,
    or written to --out. Models are exported once, which takes about a minute each.
    """
    from glimpse.commands.playground import serve_playground, write_playground

    request = from_options(PlaygroundRequest, {"out": out or Path(), "models": models or None, **options})
    if out is None:
        serve_playground(request, port=port, opens=browser, as_json=as_json)
    else:
        write_playground(request, as_json=as_json)
