"""A web server for a folder, on the loopback interface: other machines cannot reach it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

__all__ = ["serving"]

_HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    extensions_map = {  # noqa: RUF012 (as in the base class)
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".onnx": "application/octet-stream",
        ".wasm": "application/wasm",
    }

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 (named so in the base class)
        """Logs nothing."""


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[str]:
    """Context in which a folder is served; yields its address.

    Args:
        folder: Folder to serve.
        port: Port; a free one if 0.

    Raises:
        OSError: If the port is in use.
    """
    try:
        server = ThreadingHTTPServer((_HOST, port), partial(_Handler, directory=str(folder)))
    except OSError as error:
        raise OSError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from error
    with server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{_HOST}:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
