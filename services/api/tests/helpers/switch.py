"""A name that can move: a TCP port that leads to one server, and for new connections to another when told so."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

HOST = "127.0.0.1"


@dataclass
class Switch:
    """`target` is where new connections lead; those that are open stay where they are."""

    target: int
    port: int = 0
    questions: int = 0  # how often a client has spoken first, or after an answer: its round trips


@contextmanager
def switch(target: int) -> Iterator[Switch]:
    """Serve in a thread, on a port of the kernel's choice that is held until the end."""
    found, loop = Switch(target), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(lambda *ends: _serve(found, *ends), HOST, 0))
    found.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    for task in asyncio.all_tasks(loop):
        task.cancel()
    server.close()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()


async def _serve(found: Switch, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        there, back = await asyncio.open_connection(HOST, found.target)
        asks = False

        def client_speaks() -> None:
            nonlocal asks
            found.questions += not asks
            asks = True

        def server_speaks() -> None:
            nonlocal asks
            asks = False

        await asyncio.gather(_pass_on(reader, back, client_speaks), _pass_on(there, writer, server_speaks))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, speaks: Callable[[], None]) -> None:
    try:
        while data := await reader.read(65536):
            speaks()
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
