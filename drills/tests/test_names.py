"""The drill's own name server and certificates are what their protocols ask for."""

import socket
import ssl
from pathlib import Path

import pytest

from drills.certificates import Authority, no_certificates, tls_in_front
from drills.names import answer

QUESTION = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x06worker\x05drill\x00\x00\x01\x00\x01"


def test_it_answers_for_its_name() -> None:
    """The question comes back with one record of four bytes; another name is unknown, and has no record."""
    found = answer(QUESTION, "worker.drill", ["127.0.0.2"])
    assert found.startswith(b"\x12\x34\x85\x80\x00\x01\x00\x01")
    assert found.endswith(socket.inet_aton("127.0.0.2"))
    assert answer(QUESTION, "other.drill", ["127.0.0.2"])[2:8] == b"\x85\x83\x00\x01\x00\x00"


def test_it_has_a_record_for_each_address() -> None:
    """A name with two addresses is answered with both, in their order."""
    found = answer(QUESTION, "worker.drill", ["127.0.0.2", "127.0.0.3"])
    assert found.startswith(b"\x12\x34\x85\x80\x00\x01\x00\x02")
    first, second = (found.index(socket.inet_aton(each)) for each in ("127.0.0.2", "127.0.0.3"))
    assert first < second


@pytest.mark.skipif(bool(no_certificates()), reason="no openssl")
def test_an_expired_certificate_is_refused_as_such(tmp_path: Path) -> None:
    """A client that trusts the authority takes the good one, and says why it refuses the other."""
    authority = Authority.found(tmp_path / "authority")
    client = ssl.create_default_context(cadata=authority.certificate)
    with tls_in_front(1, authority.sign("good", 1)) as proxy:
        shake_hands(proxy.port, client)
        proxy.context = authority.sign("expired", -1)
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
            shake_hands(proxy.port, client)


def shake_hands(port: int, client: ssl.SSLContext) -> None:
    """As a client of Postgres does."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.sendall(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
        assert plain.recv(1) == b"S"
        client.wrap_socket(plain, server_hostname="127.0.0.1").close()
