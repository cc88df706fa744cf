"""Certificates that are good or expired, and a proxy that speaks TLS for a Postgres that was built without it."""

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from drills.balancer import HOST, pipe

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
WANTS_TLS = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"  # SSLRequest, the first message of a client that wants it
YES = b"S"


def no_certificates() -> str | None:
    """Why none can be made here."""
    return None if shutil.which("openssl") else "certificates are made by openssl"


@dataclass(frozen=True)
class Authority:
    """Signs certificates for `HOST`; its files are in a folder."""

    folder: Path

    @classmethod
    def found(cls, folder: Path) -> "Authority":
        """A new one."""
        folder.mkdir(parents=True)
        authority = cls(folder)
        use = ("-addext", "keyUsage=critical,keyCertSign")
        _openssl("req", "-x509", *KEY, *authority._files("ca"), "-days", "30", "-subj", "/CN=drill", *use)
        return authority

    @property
    def certificate(self) -> str:
        """Its own, in PEM, which clients trust."""
        return (self.folder / "ca.crt").read_text()

    def sign(self, name: str, days: int) -> ssl.SSLContext:
        """What a server presents: a certificate for so many days from now, which is expired if they are negative."""
        request, extensions = self.folder / f"{name}.csr", self.folder / "extensions"
        extensions.write_text(f"subjectAltName=IP:{HOST}\nauthorityKeyIdentifier=keyid\n")
        key, certificate = (str(self.folder / f"{name}.{end}") for end in ("key", "crt"))
        _openssl("req", *KEY, "-keyout", key, "-out", str(request), "-subj", "/CN=postgres")
        signer = ("-CA", str(self.folder / "ca.crt"), "-CAkey", str(self.folder / "ca.key"), "-CAcreateserial")
        more = ("-days", str(days), "-extfile", str(extensions))
        _openssl("x509", "-req", "-in", str(request), *signer, *more, "-out", certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def _files(self, name: str) -> tuple[str, ...]:
        return "-keyout", str(self.folder / f"{name}.key"), "-out", str(self.folder / f"{name}.crt")


def _openssl(*arguments: str) -> None:
    subprocess.run(("openssl", *arguments), check=True, capture_output=True, timeout=60)


class TlsProxy:
    """Ends TLS in front of a Postgres on `port`; `context` is for the connections that come from now on."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        self.context = context
        self.port = 0
        self._target = port
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def start(self) -> None:
        """Listen, on a free port."""
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        """Be gone, with all connections."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _run(self) -> None:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._serve, HOST, 0)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._over.wait()
        server.close()
        served = asyncio.all_tasks() - {asyncio.current_task()}
        for each in served:
            each.cancel()
        # Otherwise Postgres keeps their transactions, and locks, for as long as this process lives.
        await asyncio.gather(*served, return_exceptions=True)
        await asyncio.sleep(0)  # transports close in the loop's next round

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closed(writer), suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(WANTS_TLS)) == WANTS_TLS:
                writer.write(YES)
                await writer.drain()
                await writer.start_tls(self.context)
                far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
                with closed(far_writer):
                    await asyncio.gather(pipe(reader, far_writer), pipe(far_reader, writer))


@contextmanager
def closed(writer: asyncio.StreamWriter) -> Iterator[None]:
    """A connection that is gone after the block, whatever it was about to send."""
    try:
        yield
    finally:
        writer.transport.abort()


@contextmanager
def tls_in_front(port: int, context: ssl.SSLContext) -> Iterator[TlsProxy]:
    """Run one inside the block."""
    proxy = TlsProxy(port, context)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.stop()
