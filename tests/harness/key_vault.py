"""A small Azure Key Vault, over HTTPS by an authority of its own, and the endpoint of a managed identity beside it.

It speaks the REST of the service as far as secrets are read: the challenge, pages of names, versions, and its errors.
"""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from drills.certificates import Authority

HOST = "127.0.0.1"
PAGE = 2  # names of one answer; the service gives 25
TOKEN, HEADER = "t0ken-of-the-identity", "header-of-the-identity"


class KeyVault:
    """`secrets` has each value by the vault's own name; None is a disabled secret.

    The next requests with a token get the `answers`, of which each is a status with the seconds of a `Retry-After`.
    While it is `silent` it takes connections and says nothing. `asked` has the paths of requests with a token,
    `asked_at` when they came.
    """

    def __init__(self, folder: Path) -> None:
        self.secrets: dict[str, str | None] = {}
        self.answers: list[tuple[int, int | None]] = []
        self.always: int | None = None  # the status of each answer
        self.bodies: dict[str, bytes] = {}  # what a path answers instead, with 200
        self.asked: list[str] = []
        self.asked_at: list[float] = []
        self.talks = threading.Event()
        self.talks.set()
        authority = Authority.found(folder / "authority")
        self._bundle = folder / "authority" / "ca.crt"
        self._context = authority.sign("vault", 30)
        self._identity = _serve(_Server((HOST, 0), _Identity))
        self._servers = [self._identity]
        self.port = 0
        self.come_back()

    @property
    def address(self) -> str:
        """As SECRETS_FROM names it."""
        return f"azure:https://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a service that may read it: the managed identity of App Service and Container Apps."""
        identity = f"http://{HOST}:{self._identity.server_address[1]}/msi/token"
        return {
            "SECRETS_FROM": self.address,
            "REQUESTS_CA_BUNDLE": str(self._bundle),
            "IDENTITY_ENDPOINT": identity,
            "IDENTITY_HEADER": HEADER,
        }

    def leave(self) -> None:
        """Refuse connections."""
        _end(self._servers.pop())

    def come_back(self) -> None:
        """Listen, at the same address."""
        server = _Server((HOST, self.port), _Vault)
        server.vault, server.context = self, self._context
        self.port = server.server_address[1]
        self._servers.append(_serve(server))

    def end(self) -> None:
        """Be gone."""
        self.talks.set()
        for each in self._servers:
            _end(each)


@contextmanager
def key_vault(folder: Path) -> Iterator[KeyVault]:
    """Run one inside the block."""
    running = KeyVault(folder)
    try:
        yield running
    finally:
        running.end()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    vault: KeyVault
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        with suppress(OSError):  # the client left, or refused the certificate
            if self.context is None:
                super().finish_request(request, client_address)
                return
            self.vault.talks.wait()
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """The tests' output stays clean."""

    def answer(self, status: int, content: object, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str, **headers: str) -> None:
        self.answer(status, {"error": {"code": code, "message": message}}, **headers)


class _Identity(_Handler):
    def do_GET(self) -> None:
        if self.headers["X-IDENTITY-HEADER"] != HEADER:
            self.refuse(401, "unauthorized", "the header is another one")
            return
        resource = parse_qs(urlsplit(self.path).query)["resource"][0]
        token = {"access_token": TOKEN, "expires_on": "4102444800", "resource": resource, "token_type": "Bearer"}
        self.answer(200, token)


class _Vault(_Handler):
    def do_GET(self) -> None:
        vault, parts = self.server.vault, urlsplit(self.path)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            # The client wants the vault's host to end in that of the resource, whose port counts.
            resource = f"https://{HOST.partition('.')[2]}:{vault.port}"
            challenge = f'Bearer authorization="https://login.microsoftonline.com/tenant", resource="{resource}"'
            self.refuse(401, "Unauthorized", "AKV10000: Request is missing a token.", WWW_Authenticate=challenge)
            return
        vault.asked.append(parts.path)
        vault.asked_at.append(time.monotonic())
        vault.talks.wait()
        status, after = vault.answers.pop(0) if vault.answers else (vault.always, None)
        if status:
            more = {} if after is None else {"Retry_After": str(after)}
            self.refuse(status, "Throttled" if status == 429 else "Forbidden", "a test refuses it", **more)
        elif body := vault.bodies.get(parts.path):
            self.answer(200, body)
        elif parts.path == "/secrets":
            self._list(int(parse_qs(parts.query).get("$skiptoken", ["0"])[0]))
        else:
            self._get(parts.path.split("/")[2])

    def _list(self, begin: int) -> None:
        vault = self.server.vault
        base, names = f"https://{HOST}:{vault.port}/secrets", list(vault.secrets)
        page = [
            {"id": f"{base}/{name}", "attributes": {"enabled": vault.secrets[name] is not None}}
            for name in names[begin : begin + PAGE]
        ]
        more = begin + PAGE < len(names)
        self.answer(200, {"value": page, "nextLink": f"{base}?$skiptoken={begin + PAGE}" if more else None})

    def _get(self, name: str) -> None:
        vault = self.server.vault
        if name not in vault.secrets:
            self.refuse(404, "SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
        elif (value := vault.secrets[name]) is None:
            self.refuse(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
        else:
            identifier = f"https://{HOST}:{vault.port}/secrets/{name}/0123456789abcdef"
            self.answer(200, {"value": value, "id": identifier, "attributes": {"enabled": True}})


def _serve(server: _Server) -> _Server:
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def _end(server: _Server) -> None:
    server.shutdown()
    server.server_close()
