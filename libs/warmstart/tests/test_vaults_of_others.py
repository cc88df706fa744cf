"""AWS Secrets Manager, as moto speaks it, and Google Secret Manager, as a small server does."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from warmstart import Fatal
from warmstart.settings.vault_address import parse
from warmstart.vault.errors import Away
from warmstart.vault.fetch import fetch

NAMES = ["database_url", "api_keys"]


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Its URL."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of AWS for the test, whose variables the service has too."""
    variables = {
        "ACCESS_KEY_ID": "key",
        "SECRET_ACCESS_KEY": "secret",
        "ENDPOINT_URL": moto,
        "DEFAULT_REGION": "eu-west-1",
    }
    for name, value in {**variables, "EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return pytest.importorskip("boto3").session.Session().client("secretsmanager")


def test_aws_has_one_secret_with_all_values(aws: Any) -> None:
    """By name, or by its ARN, which needs no region; case doesn't matter, and what is no setting is ignored."""
    content = {"DATABASE_URL": "url", "api_keys": "keys", "other": 5, "nested": {}}
    arn = aws.create_secret(Name="prod/good", SecretString=json.dumps(content))["ARN"]
    wanted = {"database_url": "url", "api_keys": "keys"}
    assert fetch(parse("aws:prod/good"), NAMES) == wanted
    assert fetch(parse(f"aws:{arn}"), NAMES) == wanted


def test_aws_needs_no_region_beside_an_arn(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name alone does."""
    arn = aws.create_secret(Name="prod/regional", SecretString='{"API_KEYS": "keys"}')["ARN"]
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert fetch(parse(f"aws:{arn}"), NAMES) == {"api_keys": "keys"}
    with pytest.raises(Fatal, match="region"):
        fetch(parse("aws:prod/regional"), NAMES)


def test_aws_region(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS_REGION counts, which boto3 doesn't read."""
    aws.create_secret(Name="prod/named", SecretString='{"API_KEYS": "keys"}')
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert fetch(parse("aws:prod/named"), NAMES) == {"api_keys": "keys"}


@pytest.mark.parametrize("content", ["s3cret", '["s3cret"]', '"s3cret"', '{"DATABASE_URL": ["s3cret"]}'])
def test_aws_content_that_is_no_object_of_texts(aws: Any, content: str) -> None:
    """It is not quoted."""
    aws.create_secret(Name=f"prod/{content.__hash__()}", SecretString=content)
    with pytest.raises(Fatal, match="not text") as refused:
        fetch(parse(f"aws:prod/{content.__hash__()}"), NAMES)
    assert "s3cret" not in str(refused.value)


def test_aws_binary(aws: Any) -> None:
    """It is no text."""
    aws.create_secret(Name="prod/binary", SecretBinary=b"\x00")
    with pytest.raises(Fatal, match="not text"):
        fetch(parse("aws:prod/binary"), NAMES)


def test_aws_refusals(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown secret and missing credentials are for good; a server that is away is not."""
    with pytest.raises(Fatal, match=r"^aws:prod/unknown: .*ResourceNotFoundException"):
        fetch(parse("aws:prod/unknown"), NAMES)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(Away, match="Could not connect"):
        fetch(parse("aws:prod/good"), NAMES)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(Fatal, match="credentials"):
        fetch(parse("aws:prod/good"), NAMES)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("AWS_DEFAULT_REGION", "no region", "Provided region_name 'no region'"),
        ("AWS_ENDPOINT_URL", "no-url", "Invalid endpoint: no-url"),
    ],
)
def test_aws_variables_that_cannot_be_used(
    aws: Any, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, reason: str
) -> None:
    """The reason is AWS's own, and not that of a bad secret."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(Fatal, match=f"^aws:prod/good: {reason}"):
        fetch(parse("aws:prod/good"), NAMES)


def test_aws_credentials_that_are_away(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent of ECS or EKS may not answer yet when the container starts."""
    monkeypatch.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/v1/credentials")
    with pytest.raises(Away, match=r"^aws:prod/good: Error when retrieving credentials from container-role"):
        fetch(parse("aws:prod/good"), NAMES)


class Page(BaseHTTPRequestHandler):
    """Answers 200 with `body`, whatever it is asked: a proxy, or a network that wants a login first."""

    body: ClassVar[bytes] = b""

    def log_message(self, *_: object) -> None:
        """The tests' output stays clean."""

    def do_POST(self) -> None:
        """AWS's calls are of this method."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)


@pytest.fixture
def page(aws: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Page]]:
    """It is in the place of AWS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setattr(Page, "body", b"")
    yield Page
    server.shutdown()
    server.server_close()


NOT_THEIRS = [
    (b"<html>s3cret</html>", "200: the answer is no JSON"),
    (b'{"SecretString": "s3cret', "200: the answer is no JSON"),
    (b"s3cret\xff", "200: the answer is no JSON"),
]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        *NOT_THEIRS,
        (b"", "200: the answer is no JSON"),
        (b"{}", "200: the answer has no secret"),
        (b'["s3cret"]', "200: the answer has no secret"),
    ],
)
def test_an_answer_that_is_not_of_aws(page: type[Page], body: bytes, reason: str) -> None:
    """It counts as a vault that is away, and isn't quoted."""
    page.body = body
    with pytest.raises(Away, match=rf"^aws:prod/good: {reason}$"):
        fetch(parse("aws:prod/good"), NAMES)


def test_an_answer_that_is_not_of_the_service_of_credentials(
    page: type[Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token of the cluster is exchanged for credentials; a page in their place counts as a vault that is away."""
    (tmp_path / "token").write_text("token")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader")
    page.body = b"<!doctype html><p>s3cret"
    with pytest.raises(Away, match=r"^aws:prod/good: the answer of the credentials' service can't be read$"):
        fetch(parse("aws:prod/good"), NAMES)


class Google(BaseHTTPRequestHandler):
    """Two secrets; `statuses` and `bodies` are those of answers by secret."""

    values: ClassVar[dict[str, bytes]] = {"DATABASE_URL": b"url", "other": b"x", "api_keys": b"keys"}
    statuses: ClassVar[dict[str, int]] = {}
    bodies: ClassVar[dict[str, bytes]] = {}

    def log_message(self, *_: object) -> None:
        """The tests' output stays clean."""

    def do_GET(self) -> None:
        """The list of names, or a value."""
        parts = self.path.partition("?")[0].strip("/").split("/")
        base, name = "projects/project/secrets", parts[4] if len(parts) > 4 else ""
        status = self.statuses.get(name, 200)
        if status != 200:
            content: object = {"error": {"code": status, "message": "a test refuses it", "status": "X"}}
        elif name:
            data = base64.b64encode(self.values[name]).decode()
            content = {"name": f"{base}/{name}/versions/1", "payload": {"data": data}}
        else:
            content = {"secrets": [{"name": f"{base}/{each}"} for each in self.values]}
        body = self.bodies.get(name, json.dumps(content).encode())
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Google]]:
    """A server, which the client of this process asks."""
    pytest.importorskip("google.cloud.secretmanager")
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceRestTransport,
    )

    from warmstart.vault import gcp

    server = ThreadingHTTPServer(("127.0.0.1", 0), Google)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def ask(project: str, model: Any, limit: float) -> dict[str, Any]:
        host = f"127.0.0.1:{server.server_address[1]}"
        credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
        transport = SecretManagerServiceRestTransport(host=host, url_scheme="http", credentials=credentials)
        return gcp.ask_with(gcp.Client(transport=transport), project, model)

    monkeypatch.setattr(gcp, "ask", ask)
    monkeypatch.setattr(Google, "statuses", {})
    monkeypatch.setattr(Google, "bodies", {})
    monkeypatch.setattr(Google, "values", {**Google.values})
    yield Google
    server.shutdown()
    server.server_close()


def test_google_has_a_secret_for_each_setting(google: type[Google]) -> None:
    """In any case."""
    assert fetch(parse("gcp:project"), NAMES) == {"database_url": "url", "api_keys": "keys"}


@pytest.mark.parametrize(
    ("name", "status", "kind"), [("", 403, Fatal), ("api_keys", 403, Fatal), ("api_keys", 503, Away)]
)
def test_google_refusals(google: type[Google], name: str, status: int, kind: type[Exception]) -> None:
    """A secret that can't be read fails the fetch; pydantic-settings alone would leave the setting at its default."""
    google.statuses = {name: status}
    with pytest.raises(kind, match=rf"^gcp:project: .*{status}.*a test refuses it"):
        fetch(parse("gcp:project"), NAMES)


@pytest.mark.parametrize("name", ["", "api_keys"])
@pytest.mark.parametrize(("body", "reason"), NOT_THEIRS)
def test_an_answer_that_is_not_of_google(google: type[Google], name: str, body: bytes, reason: str) -> None:
    """In the place of the list of names, or of a value: it counts as a vault that is away, and isn't quoted."""
    google.bodies = {name: body}
    with pytest.raises(Away, match=rf"^gcp:project: {reason}$"):
        fetch(parse("gcp:project"), NAMES)


def test_an_answer_of_google_without_a_value(google: type[Google]) -> None:
    """It counts as a vault that is away, and not as an empty secret."""
    google.bodies = {"api_keys": b"{}"}
    with pytest.raises(Away, match=r"^gcp:project: 200: the answer has no value$"):
        fetch(parse("gcp:project"), NAMES)


def test_google_binary(google: type[Google]) -> None:
    """It is no text."""
    google.values["api_keys"] = b"\xff\xfe"
    with pytest.raises(Fatal, match="not text: API_KEYS"):
        fetch(parse("gcp:project"), NAMES)
