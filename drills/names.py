"""A name server of a drill's own, for one name, which can fall silent and change its mind."""

import socket
import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

ADDRESS = "127.83.0.1"  # of this machine's own, on which nothing else listens
PORT = 53  # no other can be asked for
NO_ERROR, NO_SUCH_NAME = 0x8580, 0x8583  # flags of an answer: authoritative, recursion available
LOOK = 0.2  # seconds
A, INTERNET = 1, 1
HEADER, RECORD = struct.Struct("!6H"), struct.Struct("!3HIH4s")
SAME_NAME = 0xC00C  # a pointer to the name in the question


def no_name_server() -> str | None:
    """Why it can't be used here."""
    try:
        with name_server("nobody.drill", "127.0.0.1"):
            subprocess.run(["unshare", "--mount", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "a name server for some processes takes root, and the right to mount"
    return None


class NameServer:
    """Answers over UDP: `addresses` for `name`, nothing while `silent`."""

    def __init__(self, name: str, *addresses: str) -> None:
        self._name = name
        self.addresses = addresses
        self.silent = False
        self.unanswered = 0  # questions
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((ADDRESS, PORT))
        self._socket.settimeout(LOOK)
        self._over = False
        self._thread = Thread(target=self._serve, daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Be gone."""
        self._over = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while not self._over:
            try:
                question, client = self._socket.recvfrom(512)
            except TimeoutError:
                continue
            if self.silent:
                self.unanswered += 1
            else:
                self._socket.sendto(answer(question, self._name, self.addresses), client)


def answer(question: bytes, name: str, addresses: Sequence[str]) -> bytes:
    """The answer to one packet, as section 4 of RFC 1035 has it, of a server that knows one name."""
    number, *_ = HEADER.unpack_from(question)
    labels, at = [], HEADER.size
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    kind, _ = struct.unpack_from("!2H", question, at + 1)
    asked = question[HEADER.size : at + 5]
    known = ".".join(labels).lower() == name
    given = addresses if known and kind == A else ()
    found = [RECORD.pack(SAME_NAME, A, INTERNET, 0, 4, socket.inet_aton(each)) for each in given]
    flags = NO_ERROR if known else NO_SUCH_NAME
    return HEADER.pack(number, flags, 1, len(found), 0, 0) + asked + b"".join(found)


@contextmanager
def name_server(name: str, *addresses: str) -> Iterator[NameServer]:
    """Run one inside the block. Raises OSError where it may not listen."""
    server = NameServer(name, *addresses)
    server.start()
    try:
        yield server
    finally:
        server.stop()
