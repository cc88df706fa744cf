"""The service under a server, with an upstream that answers and a Redis that doesn't."""

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.harness import Gunicorn
from tests.harness.gunicorn import REPOSITORY

CONF = Path(__file__).parent / "gunicorn.conf.py"


class Service(Gunicorn):
    """Under gunicorn, or with `server="uvicorn"`. The model loads at once unless `LOAD_SECONDS` says otherwise."""

    def __init__(
        self, folder: Path, server: str = "gunicorn", *, conf: Path = CONF, more: Sequence[str] = (), **env: object
    ) -> None:
        """`more`: arguments of uvicorn."""
        quick = {"FOLDER": folder, "LOAD_SECONDS": 0.1, "DRAIN_SECONDS": 1, "PYTHONPATH": REPOSITORY}
        super().__init__(conf, folder, **{**quick, **env})
        if server == "uvicorn":
            app = ["--factory", "tests.everyday.service:create_app", "--port", str(self.port)]
            self.command = [sys.executable, "-m", "uvicorn", *app, *more]


@contextmanager
def upstream() -> Iterator[str]:
    """The address of a server that answers every GET with 200."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "5")
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
