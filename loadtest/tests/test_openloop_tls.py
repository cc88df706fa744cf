"""The open loop speaks TLS, and trusts nobody without reason."""

import os
import shutil
import ssl
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from loadtest.openloop import Background, Constant, Plan, RowFile, Stream
from loadtest.openloop.generator import Generator
from stack.ports import HOST
from stack.site import REPOSITORY
from stack.tests.server import reply, serving

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="certificates are made by openssl")


@pytest.fixture
def tls(tmp_path: Path) -> ssl.SSLContext:
    """A server's, whose certificate is `certificate` in the test's folder."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    made = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=test")
    files = ("-keyout", str(key), "-out", str(certificate), "-addext", f"subjectAltName=IP:{HOST}")
    subprocess.run(("openssl", "req", "-x509", *made, *files), check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def answer(handler: BaseHTTPRequestHandler) -> None:
    """Any."""
    reply(handler, 200, b"x" * 100_000)


def plan(url: str) -> Plan:
    """Ten requests over kept connections."""
    return Plan(Constant(20), (Stream("readyz", url),), requests=10, timeout=10)


def test_https_is_spoken_on_kept_connections(
    tls: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a process of its own: whole answers, the time of their first byte, and connections that are used again."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    with serving(answer, tls=tls) as url, Background(plan(url), tmp_path / "rows.jsonl") as load:
        load.wait(20)
    rows = load.rows()
    assert len(rows) == 10
    assert all(row.ok and row.first_byte for row in rows), rows
    assert {row.connection for row in rows} == {"new", "reused"}


def test_a_certificate_of_nobody_known_is_refused(tls: ssl.SSLContext, tmp_path: Path) -> None:
    """The request, with its key, doesn't leave."""
    asked: list[str] = []
    with serving(lambda handler: asked.append(handler.path), tls=tls) as url:
        chosen = plan(url)
        with RowFile(tmp_path / "rows.jsonl", chosen) as file:
            errors: list[str | None] = []
            Generator(chosen, file, lambda row: errors.append(row.error)).run()
    assert set(errors) == {"SSLCertVerificationError"}
    assert asked == []


@pytest.mark.parametrize("url", ["ftp://host", "http://user:secret@host", "host:80"])
def test_another_url_is_refused_before_the_first_request(url: str, tmp_path: Path) -> None:
    """Without the password that it may hold."""
    chosen = plan(url)
    with RowFile(tmp_path / "rows.jsonl", chosen) as file, pytest.raises(ValueError, match="understood") as refused:
        Generator(chosen, file)
    assert "secret" not in str(refused.value)


def test_both_loops_trust_the_same_authorities() -> None:
    """In a process of its own, since locust changes modules; its HTTP client has authorities of its own."""
    code = """
from loadtest.load.users import CheckedUser
import certifi, ssl
theirs, ours = CheckedUser.ssl_context_factory(cafile=certifi.where()), ssl.create_default_context()
assert theirs.cert_store_stats() == ours.cert_store_stats(), (theirs.cert_store_stats(), ours.cert_store_stats())
"""
    environment = {**os.environ, "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/dev/null"}
    subprocess.run((sys.executable, "-c", code), env=environment, cwd=REPOSITORY, check=True, timeout=60)
