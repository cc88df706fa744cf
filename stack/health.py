"""Asks a part for its health from outside, on every kind of stack."""

import json
import socket
import subprocess
from dataclasses import dataclass

from stack.http import FAILURES, ask
from stack.interface import CHAT, Part
from stack.pgserver import psql
from stack.ports import HOST
from stack.site import Site

PROBE_SECONDS = 1.0
UNUSABLE = "the documents were made with another password than .env has"


@dataclass(frozen=True)
class Health:
    """Whether a part can be used now, and how it describes itself."""

    ready: bool
    detail: str
    hopeless: bool = False  # it runs, and will never become ready


def check(site: Site, part: Part, port: int) -> Health:
    """Ask the part that listens on a port of this machine, within about a second."""
    try:
        if part == "postgres":
            return _postgres(port, site.secrets.postgres)
        if part == "valkey":
            return _valkey(port, site.secrets.redis)
        return _chat(site.url(part, port)) if part == CHAT else _service(site.url(part, port))
    except ConnectionRefusedError:
        return Health(ready=False, detail="starting")
    except FAILURES as error:
        return Health(ready=False, detail=f"no answer: {error}")


def age(url: str) -> float:
    """Seconds since the process that answers for a service began; infinite if none answers."""
    try:
        return float(ask(f"{url}/startupz", timeout=2).json()["elapsed_seconds"])
    except FAILURES:
        return float("inf")


def _service(url: str) -> Health:
    if ask(f"{url}/readyz").status == 200:
        return Health(ready=True, detail="ready")
    return Health(ready=False, detail=describe(ask(f"{url}/startupz").body))


def _chat(url: str) -> Health:
    ready = ask(f"{url}/v1/models").status == 200
    return Health(ready, detail="ready: echoes sources, no language model" if ready else "answers errors")


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


def describe(body: bytes) -> str:
    """One line from the answer of /startupz: the phase, and the resources that are not ready yet."""
    try:
        answer = json.loads(body)
        pending = [f"{r['name']} {r['state']}" for r in answer["resources"] if r["state"] != "ready"]
        return f"{answer['phase']} ({', '.join(pending)})" if pending else str(answer["phase"])
    except (ValueError, KeyError, TypeError):
        return f"unexpected answer of /startupz: {body[:200]!r}"
