"""Asking a part how it is, from outside, whatever runs it."""

import json
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from http.client import HTTPException

from stack.interface import Part
from stack.pgserver import psql
from stack.ports import HOST
from stack.site import Site

PROBE_SECONDS = 1.0
UNUSABLE = "the documents were made with another password than .env has"
# An http_proxy of the environment is no way to 127.0.0.1.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Health:
    """Whether a part can be used now, and how it describes itself."""

    ready: bool
    detail: str
    hopeless: bool = False  # it runs, and no waiting makes it ready


def check(site: Site, part: Part, port: int) -> Health:
    """Ask the part that listens on a port of this machine, within about a second."""
    try:
        if part == "postgres":
            return _postgres(port, site.secrets.postgres)
        return _valkey(port, site.secrets.redis) if part == "valkey" else _service(site.url(part, port))
    except ConnectionRefusedError:
        return Health(ready=False, detail="starting")
    except (OSError, HTTPException) as error:
        return Health(ready=False, detail=f"no answer: {error}")


def _service(url: str) -> Health:
    status, _ = fetch(f"{url}/readyz")
    if status == 200:
        return Health(ready=True, detail="ready")
    _, body = fetch(f"{url}/startupz")
    return Health(ready=False, detail=describe(body))


def _valkey(port: int, password: str) -> Health:
    with socket.create_connection((HOST, port), timeout=PROBE_SECONDS) as connection:
        secret = password.encode()
        connection.sendall(b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%b\r\nPING\r\n" % (len(secret), secret))
        answer = connection.makefile("rb")
        replies = [answer.readline().strip().decode() for _ in range(2)]
    ready = replies == ["+OK", "+PONG"]
    return Health(ready, detail="ready" if ready else f"answered {replies}")


def _postgres(port: int, password: str) -> Health:
    try:
        done = psql("SELECT 1", port, password, PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        return Health(ready=False, detail="no answer")
    if "authentication failed" in done.stderr:
        return Health(ready=False, detail=UNUSABLE, hopeless=True)
    if done.returncode != 0:
        return Health(ready=False, detail=done.stderr.partition("FATAL:")[2].strip() or "starting")
    return Health(ready=True, detail="ready")


def fetch(url: str) -> tuple[int, bytes]:
    """Status and body of a GET, whatever the status; raises OSError when there is no answer."""
    try:
        with _opener.open(url, timeout=PROBE_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except urllib.error.URLError as error:
        raise error.reason if isinstance(error.reason, OSError) else OSError(error.reason) from error


def describe(body: bytes) -> str:
    """One line from the answer of /startupz: the phase, and the resources that are not ready yet."""
    try:
        answer = json.loads(body)
        pending = [f"{r['name']} {r['state']}" for r in answer["resources"] if r["state"] != "ready"]
        return f"{answer['phase']} ({', '.join(pending)})" if pending else str(answer["phase"])
    except (ValueError, KeyError, TypeError):
        return f"unexpected answer of /startupz: {body[:200]!r}"
