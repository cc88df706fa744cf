"""As much of a Redis as step 2 needs: PING and INCR."""

import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def redis_at(port: int) -> Iterator[None]:
    """Answer on 127.0.0.1 until the end of the block."""
    counts: Counter[bytes] = Counter()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            name, *words = self.rfile.readline().split()
            counts.update(words)
            self.wfile.write(b"+PONG\r\n" if name == b"PING" else b":%d\r\n" % counts[words[0]])

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield
        server.shutdown()
