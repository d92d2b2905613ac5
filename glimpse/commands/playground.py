"""Output of `glimpse try`."""

import tempfile
import webbrowser
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

from glimpse.commands import console
from glimpse.commands.console import ConsoleListener
from glimpse.playground.calls import Playground, playground_request
from glimpse.playground.server import serving
from glimpse.settings.requests import PlaygroundRequest

__all__ = ["serve_playground", "write_playground"]


def write_playground(request: PlaygroundRequest, *, as_json: bool) -> None:
    """Writes the playground and prints what it holds."""
    written = playground_request(request, ConsoleListener())
    _show(written, as_json=as_json)
    console.note(f"Wrote {written.out}")


def serve_playground(request: PlaygroundRequest, *, port: int, opens: bool, as_json: bool) -> None:
    """Serves the playground until it is interrupted.

    Args:
        request: The playground; its `out` is not used.
        port: Port on this machine; a free one if 0.
        opens: Whether to open a browser.
        as_json: Whether to print the result as JSON.
    """
    with tempfile.TemporaryDirectory(prefix="glimpse-try-") as folder:
        written = playground_request(replace(request, out=Path(folder)), ConsoleListener())
        with serving(written.out, port) as address:
            _show(written, as_json=as_json)
            console.note(f"Serving the page at {address} on this machine only; Ctrl+C ends it")
            if opens:
                webbrowser.open(address)
            with suppress(KeyboardInterrupt):
                Event().wait()
            console.note("Stopped")


def _show(written: Playground, *, as_json: bool) -> None:
    """Prints the models of a playground."""
    if as_json:
        console.print_json(written.as_dict())
        return
    rows = [(model.name, kind, model.steps) for kind in ("classifiers", "generators") for model in getattr(written, kind)]
    console.print_rows(("model", "kind", "steps"), [(name, kind.removesuffix("s"), steps) for name, kind, steps in rows])
