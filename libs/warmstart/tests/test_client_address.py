"""Whose request it is, behind proxies that are believed, and behind none."""

import http.client
import json
import socket
from ipaddress import ip_address, ip_network

import pytest

from tests.harness import Gunicorn
from tests.harness.sample import Start
from warmstart import ServiceSettings
from warmstart.settings import trusted

ASK = b"GET /client HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def seen(service: Gunicorn, *forwarded: str, host: str = "127.0.0.1") -> str:
    """The client that the service sees when a proxy forwards these headers."""
    connection = http.client.HTTPConnection(host, service.port, timeout=5)
    connection.putrequest("GET", "/client")
    for value in forwarded:
        connection.putheader("X-Forwarded-For", value)
    connection.endheaders()
    client: str = json.loads(connection.getresponse().read())
    connection.close()
    return client


def say(service: Gunicorn, *pieces: bytes) -> bytes:
    """All that comes back for these bytes, sent in so many packets."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while more := connection.recv(65536):
            answer += more
    return answer


@pytest.mark.parametrize("allowed", ["0.0.0.0/32", "10.0.0.0/8,2001:db8::/32"])
def test_a_forged_header_changes_nothing(start: Start, allowed: str) -> None:
    """A client that is no trusted proxy counts under its own address, whatever its headers claim."""
    service = start(FORWARDED_ALLOW_IPS=allowed).wait_ready()
    assert seen(service, "203.0.113.7") == "127.0.0.1"
    assert seen(service, "203.0.113.7", "10.0.0.1, 127.0.0.1") == "127.0.0.1"


def test_a_trusted_proxy_names_the_client(start: Start) -> None:
    """The rightmost address that is no trusted proxy counts: the client may have made up all addresses left of it."""
    service = start(FORWARDED_ALLOW_IPS="127.0.0.1,10.0.0.0/8").wait_ready()
    assert seen(service) == "127.0.0.1"
    assert seen(service, "203.0.113.7") == "203.0.113.7"
    assert seen(service, "198.51.100.1, 203.0.113.7, 10.1.2.3") == "203.0.113.7"
    assert seen(service, "198.51.100.1", "203.0.113.7") == "203.0.113.7"
    assert seen(service, "198.51.100.1, ::ffff:10.1.2.3") == "198.51.100.1"
    assert seen(service, "[2001:db8::7]:443") == "2001:db8::7"


def test_an_ipv4_proxy_is_known_on_a_socket_of_both_families(start: Start) -> None:
    """On such a socket the proxy is `::ffff:127.0.0.1`, and still counts as 127.0.0.1 of the setting."""
    service = start(HOST="::", FORWARDED_ALLOW_IPS="127.0.0.1").wait_ready()
    assert seen(service, "203.0.113.7") == "203.0.113.7"


@pytest.fixture
def proxied(start: Start) -> Gunicorn:
    """Behind a balancer that sends PROXY lines; no header is believed."""
    return start(PROXY_PROTOCOL=1, FORWARDED_ALLOW_IPS="0.0.0.0/32").wait_ready()


def test_a_proxy_line_names_the_client(proxied: Gunicorn) -> None:
    """The line counts for all requests of the connection, in one packet with the first request or split anywhere."""
    line = b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 8000\r\n"
    for pieces in ([line + ASK], [line, ASK], [line[:3], line[3:-1], line[-1:] + ASK]):
        assert say(proxied, *pieces).endswith(b'"203.0.113.7"')
    assert say(proxied, *[bytes([byte]) for byte in line + ASK]).endswith(b'"203.0.113.7"')
    kept = ASK.replace(b"Connection: close\r\n", b"")
    assert say(proxied, line + kept + ASK).count(b'"203.0.113.7"') == 2
    six = b"PROXY TCP6 2001:db8:0::7 2001:db8::1 56324 8000\r\n"
    assert say(proxied, six + ASK).endswith(b'"2001:db8::7"')


def test_a_direct_connection_needs_no_line(proxied: Gunicorn) -> None:
    """A health check past the balancer is itself, as is a peer that the balancer can't name."""
    assert say(proxied, ASK).endswith(b'"127.0.0.1"')
    assert say(proxied, ASK[:1], ASK[1:]).endswith(b'"127.0.0.1"')
    assert say(proxied, b"PROXY UNKNOWN\r\n" + ASK).endswith(b'"127.0.0.1"')


def test_any_other_line_is_refused(proxied: Gunicorn) -> None:
    """A line that is none, too long, or a second one, which is the client's own, is no request."""
    for line in [
        b"PROXY TCP4 203.0.113.7 10.0.0.1 56324\r\n",
        b"PROXY TCP4 2001:db8::7 10.0.0.1 56324 8000\r\n",
        b"PROXY TCP4 203.0.113.700 10.0.0.1 56324 8000\r\n",
        b"PROXY TCP4 x\xff 10.0.0.1 56324 8000\r\n",
        b"PROXY TCP6 fe80::1%\nforged 2001:db8::1 56324 8000\r\n",
        b"PROXY UDP4 203.0.113.7 10.0.0.1 56324 8000\r\n",
        b"PROXY TCP4 " + b"1" * 200 + b"\r\n",
        b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 8000\r\nPROXY TCP4 198.51.100.1 10.0.0.1 56324 8000\r\n",
    ]:
        assert say(proxied, line + ASK).startswith(b"HTTP/1.1 400 "), line


def test_without_the_setting_a_proxy_line_is_no_request(start: Start) -> None:
    """Without PROXY_PROTOCOL a PROXY line is refused, so that nobody can forge an address."""
    service = start().wait_ready()
    assert say(service, b"PROXY TCP4 203.0.113.7 10.0.0.1 56324 8000\r\n" + ASK).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("text", ["proxy", "10.0.0.1/8", "", "127.0.0.1,", "10.0.0.1 10.0.0.2"])
def test_trusted_proxies_are_addresses(text: str) -> None:
    """A name, or a network with host bits, is a bad setting, not a proxy that is never met."""
    with pytest.raises(ValueError, match="addresses or networks"):
        ServiceSettings(forwarded_allow_ips=text)


def test_a_trusted_network_is_known_in_both_forms() -> None:
    """10.0.0.0/8 holds ::ffff:10.1.2.3, too, and no other mapped address."""
    four, six = (ip_network(each) for each in trusted.addresses("10.0.0.0/8"))
    assert ip_address("10.1.2.3") in four
    assert ip_address("::ffff:10.1.2.3") in six
    assert ip_address("::ffff:11.1.2.3") not in six
