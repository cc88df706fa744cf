"""A client that reads slowly is told from one that does not read, also while the kernel holds what it has not read."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from warmstart.pod.connection.lingering import Lingering
from warmstart.pod.connection.unread import unread

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
ANSWER = b"x" * 16 * 2**20  # more than the kernel takes at once
FILLED = 2**16  # bytes, which a client can read without a turn of the loop


def pair(kind: str) -> tuple[socket.socket, socket.socket]:
    """The client's end, and the server's."""
    if kind == "unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        return client, listening.accept()[0]


async def connected(kind: str, certificate: tuple[Path, Path]) -> tuple[socket.socket, asyncio.Transport]:
    """The client's end, which blocks, and the server's transport."""
    loop = asyncio.get_running_loop()
    client, accepted = pair(kind)
    client.settimeout(10)
    if kind != "tls":
        transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, accepted)
        return client, transport
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=certificate[0])
    trusting.check_hostname = False
    shaking = asyncio.create_task(asyncio.to_thread(trusting.wrap_socket, client))
    transport, _ = await loop.connect_accepted_socket(asyncio.Protocol, accepted, ssl=serving)
    return await shaking, transport


@pytest.mark.parametrize("kind", ["tcp", "tls", "unix"])
@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS.keys())
def test_who_reads_only_what_the_kernel_holds_is_not_cut(
    loop: Callable[[], asyncio.AbstractEventLoop], kind: str, certificate: tuple[Path, Path]
) -> None:
    """A client that reads too little for the kernel to take more of its answer goes on, until it reads nothing."""
    spans: list[Callable[[], None]] = []

    def later(seconds: float, ended: Callable[[], None]) -> asyncio.TimerHandle:
        spans.append(ended)
        return asyncio.get_running_loop().call_later(3600, ended)

    async def reads_a_little() -> None:
        client, transport = await connected(kind, certificate)
        connection = Lingering(transport, 10, later)
        async with asyncio.timeout(10):
            connection.write(ANSWER)
            while unread(transport) - transport.get_write_buffer_size() < FILLED:
                await asyncio.sleep(0)
            connection.hold()
            for _ in range(3):
                left, waits = unread(transport), transport.get_write_buffer_size()
                while unread(transport) == left:
                    client.recv(2**14)
                assert transport.get_write_buffer_size() == waits
                spans.pop()()
                assert not transport.is_closing()
            while not transport.is_closing():
                spans.pop()()
                await asyncio.sleep(0)
            while unread(transport):  # it is closed in another turn
                await asyncio.sleep(0)
        client.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(reads_a_little())
    assert not spans
