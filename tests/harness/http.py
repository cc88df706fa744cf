"""One request to a service of this machine, by its port."""

from stack.http import FAILURES, Answer, ask
from stack.ports import HOST


def get(port: int, path: str, method: str = "GET", payload: object = None, timeout: float = 2) -> Answer:
    """The answer to one request on a fresh connection; raises `stack.http.FAILURES`."""
    return ask(f"http://{HOST}:{port}{path}", method, payload, timeout)


def outcome(port: int, path: str, timeout: float = 1) -> int | str:
    """The status of an answer, or the name of what came instead (`ConnectionRefusedError`, `TimeoutError`, …)."""
    try:
        return get(port, path, timeout=timeout).status
    except FAILURES as error:
        return type(error).__name__
