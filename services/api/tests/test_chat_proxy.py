"""A chat server behind a proxy: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say holds for it, and for nothing else."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from yarl import URL

from services.api.tests.conftest import Api, Start
from services.api.tests.helpers.chat_standin import MODEL, ChatStandIn
from services.api.tests.helpers.chats import ASKED, PATH, ask, chunks
from services.api.tests.helpers.proxy import PASSWORD, Proxy

NAME = "chat.example.test"  # which no resolver knows
SECRETS = (PASSWORD, "p@ssword", "of-the-proxy")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this machine don't matter."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def proxy(upstream: ChatStandIn) -> Iterator[Proxy]:
    """A proxy that leads to the stand-in."""
    with Proxy(URL(upstream.url)).running() as running:
        yield running


def test_chats_go_through_the_proxy_and_nothing_else_does(
    start: Start, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the password of its URL, check and stream alike; the worker is asked directly."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    client = start(chat_url=f"http://{NAME}/v1", chat_model=MODEL)
    assert chunks(ask(client, stream=True))[-1] == "[DONE]"
    assert set(proxy.asked) == {
        f"GET http://{NAME}/v1/models HTTP/1.1",
        f"POST http://{NAME}/v1/chat/completions HTTP/1.1",
    }


@pytest.mark.parametrize("names", [NAME, "example.test", ".example.test", f"{NAME}:80", "*"])
def test_no_proxy_names_hosts_without_one(
    start: Start, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    """The server itself is asked, whose name nobody knows here."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("NO_PROXY", names)
    assert ask(start(chat_url=f"http://{NAME}/v1", chat_model=MODEL)).status_code == 503
    assert proxy.asked == []


def test_this_machine_is_asked_directly(
    start: Start, upstream: ChatStandIn, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy could not reach it."""
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    assert ask(start(chat_url=upstream.url, chat_model=MODEL)).status_code == 200
    assert proxy.asked == []


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_refuses_is_a_503_without_its_password(
    start: Start, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, scheme: str
) -> None:
    """Neither the answer, the probe nor the log has it."""
    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy.url.replace(PASSWORD, f"no-{PASSWORD}"))
    client = start(chat_url=f"{scheme}://{NAME}/v1", chat_model=MODEL)
    answer = ask(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "dependency_unavailable")
    assert "the proxy before it answered 407" in answer.text
    seen = answer.text + caplog.text + client.get("/readyz?verbose").text + client.get("/startupz").text
    assert not [each for each in SECRETS if each in seen]


@pytest.mark.parametrize(
    "value",
    ["socks5://of-the-proxy:p%40ssword-of-the-proxy@127.0.0.1:9", "of-the-proxy:p@ssword@h:9", "http://x:port"],
)
def test_a_proxy_that_cannot_be_used_is_named(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    """By its variable, and not by its value."""
    monkeypatch.setenv("HTTPS_PROXY", value)
    client = start(chat_url=f"https://{NAME}/v1", chat_model=MODEL)
    answer = ask(client)
    assert "HTTPS_PROXY must be http://host:port" in answer.text
    assert not [each for each in SECRETS if each in answer.text + caplog.text + client.get("/startupz").text]


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes the certificate")
def test_a_server_with_tls_is_reached_by_connect(api: Api, tmp_path: Path, upstream: ChatStandIn) -> None:
    """The proxy sees the name of the host alone, and the log has no password of its."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    new += ["-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run(["openssl", *new, "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=60)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with ChatStandIn(context).running() as server, Proxy(URL(server.url)).running() as proxy:
        names = {"CHAT_URL": f"https://{NAME}/v1", "HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": certificate}
        service = api(**names)
        answer = service.post(PATH, {"model": MODEL, "messages": ASKED})
        assert answer.status == 200, answer.body + service.log[-2000:].encode()
        assert set(proxy.asked) == {f"CONNECT {NAME}:443 HTTP/1.1"}
        assert not [each for each in SECRETS if each in service.log]
    assert upstream.calls == []
